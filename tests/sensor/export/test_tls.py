"""TLS with an authority of our own, client certificates, unverified servers, proxies: both transports."""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest

from levo.config.values import proxy_url, satellite_url
from levo.errors import ConfigError
from levo.sensor.export import OtlpSettings, Output
from levo.sensor.export.tls import client_context
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.certificates import Pair, make_authority, make_leaf
from tests.sensor.export.helpers import balanced, otlp_output, wait_until
from tests.sensor.export.receivers import GrpcReceiver, HttpReceiver

TRANSPORTS = pytest.mark.parametrize("transport", ["http", "grpc"])


@dataclass(frozen=True)
class Certificates:
    authority: Pair
    server: Pair
    elsewhere: Pair
    """A server certificate for another host."""
    client: Pair
    stranger: Pair
    """A client certificate by another authority, and that authority."""
    strangers_authority: Pair


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, signer = make_authority(folder)
    other, other_signer = make_authority(folder, "other")
    return Certificates(
        authority,
        make_leaf(folder, "server", authority, signer, "localhost"),
        make_leaf(folder, "elsewhere", authority, signer, "elsewhere.test"),
        make_leaf(folder, "client", authority, signer, "client.test"),
        make_leaf(folder, "stranger", other, other_signer, "stranger.test"),
        other,
    )


@contextmanager
def receiver(
    transport: str, server: Pair, clients: Pair | None = None
) -> Iterator[tuple[HttpReceiver | GrpcReceiver, str]]:
    """A receiver under TLS and its address; *clients* is the authority that clients must prove."""
    made: HttpReceiver | GrpcReceiver
    if transport == "http":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.cert, server.key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.cert)
        made = HttpReceiver(tls=context)
        url = f"https://localhost:{made.port}"
    else:
        pair = (server.key.read_bytes(), server.cert.read_bytes())
        roots = None if clients is None else clients.cert.read_bytes()
        made = GrpcReceiver(credentials=grpc.ssl_server_credentials([pair], roots, clients is not None))
        url = f"grpcs://localhost:{made.port}"
    try:
        yield made, url
    finally:
        made.close()


def deliver(output: Output) -> None:
    try:
        output.submit(NumberedBatch([1, 2]))
        assert output.flush(20)
        assert balanced(output).exported == 2, output.statistics().last_error
    finally:
        output.close(0)


def is_refused(output: Output) -> str:
    """The traces wait, and are counted when the output closes. What was said of it meanwhile."""
    try:
        output.submit(NumberedBatch([1, 2]))
        wait_until(lambda: output.statistics().retries >= 1)
        said = str(output.statistics().last_error)
    finally:
        output.close(0)
    seen = balanced(output)
    assert (seen.exported, seen.failed) == (0, 2)
    return said


@TRANSPORTS
def test_an_authority_of_our_own_is_trusted_when_it_is_configured(
    transport: str, certificates: Certificates
) -> None:
    with receiver(transport, certificates.server) as (_, url):
        deliver(otlp_output(url, ca_cert_path=certificates.authority.cert))
        assert "certificate verify failed" in is_refused(otlp_output(url))
        is_refused(otlp_output(url, ca_cert_path=certificates.strangers_authority.cert))


@TRANSPORTS
def test_a_certificate_for_another_host_is_refused(transport: str, certificates: Certificates) -> None:
    with receiver(transport, certificates.elsewhere) as (_, url):
        is_refused(otlp_output(url, ca_cert_path=certificates.authority.cert))


@TRANSPORTS
def test_ignore_ssl_verify_accepts_any_certificate(transport: str, certificates: Certificates) -> None:
    for server in (certificates.server, certificates.elsewhere, certificates.strangers_authority):
        with receiver(transport, server) as (_, url):
            deliver(otlp_output(url, ignore_ssl_verify=True))


@TRANSPORTS
def test_a_client_certificate_is_shown(transport: str, certificates: Certificates) -> None:
    authority, client, stranger = certificates.authority, certificates.client, certificates.stranger
    with receiver(transport, certificates.server, clients=authority) as (_, url):
        deliver(
            otlp_output(
                url, ca_cert_path=authority.cert, client_cert_path=client.cert, client_key_path=client.key
            )
        )
        is_refused(otlp_output(url, ca_cert_path=authority.cert))
        is_refused(
            otlp_output(
                url, ca_cert_path=authority.cert, client_cert_path=stranger.cert, client_key_path=stranger.key
            )
        )


