"""What is said of the names of one application."""

from __future__ import annotations

from levo.satellite.learn.naming import NameRule, Proven, proven_within
from levo.satellite.learn.schema.names import Message, Names, mark_of

KEY = b"k" * 32


def test_names_are_text_or_mark() -> None:
    proven = Proven(KEY, ["lumiko"], ["karpo"])
    lumiko, karpo, zorbal = (mark_of(name, KEY) for name in ("lumiko", "karpo", "zorbal"))

    assert [proven.settled(name) for name in ("lumiko", lumiko, "zorbal", zorbal, "access_token")] == [
        "lumiko", "lumiko", zorbal, zorbal, "access_token"
    ]  # fmt: skip
    assert [proven.revealed(name) for name in (lumiko, zorbal, "lumiko")] == ["lumiko", None, "lumiko"]
    assert proven.is_alone("karpo") and not proven.is_alone("lumiko")

    proven.withdraw()
    assert proven.settled("karpo") == karpo and proven.settled("lumiko") == "lumiko"
    proven.add("karpo", alone=True)
    proven.add("karpo")
    proven.withdraw()
    assert proven.settled(karpo) == "karpo"


def test_names_within_authentications_are_settled_apart() -> None:
    proven = Proven(KEY, ["x-lumiko-key"])
    scheme = "bearer:jwt:RS256+cookie:zorbal+header:x-lumiko-key"
    settled = proven.settled_scheme(scheme)

    assert settled == f"bearer:jwt:RS256+cookie:{mark_of('zorbal', KEY)}+header:x-lumiko-key"
    assert proven.revealed_scheme(settled) == "bearer:jwt:RS256+cookie:*+header:x-lumiko-key"
    assert proven.settled_scheme("none") == "none"


def test_without_a_rule_every_name_is_one() -> None:
    assert Proven(KEY, is_open=True).settled("zorbal") == "zorbal"
    assert NameRule().is_needed and NameRule(1, 2).is_needed and not NameRule(1, 1).is_needed


def test_names_alone_can_prove() -> None:
    names = Names(key=KEY)
    for number in range(3):
        message = Message(names, True, "", number, (str(number),))
        message.see("lumiko")
        if number:
            message.see("zorbal")

    assert proven_within(names).names == {"lumiko"}
