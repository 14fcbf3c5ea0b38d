"""Words and numbers for people."""

from __future__ import annotations

import pytest

from levo.satellite.web.render import (
    ago,
    amount,
    apart,
    day,
    duration,
    milliseconds,
    moment,
    octets,
    pace,
    path_parts,
    percent,
    spoken_place,
)
from tests.satellite.store.catalogs import NOW, SECOND


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (4, "now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (7199, "1 h ago"),
        (86400, "1 d ago"),
        (-9, "now"),
    ],
)
def test_ago(seconds: int, text: str) -> None:
    assert ago(NOW, NOW + seconds * SECOND) == text


def test_ago_becomes_a_date() -> None:
    assert ago(NOW, NOW + 8 * 86400 * SECOND) == "2023-11-14"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (12345.4, "12,345"), (2.5e6, "2.5 M")])
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.50 ms"), (4.52, "4.5 ms"), (99.6, "100 ms"), (1500, "1.5 s")]
)
def test_durations(value: float, text: str) -> None:
    assert milliseconds(value) == text


def test_shares_and_sizes() -> None:
    assert [percent(x) for x in (0, 0.0001, 0.015, 0.5)] == ["0 %", "< 0.1 %", "1.5 %", "50 %"]
    assert [octets(x) for x in (12, 2048, 5 << 20)] == ["12 B", "2.0 KiB", "5.0 MiB"]


def test_path_parts() -> None:
    assert path_parts("/a/{id}/") == [("/", False), ("a", False), ("/", False), ("{id}", True), ("/", False)]


@pytest.mark.parametrize(
    ("location", "spoken"),
    [
        ("response-body:200:items/*/email", ("items/*/email", "200 response body")),
        ("response-header:404:x-user", ("x-user", "404 response header")),
        ("request-body:a:b", ("a:b", "request body")),
        ("query:email", ("email", "query")),
        ("odd", ("odd", "odd")),
    ],
)
def test_the_place_of_a_finding_in_words(location: str, spoken: tuple[str, str]) -> None:
    assert spoken_place(location) == spoken


@pytest.mark.parametrize(
    ("per_second", "text", "short"),
    [
        (0, "0 a day", "0/d"),
        (1 / 86_400, "1.0 a day", "1.0/d"),
        (1 / 3600, "1.0 an hour", "1.0/h"),
        (0.04, "2.4 a minute", "2.4/min"),
        (1.36, "1.4 a second", "1.4/s"),
        (9.96, "10 a second", "10/s"),
        (12_240, "12,240 a second", "12,240/s"),
    ],
)
def test_paces(per_second: float, text: str, short: str) -> None:
    assert (pace(per_second), pace(per_second, short=True)) == (text, short)


def test_days_have_names_while_they_are_near() -> None:
    days = [day(NOW - back * 86_400 * SECOND, NOW) for back in (0, 1, 2)]

    assert days == ["Today, 2023-11-14", "Yesterday, 2023-11-13", "2023-11-12"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (10, "10 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5400, "1.5 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (10 * 86_400 + 80_000, "10 d"),
    ],
)
def test_how_long_something_was_observed(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_a_moment_names_its_zone() -> None:
    assert moment(NOW) == "2023-11-14 22:13:20 UTC"


def test_clocks_apart() -> None:
    assert (apart(90.5), apart(-86_400)) == ("1 min ahead", "1 d behind")
