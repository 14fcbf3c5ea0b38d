"""The stored form: the octets that msgspec makes, and from any octets knowledge or one error."""

from __future__ import annotations

import struct
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn import Detectors, LearnSettings, State
from levo.satellite.learn.schema import (
    DamagedKnowledge,
    Knowledge,
    Node,
    merge,
    pack_knowledge,
    pack_node,
    unpack_knowledge,
    unpack_node,
)
from levo.satellite.learner import learn_record
from tests.helpers.effort import scaled
from tests.helpers.stored_structs import KnowledgeStruct, NodeStruct, as_struct, pack, unpack
from tests.satellite.corpora import corpora

COUNTS = st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 300) | st.just(0)
TEXTS = st.text(max_size=4) | st.sampled_from(["id", "a" * 31, "b" * 32, "c" * 300, "d" * 70_000, "é" * 20])
TALLIES = st.dictionaries(TEXTS, COUNTS, max_size=4)
VARIANTS = st.builds(lambda objects, present: [objects, present], COUNTS, TALLIES)


def fields(nodes: st.SearchStrategy[list[object] | None]) -> st.SearchStrategy[list[object]]:
    """Nodes as arrays of any values that the fields can have, some without the last ones."""
    flags = st.booleans()
    whole = st.tuples(
        *[COUNTS] * 7, flags, COUNTS, COUNTS, COUNTS, TEXTS, flags, TALLIES,
        st.dictionaries(TEXTS, nodes.filter(lambda node: node is not None), max_size=3), nodes, COUNTS, flags,
        nodes, COUNTS, COUNTS, TALLIES, st.dictionaries(TEXTS, VARIANTS, max_size=2), flags, COUNTS, flags,
        st.sampled_from([b"", bytes(64), bytes(range(64))]), flags,
    )  # fmt: skip
    return st.builds(lambda values, size: list(values[:size]), whole, st.integers(0, 28) | st.just(28))


NODES = fields(st.recursive(st.none(), lambda inner: st.none() | fields(inner), max_leaves=3))


@pytest.fixture(scope="module")
def learned() -> list[Knowledge]:
    """What is known of the places of both corpora."""
    state = State()
    for _, corpus in corpora(600):
        for record in corpus.records():
            learn_record(state, record, LearnSettings(Detectors(), b"k" * 32))
    return [facts.knowledge for facts in state.endpoints.values()]


@given(NODES)
@settings(max_examples=scaled(150), deadline=None)
def test_a_node_is_read_and_written_as_msgspec_does(values: list[object]) -> None:
    octets = msgspec.msgpack.encode(values)
    expected = unpack(octets, NodeStruct)

    assert as_struct(unpack_node(octets), NodeStruct) == expected
    assert pack_node(unpack_node(octets)) == pack(expected)


def test_knowledge_is_written_as_msgspec_does_and_read_again(learned: list[Knowledge]) -> None:
    assert len(learned) > 100
    for known in learned:
        octets = pack_knowledge(known)

        assert octets == pack(as_struct(known, KnowledgeStruct))
        assert unpack_knowledge(octets) == known
        assert as_struct(unpack_knowledge(octets), KnowledgeStruct) == unpack(octets, KnowledgeStruct)


@pytest.mark.parametrize("names", [2, 16, 47, 48, 49, 160, 70_000])
def test_equal_nodes_have_equal_octets_whatever_came_first(names: int) -> None:
    known = [f"p{number:x}" for number in range(names)]
    one = Node(finds={name: 1 for name in known}, labels={"é": 1, "ab": 2, "a": 3, "b": 4, "": 5})
    other = Node(finds={name: 1 for name in reversed(known)}, labels=dict(reversed(one.labels.items())))

    assert pack_node(one) == pack_node(other) == pack(as_struct(one, NodeStruct))


