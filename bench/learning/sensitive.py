"""Precision and recall of sensitive data per kind: generated bodies in ten locales, with hard negatives."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from typing import Any

import orjson
from faker import Faker

from levo.satellite.learn.schema import Body, Node, observe_body
from levo.satellite.learn.sensitive import Detectors, decide
from levo.satellite.learn.sensitive.checksums import luhn

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE")
Make = Callable[[], Any]


def positives(fake: Faker, rng: Random, locale: str) -> dict[str, tuple[str, Make]]:
    """Fields by name: the kind, and what makes a value."""
    fields: dict[str, tuple[str, Make]] = {
        "email": ("email", fake.email),
        "contact": ("email", fake.safe_email),
        "phone": ("phone", fake.phone_number),
        "mobileNumber": ("phone", lambda: "+4915" + "".join(rng.choices("0123456789", k=9))),
        "firstName": ("person-name", fake.first_name),
        "last_name": ("person-name", fake.last_name),
        "streetAddress": ("postal-address", fake.street_address),
        "city": ("city", fake.city),
        "postalCode": ("postal-code", fake.postcode),
        "birthDate": ("date-of-birth", lambda: fake.date_of_birth().isoformat()),
        "cardNumber": (
            "payment-card",
            lambda: fake.credit_card_number(rng.choice(("visa16", "mastercard", "amex"))),
        ),
        "value1": ("payment-card", lambda: fake.credit_card_number(rng.choice(("visa16", "mastercard")))),
        "iban": ("iban", fake.iban),
        "payout": ("iban", fake.iban),
        "ip": ("ip-address", fake.ipv4),
        "origin": ("ip-address", fake.ipv6),
        "mac": ("mac-address", fake.mac_address),
        "password": ("password", fake.password),
        "cvv": ("card-security-code", fake.credit_card_security_code),
        "sessionInfo": ("jwt", lambda: _jwt(rng)),
        "cloudKey": (
            "aws-access-key",
            lambda: "AKIA" + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16)),
        ),
    }
    national = {
        "en_US": ("ssn", "national-id.us.ssn", fake.ssn),
        "en_GB": ("nino", "national-id.gb.nino", lambda: fake.ssn().replace(" ", "")),
        "es_ES": ("dni", "national-id.es.dni", getattr(fake, "nif", fake.ssn)),
        "it_IT": ("codiceFiscale", "national-id.it.codicefiscale", fake.ssn),
        "nl_NL": ("bsn", "national-id.nl.bsn", fake.ssn),
        "pl_PL": ("pesel", "national-id.pl.pesel", getattr(fake, "pesel", fake.ssn)),
        "pt_BR": ("cpf", "national-id.br.cpf", getattr(fake, "cpf", fake.ssn)),
        "sv_SE": ("personnummer", "national-id.se.personnummer", fake.ssn),
        "fr_FR": ("nir", "national-id.fr.nir", lambda: fake.ssn().replace(" ", "")),
    }
    if locale in national:
        name, kind, make = national[locale]
        fields[name] = (kind, make)
    return fields


def negatives(fake: Faker, rng: Random) -> dict[str, Make]:
    """Fields that look like sensitive data and are none."""

    def digits(count: int) -> str:
        return str(rng.randrange(10 ** (count - 1), 10**count))

    return {
        "orderNumber": lambda: _with_luhn(digits(15)),
        "invoiceNo": lambda: _with_luhn("4" + digits(14)),
        "reference": lambda: _with_luhn(digits(9)),
        "quantity": lambda: rng.randrange(10**9),
        "serial": lambda: digits(11),
        "batch": lambda: digits(9),
        "value2": lambda: digits(16),
        "value3": lambda: digits(9),
        "code1": lambda: digits(11),
        "createdAt": lambda: fake.iso8601(),
        "timestamp": lambda: rng.randrange(1_600_000_000_000, 1_800_000_000_000),
        "epoch": lambda: rng.randrange(1_600_000_000, 1_800_000_000),
        "commit": lambda: hashlib.sha1(rng.randbytes(8)).hexdigest(),
        "checksum": lambda: hashlib.md5(rng.randbytes(8)).hexdigest(),
        "objectId": lambda: rng.randbytes(12).hex(),
        "version": lambda: ".".join(str(rng.randrange(40)) for _ in range(3)),
        "build": lambda: f"{rng.randrange(9)}.{rng.randrange(99)}.{rng.randrange(9999)}-rc{rng.randrange(9)}",
        "sku": lambda: "".join(rng.choices("ABCDEFGH", k=3)) + "-" + digits(6),
        "uuid": lambda: fake.uuid4(),
        "productName": lambda: fake.word(),
        "fileName": lambda: fake.file_name(),
        "hostName": lambda: fake.hostname(),
        "remote": lambda: f"git@{fake.domain_name()}:{fake.word()}/{fake.word()}.git",
        "avatar": lambda: f"{fake.word()}@2x.png",
        "price": lambda: round(rng.uniform(1, 900), 2),
        "status": lambda: rng.choice(("active", "paused")),
        "description": fake.sentence,
        "eventName": lambda: rng.choice(("created", "deleted")),
        "isbn": lambda: fake.isbn13(),
        "ean": lambda: fake.ean13(),
        "width": lambda: rng.randrange(10_000_000, 99_999_999),
    }


def measure(seed: int = 1, bodies: int = 60) -> dict[str, tuple[float, float, int]]:
    """Return (precision, recall, fields) by kind, and for ``all``."""
    counts: dict[str, list[int]] = {}
    detectors = Detectors()
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(f"{seed} {locale}")
        rng = Random(f"{seed} {locale}")
        truth = positives(fake, rng, locale)
        makes: dict[str, Make] = {name: make for name, (_, make) in truth.items()} | negatives(fake, rng)
        body = Body()
        for _ in range(bodies):
            octets = orjson.dumps({"data": {name: make() for name, make in makes.items()}})
            observe_body(body, "application/json", "", octets, detectors.checks_for(octets))
        _count(
            counts, body.schema.children["data"], {name: kind for name, (kind, _) in truth.items()}, locale
        )
    figures = {}
    for kind, (right, wrong, missed) in sorted(counts.items()):
        figures[kind] = (right / max(1, right + wrong), right / max(1, right + missed), right + missed)
    return figures


def _count(counts: dict[str, list[int]], node: Node, truth: dict[str, str], locale: str) -> None:
    for name, child in node.children.items():
        found = decide(name, "data", child)
        said, wanted = found.kind if found else "", truth.get(name, "")
        tally(counts, said, wanted)
        if said != wanted:
            print(
                f"  {locale} {name}: {said or 'nothing'} instead of {wanted or 'nothing'} {dict(child.finds)}"
            )


def tally(counts: dict[str, list[int]], said: str, wanted: str) -> None:
    """Add one field to *counts*: by kind and for ``all``, the right, the wrong and the missed ones."""
    for key in {said, wanted, "all"} - {""}:
        of = counts.setdefault(key, [0, 0, 0])
        of[0] += said == wanted and bool(said) and key in (said, "all")
        of[1] += said != wanted and bool(said) and key in (said, "all")
        of[2] += said != wanted and bool(wanted) and key in (wanted, "all")


def _with_luhn(digits: str) -> str:
    return next(digits + str(d) for d in range(10) if luhn(digits + str(d)))


def _jwt(rng: Random) -> str:
    return f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI{rng.randbytes(6).hex()}.{rng.randbytes(16).hex()}"
