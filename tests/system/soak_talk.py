"""What talks beside wrk during a soak: a gRPC server and a WebSocket server, and clients for all three.

Run as a program. ``serve GRPC_PORT WEBSOCKET_PORT LOG`` writes a line "seconds kind" for each call or
WebSocket that has ended. ``ask HTTP_PORT GRPC_PORT WEBSOCKET_PORT SECONDS`` makes about 60 calls a second, on
channels that last half a minute, 5 requests a second on connections of their own, and WebSockets of 5 s.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

CALLS_PER_S, REQUESTS_PER_S, WEBSOCKETS_PER_S = 60.0, 5.0, 1.0
CHANNEL_S = 30.0
MESSAGES = 5
"""Of a WebSocket, one a second, each answered."""
METHODS = ("Get", "Add", "Remove", "List")


def same(octets: bytes) -> bytes:
    return octets


class Handlers(grpc.GenericRpcHandler):
    """Every method answers with what it was asked; each call is told to *ended*."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer, same, same)

    def _answer(self, asked: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(lambda: self._ended("grpc"))
        return asked


async def answer_websocket(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ended: Callable[[str], None]
) -> None:
    protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    try:
        while octets := await reader.read(65536):
            protocol.receive_data(octets)
            for event in protocol.events():
                if isinstance(event, Request):
                    writer.write(protocol.send(AcceptConnection()))
                elif isinstance(event, TextMessage):
                    writer.write(protocol.send(TextMessage(event.data)))
                elif isinstance(event, CloseConnection):
                    writer.write(protocol.send(event.response()))
                    ended("websocket")
                    return
    finally:
        writer.close()


async def serve(grpc_port: int, websocket_port: int, log: Path) -> None:
    with log.open("w") as lines:

        def ended(kind: str) -> None:
            lines.write(f"{time.time():.3f} {kind}\n")

        calls = grpc.server(futures.ThreadPoolExecutor(4))
        calls.add_generic_rpc_handlers((Handlers(ended),))
        calls.add_insecure_port(f"127.0.0.1:{grpc_port}")
        calls.start()
        server = await asyncio.start_server(
            lambda reader, writer: answer_websocket(reader, writer, ended), "127.0.0.1", websocket_port
        )
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        async with server:
            await stop.wait()
        calls.stop(5).wait()


async def use_websocket(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    protocol = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    writer.write(protocol.send(Request(host="chat.test", target="/chat")))
    for number in range(MESSAGES + 1):
        protocol.receive_data(await reader.read(65536))
        list(protocol.events())
        if number < MESSAGES:
            await asyncio.sleep(1)
            writer.write(protocol.send(TextMessage(f'{{"message":{number}}}')))
    writer.write(protocol.send(CloseConnection(code=1000)))
    await reader.read()
    writer.close()


async def use_http_once(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /soak/once/{random.randrange(10**6)} HTTP/1.1\r\n"
        "Host: once.test\r\nConnection: close\r\n\r\n".encode()
    )
    await reader.read()
    writer.close()


async def call(port: int, seconds: float) -> None:
    """Calls one after another, on a new channel now and then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        own = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=own) as channel:
            renew = min(end, time.monotonic() + CHANNEL_S)
            while time.monotonic() < renew:
                ask = channel.unary_unary(f"/shop.v1.Cart/{random.choice(METHODS)}")
                await ask(bytes([10, 4]) + random.randbytes(4))
                await asyncio.sleep(4 / CALLS_PER_S)


async def repeat(what: Callable[[], Coroutine[Any, Any, None]], per_s: float, seconds: float) -> None:
    """Start *what* that often, whether or not the one before has ended; return once all have."""
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        while time.monotonic() < end:
            tasks.create_task(what())
            await asyncio.sleep(1 / per_s)


async def ask(http_port: int, grpc_port: int, websocket_port: int, seconds: float) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(call(grpc_port, seconds))
        tasks.create_task(repeat(lambda: use_http_once(http_port), REQUESTS_PER_S, seconds))
        tasks.create_task(
            repeat(lambda: use_websocket(websocket_port), WEBSOCKETS_PER_S, seconds - MESSAGES - 1)
        )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
    else:
        asyncio.run(ask(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
