"""``Direct`` against servers that say exactly what a test wants; proxies and TLS are in test_tls."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import h11
import pytest

from levo.sensor.export.http_client import MOST_OCTETS, Direct, Limits, UnansweredError
from tests.sensor.export.helpers import wait_until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def soon(seconds: float = 10.0) -> Limits:
    return Limits(seconds, seconds, time.monotonic() + seconds)


class Server:
    """Answers request n, over all connections, with ``answers[n]``; the last one serves all that follow."""

    def __init__(self, *answers: bytes | None) -> None:
        """None closes the connection without an answer. An answer that ends in ``close`` is its last."""
        self.answers = answers
        self.requests: list[tuple[int, bytes, bytes]] = []
        """(number of the connection, target, body) as h11 reads them"""
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        number = len(self.connections)
        with suppress(OSError), connection:
            while (request := _read_request(connection)) is not None:
                self.requests.append((number, *request))
                answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                if answer is None:
                    return
                connection.sendall(answer)
                if b"close" in answer:
                    return

    def close(self) -> None:
        self._listener.close()
        for connection in self.connections:
            connection.close()


def _read_request(connection: socket.socket) -> tuple[bytes, bytes] | None:
    reader = h11.Connection(h11.SERVER)
    target, body = b"", b""
    while True:
        event = reader.next_event()
        if event is h11.NEED_DATA:
            reader.receive_data(connection.recv(65536))
        elif isinstance(event, h11.Request):
            assert event.method == b"POST"
            target = event.target
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return target, body
        else:
            return None


Opener = Callable[..., tuple[Server, Direct]]


@pytest.fixture
def opened() -> Iterator[Opener]:
    made: list[Server | Direct] = []

    def open_both(*answers: bytes | None) -> tuple[Server, Direct]:
        server = Server(*answers)
        client = Direct("127.0.0.1", server.port, None)
        made.extend((client, server))
        return server, client

    yield open_both
    for each in made:
        each.close()


def test_one_connection_serves_all_requests(opened: Opener) -> None:
    fields = b"Content-Type: a/b\r\nRetry-After: 7\r\n"
    server, client = opened(b"HTTP/1.1 200 OK\r\n" + fields + b"content-length: 2\r\n\r\nok")
    for number in range(5):
        answer = client.post("/v1/traces", b"x" * number, {"a": "b"}, soon())
        assert (answer.status, answer.content_type, answer.retry_after, answer.body) == (
            200,
            "a/b",
            "7",
            b"ok",
        )
    assert server.requests == [(1, b"/v1/traces", b"x" * number) for number in range(5)]


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\nx: close\r\n\r\nok",
    ],
    ids=["announced", "HTTP/1.0"],
)
def test_a_connection_that_the_server_closed_is_replaced(opened: Opener, last: bytes) -> None:
    server, client = opened(last, OK)
    assert client.post("/", b"1", {}, soon()).body == b"ok"
    assert client.post("/", b"2", {}, soon()).body == b"ok"
    assert [number for number, _, _ in server.requests] == [1, 2]


def test_a_connection_that_died_while_idle_costs_no_request(opened: Opener) -> None:
    server, client = opened(OK)
    client.post("/", b"1", {}, soon())
    server.connections[0].shutdown(socket.SHUT_RDWR)
    assert client.post("/", b"2", {}, soon()).status == 200
    assert [body for _, _, body in server.requests] == [b"1", b"2"]


def test_a_longer_answer_is_cut_off_with_its_connection(opened: Opener) -> None:
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffff\r\n" + b"x" * 0xFFFFF
    server, client = opened(endless, OK)
    assert len(client.post("/", b"1", {}, soon()).body) >= MOST_OCTETS
    assert client.post("/", b"2", {}, soon()).body == b"ok"
    assert [number for number, _, _ in server.requests] == [1, 2]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "connection lost"),
        (b"SSH-2.0-OpenSSH_9.2\r\n close", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nclose", "the answer broke off: connection lost"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nclose", "the answer broke off: "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "the answer broke off: "),
    ],
    ids=["closed", "another protocol", "cut", "no chunk", "no chunk on an open connection"],
)
def test_without_a_whole_answer_the_next_request_is_sound(
    opened: Opener, answer: bytes | None, cause: str
) -> None:
    server, client = opened(answer, OK)
    with pytest.raises(UnansweredError) as raised:
        client.post("/", b"1", {}, soon())
    assert str(raised.value).startswith(cause)
    assert client.post("/", b"2", {}, soon()).body == b"ok"
    assert [number for number, _, _ in server.requests] == [1, 2]


def test_a_server_that_says_nothing_is_given_up(opened: Opener) -> None:
    server, client = opened(b"", OK)
    with pytest.raises(UnansweredError, match="no answer in time"):
        client.post("/", b"1", {}, soon(0.05))
    wait_until(lambda: len(server.requests) == 1)  # or the answers are mixed up
    assert client.post("/", b"2", {}, soon()).body == b"ok"


def test_an_answer_that_trickles_has_a_deadline(opened: Opener) -> None:
    server, client = opened(b"")
    stop = threading.Event()

    def trickle() -> None:
        wait_until(lambda: bool(server.requests))
        part = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
        with suppress(OSError):
            while not stop.wait(0.01):
                server.connections[0].sendall(part)
                part = b"x" * 9000

    threading.Thread(target=trickle, daemon=True).start()
    with pytest.raises(UnansweredError, match="the answer broke off: no answer in time"):
        client.post("/", b"1", {}, Limits(90.0, 90.0, time.monotonic() + 0.03))
    stop.set()


def test_closing_wakes_who_waits(opened: Opener) -> None:
    server, client = opened(b"")
    failed: list[str] = []

    def wait() -> None:
        try:
            client.post("/", b"1", {}, soon(60.0))
        except UnansweredError as exc:
            failed.append(str(exc))

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: bool(server.requests))
    client.close()
    waiting.join(60)
    assert not waiting.is_alive() and failed == ["connection lost"]


def test_where_nobody_listens_the_system_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Direct("127.0.0.1", unused.getsockname()[1], None)
        with pytest.raises(UnansweredError, match="Connection refused"):
            client.post("/", b"", {}, soon())
    with pytest.raises(UnansweredError, match=r"[Nn]ame"):
        Direct("no-such-host.invalid", 80, None).post("/", b"", {}, soon())
