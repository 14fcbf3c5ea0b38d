"""How many connections of the gRPC port stay open, on real sockets and grpcio's own server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress

import grpc
import pytest

from levo.satellite.receive import GrpcReceiver, Ingester
from levo.satellite.receive.grpc_connections import GrpcConnections
from tests.satellite.test_app import EXPORT

LIMIT = 16
OF_ONE, OF_ALL = 8, 14
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")


class Port:
    """A gRPC port, and its clients."""

    def __init__(self, port: int, receiver: GrpcReceiver, clients: ExitStack) -> None:
        self.port, self.receiver, self._clients = port, receiver, clients

    def connect(self, count: int, source: str) -> list[socket.socket]:
        found = []
        for _ in range(count):
            client = socket.create_connection(
                ("127.0.0.1", self.port), timeout=180, source_address=(source, 0)
            )
            self._clients.enter_context(client)
            client.sendall(PREFACE)
            client.setblocking(False)
            found.append(client)
        return found

    def counted(self) -> tuple[int, int]:
        seen = self.receiver.connections()["otlp_grpc"]
        return seen.open, seen.evicted_total


@asynccontextmanager
async def served(limit: int = LIMIT) -> AsyncIterator[Port]:
    ingester = Ingester(
        None,  # type: ignore[arg-type]
        max_request_bytes=1 << 20,
        max_in_flight_bytes=1 << 20,
        on_accepted=lambda: None,
    )
    receiver = GrpcReceiver(ingester)
    port = await receiver.start("127.0.0.1", 0, max_connections=limit)
    try:
        with ExitStack() as clients:
            yield Port(port, receiver, clients)
    finally:
        await receiver.stop(0)


def is_open(client: socket.socket) -> bool:
    try:
        while client.recv(1000):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


def still_open(clients: Iterable[socket.socket]) -> int:
    return sum(map(is_open, clients))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not true():
            await asyncio.sleep(0.01)


def test_one_address_gets_half_and_never_takes_a_place_from_another() -> None:
    async def run() -> None:
        async with served() as port:
            others = port.connect(3, "127.0.0.2")
            await until(lambda: port.counted()[0] == 3)
            flood: list[socket.socket] = []

            def is_bounded() -> bool:
                return port.counted()[0] == 3 + OF_ONE and still_open(flood) == OF_ONE

            for _ in range(5):
                flood += port.connect(LIMIT, "127.0.0.1")
                await until(is_bounded)

            assert still_open(others) == 3
            assert port.counted()[1] > 0

    asyncio.run(run())


def test_room_is_kept_for_the_next_by_ending_those_of_the_addresses_that_have_most() -> None:
    async def run() -> None:
        async with served() as port:
            honest = port.connect(2, "127.0.0.9")
            await until(lambda: port.counted()[0] == 2)
            flood = [
                client
                for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3")
                for client in port.connect(OF_ONE, source)
            ]
            await until(lambda: port.counted()[0] == OF_ALL and still_open(flood) == OF_ALL - 2)

            assert still_open(honest) == 2
            assert still_open(port.connect(1, "127.0.0.4")) == 1

    asyncio.run(run())


def test_who_says_something_stays_before_who_is_silent() -> None:
    async def run() -> None:
        async with served() as port:
            first, *others = port.connect(OF_ONE, "127.0.0.1")
            await until(lambda: port.counted()[0] == OF_ONE)
            await asyncio.sleep(0.05)  # idle times are counted in milliseconds
            ping = bytes.fromhex("0000080600000000000000000000000000")
            first.sendall(ping)
            port.connect(3, "127.0.0.1")
            await until(lambda: port.counted()[1] == 3)
            await until(lambda: still_open(others) == OF_ONE - 4)

            assert is_open(first)

    asyncio.run(run())


def test_calls_are_answered_during_a_flood_of_one_address() -> None:
    async def run() -> list[grpc.StatusCode]:
        async with served(64) as port:
            flood: list[socket.socket] = []

            async def attack() -> None:
                while True:
                    with suppress(OSError):
                        flood.extend(port.connect(2, "127.0.0.2"))
                    await asyncio.sleep(0.02)

            attacking = asyncio.create_task(attack())
            answers = []
            try:
                await until(lambda: port.counted()[1] > 0)
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel:
                    for _ in range(20):
                        call = channel.unary_unary(EXPORT)(b"\xff", timeout=60, wait_for_ready=True)
                        answers.append(await call.code())
            finally:
                attacking.cancel()
            return answers

    assert asyncio.run(run()) == [grpc.StatusCode.INVALID_ARGUMENT] * 20


@pytest.mark.parametrize("limit", [1, 2, 8])
def test_other_sockets_and_files_of_the_process_are_left_alone(limit: int) -> None:
    with ExitStack() as files:
        listener = files.enter_context(socket.create_server(("127.0.0.1", 0)))
        other = files.enter_context(socket.create_server(("127.0.0.1", 0)))
        pairs = []
        for server in (listener, other):
            for _ in range(4):
                client = files.enter_context(socket.create_connection(server.getsockname()))
                pairs.append((server, client, files.enter_context(server.accept()[0])))
        unix = socket.socketpair()
        for each in unix:
            files.enter_context(each)
        watched = GrpcConnections(listener.getsockname()[1], limit)
        before = len(os.listdir("/proc/self/fd"))
        ended = watched.look()

        assert len(os.listdir("/proc/self/fd")) == before
        assert ended == 4 - max(1, limit // 2)
        for server, _, accepted in pairs:
            if server is other:
                accepted.sendall(b"x")
        unix[0].sendall(b"x")
        assert watched.statistics().open == 4 - ended
