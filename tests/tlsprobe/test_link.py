"""Descriptors reach who may have them, and nobody else."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.errors import ProbeError
from levo.tlsprobe.link import ask_ring, ask_status, connect, peer, send_ring, trusted

US = {os.geteuid()}


@contextmanager
def answering(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A probe that gives *answer* to the first who asks."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(64)
            answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield str(path)
    finally:
        thread.join(60)
        listener.close()


def test_both_descriptors_arrive(tmp_path: Path) -> None:
    ring, counters = os.memfd_create("ring"), os.memfd_create("counters")
    os.write(ring, b"of the ring")
    os.write(counters, b"of the counters")
    with answering(tmp_path / "probe", lambda to: send_ring(to, ring, counters, 8 << 20)) as path:
        found = ask_ring(path, US)

    try:
        assert os.pread(found.secrets, 64, 0) == b"of the ring"
        assert os.pread(found.counters, 64, 0) == b"of the counters"
        assert found.size_bytes == 8 << 20
        found.wait()  # the probe has closed the connection
    finally:
        found.close()
    for each in (ring, counters):
        os.close(each)


def test_a_stranger_is_not_asked(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "probe"))
    listener.listen(1)

    with pytest.raises(ProbeError, match=f"belongs to user {os.geteuid()}"):
        connect(str(tmp_path / "probe"), {4_000_000})
    listener.close()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"busy\n", "another sensor"),
        (b"levo-tls-probe 2 4096\n", "another version"),
        (b"", "another version"),
    ],
)
def test_an_answer_without_a_ring_is_a_reason(line: bytes, reason: str, tmp_path: Path) -> None:
    probe = answering(tmp_path / "probe", lambda to: to.sendall(line))

    with probe as path, pytest.raises(ProbeError, match=reason):
        ask_ring(path, US)


def test_descriptors_of_a_wrong_answer_are_closed(tmp_path: Path) -> None:
    ring = os.memfd_create("ring")
    before = len(os.listdir("/proc/self/fd"))

    def answer(to: socket.socket) -> None:
        socket.send_fds(to, [b"levo-tls-probe 9 4096\n"], [ring, ring, ring])

    with answering(tmp_path / "probe", answer) as path, pytest.raises(ProbeError):
        ask_ring(path, US)

    assert len(os.listdir("/proc/self/fd")) == before
    os.close(ring)


def test_the_status_is_read_to_its_end(tmp_path: Path) -> None:
    with answering(tmp_path / "probe", lambda to: to.sendall(b"x" * 200_000)) as path:
        assert ask_status(path, US) == b"x" * 200_000


def test_the_kernel_says_who_is_there() -> None:
    ours, theirs = socket.socketpair()

    assert peer(ours) == peer(theirs) == os.geteuid()
    assert {0, os.geteuid()} == trusted("no-such-user-as-this")
    ours.close()
    theirs.close()
