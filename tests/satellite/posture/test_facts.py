from __future__ import annotations

from pathlib import Path

import pytest

from levo.satellite.learn.access import Access
from levo.satellite.posture import Authentication, read_facts
from levo.satellite.posture.facts import authentication_of, facts_of
from tests.satellite.posture.made import access, endpoint
from tests.satellite.store.test_sensitive import Shop


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (access(), Authentication.UNKNOWN),
        (access([0, 20, 0, 5, 5], [0, 1, 2, 3, 4]), Authentication.UNKNOWN),
        (access([0, 0, 1]), Authentication.REQUIRED),
        (access([0, 9, 9, 9, 9], [1]), Authentication.REQUIRED),
        (access([1], [1]), Authentication.OPTIONAL),
        (access([1, 0, 5], [1]), Authentication.OPTIONAL),
        (access([5]), Authentication.NONE_SEEN),
        (access([5, 20, 0, 5, 5], [0, 9, 9]), Authentication.NONE_SEEN),
        (access([5, 0, 1]), Authentication.NOT_RECOGNIZED),
    ],
)
def test_authentication_follows_from_the_counts(counts: Access, said: Authentication) -> None:
    assert authentication_of(counts) is said
    assert endpoint("GET /a", counts).authentication is said


def test_facts_have_one_order() -> None:
    made = [
        endpoint("GET /b", access([1])),
        endpoint("GET /a", access([1]), environment="staging"),
        endpoint("POST /a", access([1])),
    ]

    assert facts_of(made) == facts_of(reversed(made))
    (application,) = facts_of(made).applications
    assert [each.place.method for each in application.endpoints] == ["POST", "GET", "GET"]


def test_facts_are_read_without_what_users_rejected(tmp_path: Path) -> None:
    shop = Shop(tmp_path, looked=True)
    fields = [each for application in read_facts(shop.reader).applications for each in application.endpoints]
    assert sum(len(each.sensitive) for each in fields) == len(shop.items)
    assert any(sign.name == "scheme" for each in fields for sign in each.signs)

    shop.decide("reject", shop.items[0])
    fields = [each for application in read_facts(shop.reader).applications for each in application.endpoints]
    assert sum(len(each.sensitive) for each in fields) == len(shop.items) - 1
