"""The delays between attempts."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export.retry import Backoff, RetryPolicy, retry_after_s


@given(seed=st.integers(), attempts=st.integers(1, 40))
def test_delays_double_up_to_the_ceiling_within_the_jitter(seed: int, attempts: int) -> None:
    policy = RetryPolicy(initial_s=1, multiplier=2, ceiling_s=30, jitter=0.5)
    backoff = Backoff(policy, random.Random(seed))
    for attempt in range(attempts):
        base = min(2.0**attempt, 30.0)
        assert 0.5 * base <= backoff.delay_s() <= 1.5 * base
    backoff.reset()
    assert backoff.delay_s() <= 1.5


@given(seed=st.integers(), asked_s=st.floats(0, 600))
def test_what_the_server_asks_is_never_undercut_and_little_exceeded(seed: int, asked_s: float) -> None:
    delay = Backoff(RetryPolicy(), random.Random(seed)).delay_s(asked_s)
    assert asked_s <= delay <= asked_s + 1


@given(asked_s=st.floats(600, 1e300))
def test_a_server_cannot_silence_the_sensor_for_ever(asked_s: float) -> None:
    assert Backoff(RetryPolicy(), random.Random(1)).delay_s(asked_s) <= 601


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 120 ", 120),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 400, 999_999_999),
        (formatdate(1_700_000_100, usegmt=True), 100),
        (formatdate(1_600_000_000, usegmt=True), 0),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("soon", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, expected: float | None) -> None:
    answered = formatdate(1_700_000_000, usegmt=True)
    assert retry_after_s(value, answered) == expected


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_date_to_wait_for_means_nothing_without_the_servers_clock(date: str | None) -> None:
    assert retry_after_s(formatdate(1_700_000_100, usegmt=True), date) is None
    assert retry_after_s("7", date) == 7


@given(value=st.text())
def test_any_retry_after_is_safe(value: str) -> None:
    delay = retry_after_s(value, formatdate(1_700_000_000, usegmt=True))
    assert delay is None or delay >= 0