def test_what_a_later_version_adds_is_left_out(learned: list[Knowledge]) -> None:
    known = next(each for each in learned if each.bodies and each.responses)
    added = [1, -1, 2.5, None, True, "text" * 20, b"octets", [1, [2]], {"a": {"b": [3]}}, 1 << 40, -1 << 40]
    grown = msgspec.msgpack.decode(pack_knowledge(known)) + added
    node = msgspec.msgpack.decode(pack_node(known.query)) + added

    assert unpack_knowledge(msgspec.msgpack.encode(grown)) == known
    assert unpack_node(msgspec.msgpack.encode(node)) == known.query
    assert unpack_knowledge(b"\x90") == Knowledge()


def test_each_head_of_msgpack_is_read() -> None:
    """Others may write a number or a length longer than need be."""
    assert unpack_node(b"\xdc\x00\x01\x05") == unpack_node(b"\xdd\x00\x00\x00\x01\x05") == Node(nulls=5)
    for kind, form in enumerate("BHIQbhiq", start=0xCC):
        assert unpack_node(struct.pack(f">BB{form}", 0x91, kind, 5)) == Node(nulls=5)


@pytest.mark.parametrize(
    "octets",
    [
        b"", b"\xc0", b"\x80", b"\x91", b"\x90\x90", b"\x91\xc3", b"\x91\xcb" + bytes(8),
        b"\x91\xcf" + b"\xff" * 8,
        b"\x98" + bytes(8), b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdc\x00", b"\x91\xcd\x00",
        b"\x9c" + bytes(7) + b"\xc2\0\xff\0\xa5abc", b"\x9c" + bytes(7) + b"\xc2\0\xff\0\xa1\xff",
        b"\xdc\x00\x1f" + pack_node(Node())[3:] + b"\xc1\0\0", pack_node(Node())[:-3] + b"\xc4\x01\x07\xc2",
    ],
)  # fmt: skip
def test_octets_that_are_no_node_are_refused(octets: bytes) -> None:
    with pytest.raises(DamagedKnowledge, match="what is stored of the messages is damaged at octet "):
        unpack_node(octets)


def test_a_node_below_too_many_others_is_refused() -> None:
    within_an_array = b"\xdc\x00\x13" + pack_node(Node())[3:21]

    with pytest.raises(DamagedKnowledge, match="more levels"):
        unpack_node(within_an_array * 1_000_000)
    assert unpack_node(within_an_array * 63 + b"\x90").size() == 64
    node = Node()
    for _ in range(200):
        node = Node(items=node)
    with pytest.raises(ValueError, match="levels"):
        pack_node(node)


def test_damaged_knowledge_is_refused_or_read_never_worse(learned: list[Knowledge]) -> None:
    rng = Random(7)
    outcomes = {"read": 0, "refused": 0}
    rows = [pack_knowledge(known) for known in learned]
    for _ in range(scaled(4000)):
        row = bytearray(rng.choice(rows))
        what = rng.randrange(4)
        if what == 0:
            for _ in range(rng.choice((1, 1, 2, 9))):
                row[rng.randrange(len(row))] ^= 1 << rng.randrange(8)
        elif what == 1:
            del row[rng.randrange(len(row)) :]
        elif what == 2:
            start = rng.randrange(len(row))
            row[start : start + rng.randrange(9)] = rng.randbytes(rng.randrange(9))
        else:
            other = rng.choice(rows)
            row[rng.randrange(len(row)) :] = other[rng.randrange(len(other)) :]
        try:
            known = unpack_knowledge(bytes(row))
        except DamagedKnowledge:
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        expected = unpack(bytes(row), KnowledgeStruct)
        assert as_struct(known, KnowledgeStruct) == expected
        assert pack_knowledge(known) == pack(expected)
        known.absorb(unpack_knowledge(pack_knowledge(known)))

    assert min(outcomes.values()) > 100


def test_counts_stop_at_their_greatest_number() -> None:
    most = 2**63 - 1
    one, other = Node(strings=most, scanned=1), Node(strings=most, scanned=most)
    known = Knowledge(accepted=most)
    known.absorb(Knowledge(accepted=2))

    together = merge(one, other)
    assert (together.strings, together.scanned, known.accepted) == (most, most, most)