def test_files_that_are_no_certificates_are_named(certificates: Certificates, tmp_path: Path) -> None:
    address = satellite_url("https://localhost:1")
    absent, garbage = tmp_path / "absent.pem", tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nsecret\n")
    client, server = certificates.client, certificates.server
    cases = {
        "absent.pem cannot be read: No such file": OtlpSettings(address, ca_cert_path=absent),
        "garbage.pem holds no usable PEM": OtlpSettings(address, ca_cert_path=garbage),
        "set both": OtlpSettings(address, client_key_path=client.key),
        "client.pem and its key": OtlpSettings(
            address, client_cert_path=client.cert, client_key_path=server.key
        ),
        "the same file": OtlpSettings(address, client_cert_path=client.cert),
        "absent.pem cannot be read": OtlpSettings(
            address, client_cert_path=client.cert, client_key_path=absent
        ),
    }
    for expected, settings in cases.items():
        with pytest.raises(ConfigError) as caught:
            client_context(settings)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


class Proxy:
    """A forward proxy on loopback: CONNECT tunnels, and absolute-form POST."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        """(method, target, Proxy-Authorization)"""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                proxy.note(self)
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host, int(port))) as upstream:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    self.wfile.flush()
                    _relay(self.connection, upstream)
                self.close_connection = True

            def do_POST(self) -> None:
                proxy.note(self)
                authority = self.path.split("/")[2]
                host, _, port = authority.partition(":")
                body = self.rfile.read(int(self.headers["content-length"]))
                with socket.create_connection((host, int(port))) as upstream:
                    lines = [f"{name}: {value}" for name, value in self.headers.items()]
                    path = "/" + self.path.split("/", 3)[3]
                    head = "\r\n".join([f"POST {path} HTTP/1.1", *lines, "connection: close", "", ""])
                    upstream.sendall(head.encode() + body)
                    while answer := upstream.recv(65536):
                        self.wfile.write(answer)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def note(self, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append((handler.command, handler.path, handler.headers.get("proxy-authorization")))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _relay(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            try:
                data = ready.recv(65536)
                (other if ready is one else one).sendall(data)
            except OSError:
                return
            if not data:
                return


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def test_plain_http_goes_through_the_http_proxy(proxy: Proxy) -> None:
    receiver = HttpReceiver()
    try:
        deliver(
            otlp_output(
                f"http://127.0.0.1:{receiver.port}", http_proxy=proxy_url(f"http://bob:pa55@{proxy.address}")
            )
        )
        credentials = "Basic " + base64.b64encode(b"bob:pa55").decode()
        assert proxy.seen == [("POST", f"http://127.0.0.1:{receiver.port}/v1/traces", credentials)]
        deliver(otlp_output(f"http://127.0.0.1:{receiver.port}", https_proxy=proxy_url("http://127.0.0.1:1")))
    finally:
        receiver.close()


@TRANSPORTS
def test_tls_goes_through_a_tunnel_of_the_https_proxy(
    transport: str, proxy: Proxy, certificates: Certificates
) -> None:
    with receiver(transport, certificates.server) as (made, url):
        deliver(
            otlp_output(
                url,
                https_proxy=proxy_url(f"http://{proxy.address}"),
                ca_cert_path=certificates.authority.cert,
            )
        )
        assert [(method, target) for method, target, _ in proxy.seen] == [
            ("CONNECT", f"localhost:{made.port}")
        ]


def test_plain_grpc_goes_through_a_tunnel_of_the_http_proxy(proxy: Proxy) -> None:
    receiver = GrpcReceiver()
    try:
        deliver(otlp_output(f"127.0.0.1:{receiver.port}", http_proxy=proxy_url(f"http://{proxy.address}")))
        assert [method for method, _, _ in proxy.seen] == ["CONNECT"]
    finally:
        receiver.close()


@TRANSPORTS
def test_proxies_of_the_environment_are_not_taken(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force stands in the configuration, where `levo config show` finds it."""
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    made = HttpReceiver() if transport == "http" else GrpcReceiver()
    try:
        scheme = "http" if transport == "http" else "grpc"
        deliver(otlp_output(f"{scheme}://127.0.0.1:{made.port}"))
    finally:
        made.close()


