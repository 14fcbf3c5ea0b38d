"""How a sensor gets at the ring of a probe: over a Unix socket, as descriptors.

The sensor connects, each side asks the kernel who the other is (SO_PEERCRED), the sensor sends one line, and
the probe answers with one. The line ``ring`` is answered by ``levo-tls-probe VERSION RING-BYTES`` with two
descriptors, those of the ring and of the counters (SCM_RIGHTS); the connection stays open as long as the
sensor reads. Only one sensor reads a ring: the next one is answered ``busy``. The line ``status`` is answered
by JSON. While a sensor reads, the probe may ask it ``report``, and it answers with one line of JSON: what it
could read, and why not the rest. No secret ever passes through the socket.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from levo.errors import ProbeError

SOCKET = "/run/levo-tls-probe/probe.sock"
USER = "levo-tls-probe"
"""The user of the probe's service."""
VERSION = 3
"""Of the ring's records and of the counters (``event.h``)."""
ANSWER_BYTES = 1 << 20
_STATUS_S = 10.0
"""Within which the status comes: the probe may be searching a library, and asks the sensor."""


@dataclass(frozen=True, slots=True)
class Ring:
    """What a sensor needs to read secrets. Its owner closes all three."""

    connection: socket.socket
    """Held open as long as the ring is read; ends when the probe does."""
    secrets: int
    counters: int
    size_bytes: int

    def wait(self, report: Callable[[], bytes] = lambda: b"{}") -> None:
        """Return when the probe has ended, or after :meth:`end`; until then answer it with *report*.

        *report*: one line without its end, at most :data:`ANSWER_BYTES`.
        """
        with suppress(OSError):
            while asked := self.connection.recv(64):
                if asked.endswith(b"\n"):
                    self.connection.sendall(report() + b"\n")

    def end(self) -> None:
        """Have :meth:`wait` return. For another thread."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.connection.close()
        for each in (self.secrets, self.counters):
            os.close(each)


def peer(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[1])


def trusted(*users: str) -> set[int]:
    """User ids that may be at the other end: root, this process's, and those of *users* that exist."""
    found = {0, os.geteuid()}
    for name in users:
        try:
            found.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    return found


def connect(path: str, users: Collection[int], timeout_s: float = 2.0) -> socket.socket:
    """A connection to the probe at *path*, which runs as one of *users*.

    Raises:
        OSError: nobody listens there.
        ProbeError: somebody else does.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.settimeout(timeout_s)
        connection.connect(path)
        uid = peer(connection)
        if uid not in users:
            raise ProbeError(f"{path} belongs to user {uid}, who is not trusted with secrets")
    except BaseException:
        connection.close()
        raise
    return connection


def ask_ring(path: str, users: Collection[int]) -> Ring:
    """The ring of the probe at *path*. Raises as :func:`connect`; ProbeError too when it cannot be had."""
    connection = connect(path, users)
    descriptors: list[int] = []
    try:
        connection.sendall(b"ring\n")
        line, descriptors, _, _ = socket.recv_fds(connection, 256, 4, socket.MSG_CMSG_CLOEXEC)
        words = line.split()
        if words == [b"busy"]:
            raise ProbeError("another sensor reads the probe's secrets")
        if len(descriptors) != 2 or len(words) != 3 or words[:2] != [b"levo-tls-probe", b"%d" % VERSION]:
            raise ProbeError(f"the probe at {path} is of another version")
        connection.settimeout(None)
        return Ring(connection, descriptors[0], descriptors[1], int(words[2]))
    except BaseException:
        connection.close()
        for each in descriptors:
            os.close(each)
        raise


def ask_status(path: str, users: Collection[int]) -> bytes:
    """What the probe at *path* says about itself, as JSON.

    Raises as :func:`connect`; ProbeError too without an answer.
    """
    with connect(path, users, _STATUS_S) as connection:
        connection.sendall(b"status\n")
        answer = b""
        while len(answer) < ANSWER_BYTES and (part := connection.recv(65536)):
            answer += part
        if not answer:
            raise ProbeError(f"the probe at {path} does not answer this user")
        return answer


def send_ring(connection: socket.socket, secrets: int, counters: int, size_bytes: int) -> None:
    """The probe's answer to ``ring``."""
    line = f"levo-tls-probe {VERSION} {size_bytes}\n".encode()
    socket.send_fds(connection, [line], [secrets, counters])
