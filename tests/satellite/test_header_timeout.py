"""Connections that take their time."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo.satellite.header_timeout import MAX_FIELDS, MAX_HEAD_BYTES, bounded_protocol
from tests.satellite.running import until

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
Connected = socket.socket


async def answer(request: Request) -> Response:
    size = len(await request.body())
    return PlainTextResponse(str(size), headers={"x-fields": " ".join(sorted(request.headers)[:9])})


@contextlib.contextmanager
def serving(head_s: float) -> Iterator[int]:
    """The port of a server that waits *head_s* seconds for a head."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", answer, methods=["GET", "POST"])])
    config = uvicorn.Config(app, http=bounded_protocol(head_s), log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    until(lambda: server.started)
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Of a server that is soon out of patience, and of one that never is."""
    with serving(0.4) as hasty, serving(600) as patient:
        yield hasty, patient


@pytest.fixture
def hurried(ports: tuple[int, int]) -> Iterator[Connected]:
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=180) as opened:
        yield opened


@pytest.fixture
def connection(ports: tuple[int, int]) -> Iterator[Connected]:
    with socket.create_connection(("127.0.0.1", ports[1]), timeout=180) as opened:
        yield opened


@pytest.mark.parametrize("said", [b"", b"G", HEAD, HEAD + b"X-Slow: 1"])
def test_an_unfinished_head_ends_the_connection(hurried: Connected, said: bytes) -> None:
    got = b""
    with contextlib.suppress(ConnectionError):
        hurried.sendall(said)
        got = hurried.recv(100)

    assert got == b""


def test_octets_now_and_then_do_not_buy_time(hurried: Connected) -> None:
    got = None
    hurried.settimeout(0.1)
    for octet in HEAD * 10:
        try:
            hurried.sendall(bytes((octet,)))
            got = hurried.recv(100)
            break
        except TimeoutError:
            continue
        except ConnectionError:
            got = b""
            break

    assert got == b""


def test_a_later_head_has_no_more_time_than_the_first(hurried: Connected) -> None:
    hurried.sendall(HEAD + b"\r\n")
    assert hurried.recv(1000).startswith(b"HTTP/1.1 200")
    hurried.sendall(HEAD)
    rest = hurried.recv(100)
    while rest == b"0":
        rest = hurried.recv(100)

    assert rest == b""


def test_a_body_may_take_longer_than_a_head(hurried: Connected) -> None:
    hurried.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n")
    hurried.settimeout(1.2)
    with pytest.raises(TimeoutError):
        hurried.recv(100)
    hurried.settimeout(60)
    hurried.sendall(b"abc")

    assert hurried.recv(1000).startswith(b"HTTP/1.1 200")


POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = b"x" * (MAX_HEAD_BYTES + 8192)
LATER = HEAD + b"\r\n"


def answers(connection: Connected, sent: bytes) -> bytes:
    """Everything that comes back until the server ends the connection."""
    got = b""
    sending = threading.Thread(target=send, args=(connection, sent))
    sending.start()
    try:
        while octets := connection.recv(65536):
            got += octets
    except ConnectionError:
        pass
    sending.join()
    return got


def send(connection: Connected, sent: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(sent)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(HEAD + b"a: " + LARGE, 431, id="one field that never ends"),
        pytest.param(HEAD + b"a: " + LARGE + b"\r\n\r\n", 431, id="one large field"),
        pytest.param(HEAD + LARGE, 431, id="a field name that never ends"),
        pytest.param(HEAD + b"a: " + b"x" * 1000 + b"\r\n" * 100, 200, id="an ordinary large field"),
        pytest.param(HEAD + b"a:b\r\n" * 100_000, 431, id="many fields"),
        pytest.param(HEAD + b"a:b\r\n" * MAX_FIELDS + b"\r\n", 431, id="one field too many"),
        pytest.param(HEAD + b"a:b\r\n" * (MAX_FIELDS - 1) + b"\r\n", 200, id="as many fields as allowed"),
        pytest.param(HEAD + (b"a: " + b"x" * 4000 + b"\r\n") * 20 + b"\r\n", 431, id="fields together"),
        pytest.param(b"GET /" + LARGE + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, id="a large target"),
        pytest.param(b"GET /?" + LARGE * 4, 414, id="a target that never ends"),
        pytest.param(b"\r\n" * MAX_HEAD_BYTES, 431, id="empty lines"),
        pytest.param(CHUNKED + b"0\r\n" + b"a:b\r\n" * 100_000, 431, id="many trailers"),
        pytest.param(CHUNKED + b"0\r\na: " + LARGE, 431, id="a trailer that never ends"),
        pytest.param(CHUNKED + b"1;" + LARGE, 431, id="a chunk extension that never ends"),
    ],
)
def test_a_head_is_bounded_in_octets_and_fields(connection: Connected, sent: bytes, status: int) -> None:
    got = answers(connection, sent)

    assert got.startswith(b"HTTP/1.1 %d " % status)
    if status != 200:
        assert got.count(b"HTTP/1.1") == 1
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"connection: close" in head and body.count(b"\n") == 1


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(LATER, id="of a later request"),
        pytest.param(LATER * 20, id="after requests sent in advance"),
        pytest.param(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000, id="after a body"),
        pytest.param(CHUNKED + b"5\r\nabcde\r\n0\r\nt: v\r\n\r\n", id="after trailers"),
    ],
)
def test_later_heads_are_bounded_and_do_not_cost_earlier_answers(
    connection: Connected, before: bytes
) -> None:
    got = answers(connection, before + HEAD + b"a:b\r\n" * 100_000)

    assert got.count(b"HTTP/1.1 200") == before.count(b" HTTP/1.1")


def test_a_head_in_single_octets_is_bounded(connection: Connected) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    got = b""
    for octet in HEAD + b"a:b\r\n" * (MAX_FIELDS + 1):
        try:
            connection.sendall(bytes((octet,)))
        except OSError:
            break
    with contextlib.suppress(ConnectionError):
        got = connection.recv(1000)

    assert got == b"" or got.startswith(b"HTTP/1.1 431")


def test_requests_sent_in_advance_are_all_answered_in_order(connection: Connected) -> None:
    sent = b"".join(
        POST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size for size in (0, 1, 70_000, 3, 5000) * 40
    )
    sending = threading.Thread(target=send, args=(connection, sent))
    sending.start()
    got = b""
    while got.count(b"HTTP/1.1 200") < 200 or not got.endswith(b"5000"):
        octets = connection.recv(65536)
        assert octets
        got += octets
    sending.join()
    bodies = [part.rpartition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1 200")[1:]]

    assert bodies == [b"0", b"1", b"70000", b"3", b"5000"] * 40


def test_requests_sent_in_advance_are_not_read_before_their_turn(connection: Connected) -> None:
    """Sending stalls while answers are not taken: what the server has not parsed stays with the client."""
    connection.setblocking(False)
    sent = 0
    request = HEAD + b"\r\n"
    with contextlib.suppress(BlockingIOError):
        while sent < 64 << 20:
            _, writable, _ = select.select([], [connection], [], 2)
            if not writable:
                break
            sent += connection.send(request * 2000)

    assert sent < 24 << 20


def test_trailers_are_no_fields_of_the_request(connection: Connected) -> None:
    connection.sendall(CHUNKED + b"2\r\nab\r\n0\r\nx-late: 1\r\n\r\n")
    got = connection.recv(1000)

    assert b"x-fields: host transfer-encoding\r\n" in got
