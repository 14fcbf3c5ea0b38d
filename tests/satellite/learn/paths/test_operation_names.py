"""Names of operations in places and trees become what they are settled as."""

from __future__ import annotations

import pytest

from levo.satellite.learn.paths.operation_names import (
    has_marks,
    is_unproven,
    names_of,
    settle_place,
    settle_tree,
)
from levo.satellite.learn.paths.state import PathState


def settled(name: str) -> str:
    return {"query.Lumiko": "?1", "?2": "query.Zorbal", "shop.Karpo": "?3", "Get": "?4"}.get(name, name)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (("graphql", "#", "query.Lumiko"), ("query.Lumiko",)),
        (("#grpc", "shop.Karpo", "Get"), ("shop.Karpo", "Get")),
        (("graphql", "#", "{*}"), ()),
        (("orders", "{integer}"), ()),
    ],
)
def test_names_stand_behind_a_marker(keys: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert names_of(keys) == names


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("/graphql/#/query.Lumiko", "/graphql/#/?1"),
        ("/graphql/#/?2", "/graphql/#/query.Zorbal"),
        ("/#grpc/shop.Karpo/Get", "/#grpc/?3/?4"),
        ("/Get/query.Lumiko", "/Get/query.Lumiko"),
        ("/graphql/#/{*}", "/graphql/#/{*}"),
    ],
)
def test_a_place_is_settled(place: str, expected: str) -> None:
    assert settle_place(place, settled) == expected


def test_what_is_a_hash_already_is_not_hashed_again() -> None:
    assert settle_place("/graphql/#/%~2226681996", lambda name: f"?{name}") == "/graphql/#/%~2226681996"


def test_a_tree_is_settled_and_what_becomes_one_is_added() -> None:
    state = PathState()
    for name in ("query.Lumiko", "?2", "query.Zorbal", "{*}"):
        state.observe("POST", "/graphql", 200, keys=("graphql", "#", name))
    state.observe("POST", "/shop.Karpo/Get", 200, keys=("#grpc", "shop.Karpo", "Get"))

    assert settle_tree(state.root, settled)
    state.moved()

    operations = state.root.kids["graphql"].kids["#"].kids
    assert operations.keys() == {"?1", "query.Zorbal", "{*}"} and operations["query.Zorbal"].requests(9) == 2
    assert state.root.kids["#grpc"].kids["?3"].kids.keys() == {"?4"}
    assert has_marks(state.root) and not settle_tree(state.root, settled)
    assert not has_marks(PathState().root)


def test_a_path_says_whether_its_operation_is_proven() -> None:
    assert is_unproven("/graphql#?1") and is_unproven("/?3/?4")
    assert not is_unproven("/graphql#query.Lumiko") and not is_unproven("/what?/x")
