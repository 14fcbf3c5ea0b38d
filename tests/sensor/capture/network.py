"""A network namespace of its own for one test, with a veth pair to send frames through."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.links import until_links

_CLONE_NEWNET = 0x40000000

root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="needs root and iproute2 (capture, network namespace)",
)


def ip(*arguments: str) -> None:
    """Run ip(8) in the network namespace of the calling thread."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def private_network(test: Callable[..., None]) -> Callable[..., None]:
    """Run *test* in a thread with a fresh network namespace, ``lo`` up. It vanishes with the thread."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        failure: list[BaseException] = []

        def inside() -> None:
            try:
                if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
                    pytest.skip("the kernel refuses a network namespace")
                ip("link", "set", "lo", "up")
                test(*args, **kwargs)
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]

    return run


def veth(left: str = "left0", right: str = "right0") -> None:
    """A pair of connected interfaces, both up, without the kernel's own IPv6 chatter."""
    ip("link", "add", left, "type", "veth", "peer", "name", right)
    for name in (left, right):
        ip("link", "set", name, "addrgenmode", "none")
        ip("link", "set", name, "up")
    until_links("UP", left, right)


class Wire:
    """Sends frames out of an interface."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((interface, 0))

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self._socket.send(frame)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()
