"""One unary call of gRPC whose message is a gzip stream that we made.

The library compresses with a slow zlib, which is most of what a delivery costs. Its core takes a message that
is compressed already, marked by a flag, but the wrapper for Python has no argument for it. So the operation
that sends the message is exchanged for one that bears the flag, in a private place of the library. Where a
release of it has no such place, it is given the plain octets to compress itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from levo.sensor.export.compression import decompress

if TYPE_CHECKING:
    import grpc

Metadata = tuple[tuple[str, str], ...]
Call = Callable[[bytes, float, Metadata], "tuple[bytes, grpc.Call]"]
"""(gzip stream, time limit in seconds, metadata) -> answer, and the call that is over, for its metadata.

Raises grpc.RpcError; ValueError when closed.
"""

_COMPRESSED = -(2**31)
"""``GRPC_WRITE_INTERNAL_COMPRESS`` of gRPC's core, bit 31, as the signed number that the wrapper wants."""


def open_call(channel: grpc.Channel, method: str) -> Call:
    """Return what calls *method* on *channel*."""
    import grpc

    plain: Any = channel.unary_unary(method)
    marked = _marked_call()
    if marked is None or type(plain) is not marked.__base__:

        def compressed_by_library(
            body: bytes, timeout_s: float, metadata: Metadata
        ) -> tuple[bytes, grpc.Call]:
            done: tuple[bytes, grpc.Call] = plain.with_call(
                decompress(body), timeout=timeout_s, metadata=metadata, compression=grpc.Compression.Gzip
            )
            return done

        return compressed_by_library
    plain.__class__ = marked

    def call(body: bytes, timeout_s: float, metadata: Metadata) -> tuple[bytes, grpc.Call]:
        done: tuple[bytes, grpc.Call] = plain.with_call(
            body, timeout=timeout_s, metadata=metadata, compression=grpc.Compression.Gzip
        )
        return done

    return call


@cache
def _marked_call() -> Any:
    """A kind of call whose messages bear the flag; None where the library is not as we know it."""
    try:
        from grpc import _channel
        from grpc._cython import cygrpc  # type: ignore[attr-defined]

        base = _channel._UnaryUnaryMultiCallable
        send = cygrpc.SendMessageOperation
        prepare = base._prepare
        send(b"", _COMPRESSED)
    except Exception:
        return None

    class Marked(base):  # type: ignore[misc,valid-type]
        def _prepare(self, request: bytes, *rest: Any) -> Any:
            state, operations, deadline, failure = prepare(self, request, *rest)
            if operations is not None:
                operations = tuple(
                    send(request, _COMPRESSED) if type(each) is send else each for each in operations
                )
            return state, operations, deadline, failure

    return Marked
