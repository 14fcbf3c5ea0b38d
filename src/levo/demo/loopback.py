"""The sample API and its clients on loopback: the only sockets of the demo."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import cycle
from random import Random

from levo.demo.messages import MessageError, Response, read_request, read_response
from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic

LOOPBACK = "127.0.0.1"
CLIENTS = 6
EXCHANGES_PER_CONNECTION = 40
THINK_SECONDS = (0.0004, 0.009)


class ApiServer:
    """Serves a ``SampleApi`` on a free port of loopback, keep-alive, until closed."""

    def __init__(self, api: SampleApi) -> None:
        self._api = api
        self._rng = Random(0)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await read_request(reader)) is not None:
                await asyncio.sleep(self._rng.uniform(*THINK_SECONDS))
                writer.write(self._api.answer(request).wire())
                await writer.drain()
        except (MessageError, ValueError):
            writer.write(Response(400, (("Connection", "close"),)).wire())
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: nobody is left to answer
        finally:
            self._writers.discard(writer)
            writer.close()


async def _connect(client: int, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect from an address of the *client*'s own, as names need callers to be told apart by.

    Where only one address of 127.0.0.0/8 is this machine's, all have that.
    """
    try:
        return await asyncio.open_connection(LOOPBACK, port, local_addr=(f"127.0.0.{client + 2}", 0))
    except OSError:
        return await asyncio.open_connection(LOOPBACK, port)


class Clients:
    """Sends a ``Traffic`` to *port*, *rate* requests a second, over a few keep-alive connections."""

    def __init__(self, traffic: Traffic, port: int, rate: float) -> None:
        self._traffic = traffic
        self._port = port
        self._rate = rate

    async def exchanges(self, stop: asyncio.Event) -> AsyncIterator[int]:
        """Yield the status of each finished exchange until *stop*, then close the connections.

        One request is under way at a time, so the seed fixes the order.
        """
        connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None] = [None] * CLIENTS
        used = [0] * CLIENTS
        clock = asyncio.get_running_loop().time
        due = clock()
        try:
            for request, number in zip(self._traffic, cycle(range(CLIENTS)), strict=False):
                connection = connections[number]
                if connection is None:
                    connection = await _connect(number, self._port)
                    connections[number], used[number] = connection, 0
                reader, writer = connection
                writer.write(request.wire())
                yield await read_response(reader)
                used[number] += 1
                if used[number] == EXCHANGES_PER_CONNECTION:
                    writer.close()
                    connections[number] = None
                due = max(due + 1 / self._rate, clock() - 1)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), max(0.0, due - clock()))
                if stop.is_set():
                    return
        finally:
            for open_connection in connections:
                if open_connection is not None:
                    open_connection[1].close()
