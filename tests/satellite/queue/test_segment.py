from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.errors import LevoError
from levo.satellite.queue.segment import (
    FRAME_HEAD_BYTES,
    HEAD_BYTES,
    Sealer,
    load_key,
    make_key,
    new_head,
    read_form,
    segment_numbers,
    segment_path,
)

KEY = bytes(range(32))


@given(st.binary(max_size=200), st.integers(0, 2**40), st.integers(1, 2**40))
def test_a_frame_opens_where_it_was_sealed_and_nowhere_else(plain: bytes, offset: int, number: int) -> None:
    head = new_head()
    sealed = Sealer(KEY, number, head).seal(offset, plain)[FRAME_HEAD_BYTES:]

    assert Sealer(KEY, number, head).open(offset, sealed) == plain
    assert Sealer(KEY, number, head).open(offset + 1, sealed) is None
    assert Sealer(KEY, number + 1, head).open(offset, sealed) is None
    assert Sealer(KEY[::-1], number, head).open(offset, sealed) is None
    assert Sealer(KEY, number, new_head()).open(offset, sealed) is None


@given(st.binary(max_size=200), st.integers(0, 2**40), st.data())
def test_a_frame_head_is_sound_in_its_place_alone_and_only_undamaged(
    plain: bytes, offset: int, data: st.DataObject
) -> None:
    sealer = Sealer(KEY, 1, new_head())
    frame = sealer.seal(offset, plain)
    head = sealer.form.frame_head(frame, 0, offset)

    assert head is not None and head.size + head.length == len(frame)
    assert sealer.form.frame_head(frame, 0, offset + 1) is None
    at, flip = data.draw(st.integers(0, FRAME_HEAD_BYTES - 1)), data.draw(st.integers(1, 255))
    assert sealer.form.frame_head(flipped(frame, at, flip), 0, offset) is None


def flipped(octets: bytes, at: int, flip: int = 1) -> bytes:
    return octets[:at] + bytes([octets[at] ^ flip]) + octets[at + 1 :]


def test_a_segment_head_is_read_from_either_copy_and_only_as_a_whole() -> None:
    head = new_head()
    form = read_form(head)

    assert form is not None and form.head_bytes == len(head) == HEAD_BYTES
    assert not any(read_form(head[:length]) for length in range(len(head)))
    half = len(head) // 2
    for at in range(half):
        assert read_form(flipped(head, at)) == read_form(flipped(head, half + at)) == form
        assert read_form(flipped(flipped(head, at), half + (at + 1) % half)) is None


def test_the_key_is_made_private_and_never_by_who_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    with pytest.raises(LevoError, match=r"journal\.key: the journal's key cannot be read: No such file"):
        load_key(path)
    first = make_key(path)

    assert load_key(path) == first != make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["journal.key"]


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    path.write_bytes(b"short")

    with pytest.raises(LevoError, match=r"journal\.key: holds 5 octets"):
        load_key(path)


def test_segments_are_found_in_order_among_other_files(tmp_path: Path) -> None:
    for number in (10, 9, 123456):
        segment_path(tmp_path, number).touch()
    (tmp_path / "journal.key").touch()
    (tmp_path / "x.segment").touch()

    assert segment_numbers(tmp_path) == [9, 10, 123456]
