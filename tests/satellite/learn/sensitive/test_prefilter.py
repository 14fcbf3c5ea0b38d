# ruff: noqa: E501 (tables of patterns read better unbroken)
"""The prefilter against the plain checks, on values that are sensitive, nearly sensitive, or neither."""

from __future__ import annotations

import re
from random import Random

import pytest
import re2  # type: ignore[import-untyped,unused-ignore]
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.sensitive.detectors import (
    Check,
    Detectors,
    check_coins,
    check_digits,
    check_email,
    check_iban,
    check_identifiers,
    check_network,
    check_secrets,
)

# What a text must hold for a check to find anything that counts: digits and letters of ASCII, above all.
NECESSARY: tuple[tuple[str, Check], ...] = (
    (r"[A-Za-z0-9]@[A-Za-z0-9]", check_email),
    (r"\d[\d ().\-/]{6}[\dXx]", check_digits),
    (r"[A-Z]{2}\d\d ?[A-Z0-9]{4}", check_iban),
    (
        r"[A-Z]{6}\d\d|\d{7}[A-Z]|\d{6}[-+/A-Y]\d{3}|[A-Z]{5}\d{4}[A-Z]|[A-Z]{4}\d{6}|[STFGXYZ]-?\d{7}|\d{3}-[\dkK]\b|\d{8}-[A-Z]|[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]\b|\b[A-HJ-NPR-Z0-9]{17}\b|\b[A-Z]{6}[A-Z0-9]{2,5}\b|\d{8} ?\d ?[A-Z0-9]{2}\d|\b(?:BE|BG|CL|EE|HR|LT|PT|RO) ?\d[\d .-]{6}|[xyz]-?\d{7}-?[a-z]\b|\b\d{8}-?[a-z]\b|[a-z]{6}\d\d[a-z]\d\d[a-z]\d{3}[a-z]",
        check_identifiers,
    ),
    (
        r"eyJ[A-Za-z0-9_-]{8}|PRIVATE KEY-----|\b(?:AKIA|ASIA)[A-Z2-7]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|AIza[A-Za-z0-9_-]{35}|\bsk-|SG\.[A-Za-z0-9_-]{22}|npm_[A-Za-z0-9]{36}|pypi-AgE|AccountKey=|://[^\s/:@?#\"]{1,64}:[^\s/:@?#\"]{1,128}@|0x[0-9a-fA-F]{40}",
        check_secrets,
    ),
    (
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|:[0-9A-Fa-f]{0,4}:",
        check_network,
    ),
    (r"\b[13][1-9A-HJ-NP-Za-km-z]{25}|bc1[02-9ac-hj-np-z]{11}", check_coins),
)

(CHECK,) = Detectors().checks_for("")


def plainly(value: str) -> set[str]:
    """What the checks find in *value*, one by one, where its octets have what they look for."""
    return {kind for pattern, check in NECESSARY if re2.search(pattern, value) for kind in check(value)}


def freely(value: str) -> set[str]:
    """What the checks find in *value*, digits of other scripts included."""
    return {kind for _, check in NECESSARY for kind in check(value)}


def agrees(value: str) -> None:
    found = list(CHECK(value))
    assert len(found) == len(set(found))
    assert plainly(value) <= set(found) <= freely(value), value


