"""All three ports speak TLS with the files of the settings: to clients of other makers, and to the sensor."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from levo.demo.capture_file import write_capture
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import Answer, RunningSatellite, until
from tests.sensor.export.certificates import make_authority, make_leaf

PASSWORD = "correct horse battery"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Secured:
    """A Satellite with a certificate of an authority of our own."""

    def __init__(self, folder: Path) -> None:
        authority, signer = make_authority(folder)
        pair = make_leaf(folder, "satellite", authority, signer, "localhost")
        self.authority = authority.cert
        config = folder / "satellite.yaml"
        config.write_text(f"tls-certificate: {pair.cert}\ntls-key: {pair.key}\n")
        self.running = RunningSatellite(folder / "data", "--config", str(config))
        self.trusting = ssl.create_default_context(cafile=str(authority.cert))

    def ask(self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        connection = HTTPSConnection("localhost", parts.port, timeout=90, context=self.trusting)
        try:
            connection.request(method, parts.path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def known(self) -> set[str]:
        answer = self.ask("GET", self.running.web + "/api/applications")
        return {row["application"] for row in json.loads(answer.body)["applications"]}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("tls"))
    with made.running:
        yield made


def export(channel: grpc.Channel) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    made: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EXPORT)
    return made


def request_of(application: str) -> bytes:
    return traces([Call()], {"service.name": application}).SerializeToString()


def test_pages_and_rest_are_there_over_tls_and_not_without(secured: Secured) -> None:
    web = secured.running.web
    assert web.startswith("https://") and secured.running.otlp_http.startswith("https://")
    assert secured.ask("GET", web + "/").status == 200
    assert secured.ask("GET", web + "/api/summary").status == 200
    for url in (web, secured.running.otlp_http):
        parts = urlsplit(url)
        stranger = HTTPSConnection("localhost", parts.port, timeout=90, context=ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", "/healthz")
        plain = HTTPConnection("localhost", parts.port or 0, timeout=90)
        with pytest.raises((OSError, HTTPException)):
            plain.request("GET", "/healthz")
            plain.getresponse()


def test_old_versions_of_tls_are_refused(secured: Secured) -> None:
    old = ssl.create_default_context(cafile=str(secured.authority))
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = HTTPSConnection("localhost", urlsplit(secured.running.web).port, timeout=90, context=old)
    with pytest.raises(OSError):
        connection.request("GET", "/healthz")


def test_traces_come_in_over_http_on_both_ports(secured: Secured) -> None:
    for number, base in enumerate((secured.running.web, secured.running.otlp_http)):
        answer = secured.ask(
            "POST", base + "/v1/traces", request_of(f"http-{number}"), {"content-type": PROTOBUF}
        )
        assert answer.status == 200
    until(lambda: {"http-0", "http-1"} <= secured.known())


def test_traces_come_in_over_grpc(secured: Secured) -> None:
    target = f"localhost:{secured.running.grpc.rpartition(':')[2]}"
    trusted = grpc.ssl_channel_credentials(secured.authority.read_bytes())
    with grpc.secure_channel(target, trusted) as channel:
        answer = export(channel)(request_of("over-grpc"), timeout=90)
        assert not ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
    until(lambda: "over-grpc" in secured.known())
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError):
        export(channel)(request_of("plain"), timeout=5)
    with grpc.secure_channel(target, grpc.ssl_channel_credentials()) as channel, pytest.raises(grpc.RpcError):
        export(channel)(request_of("stranger"), timeout=5)


class Sensor:
    """``levo apidump`` over a capture of the sample shop."""

    def __init__(self, folder: Path, seed: int, url: str, name: str, settings: str) -> None:
        capture, config = folder / "shop.pcap", folder / f"{name}.yaml"
        with capture.open("wb") as file:
            write_capture(file, seed, 30, 1_700_000_000 * 10**9, 100.0)
        config.write_text(settings)
        self.errors = folder / f"{name}.log"
        arguments = [
            *(sys.executable, "-m", "levo", "apidump", f"--config={config}", "--rate-limit=0"),
            *(f"--read={capture}", f"--satellite-url={url}", f"--service-name={name}"),
        ]
        with self.errors.open("wb") as log:
            self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=log)


@pytest.mark.parametrize(("kind", "seed"), [("https", 5), ("grpcs", 6)])
def test_the_sensor_delivers_over_tls(secured: Secured, tmp_path: Path, kind: str, seed: int) -> None:
    running = secured.running
    port = urlsplit(running.otlp_http).port if kind == "https" else running.grpc.rpartition(":")[2]
    url = f"{kind}://localhost:{port}"
    trusting = Sensor(tmp_path, seed, url, f"sensor-{kind}", f"tls-ca-cert-path: {secured.authority}\n")
    assert trusting.process.wait(120) == 0, trusting.errors.read_text()[-2000:]
    until(lambda: f"sensor-{kind}" in secured.known())

    refusing = Sensor(tmp_path, seed + 10, url, f"untrusting-{kind}", "")
    try:
        until(
            lambda: (
                re.search("(?i)certificate|reach|unavailable|answer|fail", refusing.errors.read_text())
                is not None
            )
        )
    finally:
        refusing.process.kill()
        refusing.process.wait()
    assert f"untrusting-{kind}" not in secured.known()


def test_the_session_is_bound_to_this_host_and_to_tls(secured: Secured) -> None:
    web = secured.running.web
    page = secured.ask("GET", web + "/settings").body.decode()
    token = page.split('name="form-token" content="')[1].partition('"')[0]
    kind = {"content-type": "application/x-www-form-urlencoded"}
    form = f"form_token={token}&name=anna&role=admin&password={PASSWORD.replace(' ', '+')}".encode()
    assert secured.ask("POST", web + "/settings/accounts", form, kind).status == 303
    form = f"name=anna&password={PASSWORD.replace(' ', '+')}".encode()
    cookie = secured.ask("POST", web + "/login", form, kind).headers["set-cookie"]
    assert cookie.startswith("__Host-levo_session=") and "Secure" in cookie and "Path=/" in cookie
    named = {"cookie": cookie.partition(";")[0]}
    assert secured.ask("GET", web + "/api/summary", b"", named).status == 200
    planted = {"cookie": named["cookie"].removeprefix("__Host-")}
    assert secured.ask("GET", web + "/api/summary", b"", planted).status == 401
