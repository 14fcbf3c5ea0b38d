"""Ports for servers that are to listen later, or again."""

from __future__ import annotations

import socket
from pathlib import Path
from random import SystemRandom

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def unused_port() -> int:
    """A port of 127.0.0.1 that nobody has, and that the kernel gives to nobody who asks for any.

    One that it has chosen for a socket and got back it may give away again: to a server, to a client, and to
    the very client that tries to connect to it, which then reaches itself.
    """
    first, last = map(int, _RANGE.read_text().split())
    below, above = range(10_000, first), range(last + 1, 65_536)
    candidates = below if len(below) > len(above) else above
    while True:
        port = SystemRandom().choice(candidates or range(first, last))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