PIECES = (
    "a", "x", "k", "K", "X", "Z", "eyJ", "AKIA", "sk-", "sk_live_", "0x", "bc1", "://", "@", ".", ":", "-", " ", "/", "(", "+",
    "DE12", "12", "1234", "0", "7", "ABCD", "com", "js", "ffff", "PRIVATE KEY-----", "glpat-", "SG.", "npm_", "ghp_", "é", "٣",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_is_made_of_pieces_of_secrets_is_found_as_plainly(value: str) -> None:
    agrees(value)


@given(st.from_regex(r"[0-9A-Za-z ().+@:/_-]{7,45}", fullmatch=True))
def test_short_texts_are_found_as_plainly(value: str) -> None:
    agrees(value)


@given(st.text(max_size=100))
def test_any_text_is_found_as_plainly(value: str) -> None:
    agrees(value)


@pytest.mark.parametrize(
    "pattern",
    [
        r"[XYZxyz]-?\d{7}-?[A-Za-z]", r"\d{8}-?[A-Za-z]", r"[A-Z]{6}\d{2}[A-T]\d{2}[A-Z]\d{3}[A-Z]", r"\d{6}[-+A-F]\d{3}[0-9A-Z]",
        r"\d{7}[A-W][A-I]?", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", r"\d{1,2}\.?\d{3}\.?\d{3}-[\dkK]",
        r"\d{17}[X0-9]", r"\d{8} ?\d ?[A-Z0-9]{2}\d", r"[ABCE]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]", r"[STFG]\d{7}[A-Z]",
        r"\d{6}[-+/]?\d{3,4}", r"[12]\d{2}0[1-9]\d{2}\d{8}", r"(BE|BG|CL|EE|HR|LT|PT|RO) ?\d[\d .-]{6,14}[\dK]", r"[A-Z]{6}[A-Z0-9]{2,5}",
        r"[A-HJ-NPR-Z0-9]{17}", r"\+?\(?\d[\d ().\-/]{5,30}[\dXx]", r"[A-Z]{2}\d{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}",
        r"4\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}", r"x 4\d{3} \d{4} \d{4} \d{4}", r"3[47]\d{2}-\d{6}-\d{5}", r"20\d\d[-/.]\d\d[-/.]\d\d( \d\d)?",
        r"\d{1,3}(\.\d{1,3}){3}", r"[0-9a-f]{2}([:-])([0-9a-f]{2}\1){4}[0-9a-f]{2}", r"([0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}",
        r"[13][1-9A-HJ-NP-Za-km-z]{25,34}", r"bc1[02-9ac-hj-np-z]{23,71}", r"0x[0-9a-f]{40}", r"(AKIA|ASIA)[A-Z2-7]{16}",
        r"eyJ[A-Za-z0-9_-]{8,9}\.eyJ[A-Za-z0-9_-]{4,6}\.[A-Za-z0-9_-]{0,3}", r"[a-z]{2,6}://[a-z]{1,4}:[a-z]{1,4}@[A-Za-z\[]",
        r"[a-z.+']{1,5}@[a-z0-9-]{1,5}\.([a-z]{1,4}\.)?(com|org|png|js|de|internal|CO)", r"(gh[pousr]_[A-Za-z0-9]{36}|glpat-\w{20})",
        r"[rs]k_(live|test)_[A-Za-z0-9]{16}", r"(a|-)sk-(proj-)?[A-Za-z0-9_-]{32}", r"xox[ab]-[A-Za-z0-9-]{10}", r"npm_[A-Za-z0-9]{36}",
        r"AIza[A-Za-z0-9_-]{35}", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", r"AccountKey=[A-Za-z0-9+/]{60}==", r"pypi-AgE[A-Za-z0-9_-]{50}",
    ],
)  # fmt: skip
@given(data=st.data())
def test_what_looks_like_a_known_kind_is_found_as_plainly(pattern: str, data: st.DataObject) -> None:
    agrees(data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)))


def test_what_other_libraries_make_is_found_as_plainly() -> None:
    for locale in ("en_US", "de_DE", "pl_PL", "it_IT", "pt_BR", "es_ES"):
        fake = Faker(locale)
        fake.seed_instance(locale)
        for make in (fake.email, fake.iban, fake.ssn, fake.phone_number, fake.credit_card_number, fake.ipv4, fake.ipv6,
                     fake.mac_address, fake.swift, fake.uuid4, fake.iso8601, fake.sentence, fake.url, fake.vin):  # fmt: skip
            for _ in range(40):
                agrees(make())


@pytest.mark.parametrize("value", ["user7@example.com", "a@b.co.uk", "anna.meyer+x@mail.example.org"])
def test_an_address_is_found(value: str) -> None:
    assert list(CHECK(value)) == ["email"]


@pytest.mark.parametrize(
    "value", ["a..b@example.com", "icon@2x.png", "a@b.js", "a@-b.com", "a@b-.com", "a@b..com"]
)
def test_what_is_nearly_an_address_is_none(value: str) -> None:
    assert not CHECK(value)


def test_a_text_in_which_many_addresses_begin_is_read_in_linear_time() -> None:
    """Each ``://`` could begin an address with a password; whether an ``@`` follows is asked once."""
    rng = Random(1)
    for text in ("://" * 20_000, "0x" * 20_000, "AKI" * 20_000, "1 " * 20_000, rng.randbytes(30_000).hex()):
        assert not CHECK(text)


def test_lone_surrogates_are_no_failure() -> None:
    assert list(CHECK("user7@example.com \ud800")) == ["email~"]
