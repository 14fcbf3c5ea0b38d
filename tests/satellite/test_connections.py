"""How many connections a port has, on real sockets and a real event loop."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from levo.satellite.connections import RESERVED_FILES, Connections, Listener
from tests.sensor.export.certificates import make_authority, make_leaf


class Served:
    """A server that keeps every connection open and says nothing."""

    def __init__(self, limit: int) -> None:
        self.connections = Connections(limit)
        self.listener = Listener()
        self.listener.connections = self.connections
        self.listener.bind(("127.0.0.1", 0))
        self.clients: list[socket.socket] = []
        self.busy: set[int] = set()
        self.seen: set[int] = set()
        self.errors: list[dict[str, object]] = []

    def protocol(self) -> asyncio.Protocol:
        served = self

        class Quiet(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                port = transport.get_extra_info("peername")[1]
                served.seen.add(port)
                descriptor = transport.get_extra_info("socket").fileno()
                served.connections.attach(descriptor, lambda: port not in served.busy)

        return Quiet()

    async def connect(self, source: str = "127.0.0.1") -> socket.socket:
        client = socket.create_connection(self.listener.getsockname(), timeout=60, source_address=(source, 0))
        self.clients.append(client)
        before = self.connections.statistics().refused_total
        async with asyncio.timeout(60):
            while client.getsockname()[1] not in self.seen:
                if self.connections.statistics().refused_total > before:
                    break
                await asyncio.sleep(0.005)
        return client

    async def __aenter__(self) -> Served:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.server = await loop.create_server(self.protocol, sock=self.listener, backlog=64)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.close()
        self.server.close()


async def ended(client: socket.socket) -> bool:
    """Whether the server has ended the connection, or does in a moment."""
    client.setblocking(False)
    await asyncio.sleep(0.02)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def until_ended(client: socket.socket) -> None:
    async with asyncio.timeout(60):
        while not await ended(client):
            pass


def test_a_new_connection_takes_the_place_of_the_one_that_waits_longest() -> None:
    async def run() -> None:
        async with Served(8) as served:
            first, *_, fourth = [await served.connect() for _ in range(4)]
            fifth = await served.connect()

            await until_ended(first)
            assert not any([await ended(each) for each in (fourth, fifth)])
            statistics = served.connections.statistics()
            assert (statistics.open, statistics.evicted_total, statistics.refused_total) == (4, 1, 0)

    asyncio.run(run())


def test_one_address_never_takes_a_place_from_another() -> None:
    async def run() -> None:
        async with Served(8) as served:
            others = [await served.connect("127.0.0.2") for _ in range(3)]
            for _ in range(20):
                await served.connect()

            assert not any([await ended(each) for each in others])
            assert served.connections.statistics().open == 3 + 4

    asyncio.run(run())


def test_a_connection_that_is_worked_on_keeps_its_place() -> None:
    async def run() -> None:
        async with Served(4) as served:
            working = [await served.connect() for _ in range(2)]
            served.busy = {client.getsockname()[1] for client in working}
            refused = await served.connect()

            await until_ended(refused)
            assert not any([await ended(each) for each in working])
            assert served.connections.statistics().refused_total == 1
            served.busy.clear()
            assert not await ended(await served.connect())

    asyncio.run(run())


def test_connections_that_end_are_counted_no_more() -> None:
    async def run() -> None:
        async with Served(40) as served:
            for _ in range(30):
                (await served.connect()).close()
            async with asyncio.timeout(60):
                while served.connections.statistics().open:
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_without_a_free_descriptor_an_idle_connection_makes_room_and_nothing_is_logged() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def run() -> None:
        async with Served(1000) as served:
            first = await served.connect()
            queued = [socket.socket() for _ in range(3)]
            spare = socket.socket()
            highest = spare.fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            try:
                spare.close()
                filler = []
                try:
                    while True:
                        filler.append(socket.socket())
                except OSError as error:
                    assert error.errno == errno.EMFILE
                queued[0].connect(served.listener.getsockname())
                async with asyncio.timeout(60):
                    while not served.connections.statistics().evicted_total:
                        await asyncio.sleep(0.01)
                await until_ended(first)
                async with asyncio.timeout(60):
                    while served.connections.statistics().open != 1:
                        await asyncio.sleep(0.01)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for each in (*filler, *queued):
                    each.close()
            assert served.errors == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("limits", "expected"), [("(1024, 1024)", (1024 - RESERVED_FILES) // 3), ("(64, 4096)", 1000)]
)
def test_the_limit_fits_into_the_open_files_and_raises_the_soft_limit(limits: str, expected: int) -> None:
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {limits});"
        "from levo.satellite.connections import connection_limit; print(connection_limit())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (found.stdout, found.stderr) == (f"{expected}\n", "")


def test_a_v6_client_is_its_network() -> None:
    connections = Connections(4)
    opened = [socket.socket() for _ in range(3)]
    for number, each in enumerate(opened):
        connections.admit(each, f"2001:db8:1:2::{number}")

    assert connections.statistics().evicted_total == 1
    for each in opened:
        each.close()


def test_tls_connections_leave_no_buffers_to_be_collected_later(tmp_path: Path) -> None:
    authority, signer = make_authority(tmp_path)
    pair = make_leaf(tmp_path, "satellite", authority, signer, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)

    async def run() -> int:
        served = Served(8)
        served.listener.connections = Connections(8, tls=True)
        gc.collect()
        gc.disable()
        try:
            server = await asyncio.get_running_loop().create_server(
                asyncio.Protocol, sock=served.listener, ssl=context
            )
            for _ in range(100):
                with socket.create_connection(served.listener.getsockname(), timeout=60):
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
            server.close()
            return sum(type(each).__name__ == "SSLProtocol" for each in gc.get_objects())
        finally:
            gc.enable()

    assert asyncio.run(run()) < 40
