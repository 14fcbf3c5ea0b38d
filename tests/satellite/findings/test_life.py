"""The life of a finding, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from levo.satellite.findings.life import (
    DAY_NS,
    QUIET_EXCHANGES,
    QUIET_NS,
    UNOBSERVED_NS,
    Life,
    begun,
    identity_of,
    lived,
    vanished,
)
from levo.satellite.posture import Evidence, Finding, FindingClass, Place, Proof, Severity

NOW = 1_700_000_000 * 10**9


def finding(
    count: float = 10, exchanges: float = 50, *, at_ns: int = NOW, path: str = "/users/{id}"
) -> Finding:
    place = Place("acme", "production", "shop", "shop.example", "GET", path, 7)
    return Finding(
        "AUTH-01", "Sensitive data without authentication", FindingClass.SECURITY, Severity.HIGH,
        Proof.PROVEN, ("API2",), (306,), place, "Seen.", evidence=(Evidence("successes", count, exchanges),),
        first_seen_ns=NOW - DAY_NS, last_seen_ns=at_ns, exchanges=exchanges,
    )  # fmt: skip


def after(life: Life, days: float, count: float, exchanges: float) -> Life:
    now_ns = NOW + int(days * DAY_NS)
    return lived(life, finding(count, exchanges, at_ns=now_ns), NOW - DAY_NS, now_ns)


BEGUN = begun(finding(), NOW)
QUIET = QUIET_NS / DAY_NS
ENOUGH = 50 + QUIET_EXCHANGES


def test_it_begins_open() -> None:
    assert (BEGUN.state, BEGUN.since_ns, BEGUN.count) == ("open", NOW, 10)


@pytest.mark.parametrize(
    ("days", "exchanges", "state"),
    [
        (QUIET, ENOUGH, "fixed"),
        (QUIET + 30, ENOUGH, "fixed"),
        (QUIET - 0.1, ENOUGH, "open"),
        (QUIET, ENOUGH - 1, "open"),
        (QUIET + 30, ENOUGH - 1, "open"),
    ],
)
def test_it_is_fixed_after_enough_time_and_enough_traffic_that_could_have_shown_it(
    days: float, exchanges: float, state: str
) -> None:
    assert after(BEGUN, days, 10, exchanges).state == state


def test_what_is_seen_rarely_takes_longer_to_be_fixed() -> None:
    rare = begun(finding(2), NOW)

    def state(days: float) -> str:
        now_ns = NOW + int(days * DAY_NS)
        return lived(rare, finding(2, 1000, at_ns=NOW), NOW - 20 * DAY_NS, now_ns).state

    assert (state(49), state(50)) == ("open", "fixed")


def test_no_traffic_is_no_repair() -> None:
    before = after(BEGUN, UNOBSERVED_NS / DAY_NS - 0.1, 10, 50)
    quiet = after(BEGUN, UNOBSERVED_NS / DAY_NS, 10, 50)
    back = after(quiet, 20, 11, 51)

    assert (before.state, quiet.state, back.state) == ("open", "unobserved", "open")
    assert quiet.since_ns == NOW + UNOBSERVED_NS


def test_it_is_fixed_out_of_unobserved_as_well() -> None:
    quiet = after(BEGUN, 20, 10, 50)
    assert after(quiet, 21, 10, ENOUGH).state == "fixed"


def test_what_was_fixed_and_comes_back_is_reopened() -> None:
    fixed = after(BEGUN, QUIET, 10, ENOUGH)
    still = after(fixed, QUIET + 60, 10, ENOUGH)
    back = after(still, QUIET + 61, 11, ENOUGH + 1)

    assert (fixed.state, still.state, back.state) == ("fixed", "fixed", "reopened")
    assert still.since_ns == fixed.since_ns
    assert after(back, QUIET + 62, 12, ENOUGH + 2).since_ns == back.since_ns
    assert after(back, QUIET + 200, 11, ENOUGH + 1 + QUIET_EXCHANGES).state == "fixed"


def test_what_was_forgotten_in_part_shows_nothing() -> None:
    less = after(BEGUN, 1, 4, 20)

    assert (less.state, less.count, less.grown_exchanges) == ("open", 4, 20)
    assert after(less, 2, 5, 21).count == 5


@pytest.mark.parametrize(
    ("state", "refused", "then"),
    [
        ("open", True, "fixed"),
        ("open", False, "unobserved"),
        ("reopened", True, "fixed"),
        ("fixed", False, "fixed"),
        ("unobserved", False, "unobserved"),
    ],
)
def test_what_is_not_found_any_more_is_fixed_by_a_refusal_only(state: str, refused: bool, then: str) -> None:
    life = Life(state, NOW, 10, 50, NOW, 50, NOW)
    gone = vanished(life, NOW + 1, refused=refused)

    assert gone.state == then
    assert (gone.since_ns == NOW) == (then == state)


def test_its_name_is_that_of_its_place() -> None:
    one = identity_of(finding(), "/users/{}")

    assert len(one) == 16
    assert one == identity_of(finding(99, 999, path="/users/{userId}"), "/users/{}")
    others = {
        identity_of(finding(), "/orders/{}"),
        identity_of(replace(finding(), subject="x"), "/users/{}"),
        identity_of(replace(finding(), rule="AUTH-02"), "/users/{}"),
        identity_of(replace(finding(), place=replace(finding().place, environment="staging")), "/users/{}"),
    }
    assert len(others) == 4 and one not in others
