"""Bounds the connections of a port: below the limit of open files, and fewer than all for one address."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import socket
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from levo.satellite.access.client_network import network_of

MAX_CONNECTIONS = 1000
"""Of one port, however many files may be open."""
MAX_TLS_CONNECTIONS = 128
"""Of one port that speaks TLS, where asyncio keeps some 300 KiB of buffers for each connection."""
MIN_CONNECTIONS = 16
RESERVED_FILES = 128
"""Left for databases, journal, learner, webhooks, and connections that are being closed."""
PORTS = 3
BACKLOG = 512
"""Connections that the kernel completes in advance."""
_TLS_GARBAGE = 16
"""After so many TLS connections their buffers are collected: asyncio leaves them in cycles of references,
which the garbage collector counts as a few objects and finds hundreds of megabytes later."""
_IN_ONE_TURN = 32
"""Connections accepted in one turn of the event loop: those that make room for them close in the next."""


def connection_limit(*, tls: bool = False) -> int:
    """Return how many connections each of the three ports may have, and raise the soft limit of open files
    as far as that needs and the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RESERVED_FILES + PORTS * MAX_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # a container may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = MAX_TLS_CONNECTIONS if tls else MAX_CONNECTIONS
    if soft == resource.RLIM_INFINITY:
        return most
    return max(MIN_CONNECTIONS, min(most, (soft - RESERVED_FILES) // PORTS))


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """Snapshot."""

    open: int
    evicted_total: int
    """Connections ended to make room for another one."""
    refused_total: int | None
    """Connections ended at once, since none could make room; None if they are not known."""


@dataclass(slots=True)
class _Entry:
    connection: socket.socket
    network: str
    waits_for_client: Callable[[], bool] | None = None
    """None until the protocol has taken the connection over, as during a TLS handshake."""


class Connections:
    """The open connections of one port. Lives on one event loop.

    One address gets at most half of them. A connection for which there is no room takes the place of the one
    that has waited for its client the longest: for a handshake, a request, the rest of a body, or for taking
    a response. Connections on which the Satellite works are left alone.
    """

    def __init__(self, limit: int, *, tls: bool = False) -> None:
        self._limit = limit
        self._tls = tls
        self._closed = 0
        self._of_one = max(1, limit // 2)
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        """By file descriptor, the one that was heard of the longest ago first."""
        self._by_network: Counter[str] = Counter()
        self._evicted = self._refused = 0

    def admit(self, connection: socket.socket, host: str) -> bool:
        """Count *connection* from now on; return False if there is no room for it."""
        network = network_of(host)
        alone = self._by_network[network] >= self._of_one
        if (alone and not self._evict(network)) or (len(self._entries) >= self._limit and not self._evict()):
            self._refused += 1
            return False
        self._entries[connection.fileno()] = _Entry(connection, network)
        self._by_network[network] += 1
        return True

    def attach(self, descriptor: int, waits_for_client: Callable[[], bool]) -> None:
        """Let a connection say whether it waits for its client; until then it is taken to do so."""
        entry = self._entries.get(descriptor)
        if entry is not None:
            entry.waits_for_client = waits_for_client

    def touch(self, descriptor: int) -> None:
        """Note that something came from the client."""
        if descriptor in self._entries:
            self._entries.move_to_end(descriptor)

    def forget(self, connection: socket.socket) -> None:
        """Count *connection* no more. Legal twice."""
        descriptor = connection.fileno()
        entry = self._entries.get(descriptor)
        if entry is not None and entry.connection is connection:
            del self._entries[descriptor]
            self._by_network[entry.network] -= 1
            if not self._by_network[entry.network]:
                del self._by_network[entry.network]

    def closed(self) -> None:
        """Note that a connection was closed."""
        self._closed += 1
        if self._tls and self._closed % _TLS_GARBAGE == 0:
            asyncio.get_running_loop().call_soon(gc.collect)

    def make_room(self) -> bool:
        """End one connection that waits for its client; return False if none does."""
        return self._evict()

    def statistics(self) -> ConnectionStatistics:
        """Return a snapshot."""
        return ConnectionStatistics(len(self._entries), self._evicted, self._refused)

    def _evict(self, network: str = "") -> bool:
        for entry in self._entries.values():
            if network and entry.network != network:
                continue
            if entry.waits_for_client is None or entry.waits_for_client():
                break
        else:
            return False
        self._evicted += 1
        self.forget(entry.connection)
        with suppress(OSError):
            # The transport learns of it as of an end by the peer, and closes.
            entry.connection.shutdown(socket.SHUT_RDWR)
        return True


class _Accepted(socket.socket):
    connections: Connections

    def close(self) -> None:
        was_open = self.fileno() >= 0
        if was_open:
            self.connections.forget(self)
        super().close()
        if was_open:
            self.connections.closed()


class Listener(socket.socket):
    """A listening socket that hands out only the connections that its :class:`Connections` admit."""

    connections: Connections
    _in_turn = 0
    """Calls since the event loop was last told that there is nothing to accept."""
    _out_of_files = False
    _room_was_made = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a connection; ``BlockingIOError`` when there is none, or none in this turn or to stay."""
        if self._in_turn >= _IN_ONE_TURN or self._out_of_files:
            self._in_turn, self._out_of_files = 0, False
            raise BlockingIOError
        self._in_turn += 1
        try:
            plain, address = super().accept()
        except OSError as error:
            is_first, self._in_turn = self._in_turn == 1, 0
            if error.errno in (errno.EMFILE, errno.ENFILE):
                # After the first call of a turn there may be no connection for which a file is missing.
                if not is_first or self._makes_room():
                    raise BlockingIOError from error
                self._out_of_files = True  # asyncio pauses, but would first try again as often as BACKLOG
            raise
        self._room_was_made = False
        accepted = _Accepted(plain.family, plain.type, plain.proto, fileno=plain.detach())
        accepted.connections = self.connections
        if not self.connections.admit(accepted, address[0]):
            accepted.close()
            self._in_turn = 0
            raise BlockingIOError("no room for this connection")
        return accepted, address

    def _makes_room(self) -> bool:
        """End a connection for the sake of its file, which is free a turn later."""
        if self._room_was_made:
            self._room_was_made = False
            return True
        self._room_was_made = self.connections.make_room()
        return self._room_was_made
