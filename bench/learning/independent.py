"""Sensitive data from sources that had no part in making the rules, with the names of published vocabularies.

Values: mimesis (persons, addresses, networks, payment; ten locales, four of them without Latin letters or
with many others), phonenumbers' example numbers of the region, and the numbers in python-stdnum's own
documentation. Names: OpenID Connect claims, schema.org, FHIR, Stripe's and Shopify's objects, and plain ones.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson
import phonenumbers
import stdnum
from bench.learning.sensitive import tally
from mimesis import Generic
from mimesis.locales import Locale

from levo.satellite.learn.schema import Body, observe_body
from levo.satellite.learn.sensitive import Detectors, decide
from levo.satellite.learn.sensitive.kinds import KINDS

LOCALES = {
    "en-gb": "GB", "de": "DE", "fr": "FR", "es-mx": "MX", "cs": "CZ",
    "ru": "RU", "ja": "JP", "zh": "CN", "tr": "TR", "fi": "FI",
}  # fmt: skip
Make = Callable[[], Any]
_EXAMPLE = re.compile(r">>> (?:validate|is_valid)\('([^']+)'\)[^\n]*\n\s*(?:'|True)")


def positives(made: Generic, rng: Random, region: str) -> dict[str, tuple[str, Make]]:
    """Fields by name: the kind, and what makes a value."""
    person, address, internet, payment = made.person, made.address, made.internet, made.payment
    international = phonenumbers.PhoneNumberFormat.INTERNATIONAL

    def phone() -> str:
        number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        return str(phonenumbers.format_number(number, international))

    return {
        "given_name": ("person-name", person.first_name),
        "familyName": ("person-name", person.last_name),
        "customerName": ("person-name", person.full_name),
        "account_email": ("email", person.email),
        "login": ("email", person.email),
        "telephone": ("phone", person.telephone),
        "phone_number": ("phone", person.telephone),
        "reachableAt": ("phone", phone),
        "address/line1": ("postal-address", address.address),
        "street_address": ("postal-address", address.address),
        "address/addressLocality": ("city", address.city),
        "address/postal_code": ("postal-code", address.postal_code),
        "zip": ("postal-code", address.postal_code),
        "birthdate": ("date-of-birth", lambda: person.birthdate().isoformat()),
        "gender": ("gender", person.gender),
        "nationality": ("nationality", person.nationality),
        "blood_type": ("blood-type", person.blood_type),
        "number": ("payment-card", payment.credit_card_number),
        "source": ("payment-card", lambda: payment.credit_card_number().replace(" ", "")),
        "cvc": ("card-security-code", payment.cvv),
        "card_expiry": ("card-expiry", payment.credit_card_expiration_date),
        "client_ip": ("ip-address", internet.ip_v4),
        "peer": ("ip-address", internet.ip_v6),
        "hardwareAddress": ("mac-address", internet.mac_address),
        "wallet": ("crypto-address", payment.ethereum_address),
        "new_password": ("password", person.password),
        "id_token": ("jwt", made.cryptographic.jwt),
        "preferred_username": ("user-name", person.username),
        "api_key": ("secret", made.cryptographic.token_hex),
    }


def negatives(made: Generic, rng: Random) -> dict[str, Make]:
    """Fields that hold nothing of a person, a payment or a secret."""
    code, development, file = made.code, made.development, made.file
    return {
        "isbn": code.isbn,
        "barcode": code.ean,
        "issn": code.issn,
        "release": development.version,
        "calver": development.calver,
        "digest": made.cryptographic.hash,
        "fingerprint": made.cryptographic.certificate_fingerprint,
        "requestId": made.cryptographic.uuid,
        "license": development.software_license,
        "language": development.programming_language,
        "slug": made.internet.slug,
        "contentType": made.internet.content_type,
        "upstream": made.internet.hostname,
        "homepage": made.internet.url,
        "agent": made.internet.user_agent,
        "statusText": made.internet.http_status_message,
        "cloudRegion": made.internet.cloud_region,
        "filename": file.file_name,
        "fileSize": file.size,
        "price": made.finance.price,
        "ticker": made.finance.stock_ticker,
        "currency": made.finance.currency_iso_code,
        "company": made.finance.company,
        "sequence": made.science.dna_sequence,
        "updated": lambda: made.datetime.datetime().isoformat(),
        "validUntil": lambda: made.datetime.date().isoformat(),
        "openedAt": made.datetime.timestamp,
        "timezone": made.datetime.timezone,
        "caption": made.text.sentence,
        "keyword": made.text.word,
        "color": made.text.hex_color,
        "dish": made.food.dish,
        "model": made.hardware.phone_model,
        "cpuFrequency": made.hardware.cpu_frequency,
        "vehicleModel": made.transport.car,
        "counter": lambda: rng.randrange(10**8, 10**12),
        "position": made.numeric.float_number,
    }


def measure(seed: int = 1, bodies: int = 60, show: bool = False) -> dict[str, tuple[float, float, int]]:
    """Return (precision, recall, fields) by kind, and for ``all``."""
    counts: dict[str, list[int]] = {}
    detectors = Detectors()
    for locale, region in LOCALES.items():
        made, rng = Generic(Locale(locale), seed=seed), Random(f"{seed} {locale}")
        truth = positives(made, rng, region)
        makes: dict[str, Make] = {name: make for name, (_, make) in truth.items()} | negatives(made, rng)
        body = Body()
        for _ in range(bodies):
            octets = orjson.dumps(_nested({name: make() for name, make in makes.items()}))
            observe_body(body, "application/json", "", octets, detectors.checks_for(octets))
        for name in makes:
            parent, _, last = name.rpartition("/")
            node = body.schema.children[parent] if parent else body.schema
            found = decide(last, parent, node.children[last])
            said, wanted = found.kind if found else "", truth[name][0] if name in truth else ""
            tally(counts, said, wanted)
            if show and said != wanted:
                print(f"  {locale} {name}: {said or 'nothing'} instead of {wanted or 'nothing'}")
    return {
        kind: (right / max(1, right + wrong), right / max(1, right + missed), right + missed)
        for kind, (right, wrong, missed) in sorted(counts.items())
    }


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with those called ``parent/name`` in an object of their own."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        parent, _, last = name.rpartition("/")
        (found.setdefault(parent, {}) if parent else found)[last] = value
    return found


def documented_numbers() -> Iterator[tuple[str, list[str]]]:
    """Yield (kind, valid numbers) of the national identifiers that python-stdnum's documentation shows."""
    for module in pkgutil.walk_packages(stdnum.__path__, "stdnum."):
        kind = "national-id." + module.name.removeprefix("stdnum.")
        if kind in KINDS:
            text = importlib.import_module(module.name).__doc__ or ""
            numbers = _EXAMPLE.findall(text)
            if numbers:
                yield kind, numbers


def documented() -> tuple[int, list[str]]:
    """Return how many kinds have documented numbers, and those whose numbers are not recognized as theirs.

    The field has a name that says nothing; that another country's number has the same form is no mistake.
    """
    detectors = Detectors()
    kinds, missed = 0, []
    for kind, numbers in documented_numbers():
        kinds += 1
        for number in numbers:
            checks = detectors.checks_for(orjson.dumps({"x": number}))
            if kind not in {found.rstrip("?~") for check in checks for found in check(number)}:
                missed.append(kind)
                break
    return kinds, missed


def main() -> None:
    """Print the figures."""
    for seed in (1, 2):
        print(f"seed {seed}:")
        for kind, (precision, recall, fields) in measure(seed, show=True).items():
            print(f"  {kind:24} precision {precision:.3f} recall {recall:.3f} fields {fields}")
    kinds, missed = documented()
    print(
        f"numbers documented by python-stdnum: {kinds} kinds, not recognized: {', '.join(missed) or 'none'}"
    )


if __name__ == "__main__":
    main()
