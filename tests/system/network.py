"""Network namespaces for system tests: made with random names, removed afterwards, never routed anywhere."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.helpers.links import until_links

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing_reason(*tools: str) -> str | None:
    """Why a system test cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root: packet capture and network namespaces"
    absent = [tool for tool in ("ip", *tools) if shutil.which(tool, path=PATH) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def needs(*tools: str) -> pytest.MarkDecorator:
    reason = missing_reason(*tools)
    return pytest.mark.skipif(reason is not None, reason=reason or "")


@dataclass(frozen=True, slots=True)
class Namespace:
    """One network namespace, its loopback interface up."""

    name: str
    address: str = "127.0.0.1"
    """Where a server inside it is reached by the test's client."""
    interface: str = "lo"
    """Where the sensor sees that traffic."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """*argv*, run inside the namespace."""
        return ["ip", "netns", "exec", self.name, *argv]

    def popen(self, argv: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(argv), **options)  # type: ignore[call-overload, no-any-return]

    def run(self, argv: Sequence[str], *, timeout: float = 120) -> str:
        done = subprocess.run(self.command(argv), capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{argv}: {done.stderr[-2000:]}"
        return done.stdout


def until_listening(
    namespace: Namespace, *ports: int, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Return once something in the namespace listens at each of *ports*; *process* is who is to do it."""
    end = time.monotonic() + 60
    for port in ports:
        while f":{port} " not in namespace.run(["ss", "-Hltn", f"sport = :{port}"]):
            assert process is None or process.poll() is None, f"what is to listen at {port} has ended"
            assert time.monotonic() < end, f"nothing listens at {port}"
            time.sleep(0.05)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _new_name() -> str:
    return f"levo-{secrets.token_hex(4)}"


@contextmanager
def loopback_namespace() -> Iterator[Namespace]:
    """A namespace in which server, client and sensor share the loopback interface."""
    name = _new_name()
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield Namespace(name)
    finally:
        _ip("netns", "del", name)


@contextmanager
def veth_pair(*, mtu: int = 1500, offloads: bool = False) -> Iterator[tuple[Namespace, Namespace]]:
    """(server's, client's) namespace, joined by a veth pair; one frame a packet unless *offloads*."""
    server, client = _new_name(), _new_name()
    for name in (server, client):
        _ip("netns", "add", name)
    try:
        _ip("link", "add", "veth0", "netns", server, "type", "veth", "peer", "name", "veth0", "netns", client)
        ends = (Namespace(server, "10.77.0.1", "veth0"), Namespace(client, "10.77.0.2", "veth0"))
        for end in ends:
            _ip("-n", end.name, "addr", "add", f"{end.address}/24", "dev", "veth0")
            _ip("-n", end.name, "link", "set", "veth0", "mtu", str(mtu), "up")
            _ip("-n", end.name, "link", "set", "lo", "up")
            if not offloads:
                end.run(["ethtool", "-K", "veth0", "tso", "off", "gso", "off", "gro", "off"])
        for end in ends:
            until_links("UP", "veth0", namespace=end.name)
        yield ends
    finally:
        for name in (server, client):
            _ip("netns", "del", name)


@contextmanager
def namespaces(count: int) -> Iterator[list[Namespace]]:
    """That many namespaces that nothing joins yet, their loopback interfaces up."""
    names = [_new_name() for _ in range(count)]
    made = []
    try:
        for name in names:
            _ip("netns", "add", name)
            made.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
        yield [Namespace(name) for name in names]
    finally:
        for name in made:
            _ip("netns", "del", name)
