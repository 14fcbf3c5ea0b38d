"""What is said of a child and its siblings."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.decide import first_features, second_features
from levo.satellite.learn.paths.features import (
    Child,
    Context,
    Forgotten,
    Siblings,
    bucket,
    child_features,
    group_features,
    spelling,
)
from levo.satellite.learn.paths.model import model

GET = frozenset({"GET"})


def group(*literals: str, context: Context | None = None, typed: int = 0, overflow: bool = False) -> Siblings:
    children = [Child(literal, 1, GET, frozenset(), 1) for literal in literals]
    return Siblings(
        context or Context("word", "users", 1), children, typed, frozenset(), frozenset(), overflow
    )


def of_child(siblings: Siblings, index: int = 0) -> list[str]:
    methods = Counter(child.methods for child in siblings.children)
    below = Counter(key for child in siblings.children for key in child.below)
    return child_features(siblings, siblings.children[index], below, methods)


@given(st.floats(-1e6, 1e6), st.lists(st.floats(-1e6, 1e6), unique=True, max_size=8).map(sorted))
def test_a_bucket_lies_between_its_limits(value: float, limits: list[float]) -> None:
    number = bucket(value, *limits)

    assert all(limit <= value for limit in limits[:number])
    assert all(limit > value for limit in limits[number:])


@pytest.mark.parametrize(
    ("literal", "kind"),
    [
        ("users", "lower"),
        ("Users", "title"),
        ("userGroups", "camel"),
        ("USA", "upper"),
        ("a-b_c", "lower-_"),
        ("x9", "lower9"),
        ("--", "none-"),
        ("a b", "lower?"),
        ("", "none"),
    ],
)
def test_spelling(literal: str, kind: str) -> None:
    assert spelling(literal) == kind


@pytest.mark.parametrize(
    ("context", "name"),
    [
        (Context("root", "", 0), "above:root"),
        (Context("version", "v1", 1), "above:version"),
        (Context("param", "", 9, True), "below-param"),
        (Context("param", "", 9, True), "depth:5"),
        (Context("word", "Users", 1), "above:capital"),
        (Context("word", "user-groups", 1), "above:words"),
    ],
)
def test_a_group_tells_where_it_hangs(context: Context, name: str) -> None:
    assert name in group_features(group("a", context=context))


def test_a_group_tells_of_typed_and_folded_siblings_only_when_there_are_some() -> None:
    plain, rich = group_features(group("a", "b")), group_features(group("a", "b", typed=2, overflow=True))

    assert {"overflow", "typed:2"} <= set(rich)
    assert not [name for name in plain if name == "overflow" or name.startswith("typed:")]


@pytest.mark.parametrize(
    ("literal", "name"),
    [
        ("xkcdqrst", "unspeakable"),
        ("v2", "version"),
        ("run.php", "suffix:script"),
        ("data.json", "suffix:extension"),
        ("a12", "digits:2"),
        ("users", "leaf"),
        ("users", "does:GE"),
    ],
)
def test_a_child_tells_its_form(literal: str, name: str) -> None:
    assert name in of_child(group(literal, "other"))


def test_an_inner_child_tells_what_it_shares_with_its_siblings() -> None:
    siblings = group("a", "b")
    for child in siblings.children:
        child.methods, child.below = frozenset(), frozenset({"orders", "{}"})

    assert {"no-end", "below-shared:1:3", "below-own:0", "below-typed:1"} <= set(of_child(siblings))


@given(
    st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=6, unique=True),
    st.integers(0, 9),
    st.booleans(),
)
def test_features_are_short_names_without_repetition_or_order(
    literals: list[str], typed: int, overflow: bool
) -> None:
    siblings = group(*literals, typed=typed, overflow=overflow)
    names = group_features(siblings) + of_child(siblings)
    back = group(*reversed(literals), typed=typed, overflow=overflow)

    assert len(names) == len(set(names)) and max(map(len, names)) <= 40
    assert set(group_features(back) + of_child(back, len(literals) - 1)) == set(names)


def test_most_of_what_is_said_has_a_learned_weight() -> None:
    siblings = group("kowalski", "quispe", "ndiaye", "thorvald")
    names = group_features(siblings) + of_child(siblings)

    assert 2 * sum(name in model().first for name in names) > len(names)


@pytest.mark.parametrize("below", [frozenset[str](), frozenset({"orders", "{}"})])
def test_forgotten_siblings_are_described_as_those_that_were_not(below: frozenset[str]) -> None:
    """Unknown words of one spelling, so that nothing is known of them that is not kept."""
    names = ("kowalski", "oyelaran", "brzezinski", "takahashi", "ndiaye", "xiomara")
    child = Child("sync", 3, GET, below, 1)
    others = [Child(name, 2, GET, below, 1) for name in names]
    whole, rest = group("x"), group("x")
    whole.children = [child, *others]
    rest.children, rest.forgotten = [child], Forgotten(len(names), 2 * len(names), GET, below)

    def described(siblings: Siblings) -> list[str]:
        found = list(first_features(siblings)[0])
        return found + second_features(siblings, [0.3] + [40.0] * (len(siblings.children) - 1), 0)

    assert described(rest) == described(whole)
