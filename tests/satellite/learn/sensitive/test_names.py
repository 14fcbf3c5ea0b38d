"""What names of fields say."""

from __future__ import annotations

import pytest

from levo.satellite.learn.sensitive.names import named_kinds, normalized, says_technical


@pytest.mark.parametrize(
    ("name", "parent", "kind"),
    [
        ("firstName", "", "person-name"),
        ("E-Mail", "", "email"),
        ("Geburtsdatum", "", "date-of-birth"),
        ("name", "customer", "person-name"),
        ("number", "card", "payment-card"),
        ("user_password", "", "password"),
        ("ssn", "", "national-id.us.ssn"),
        ("clientSecret", "", "secret"),
        ("addressLocality", "", "city"),
        ("line1", "billing_address", "postal-address"),
        ("card_expiry", "", "card-expiry"),
    ],
)
def test_names_that_say_so(name: str, parent: str, kind: str) -> None:
    assert kind in named_kinds(name, parent)


@pytest.mark.parametrize("name", ["productName", "name", "fileName", "status", "hostName", "line1"])
def test_names_that_say_nothing(name: str) -> None:
    assert not named_kinds(name)


def test_technical_names() -> None:
    assert says_technical("orderNumber") and says_technical("createdAt") and not says_technical("value")
    assert normalized("HTTPStatusCode") == "http_status_code"
