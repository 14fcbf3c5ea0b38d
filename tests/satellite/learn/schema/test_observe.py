"""Formats, checked against the standard library and against regular expressions."""

from __future__ import annotations

import ipaddress
import re
import uuid
from datetime import date, datetime

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from levo.satellite.learn.schema.node import MAX_DEPTH, MAX_LABELS, Node
from levo.satellite.learn.schema.observe import Observer, scalar, text_format
from levo.satellite.learn.schema.text import BINARY, MIXED, Text, rare_format
from tests.helpers.effort import scaled

DATE = r"(?:1[6-9]|2[01])\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
PATTERNS = {
    "uuid": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "date-time": f"{DATE}[Tt]{TIME}",
    "date": DATE,
    "digits": r"\d{1,40}",
    "decimal": r"\d{1,20}\.\d{1,20}",
    "ipv4": rf"{BYTE}\.{BYTE}\.{BYTE}\.{BYTE}",
    "email": r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]{1,15}://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+",
    "hex": r"(?=[A-Fa-f]*\d)(?:[0-9a-f]{16,2048}|[0-9A-F]{16,2048})",
}
NEARLY = st.one_of(
    *(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True) for pattern in PATTERNS.values())
)


INTEGER = r"-?(?:0|[1-9]\d{0,17})"
NUMBER = rf"{INTEGER}(?:\.\d{{1,18}})?(?:[eE][+-]?\d{{1,3}})?"


def by_regex(text: str) -> str:
    for name, pattern in PATTERNS.items():
        if len(text) <= 2048 and re.fullmatch(pattern, text, re.ASCII):
            return name
    return rare_format(text) if text.isascii() and text else MIXED


@given(NEARLY, st.lists(st.tuples(st.integers(0, 40), st.characters()), max_size=2), st.integers(0, 60))
@example("2024-02-30T23:59:59.1234567890Z", [], 60)
@example("2024-05-17T09:30:00+24:00", [], 60)
@example("1.2.3.4.", [], 60)
@example("1.2.3.256", [], 60)
@example("1" * 41, [], 60)
@example("a@b", [], 60)
@example("a.@b.de", [], 60)
@example("a@b-.de", [], 60)
@example("a@" + "b" * 64 + ".de", [], 99)
@example("a@b.d1", [], 60)
@example("a:b@c.de", [], 60)
@example("h2://user@host", [], 60)
@example("a://", [], 60)
@example("eyJ.x:y", [], 60)
@example("a\0@b.de", [], 60)
@settings(max_examples=scaled(600), deadline=None)
def test_formats_are_those_of_regular_expressions(
    text: str, changes: list[tuple[int, str]], length: int
) -> None:
    for place, character in changes:
        text = text[:place] + character + text[place + 1 :]
    text = text[:length] if changes else text

    assert text_format(text) == by_regex(text)


@given(st.from_regex(re.compile(rf"{NUMBER}.?", re.ASCII), fullmatch=True) | st.text(max_size=45))
@example("true")
@example("false")
@example("True")
@example("-")
@example("-0")
@example("007")
@example("1e")
@example("1.")
@example("1" * 19)
@example("²")
@settings(max_examples=scaled(300), deadline=None)
def test_scalars_that_travel_as_text(text: str) -> None:
    expected: object = text
    if text in ("true", "false"):
        expected = text == "true"
    elif len(text) <= 40 and re.fullmatch(INTEGER, text, re.ASCII):
        expected = int(text)
    elif len(text) <= 40 and re.fullmatch(NUMBER, text, re.ASCII):
        expected = float(text)

    assert scalar(Text(text)) == expected
    assert type(scalar(Text(text))) is type(expected)


@given(st.text(max_size=60))
@settings(max_examples=scaled(300), deadline=None)
def test_any_text(text: str) -> None:
    assert text_format(text) == by_regex(text)


@given(st.uuids(), st.dates(min_value=date(1600, 1, 1), max_value=date(2199, 1, 1)), st.ip_addresses())
def test_formats_that_the_standard_library_writes_are_recognized(
    identity: uuid.UUID, day: date, address: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    assert text_format(str(identity)) == "uuid"
    assert text_format(day.isoformat()) == "date"
    assert text_format(str(address)) == f"ipv{address.version}"


@given(st.text(max_size=60))
def test_a_text_that_is_called_a_date_or_an_address_is_one(text: str) -> None:
    found = text_format(text)
    if found == "date-time":
        datetime.fromisoformat(text)
    elif found in ("ipv4", "ipv6"):
        ipaddress.ip_address(text)
    elif found == "uuid":
        uuid.UUID(text)
    assert text or found == MIXED


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=scaled(200), deadline=None)
def test_every_value_is_counted_once(value: object) -> None:
    node = Node()
    Observer().observe(node, orjson.loads(orjson.dumps(value)))

    def scalars(of: object) -> int:
        if isinstance(of, dict):
            return 1 + sum(map(scalars, of.values()))
        return 1 + sum(map(scalars, of)) if isinstance(of, list) else 1

    assert sum(each.total for each in node.walk()) == scalars(value)


def test_what_travels_as_text_counts_as_what_it_stands_for() -> None:
    node = Node()
    for value in (Text("12"), Text("1.5"), Text("true"), Text("x"), BINARY):
        Observer().observe(node, value)

    assert (node.integers, node.numbers, node.booleans, node.strings, node.format) == (1, 1, 1, 2, MIXED)


def test_depth_labels_and_new_nodes_are_bounded() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    node = Node()
    Observer().observe(node, deep)
    assert node.size() == MAX_DEPTH + 1

    codes = [
        "A",
        "B",
        "C",
        "D",
        "E",
        "F",
        "G",
        "I",
        "L",
        "M",
        "R",
        "S",
        "AB",
        "AD",
        "AE",
        "AF",
        "AG",
        "AI",
        "AL",
        "AM",
        "AO",
        "AR",
        "AS",
        "AT",
        "AU",
    ]
    labels = Node()
    for code in codes:
        Observer().observe(labels, code)
    assert len(codes) > MAX_LABELS and labels.open and not labels.labels

    few = Node()
    Observer(budget=2).observe(few, {"a": 1, "b": 2, "c": 3, "d": 4})
    assert sorted(few.children) == ["a", "b"] and few.keyed == 1


def test_sensitive_data_is_looked_for_in_the_first_items_only() -> None:
    node = Node()
    Observer([lambda text: ("found",)]).observe(node, ["abcdefgh"] * 10)

    assert node.items is not None
    assert (node.items.scanned, node.items.finds, node.items.strings) == (3, {"found": 3}, 10)


def test_a_value_that_two_checks_agree_on_counts_once() -> None:
    node = Node()
    observer = Observer([lambda text: ("a", "b"), lambda text: ("b", "c"), lambda text: ()])
    for _ in range(3):
        observer.observe(node, "abcdefgh")

    assert (node.finds, node.scanned) == ({"a": 3, "b": 3, "c": 3}, 3)
