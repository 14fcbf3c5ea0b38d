"""Who may call an endpoint, by the counts of its answers."""

from __future__ import annotations

import pytest

from levo.satellite.learn.access import DENIED, FAILED, REDIRECT, SUCCESS, Access
from levo.satellite.learn.authentication import Authentication, authentication_of


@pytest.mark.parametrize(
    ("without", "with_one", "says"),
    [
        ({}, {}, Authentication.UNKNOWN),
        ({REDIRECT: 20}, {FAILED: 3}, Authentication.UNKNOWN),
        ({DENIED: 1}, {}, Authentication.REQUIRED),
        ({DENIED: 5}, {SUCCESS: 9}, Authentication.REQUIRED),
        ({}, {SUCCESS: 9}, Authentication.REQUIRED),
        ({SUCCESS: 1}, {SUCCESS: 9}, Authentication.OPTIONAL),
        ({SUCCESS: 1}, {}, Authentication.NONE_SEEN),
        ({SUCCESS: 9}, {DENIED: 2}, Authentication.NONE_SEEN),
        ({SUCCESS: 9, DENIED: 2}, {}, Authentication.NOT_RECOGNIZED),
    ],
)
def test_what_counts_say(without: dict[int, int], with_one: dict[int, int], says: Authentication) -> None:
    access = Access()
    for has_credential, counts in ((False, without), (True, with_one)):
        for kind, count in counts.items():
            access.count(kind, has_credential=has_credential, weight=count, end_ns=0)

    assert authentication_of(access) is says
