from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.queue import Record, RecordKind

RECORDS = st.builds(
    Record,
    st.sampled_from(list(RecordKind)),
    st.integers(0, 2**64 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.binary(max_size=300),
)


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert Record.decode(record.encode()) == record


@given(RECORDS, st.integers(0, 20))
def test_what_is_no_record_is_a_value_error(record: Record, cut: int) -> None:
    octets = record.encode()
    with pytest.raises(ValueError):
        Record.decode(b"\x02" + octets[1:])
    with pytest.raises(ValueError):
        Record.decode(octets[:1] + b"\x77" + octets[2:])
    if cut < 12:
        with pytest.raises(ValueError):
            Record.decode(octets[:cut])


def test_a_record_does_not_show_its_content() -> None:
    assert "canary" not in repr(Record(RecordKind.TRACES, 1, "acme", b"canary"))
