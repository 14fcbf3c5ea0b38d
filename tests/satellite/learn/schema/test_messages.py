"""What is known of messages: its bounds and what Python may do with it."""

from __future__ import annotations

import copy
import pickle

import pytest

from levo.satellite.learn.schema import Body, Knowledge, Node, Response, Variant, pack_knowledge
from levo.satellite.learn.schema.messages import MAX_AUTH_SETS, MAX_MEDIA_TYPES, OTHER_MEDIA


def known(media: list[str], auth: list[str]) -> Knowledge:
    """One message of each media type on each side, and one of each authentication."""
    bodies = {name: Body(seen=1, learned=1, schema=Node(strings=1, open=True)) for name in media}
    responses = {"200": Response(seen=1, headers=Node(objects=1), bodies=copy.deepcopy(bodies))}
    return Knowledge(
        accepted=1, segments={"1": Node(integers=1, bits=3)}, bodies=bodies, responses=responses,
        auth=dict.fromkeys(auth, 1), heads_cut=1,
    )  # fmt: skip


def test_what_is_beyond_the_bounds_is_joined_alike_in_any_order() -> None:
    media = [f"application/x-{name}" for name in "abcdefghijklm"]
    auth = [f"key:x-{number}" for number in range(MAX_AUTH_SETS + 9)]
    one, other, third = (
        known(media[:5], auth[:20]),
        known(media[4:], auth[19:]),
        known(["text/html"], ["basic"]),
    )
    forward, backward = Knowledge(), Knowledge()
    for each in (one, other, third):
        forward.absorb(each)
    for each in (third, other, one):
        backward.absorb(each)

    assert pack_knowledge(forward) == pack_knowledge(backward)
    assert forward == backward and forward.accepted == 3 and forward.heads == 0
    assert len(forward.bodies) == MAX_MEDIA_TYPES == len(forward.responses["200"].bodies)
    assert "text/html" in forward.bodies and OTHER_MEDIA in forward.bodies
    assert sum(body.seen for body in forward.bodies.values()) == 15
    assert len(forward.auth) == MAX_AUTH_SETS and "basic" in forward.auth


def test_what_is_absorbed_is_not_changed_and_shares_nothing() -> None:
    one, other = known(["text/plain"], ["basic"]), known(["text/plain"], ["basic"])
    before = pack_knowledge(other)
    empty = Knowledge()
    empty.absorb(other)
    empty.absorb(one)

    assert pack_knowledge(other) == before != pack_knowledge(empty)


def test_they_are_copied_compared_and_shown_by_their_fields() -> None:
    one = known(["text/plain"], ["basic"])
    one.query.children["page"] = Node(
        variants={"type=a": Variant(objects=1, present={"b": 2})}, distinct=bytes(64)
    )

    for copied in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert copied == one and copied is not one
        copied.query.children["page"].variants["type=a"].present["b"] += 1
        assert copied != one
    assert "accepted=1" in repr(one) and "Variant(objects=1, present={'b': 2})" in repr(one)
    assert Node() != 1 and Body() != Response() and Variant() != Node()


def test_what_is_no_node_is_refused_before_it_is_read() -> None:
    body = Body()
    body.schema = None  # type: ignore[assignment]

    with pytest.raises(TypeError):
        Body().absorb(body)
    with pytest.raises(TypeError):
        pack_knowledge(Knowledge(bodies={"text/plain": body}))
    with pytest.raises(TypeError):
        pack_knowledge(Knowledge(segments={"1": "no node"}))  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        pack_knowledge(Knowledge(auth={1: 1}))  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="registers"):
        Node(distinct=b"1")
