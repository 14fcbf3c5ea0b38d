"""HPACK: the hpack library writes, ours reads; then the same blocks joined late, lost, broken or hostile."""

from __future__ import annotations

import hpack
import hpack.huffman
import hpack.huffman_constants
import pytest
from hypothesis import given
from hypothesis import strategies as st
from levo.engine.http2.hpack import HeaderReader

Fields = list[tuple[bytes, bytes]]

names = st.sampled_from(
    [b":path", b":status", b":method", b"content-type", b"cookie", b"x-a", b"x-b", b"x-long-" + b"n" * 90]
)
values = st.one_of(
    st.sampled_from([b"", b"/", b"GET", b"200", b"application/json", b"v" * 300]), st.binary(max_size=40)
)
sections = st.lists(st.tuples(names, values), max_size=8)
sizes = st.sampled_from([0, 40, 200, 4096, 65536, 70_000])
steps = st.lists(st.one_of(sections, sizes), max_size=25)
"""Sections to send, and table sizes that the receiver announces in between."""


def encode(plan: list[Fields | int], *, huffman: bool = True) -> list[tuple[Fields, bytes]]:
    """(section, its block) for each section of *plan*, from one encoder."""
    encoder = hpack.Encoder()
    found = []
    for step in plan:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # the library forgets to tell of a size that is set twice
                encoder.header_table_size = step
        else:
            found.append((step, encoder.encode([hpack.HeaderTuple(*pair) for pair in step], huffman=huffman)))
    return found


def is_subsequence(some: Fields, of: Fields) -> bool:
    rest = iter(of)
    return all(any(pair == other for other in rest) for pair in some)


def assert_nothing_wrong(read: tuple[Fields, int, bool], sent: Fields) -> None:
    """Every field is one that was sent, in order; the others are counted as unknown."""
    fields, unknown, good = read
    assert good
    assert is_subsequence(fields, sent)
    assert len(fields) + unknown == len(sent)


@given(plan=steps, huffman=st.booleans())
def test_blocks_are_read_as_they_were_written(plan, huffman):
    reader = HeaderReader()
    for sent, block in encode(plan, huffman=huffman):
        fields, unknown, good = reader.read(block)
        if reader_is_exact(plan):
            assert (fields, unknown, good) == (sent, 0, True)
        else:
            assert_nothing_wrong((fields, unknown, good), sent)


def reader_is_exact(plan: list[Fields | int]) -> bool:
    """Tables above 64 KiB are kept in part only."""
    return not any(isinstance(step, int) and step > 65536 for step in plan)


@given(plan=steps, start=st.integers(0, 24))
def test_joined_late_nothing_is_wrong(plan, start):
    reader = HeaderReader(exact=False)
    for sent, block in encode(plan)[start:]:
        assert_nothing_wrong(reader.read(block), sent)


@given(plan=steps, lost=st.integers(0, 24))
def test_after_a_lost_block_nothing_is_wrong(plan, lost):
    reader = HeaderReader()
    for i, (sent, block) in enumerate(encode(plan)):
        if i == lost:
            reader.forget()
        else:
            assert_nothing_wrong(reader.read(block), sent)


def test_what_was_inserted_since_joining_is_known_while_older_entries_are_not():
    first: Fields = [(b"x-a", b"1"), (b"x-b", b"2")]
    later: Fields = [(b":method", b"GET"), (b"x-a", b"1"), (b"x-c", b"3")]
    blocks = encode([first, later, later])
    reader = HeaderReader(exact=False)

    assert reader.read(blocks[1][1]) == ([(b":method", b"GET"), (b"x-c", b"3")], 1, True)
    assert reader.read(blocks[2][1]) == ([(b":method", b"GET"), (b"x-c", b"3")], 1, True)


def test_an_entry_made_from_an_unknown_name_keeps_its_place():
    encoder = hpack.Encoder()
    encoder.encode([(b"x-name", b"1")])
    blocks = [encoder.encode([(b"x-name", b"2"), (b"x-new", b"3")]), encoder.encode([(b"x-new", b"3")])]
    reader = HeaderReader(exact=False)

    assert reader.read(blocks[0]) == ([(b"x-new", b"3")], 1, True)
    assert reader.read(blocks[1]) == ([(b"x-new", b"3")], 0, True)


def test_a_size_update_to_zero_makes_a_late_reader_exact_again():
    plan: list[Fields | int] = [[(b"x-a", b"1")], 0, [], 4096, [(b"x-a", b"1")], [(b"x-a", b"1")]]
    reader = HeaderReader(exact=False)
    for sent, block in encode(plan)[1:]:
        assert reader.read(block) == (sent, 0, True)
    assert reader.read(b"\xff\x00")[2] is False, "a reference behind an exact table is an error"


@given(text=st.binary(max_size=80))
def test_strings_agree_with_the_huffman_coder(text):
    coder = hpack.huffman.HuffmanEncoder(
        hpack.huffman_constants.REQUEST_CODES, hpack.huffman_constants.REQUEST_CODES_LENGTH
    )
    coded = coder.encode(text)
    length = hpack.hpack.encode_integer(len(coded), 7)
    length[0] |= 0x80

    assert HeaderReader().read(b"\x00\x01a" + bytes(length) + coded) == ([(b"a", text)], 0, True)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x80", id="index 0"),
        pytest.param(b"\xbe", id="index behind an empty table"),
        pytest.param(b"\x00\x01a\x05abc", id="string longer than the block"),
        pytest.param(b"\x00\x01a", id="no value"),
        pytest.param(b"\x7f", id="integer without its end"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", id="integer without bound"),
        pytest.param(b"\x00\x01a\x81\x00", id="padding of zeros"),
        pytest.param(b"\x00\x01a\x82\x1f\xff", id="padding of more than seven bits"),
        pytest.param(b"\x00\x01a\x84\xff\xff\xff\xff", id="EOS"),
    ],
)
def test_malformed_blocks_are_refused(block):
    reader = HeaderReader()
    assert reader.read(b"\x40\x01x\x01y") == ([(b"x", b"y")], 0, True)

    assert reader.read(block if block != b"\xbe" else b"\xbf")[2] is False
    assert reader.read(b"\xbe") == ([], 1, True), "what a broken block has inserted is not known"


@given(blocks=st.lists(st.binary(max_size=200), max_size=6), exact=st.booleans())
def test_any_octets_are_read_or_refused_and_memory_comes_back(blocks, exact):
    reader = HeaderReader(exact=exact, limit=4096)
    for block in blocks:
        fields, _, _ = reader.read(block)
        assert sum(len(n) + len(v) for n, v in fields) <= 4096
    reader.forget()
    assert reader.memory == 0


def test_a_bomb_of_references_is_cut_at_the_limit():
    reader = HeaderReader(limit=10_000)
    reader.read(b"\x40\x01x" + b"\x7f" + b"\x81\x1e" + b"v" * 4000)
    fields, _, good = reader.read(b"\xbe" * 100_000)

    assert good
    assert sum(len(n) + len(v) for n, v in fields) <= 10_000
    assert reader.memory < 50_000


def test_a_bomb_of_insertions_is_given_up():
    reader = HeaderReader(exact=False, limit=10_000)
    name = b"n" * 4000
    reader.read(b"\x40" + b"\x7f" + b"\xa1\x1e" + name + b"\x00")
    _, _, good = reader.read(b"\x7e\x00" * 100_000)

    assert not good
    assert reader.memory == 0
