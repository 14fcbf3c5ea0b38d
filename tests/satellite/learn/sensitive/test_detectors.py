"""Detectors on values that other libraries make, and on look-alikes."""

from __future__ import annotations

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.schema import Body, observe_body
from levo.satellite.learn.sensitive.detectors import Detectors
from levo.satellite.learn.sensitive.kinds import Category, Kind, Proof
from levo.satellite.learn.sensitive.rules import Rule

DETECTORS = Detectors()


def kinds(value: str) -> set[str]:
    return {kind for check in DETECTORS.checks_for(value) for kind in check(value)}


def test_generated_values_are_found() -> None:
    fake = Faker("de_DE")
    fake.seed_instance(7)
    for _ in range(50):
        assert "email" in kinds(fake.email())
        assert "iban" in kinds(fake.iban())
        assert "payment-card" in kinds(fake.credit_card_number("visa16"))
        assert "ip-address" in kinds(fake.ipv6())
        assert "mac-address" in kinds(fake.mac_address())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("529.982.247-25", "national-id.br.cpf"),
        ("943 476 5919", "national-id.gb.nhs"),
        ("44051401359", "national-id.pl.pesel"),
        ("12345678Z", "national-id.es.dni"),
        ("078-05-1120", "national-id.us.ssn"),
        ("CL 12531909-2", "national-id.cl.rut"),
        ("12531909-2", "national-id.cl.rut"),
        ("HR33392005961", "national-id.hr.oib"),
        ("PT 501 964 843", "national-id.pt.nif"),
        ("x-2482300w", "national-id.es.nie"),
        ("rccmnl83s18d969h", "national-id.it.codicefiscale"),
        ("3933742-3", "national-id.il.idnr"),
        ("0710003730015", "national-id.rs.jmbg"),
        ("161175-19997", "national-id.lv.pk"),
        ("2123 45670 1", "national-id.au.medicare"),
        ("2123 45670 1 1", "national-id.au.medicare"),
        ("+49 30 901820", "phone"),
        ("AKIAIOSFODNN7EXAMPLE", "aws-access-key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "private-key"),
        ("https://me:secret@example.com/", "url-password"),
        ("1M8GDM9AXKP042788", "vehicle-number"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "crypto-address"),
        ("write to me@example.org today", "email~"),
    ],
)
def test_known_values(value: str, kind: str) -> None:
    assert kind in kinds(value)


@pytest.mark.parametrize(
    "value",
    [
        "git@github.com:a/b.git",
        "icon@2x.png",
        "2024-05-17T09:30:00Z",
        "1.22.333",
        "CL 12531909-3",
        "DE 33392005961",
        "PT 501 964 844",
        "9999999999999999",
        "deadbeef" * 5,
    ],
)
def test_look_alikes_are_not_found(value: str) -> None:
    assert not kinds(value)


@given(st.text(max_size=300))
def test_any_text_is_scanned_without_an_exception(text: str) -> None:
    for check in DETECTORS.all_checks:
        check(text)


@pytest.mark.parametrize(
    ("media", "octets"),
    [
        ("application/x-www-form-urlencoded", b"to=user7%40example.com"),
        ("application/json", b'{"to": "user7\\u0040example.com"}'),
    ],
)
def test_an_address_is_found_however_it_is_escaped(media: str, octets: bytes) -> None:
    body = Body()
    observe_body(body, media, media, octets, DETECTORS.checks_for(octets))

    assert body.schema.children["to"].finds == {"email": 1}


def test_a_rule_of_the_user_is_applied() -> None:
    rule = Rule(Kind("staff", Category.CUSTOM, Proof.STRUCTURE), r"EMP-\d{6}")
    checks = Detectors([rule]).checks_for("x EMP-123456")

    assert [list(check("EMP-123456")) for check in checks][-1] == ["staff"]
