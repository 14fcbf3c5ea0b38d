"""What we compress, the standard library reads, and the other way round."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from levo.sensor.export.compression import compress, compressor, decompress


@given(st.binary(max_size=5000))
def test_streams_are_gzip(body: bytes) -> None:
    assert gzip.decompress(compress(body)) == body
    assert decompress(gzip.compress(body)) == body
    assert compress(body) == compress(body)


@given(st.lists(st.binary(max_size=2000), max_size=6))
def test_pieces_make_one_stream(pieces: list[bytes]) -> None:
    stream = compressor()
    made = b"".join([*map(stream.compress, pieces), stream.flush()])
    assert gzip.decompress(made) == decompress(made) == b"".join(pieces)
