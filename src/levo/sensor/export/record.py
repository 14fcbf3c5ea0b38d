"""One record of the spool: a head in clear, and a sealed body.

Layout (integers are little-endian)::

    magic   4 octets  "LvS2"
    length  u32       octets of the body
    traces  u32       traces in the body
    flags   u32       bit 0: the body is gzip-compressed
    nonce   12 octets random
    check   u32       CRC-32 of the five fields above
    state   1 octet   0xFF settled, anything else waiting; overwritten in place
    body    length octets: AES-256-GCM ciphertext and tag

The tag binds the head without its state, the segment's number and the record's offset: a record counts only
where it was written. The head is enough to step over the record, so a damaged body costs that record alone.
After a damaged head the next record is searched for by its magic and believed only if its tag is right: a
body cannot pretend to contain one.

Records of earlier versions are read, too: "LvR1", with the CRC-32 of a body in clear in place of the nonce,
and 1 for settled.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass

from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.sealing import NONCE_BYTES, TAG_BYTES, Sealer

MAGIC, _EARLIER_MAGIC = b"LvS2", b"LvR1"
_FIELDS = struct.Struct("<4s3I12s")
_EARLIER_FIELDS = struct.Struct("<4s4I")
_CHECK = struct.Struct("<I")
_PLACE = struct.Struct("<QQ")
_FLAG_GZIPPED = 1
_WAITING, _SETTLED, _EARLIER_SETTLED = b"\0", b"\xff", b"\1"

HEAD_BYTES = _FIELDS.size + _CHECK.size + 1
"""Octets to read for a head of either kind."""
OVERHEAD_BYTES = HEAD_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True)
class Head:
    """What can be told of a record without its body."""

    fields: bytes
    """As they stand in the file."""
    size: int
    """Octets of the head, state included."""
    length: int
    """Octets of the body, as stored."""
    traces: int
    gzipped: bool
    settled: bool

    @property
    def record_size(self) -> int:
        return self.size + self.length

    @property
    def sealed(self) -> bool:
        return self.fields.startswith(MAGIC)

    def settlement(self, at: int) -> tuple[int, bytes]:
        """Offset and octet that settle the record at offset *at*."""
        return at + self.size - 1, _SETTLED if self.sealed else _EARLIER_SETTLED


def parse_head(octets: bytes) -> Head | None:
    """The head that *octets* begin with; None when there is no whole and intact one."""
    earlier = octets.startswith(_EARLIER_MAGIC)
    layout = _EARLIER_FIELDS if earlier else _FIELDS
    size = layout.size + _CHECK.size + 1
    if len(octets) < size or not (earlier or octets.startswith(MAGIC)):
        return None
    fields = octets[: layout.size]
    if _CHECK.unpack_from(octets, layout.size)[0] != zlib.crc32(fields):
        return None
    _, length, traces, flags, _ = layout.unpack(fields)
    settled = octets[size - 1 : size] == (_EARLIER_SETTLED if earlier else _SETTLED)
    return Head(fields, size, length, traces, bool(flags & _FLAG_GZIPPED), settled)


def seal(sealer: Sealer, segment: int, at: int, request: EncodedRequest) -> bytes:
    """The record of *request*, to be written to *segment* at offset *at*."""
    nonce = os.urandom(NONCE_BYTES)
    flags = _FLAG_GZIPPED if request.gzipped else 0
    fields = _FIELDS.pack(MAGIC, len(request.body) + TAG_BYTES, request.traces, flags, nonce)
    body = sealer.seal(nonce, fields + _PLACE.pack(segment, at), request.body)
    return b"".join((fields, _CHECK.pack(zlib.crc32(fields)), _WAITING, body))


def unseal(sealer: Sealer, segment: int, at: int, head: Head, body: bytes) -> EncodedRequest | None:
    """The request of the record with *head* and *body*; None when it is damaged, or another key sealed it."""
    if head.sealed:
        extra = head.fields + _PLACE.pack(segment, at)
        opened = sealer.open(head.fields[-NONCE_BYTES:], extra, body)
        return None if opened is None else EncodedRequest(head.traces, opened, head.gzipped)
    [check] = _CHECK.unpack_from(head.fields, _EARLIER_FIELDS.size - _CHECK.size)
    return EncodedRequest(head.traces, body, head.gzipped) if zlib.crc32(body) == check else None
