"""One accepted request as it is handed from a receiver to a learner."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

_HEAD = struct.Struct("<BBQH")
_VERSION = 1


class RecordKind(IntEnum):
    """What the payload of a record is; stored in the journal, so numbers are never reused."""

    TRACES = 1
    """A serialized ``ExportTraceServiceRequest``."""
    METRICS = 2
    """A serialized ``ExportMetricsServiceRequest``."""


class Position(NamedTuple):
    """A place in the journal, ordered: everything before it has been read."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """An accepted export request. Holds captured content, so it is shown by its length only."""

    kind: RecordKind
    received_ns: int
    """When the request was accepted, nanoseconds since the Unix epoch."""
    organization: str
    """What ``x-levo-organization-id`` said; empty when the sender did not say."""
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the record as octets: a fixed head, the organization in UTF-8, the payload."""
        organization = self.organization.encode()
        return (
            _HEAD.pack(_VERSION, self.kind, self.received_ns, len(organization)) + organization + self.payload
        )

    @classmethod
    def decode(cls, octets: bytes) -> Record:
        """Undo :meth:`encode`.

        Raises:
            ValueError: *octets* were not written by this version of :meth:`encode`.
        """
        if len(octets) < _HEAD.size:
            raise ValueError(f"journal record of {len(octets)} octets is too short")
        version, kind, received_ns, size = _HEAD.unpack_from(octets)
        start = _HEAD.size + size
        if version != _VERSION or start > len(octets):
            raise ValueError(f"journal record of version {version}, {len(octets)} octets, cannot be read")
        return cls(RecordKind(kind), received_ns, octets[_HEAD.size : start].decode(), octets[start:])
