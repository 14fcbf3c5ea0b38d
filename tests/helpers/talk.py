"""A client and a server that talk over loopback until they are stopped.

``python -m tests.helpers.talk KIND PORT``. Kinds: ``http``; ``tls`` (a real handshake and octets inside);
``http2`` (prior knowledge); ``lines`` (a line protocol that is no HTTP). Each pause is short, each connection
new, so that any second of it shows all.
"""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h2.config
import h2.connection
import h2.events

Talk = Callable[[socket.socket], None]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def ask_http(peer: socket.socket) -> None:
    for number in range(5):
        peer.sendall(b"GET /items/%d HTTP/1.1\r\nHost: shop.example\r\n\r\n" % number)
        peer.recv(4096)


def answer_http(peer: socket.socket) -> None:
    while peer.recv(4096):
        peer.sendall(ANSWER)


def ask_lines(peer: socket.socket) -> None:
    for _ in range(5):
        peer.sendall(b"*2\r\n$3\r\nGET\r\n$900\r\n" + b"k" * 9000 + b"\r\n")
        peer.recv(65536)


def answer_lines(peer: socket.socket) -> None:
    while peer.recv(65536):
        peer.sendall(b"$5\r\nvalue\r\n" * 400)


def ask_http2(peer: socket.socket) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    head = [(":method", "GET"), (":path", "/shop.Items/List"), (":scheme", "http"), (":authority", "shop")]
    for stream in (1, 3, 5):
        connection.send_headers(stream, head, end_stream=True)
        peer.sendall(connection.data_to_send())
        ended = False
        while not ended:
            events = connection.receive_data(peer.recv(65536))
            ended = any(isinstance(event, h2.events.StreamEnded) for event in events)
    peer.sendall(connection.data_to_send())


def answer_http2(peer: socket.socket) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    peer.sendall(connection.data_to_send())
    while octets := peer.recv(65536):
        for event in connection.receive_data(octets):
            if isinstance(event, h2.events.RequestReceived):
                connection.send_headers(event.stream_id, [(":status", "200")])
                connection.send_data(event.stream_id, b"{}", end_stream=True)
        peer.sendall(connection.data_to_send())


KINDS: dict[str, tuple[Talk, Talk]] = {
    "http": (ask_http, answer_http),
    "tls": (ask_http, answer_http),
    "http2": (ask_http2, answer_http2),
    "lines": (ask_lines, answer_lines),
}


def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    from tests.sensor.export.certificates import make_authority

    with tempfile.TemporaryDirectory() as folder:
        pair, _ = make_authority(Path(folder))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.cert, pair.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return client, server


def main(kind: str, port: int) -> None:
    ask, answer = KINDS[kind]
    client, server = tls_contexts() if kind == "tls" else (None, None)

    def serve(peer: socket.socket) -> None:
        with peer if server is None else server.wrap_socket(peer, server_side=True) as inside:
            answer(inside)

    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    while True:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            if client is None:
                ask(peer)
            else:
                with client.wrap_socket(peer) as inside:
                    ask(inside)
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
