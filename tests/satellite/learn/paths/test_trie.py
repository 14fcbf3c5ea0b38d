"""The trie: bounded, and what is folded is the same whatever came first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.forget import Forgetting
from levo.satellite.learn.paths.segments import OVERFLOW, REST
from levo.satellite.learn.paths.trie import (
    DISTINCT_SAMPLE,
    LITERALS_PER_NODE,
    MAX_DEPTH,
    REQUESTS,
    DistinctSample,
    Node,
    add_call,
    path_keys,
    walk,
)

NAMES = st.lists(st.text("abcdxyz", min_size=1, max_size=5), unique=True, max_size=12)
CALLS = st.lists(st.integers(0, 63), min_size=6, max_size=6)


RULES = Forgetting(b"key")


def trie(*paths: str) -> Node:
    root = Node()
    for path in paths:
        node = root
        for key in path.split("/"):
            node = node.kids.setdefault(key, Node())
        add_call(node.calls, "GET", [1, 1000, 4, 1, 0, 0])
    return root


def requests(root: Node) -> int:
    return sum(call[REQUESTS] for _, node in walk(root) for call in node.calls.values())


def shape(node: Node) -> object:
    return (node.bar, node.calls, {key: shape(kid) for key, kid in node.kids.items()})


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/users/42", ["users", "{integer}"]),
        ("/", []),
        ("/a/b/", ["a", "b"]),
        ("/" + "/".join(["a"] * MAX_DEPTH), ["a"] * MAX_DEPTH),
        ("/" + "/".join(["a"] * (MAX_DEPTH + 9)), ["a"] * MAX_DEPTH + [REST]),
    ],
)
def test_paths_become_keys_down_to_a_depth(path: str, keys: list[str]) -> None:
    assert path_keys(path) == keys


@given(CALLS, CALLS)
def test_calls_add_up_and_classes_unite(a: list[int], b: list[int]) -> None:
    calls: dict[str, list[int]] = {}
    add_call(calls, "GET", a)
    add_call(calls, "GET", b)

    assert calls == {"GET": [a[0] + b[0], a[1] + b[1], a[2] | b[2], a[3] + b[3], a[4] + b[4], a[5] | b[5]]}


def test_a_call_that_was_added_is_not_shared() -> None:
    call = [1, 1000, 4, 1, 0, 0]
    calls: dict[str, list[int]] = {}
    add_call(calls, "GET", call)
    add_call(calls, "GET", call)

    assert call == [1, 1000, 4, 1, 0, 0]


def test_a_copy_is_equal_and_apart() -> None:
    root = trie("users/{integer}", "users/me")
    twin = root.copy()
    assert shape(twin) == shape(root)
    twin.absorb(trie("users/you"))

    assert (root.size(), twin.size()) == (4, 5)


@given(NAMES, NAMES, st.integers(0, 40))
def test_folding_a_part_first_changes_nothing(a: list[str], b: list[str], leaves: int) -> None:
    whole, part, rest = trie(*a, *b), trie(*a), trie(*b)
    rules = Forgetting(b"key")
    part.fold(leaves, rules)
    part.absorb(rest)
    part.fold(leaves, rules)
    whole.fold(leaves, Forgetting(b"key"))

    assert shape(part) == shape(whole)
    assert requests(whole) == len(a) + len(b)


def test_a_node_keeps_the_lowest_ranks_and_counts_the_others_together() -> None:
    names = [f"n{number}x" for number in range(LITERALS_PER_NODE + 50)]
    root = trie(*names)
    root.fold(None, RULES)

    assert {key for key in root.kids if key != OVERFLOW} == set(
        sorted(names, key=RULES.rank)[:LITERALS_PER_NODE]
    )
    assert root.kids[OVERFLOW].calls["GET"][REQUESTS] == 50


def test_what_people_named_ranks_before_the_rest() -> None:
    pinned = Forgetting(b"key", frozenset({"zzqx"}))

    assert all(pinned.rank("zzqx") < pinned.rank(word) for word in ("users", "orders", "zzqy"))


def test_words_rank_by_a_key_that_no_client_knows() -> None:
    words = [f"{a}{b}" for a in ("users", "orders", "items") for b in ("", "list", "count")]

    assert sorted(words, key=Forgetting(b"one").rank) != sorted(words, key=Forgetting(b"two").rank)


def test_nodes_are_walked_in_order_and_parents_first() -> None:
    root = trie("b", "a/c", "a")

    assert [keys for keys, _ in walk(root)] == [("a",), ("a", "c"), ("b",)]


@given(st.sets(st.integers(0, 10_000), max_size=DISTINCT_SAMPLE - 1))
def test_few_strings_are_counted_exactly(numbers: set[int]) -> None:
    sample = DistinctSample()
    for number in (*numbers, *numbers):
        sample.add(str(number))

    assert sample.estimate() == len(numbers)


def test_many_strings_are_estimated_and_parts_merge_to_the_whole() -> None:
    whole, left, right = DistinctSample(), DistinctSample(), DistinctSample()
    for number in range(20_000):
        whole.add(str(number))
        (left if number % 3 else right).add(str(number))
    left.merge(right)

    assert left.hashes == whole.hashes and len(whole.hashes) == DISTINCT_SAMPLE
    assert 12_000 < whole.estimate() < 32_000
