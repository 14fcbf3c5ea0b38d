"""Bounds the connections of the gRPC port for each address, which grpcio itself does not offer.

grpcio accepts, reads and closes its connections in C and takes one limit for all of them. But they are
sockets of this process, so they can be looked at and ended here: a shutdown is to grpcio what an end by the
peer is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from levo.satellite.access.client_network import network_of
from levo.satellite.connections import ConnectionStatistics

LOOK_S = 0.5
"""Between two looks …"""
LOOK_SOON_S = 0.02
"""… and after one that ended connections: somebody opens them faster than they are looked at."""
_OPEN_FILES = "/proc/self/fd"
_TCP_INFO_BYTES = 60
_LAST_DATA_RECEIVED = struct.Struct("52xI")
"""``tcpi_last_data_recv`` of ``struct tcp_info`` (``linux/tcp.h``), in milliseconds."""


@dataclass(frozen=True, slots=True)
class _Connection:
    descriptor: int
    peer: tuple[str, int]
    network: str
    idle_ms: int
    """Since something came from the client, or since the start if nothing did."""


class GrpcConnections:
    """The connections of a gRPC server of this process that listens on *port*. Lives on one event loop.

    One address gets at most half of *limit*, and an eighth is kept free for those that come next; *limit*
    itself is the server's to keep. What is too much is taken from the addresses with most connections, those
    first that have said nothing for the longest time. A client that loses one opens another.
    """

    def __init__(self, port: int, limit: int) -> None:
        self._port = port
        self._of_one = max(1, limit // 2)
        self._of_all = max(1, limit - limit // 8)
        self._open = self._ended = 0

    async def watch(self) -> None:
        """Keep the bounds until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SOON_S if self.look() else LOOK_S)

    def look(self) -> int:
        """End what is too much now; return how many connections that were."""
        by_network: dict[str, list[_Connection]] = {}
        for each in sorted(self._connections(), key=lambda each: each.idle_ms):
            by_network.setdefault(each.network, []).append(each)
        # The longer the queue of an address, and the longer it was silent in there, the sooner it ends.
        ranked = sorted(
            (
                (rank, each.idle_ms, each)
                for of_one in by_network.values()
                for rank, each in enumerate(of_one)
            ),
            key=lambda ranked: ranked[:2],
        )
        ended = sum(
            self._end(each)
            for number, (rank, _, each) in enumerate(ranked)
            if rank >= self._of_one or number >= self._of_all
        )
        self._open, self._ended = len(ranked) - ended, self._ended + ended
        return ended

    def statistics(self) -> ConnectionStatistics:
        """Return a snapshot as of the last look; what grpcio itself refuses cannot be counted."""
        return ConnectionStatistics(self._open, self._ended, None)

    def _connections(self) -> Iterator[_Connection]:
        try:
            names = os.listdir(_OPEN_FILES)
        except OSError:  # no file is left for the list: it is tried again
            return
        for name in names:
            found = self._connection(int(name))
            if found is not None:
                yield found

    def _connection(self, descriptor: int) -> _Connection | None:
        """Return the connection of *descriptor* if it is one of this port."""
        with suppress(OSError):  # closed in between
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return None
            borrowed = socket.socket(fileno=descriptor)
            try:
                if borrowed.family not in (socket.AF_INET, socket.AF_INET6):
                    return None
                if borrowed.getsockname()[1] != self._port:
                    return None
                peer = borrowed.getpeername()[:2]
                return _Connection(descriptor, peer, network_of(peer[0]), _idle_ms(borrowed))
            finally:
                borrowed.detach()  # it is grpcio's, which closes it
        return None

    def _end(self, connection: _Connection) -> bool:
        """End *connection*, unless grpcio has closed it and its descriptor is another one's by now."""
        with suppress(OSError), socket.socket(fileno=os.dup(connection.descriptor)) as held:
            if held.getsockname()[1] == self._port and held.getpeername()[:2] == connection.peer:
                held.shutdown(socket.SHUT_RDWR)
                return True
        return False


def _idle_ms(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    idle_ms: int = _LAST_DATA_RECEIVED.unpack_from(info)[0]
    return idle_ms
