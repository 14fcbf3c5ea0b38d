from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.errors import LevoError
from levo.satellite.queue.segment import (
    FRAME_HEAD,
    Sealer,
    head_is_sound,
    load_key,
    new_head,
    segment_numbers,
    segment_path,
)

KEY = bytes(range(32))


@given(st.binary(max_size=200), st.integers(0, 2**40), st.integers(1, 2**40))
def test_a_frame_opens_where_it_was_sealed_and_nowhere_else(plain: bytes, offset: int, number: int) -> None:
    head = new_head()
    sealed = Sealer(KEY, number, head).seal(offset, plain)[FRAME_HEAD.size :]

    assert Sealer(KEY, number, head).open(offset, sealed) == plain
    assert Sealer(KEY, number, head).open(offset + 1, sealed) is None
    assert Sealer(KEY, number + 1, head).open(offset, sealed) is None
    assert Sealer(KEY[::-1], number, head).open(offset, sealed) is None
    assert Sealer(KEY, number, new_head()).open(offset, sealed) is None


def test_a_head_is_sound_only_as_a_whole() -> None:
    head = new_head()

    assert head_is_sound(head)
    assert not any(head_is_sound(head[:length]) for length in range(len(head)))
    for at in range(len(head)):
        assert not head_is_sound(head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :])


def test_the_key_is_made_once_kept_private_and_renewed_on_demand(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    first = load_key(path)

    assert load_key(path) == first != load_key(path, renew=True)
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
