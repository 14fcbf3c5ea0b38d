"""Slicing of a batch into bounded requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export.batch import RequestLimits, otlp_slices
from tests.sensor.export.batches import RESOURCE, NumberedBatch, numbers_in


class Misjudged(NumberedBatch):
    """A batch whose ``nbytes`` says little about its encoding."""

    def __init__(self, total: int, padding: int, claimed: int) -> None:
        super().__init__(range(total), padding)
        self.claimed = claimed

    @property
    def nbytes(self) -> int:
        return self.claimed


@given(
    total=st.integers(0, 60),
    padding=st.integers(0, 400),
    claimed=st.integers(0, 50_000),
    limits=st.builds(RequestLimits, bytes=st.integers(1, 8_000), traces=st.integers(1, 100)),
)
def test_slices_are_bounded_ordered_and_complete(
    total: int, padding: int, claimed: int, limits: RequestLimits
) -> None:
    slices = list(otlp_slices(Misjudged(total, padding, claimed), RESOURCE, limits))

    assert [number for _, body in slices for number in numbers_in(body)] == list(range(total))
    for traces, body in slices:
        assert traces == len(numbers_in(body)) <= limits.traces
        assert len(body) <= limits.bytes or traces == 1
