"""Connections that take their time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo.satellite.patience import patient_protocol
from tests.satellite.running import until

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
Connected = socket.socket


async def answer(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])
    config = uvicorn.Config(app, http=patient_protocol(0.4), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    until(lambda: server.started)
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[Connected]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as opened:
        yield opened


@pytest.mark.parametrize("said", [b"", b"G", HEAD, HEAD + b"X-Slow: 1"])
def test_an_unfinished_head_ends_the_connection(connection: Connected, said: bytes) -> None:
    connection.sendall(said)

    assert connection.recv(100) == b""


def test_octets_now_and_then_do_not_buy_time(connection: Connected) -> None:
    got = None
    connection.settimeout(0.1)
    for octet in HEAD * 10:
        try:
            connection.sendall(bytes((octet,)))
            got = connection.recv(100)
            break
        except TimeoutError:
            continue
        except ConnectionError:
            got = b""
            break

    assert got == b""


def test_a_later_head_has_no_more_time_than_the_first(connection: Connected) -> None:
    connection.sendall(HEAD + b"\r\n")
    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    connection.sendall(HEAD)
    rest = connection.recv(100)
    while rest == b"0":
        rest = connection.recv(100)

    assert rest == b""


def test_a_body_may_take_longer_than_a_head(connection: Connected) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n")
    connection.settimeout(1.2)
    with pytest.raises(TimeoutError):
        connection.recv(100)
    connection.settimeout(30)
    connection.sendall(b"abc")

    assert connection.recv(1000).startswith(b"HTTP/1.1 200")