class Renewed:
    """A receiver whose certificate is renewed by restarting it at the same address, as a Satellite's is."""

    def __init__(self, transport: str, folder: Path) -> None:
        self.transport, self.folder = transport, folder
        self.authority = folder / "authority-in-use.pem"
        self.pair: Pair | None = None
        self.port, self.received, self.number = 0, [], 0
        self.renew()

    def renew(self) -> None:
        """Another authority signs another certificate; the file that sensors trust is replaced at once."""
        self.number += 1
        authority, signer = make_authority(self.folder, f"authority {self.number}")
        self.pair = make_leaf(self.folder, f"server {self.number}", authority, signer, "localhost")
        fresh = self.folder / "fresh.pem"
        fresh.write_bytes(authority.cert.read_bytes())
        fresh.replace(self.authority)
        self.restart()

    def restart(self) -> None:
        assert self.pair is not None
        self.close()
        if self.transport == "http":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.pair.cert, self.pair.key)
            self.running = HttpReceiver(tls=context, port=self.port)
        else:
            pair = (self.pair.key.read_bytes(), self.pair.cert.read_bytes())
            self.running = GrpcReceiver(credentials=grpc.ssl_server_credentials([pair]), port=self.port)
        self.port = self.running.port

    running: HttpReceiver | GrpcReceiver | None = None

    def close(self) -> None:
        if self.running is not None:
            self.running.close()
            self.received += self.running.seen.numbers
            self.running = None

    @property
    def url(self) -> str:
        return f"{'https' if self.transport == 'http' else 'grpcs'}://localhost:{self.port}"


@TRANSPORTS
def test_renewed_authorities_are_taken_without_a_restart_and_nothing_is_lost(
    transport: str, tmp_path: Path
) -> None:
    """Three renewals under load: each is taken at once, and every trace arrives."""
    satellite = Renewed(transport, tmp_path)
    output = otlp_output(satellite.url, ca_cert_path=satellite.authority)
    sent = 0
    try:
        for _ in range(4):
            for _ in range(20):
                output.submit(NumberedBatch([sent]))
                output.submit_metrics(b"")
                sent += 1
            assert output.flush(60), output.statistics().last_error
            assert balanced(output).exported == sent
            satellite.renew()
    finally:
        output.close(0)
        satellite.close()
    assert sorted(set(satellite.received)) == list(range(sent))


@TRANSPORTS
def test_a_renewed_client_certificate_is_taken_once_its_key_is_there(transport: str, tmp_path: Path) -> None:
    """Between the two files the old pair is shown on; what is wrong is said."""
    authority, signer = make_authority(tmp_path)
    server = make_leaf(tmp_path, "server", authority, signer, "localhost")
    old = make_leaf(tmp_path, "old", authority, signer, "client.test")
    new = make_leaf(tmp_path, "new", authority, signer, "client.test")
    used = Pair(tmp_path / "used.pem", tmp_path / "used.key")
    used.cert.write_bytes(old.cert.read_bytes())
    used.key.write_bytes(old.key.read_bytes())
    with receiver(transport, server, clients=authority) as (_, url):
        output = otlp_output(
            url, ca_cert_path=authority.cert, client_cert_path=used.cert, client_key_path=used.key
        )
        said = []
        try:
            for number, change in enumerate(
                [
                    lambda: None,
                    lambda: used.cert.write_bytes(new.cert.read_bytes()),
                    lambda: used.key.write_bytes(new.key.read_bytes()),
                ]
            ):
                change()
                output.submit(NumberedBatch([number]))
                assert output.flush(30)
                assert balanced(output).exported == number + 1
                said.append(output.statistics().last_error or "")
        finally:
            output.close(0)
    assert said[0] == "" and "what was read before is used" in said[1] and said[2] == said[1]


@TRANSPORTS
@pytest.mark.parametrize("broken", ["absent", "empty", "no certificate"])
def test_an_authority_that_cannot_be_read_again_is_said_and_the_one_before_stays(
    transport: str, broken: str, certificates: Certificates, tmp_path: Path
) -> None:
    used = tmp_path / "authority.pem"
    used.write_bytes(certificates.authority.cert.read_bytes())
    with receiver(transport, certificates.server) as (_, url):
        output = otlp_output(url, ca_cert_path=used)
        if broken == "absent":
            used.unlink()
        else:
            used.write_text("" if broken == "empty" else "none")
        deliver(output)
        assert str(used) in (output.statistics().last_error or "")
