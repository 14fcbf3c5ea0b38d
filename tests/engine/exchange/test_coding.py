"""``levo.engine.exchange.coding``: content codings, with the compressors' own libraries as oracles."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Request, Response
from tests.helpers.exchanges import examples, raw, simple_exchange

TEXT = (
    b'{"items": ['
    + b", ".join(b'{"id": %d, "name": "n%d"}' % (i, i * 7919 % 1000) for i in range(400))
    + b"]}"
)


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def fast_brotli(data: bytes) -> bytes:
    return brotli.compress(data, quality=5)


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": fast_brotli,
    "zstd": zstandard.ZstdCompressor().compress,
}
FORMS = ENCODERS | {"raw deflate": raw_deflate}
LABELS = {name: name for name in ENCODERS} | {"raw deflate": "deflate"}


def decode(body: bytes, *labels: str, max_size: int = 10_000_000, missing: int = 0) -> Response:
    """The response whose Content-Encoding lines are *labels*, after decoding."""
    headers = tuple(("Content-Encoding", label) for label in labels)
    response = Response(headers=headers, body=body, missing_bytes=missing)
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode(max_size)
    (exchange,) = batch.exchanges()
    assert exchange.response is not None
    return exchange.response


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, bytes(100_000), TEXT * 100], ids=len)
def test_each_coding_is_undone(form, data):
    wire = FORMS[form](data)

    seen = decode(wire, LABELS[form])

    assert seen.body == data
    assert (seen.decoded, seen.truncated) == (True, False)
    assert (seen.body_size, seen.wire_body_size) == (len(data), len(wire))


@examples(60)
@given(st.binary(max_size=2000), st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=5), st.data())
def test_stacked_codings_are_undone_last_first(data, forms, draw):
    wire = data
    for form in forms:
        wire = FORMS[form](wire)
    labels = [LABELS[form] for form in forms]
    cut = draw.draw(st.integers(1, len(labels)))

    seen = decode(wire, " , ".join(labels[:cut]), *labels[cut:])

    assert (seen.body, seen.truncated) == (data, False)


@pytest.mark.parametrize("form", FORMS)
@examples(30)
@given(data=st.data())
def test_a_coding_cut_anywhere_gives_a_start_and_says_so(form, data):
    wire = FORMS[form](TEXT * 3)
    cut = data.draw(st.integers(1, len(wire) - 9))

    seen = decode(wire[:cut], LABELS[form])

    if seen.decoded:
        assert seen.truncated
        assert (TEXT * 3).startswith(seen.body)
    else:
        assert seen.body == wire[:cut]


@pytest.mark.parametrize("form", FORMS)
def test_most_of_a_cut_coding_is_recovered(form):
    data = b"".join(b"%d;" % (i * i * 2654435761 % 2**32) for i in range(60_000))
    wire = FORMS[form](data)

    seen = decode(wire[: len(wire) // 2], LABELS[form])

    assert data.startswith(seen.body)
    assert len(seen.body) > len(data) // 3


@pytest.mark.parametrize("label", [*ENCODERS, "gzip, gzip", "br, zstd, deflate"])
@pytest.mark.parametrize(
    "body", [TEXT, b"{}", b"<html>hello</html>", b"x", b"\x00\x01\x02", "grün".encode()], ids=repr
)
def test_content_that_is_not_coded_as_labeled_stays(label, body):
    seen = decode(body, label)

    assert seen.body == body
    assert (seen.decoded, seen.truncated, seen.body_size) == (False, False, len(body))


@pytest.mark.parametrize(
    ("form", "label"),
    [
        pytest.param("deflate", "gzip", id="zlib under gzip"),
        pytest.param("gzip", "deflate", id="gzip under deflate"),
        pytest.param("gzip", "br", id="gzip under br"),
        pytest.param("zstd", "gzip", id="zstd under gzip"),
        pytest.param("gzip", "gzip, gzip", id="labeled twice, coded once"),
        pytest.param("gzip", "GZip", id="case"),
        pytest.param("gzip", ' "gzip" ;q=1', id="quotes and parameter"),
        pytest.param("gzip", "identity, gzip,, ", id="identity and empty elements"),
        pytest.param("deflate", "x-deflate", id="alias"),
    ],
)
def test_labels_are_read_as_browsers_do(form, label):
    assert decode(FORMS[form](TEXT), label).body == TEXT


def test_below_an_unknown_coding_only_a_magic_number_counts():
    wire = gzip.compress(TEXT)

    assert decode(wire, "gzip, exi").body == TEXT
    assert decode(raw_deflate(TEXT), "deflate, exi").body == raw_deflate(TEXT)
    assert decode(wire, "exi").body == wire
    assert decode(gzip.compress(wire), "exi, gzip").body == wire


@pytest.mark.parametrize(
    ("name", "label"),
    [
        pytest.param("Content-Encoding", "gzip x", id="second word"),
        pytest.param("Content-Encoding", ": gzip", id="second colon"),
        pytest.param("Content-Encoding", "gz\0ip", id="NUL"),
        pytest.param("Content-Encoding", raw(b"\xa0gzip\x84"), id="above ASCII"),
        pytest.param("Content-Encoding", "\x0bgzip\x7f", id="controls"),
        pytest.param("\r\rContent-Encoding", "gzip", id="CR before the name"),
        pytest.param("Content\0-encoding", "gzip", id="NUL in the name"),
        pytest.param("Content-Encoding\x0b ", "gzip", id="VT and space behind the name"),
    ],
)
def test_noise_around_name_and_label_is_passed_over(name, label):
    """Seen in the HTTP Evader set: some reader accepts each of these."""
    response = Response(headers=((name, label),), body=gzip.compress(TEXT))
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode()

    assert batch.exchanges()[0].response.body == TEXT


@pytest.mark.parametrize(
    "name", ["X-Content-Encoding", "Content-Encodings", "ContentEncoding", "Content-Encodin"]
)
def test_other_names_are_other_fields(name):
    response = Response(headers=((name, "gzip"),), body=gzip.compress(TEXT))
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode()

    assert not batch.exchanges()[0].response.decoded


def test_gzip_members_follow_each_other():
    assert (
        decode(gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two"), "gzip").body == b"one two"
    )


@pytest.mark.parametrize("form", FORMS)
def test_octets_behind_the_end_are_ignored(form):
    seen = decode(FORMS[form](TEXT) + b"\r\n\0\0garbage", LABELS[form])

    assert (seen.body, seen.truncated) == (TEXT, False)


@pytest.mark.parametrize("form", ["gzip", "deflate"])
def test_wrong_checksums_hide_nothing(form):
    wire = bytearray(FORMS[form](TEXT))
    wire[-2] ^= 0xFF
    if form == "gzip":
        wire[-6] ^= 0xFF

    seen = decode(bytes(wire), form)

    assert (seen.body, seen.truncated) == (TEXT, False)


def test_a_missing_gzip_trailer_hides_nothing():
    assert decode(gzip.compress(TEXT)[:-8], "gzip").body == TEXT


def test_gzip_headers_with_every_field_are_read():
    header = b"\x1f\x8b\x08\x1f" + bytes(6) + b"\x03\x00abc" + b"name.txt\x00" + b"comment\x00" + b"\x00\x00"

    assert decode(header + raw_deflate(TEXT), "gzip").body == TEXT


@pytest.mark.parametrize("form", FORMS)
def test_output_is_bounded(form):
    wire = FORMS[form](bytes(30_000_000))
    assert len(wire) < 50_000

    seen = decode(wire, LABELS[form], max_size=100_000)

    assert seen.body == bytes(100_000)
    assert seen.truncated


@pytest.mark.parametrize("form", FORMS)
def test_content_of_exactly_the_bound_is_whole(form):
    seen = decode(FORMS[form](TEXT), LABELS[form], max_size=len(TEXT))

    assert (seen.body, seen.truncated) == (TEXT, False)


def test_more_layers_than_the_bound_are_left_and_marked():
    wire = TEXT
    for _ in range(7):
        wire = gzip.compress(wire)

    seen = decode(wire, ", ".join(["gzip"] * 7))

    assert seen.truncated
    assert gzip.decompress(gzip.decompress(seen.body)) == TEXT


def test_a_batch_of_bombs_grows_by_no_more_than_its_bound():
    bomb = Response(headers=(("content-encoding", "gzip"),), body=gzip.compress(bytes(1_000_000)))
    batch = Batch.build([simple_exchange(response=bomb)] * 40)
    before = batch.nbytes

    cut = batch.decode(max_growth_bytes=5_000_000)

    assert cut >= 34
    assert batch.nbytes - before < 5_000_000 + 1_100_000 + 40 * 70_000
    for exchange in batch.exchanges():
        assert exchange.response.body == bytes(len(exchange.response.body))
        assert exchange.response.truncated == (len(exchange.response.body) < 1_000_000)


def test_content_that_lost_octets_is_marked():
    wire = gzip.compress(TEXT)

    seen = decode(wire[:200], "gzip", missing=len(wire) - 200)

    assert seen.truncated
    assert TEXT.startswith(seen.body)


def test_decoding_twice_changes_nothing():
    inner = gzip.compress(TEXT)
    response = Response(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(inner))
    batch = Batch.build([simple_exchange(response=response)])

    batch.decode()
    batch.decode()

    assert batch.exchanges()[0].response.body == inner


def test_requests_are_decoded_too():
    request = Request(method="POST", headers=(("content-encoding", "br"),), body=brotli.compress(TEXT))
    batch = Batch.build([simple_exchange(request=request)])

    batch.decode()

    assert batch.exchanges()[0].request.body == TEXT


@examples(200)
@given(st.binary(max_size=300), st.sampled_from([*ENCODERS, "deflate, gzip", "zstd, br"]), st.data())
def test_damaged_octets_never_do_harm(noise, label, draw):
    """Any octets, and real codings with octets changed: bounded output, wire size kept."""
    wire = draw.draw(st.sampled_from([noise, *(encode(noise * 3) for encode in FORMS.values())]))
    damaged = bytearray(wire)
    for at in draw.draw(st.lists(st.integers(0, max(len(wire) - 1, 0)), max_size=3)):
        if damaged:
            damaged[at] ^= draw.draw(st.integers(1, 255))

    seen = decode(bytes(damaged), label, max_size=5000)

    assert len(seen.body) <= max(5000, len(damaged))
    assert seen.wire_body_size == len(damaged)


def chunked(data: bytes) -> bytes:
    return b"%x;a=b\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"


TRANSFER = ENCODERS | {"chunked": chunked}


@examples(60)
@given(
    st.binary(min_size=1, max_size=2000),
    st.lists(st.sampled_from(sorted(ENCODERS)), max_size=2),
    st.lists(st.sampled_from(sorted(TRANSFER)), max_size=3, unique=True),
)
def test_transfer_codings_are_undone_before_content_codings(data, content, transfer):
    """Chunks inside another coding are chunks; those that framed the content were undone before."""
    body = data
    for name in (*content, *transfer):
        body = TRANSFER[name](body)
    headers = (("Content-Encoding", ", ".join(content)), ("Transfer-Encoding", ", ".join(transfer)))
    response = Response(headers=headers, body=body)
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode(10_000_000)
    (exchange,) = batch.exchanges()

    assert exchange.response is not None and exchange.response.body == data


@pytest.mark.parametrize("data", [b"7", b"7\r", b"zz\r\nabc", b"5\r\nab", b"-1\r\n", b"f" * 40 + b"\r\n"])
def test_broken_chunks_inside_another_coding_give_their_start(data):
    response = Response(headers=(("Transfer-Encoding", "chunked"),), body=data)
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode(10_000_000)
    (exchange,) = batch.exchanges()

    assert exchange.response is not None
    assert exchange.response.body == (b"ab" if data == b"5\r\nab" else data)


WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]


def as_text(body: bytes, kind: str = "application/json", max_size: int = 10_000_000) -> Response:
    response = Response(headers=(("Content-Type", kind),), body=body)
    batch = Batch.build([simple_exchange(response=response)])
    batch.decode(max_size)
    (exchange,) = batch.exchanges()
    assert exchange.response is not None
    return exchange.response


@pytest.mark.parametrize("charset", WIDE)
@examples(40)
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"], min_codepoint=32), max_size=50))
def test_wide_text_becomes_utf_8(charset, text):
    """With a mark any text, without one what begins with ASCII, as JSON and XML do."""
    assert as_text(("\ufeff[" + text).encode(charset), "x/y").body == ("[" + text).encode()
    seen = as_text(('["' + text).encode(charset))
    assert seen.body == ('["' + text).encode()
    assert (seen.decoded, seen.truncated) == (True, False)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe\x00\xd8\x00\x00", "application/json"),
        (b"\xff\xfe\x01\x00\x02\x00", "application/json"),
        (b"a\x00b\x00", "application/octet-stream"),
        (b"\x00\x01\x00\x02\x00\x03", "text/plain"),
        (b"\xfe\xff\xdc\x00\x00a", "text/plain"),
        (b"\x00\x11\x00\x00", "text/plain"),
    ],
)
def test_octets_that_are_no_wide_text_stay(body, kind):
    assert as_text(body, kind).body == body


def test_wide_text_that_is_cut_or_bounded_says_so():
    cut = as_text("\ufeff[1]".encode("utf-16-le")[:-1])
    assert (cut.body, cut.truncated) == (b"[1", True)
    bounded = as_text(("\ufeff" + "a" * 100).encode("utf-16-be"), max_size=10)
    assert bounded.truncated and len(bounded.body) == 10


@pytest.mark.parametrize("octets", [10, 11, 12])
def test_wide_text_never_passes_its_bound(octets):
    """Not even by what is left of the last character."""
    bounded = as_text(("\ufeff" + "\u4e2d" * 9).encode("utf-16-le"), max_size=octets)
    assert (bounded.body.decode(), bounded.truncated) == ("\u4e2d" * (octets // 3), True)
