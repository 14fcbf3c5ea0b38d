"""Endpoints as documents take them."""

from __future__ import annotations

from levo.satellite.openapi import Operation
from levo.satellite.openapi.operation import anonymous, comparable


def test_a_path_without_the_names_of_its_parameters() -> None:
    assert anonymous("/users/{id}/files/{name}.{kind}") == "/users/{}/files/{}.{}"
    assert anonymous("/users") == "/users"


def test_a_slash_at_the_end_says_nothing() -> None:
    assert comparable("/users/{id}/") == comparable("/users/{name}") == "/users/{}"
    assert comparable("/") == comparable("") == "/"


def test_an_operation_knows_nothing_at_first() -> None:
    one, other = Operation("GET", "/a"), Operation("GET", "/b")
    one.knowledge.accepted = 5

    assert (other.knowledge.accepted, other.exchanges, other.schemes) == (0, 0.0, ())
