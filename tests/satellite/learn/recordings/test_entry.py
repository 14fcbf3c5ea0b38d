"""Content codings of recorded bodies."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard

from levo.satellite.learn.recordings import entry
from levo.satellite.learn.recordings.entry import decoded

BODY = b'{"id": 7}' * 9
RAW = zlib.compressobj(wbits=-15)
CODED = [
    (["gzip"], gzip.compress(BODY, mtime=0)),
    (["x-gzip"], gzip.compress(BODY, mtime=0)),
    (["deflate"], zlib.compress(BODY)),
    (["deflate"], RAW.compress(BODY) + RAW.flush()),
    (["br"], brotli.compress(BODY)),
    (["zstd"], zstandard.compress(BODY)),
    (["gzip", "br"], brotli.compress(gzip.compress(BODY, mtime=0))),
    (["identity"], BODY),
    ([], BODY),
]


@pytest.mark.parametrize(("codings", "octets"), CODED)
def test_codings_are_undone(codings: list[str], octets: bytes) -> None:
    assert decoded(octets, codings) == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_not_coded_stays(coding: str) -> None:
    assert decoded(BODY, [coding]) == BODY


@pytest.mark.parametrize(("codings", "octets"), CODED[:6])
def test_what_would_be_too_large_stays(
    codings: list[str], octets: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "MAX_DECODED", 20)

    assert decoded(octets, codings) == octets
