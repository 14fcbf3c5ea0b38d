"""How commands ask a Satellite, against real ones: open, with tokens, over TLS; and things that are none."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from levo.cli.openapi import command as openapi
from levo.config.client import CLIENT
from tests.cli.levo_command import levo
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, fetch, until
from tests.satellite.web.test_security import Open
from tests.satellite.web.test_tls import Secured

PROTOBUF = "application/x-protobuf"
CALLS = [Call(path=f"/orders/{number}") for number in range(30)]


def resource(application: str, environment: str = "staging", organization: str = "acme") -> dict[str, str]:
    return {
        "service.name": application,
        "deployment.environment.name": environment,
        "levo.organization.id": organization,
        "levo.sensor.id": "sensor-1",
    }


class Protected:
    """A Satellite that asks for tokens, with three applications in its catalog."""

    def __init__(self, running: RunningSatellite) -> None:
        site = Open(running)
        self.address = running.web
        self.viewer, self.ingest = site.token("viewer"), site.token("ingest", "acme")
        headers = {"content-type": PROTOBUF, "authorization": f"Bearer {self.ingest}"}
        for each in (resource("shop"), resource("shop", "production"), resource("billing")):
            body = traces(CALLS, each).SerializeToString()
            assert fetch("POST", f"{running.web}/v1/traces", body, headers).status == 200
        until(lambda: self._known() == 3)

    def _known(self) -> int:
        asked = fetch(
            "GET", f"{self.address}/api/applications", None, {"authorization": f"Bearer {self.viewer}"}
        )
        return len(asked.json()["applications"])


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with RunningSatellite(tmp_path_factory.mktemp("protected"), "--listen", "0.0.0.0:0") as running:
        yield Protected(running)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("tls"))
    with made.running:
        yield made


def export(
    *arguments: str, env: dict[str, str] | None = None, application: str = "billing"
) -> subprocess.CompletedProcess[str]:
    return levo("openapi", "export", application, *arguments, env=env)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failing command printed."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("levo: ") and done.stderr.count("\n") == 1
    return done.stderr


def test_the_token_comes_by_flag_or_variable_and_the_address_needs_no_scheme(protected: Protected) -> None:
    bare = protected.address.removeprefix("http://")
    tries: list[tuple[Sequence[str], dict[str, str]]] = [
        (("--satellite-url", bare, "--satellite-token", protected.viewer), {}),
        (("--satellite-url", protected.address + "/"), {"LEVO_SATELLITE_TOKEN": protected.viewer}),
        ((), {"LEVO_SATELLITE_URL": bare, "LEVO_SATELLITE_TOKEN": protected.viewer}),
        (("--satellite", bare, "--satellite-token", protected.viewer), {"LEVO_SATELLITE_TOKEN": "wrong"}),
        (("--organization", "acme", "--environment", "staging"), {
            "LEVO_SATELLITE_URL": bare, "LEVO_SATELLITE_TOKEN": protected.viewer, "LEVO_ENV": "production",
        }),
    ]  # fmt: skip
    for arguments, env in tries:
        done = export(*arguments, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["openapi"].startswith("3.1")


def test_without_a_token_the_line_says_where_it_goes_and_where_it_is_made(protected: Protected) -> None:
    line = refused(export("--satellite-url", protected.address))

    assert f"{protected.address} asks for a token" in line
    assert "LEVO_SATELLITE_TOKEN" in line and "--satellite-token" in line
    assert f"{protected.address}/settings" in line


def test_a_token_that_is_not_accepted_is_named_by_its_origin_and_not_shown(protected: Protected) -> None:
    by_variable = export("--satellite-url", protected.address, env={"LEVO_SATELLITE_TOKEN": "levo_hunter2"})
    by_flag = export("--satellite-url", protected.address, "--satellite-token", protected.ingest)

    assert "does not accept the token of LEVO_SATELLITE_TOKEN" in refused(by_variable)
    assert "does not accept the token of --satellite-token" in refused(by_flag)
    assert "not one for ingestion" in by_flag.stderr
    assert "hunter2" not in by_variable.stderr and protected.ingest not in by_flag.stderr


def test_applications_that_fit_or_that_exist_are_named(protected: Protected) -> None:
    env = {"LEVO_SATELLITE_URL": protected.address, "LEVO_SATELLITE_TOKEN": protected.viewer}

    several = refused(export(application="shop", env=env))
    assert "2 applications fit: " in several
    assert "acme/staging/shop" in several and "acme/production/shop" in several and "--levo-env" in several
    assert export("--levo-env", "staging", application="shop", env=env).returncode == 0
    elsewhere = refused(export("--levo-env", "test", application="shop", env=env))
    assert "no application 'shop' in environment 'test'" in elsewhere and "acme/staging/shop" in elsewhere
    none = refused(export(application="shopp", env=env))
    assert "no application 'shopp'" in none and "acme/staging/billing" in none


def test_the_certificate_is_verified_by_the_authority_that_is_named(secured: Secured) -> None:
    body = traces(CALLS, resource("billing")).SerializeToString()
    sent = secured.ask("POST", f"{secured.running.web}/v1/traces", body, {"content-type": PROTOBUF})
    assert sent.status == 200
    until(lambda: "billing" in secured.known())
    address = f"https://localhost:{secured.running.web.rpartition(':')[2]}"
    ca = str(secured.authority)

    assert export("--satellite-url", address, "--tls-ca-cert-path", ca).returncode == 0
    assert export(env={"LEVO_SATELLITE_URL": address, "LEVO_TLS_CA_CERT_PATH": ca}).returncode == 0
    unverified = export("--satellite-url", address, env={"LEVO_IGNORE_SSL_VERIFY": "true"})
    assert (unverified.returncode, unverified.stderr) == (0, "")
    line = refused(export("--satellite-url", address))
    assert "certificate" in line and "--tls-ca-cert-path" in line
    assert "does not speak TLS" not in line
    plain = refused(export("--satellite-url", address.replace("https", "http")))
    assert "--satellite-url" in plain


class Other(BaseHTTPRequestHandler):
    """A web server that knows nothing of Satellites."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>it works</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def deaf() -> Iterator[str]:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{probe.getsockname()[1]}"


def test_what_is_no_satellite_is_one_line(other: str, deaf: str, protected: Protected) -> None:
    assert f"http://{other} answers (status 200), but not as a Satellite" in refused(
        export("--satellite-url", other)
    )
    nobody = refused(export("--satellite-url", deaf))
    assert f"no Satellite answers at http://{deaf}" in nobody and "FutureWarning" not in nobody
    assert "in LEVO_SATELLITE_URL or with" in refused(export(env={"LEVO_SATELLITE_URL": deaf}))
    assert "does not speak TLS" in refused(export("--satellite-url", f"https://{other}"))


def test_the_otlp_port_is_not_the_pages(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as running:
        assert "9999" in refused(export("--satellite-url", running.grpc))
        assert "not as a Satellite" in refused(export("--satellite-url", running.otlp_http))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--satellite-url", "grpc://satellite:4317"),
            "--satellite-url: 'grpc://satellite:4317' is an address for",
        ),
        (("--satellite-url", "ftp://x"), "unknown scheme"),
        (("--satellite-url", ""), "is empty"),
        (("--satellite-url", "http://user:hunter2@x"), "user name or a password"),
        (("--satellite-token", "hunter2 x"), "--satellite-token: is not a token"),
        (("--tls-ca-cert-path", "/nonexistent"), "--tls-ca-cert-path: '/nonexistent' is not a file"),
    ],
)
def test_bad_values_are_one_line(arguments: Sequence[str], says: str) -> None:
    line = refused(export(*arguments))

    assert says in line and "hunter2" not in line


def test_names_are_those_of_the_sensor_and_older_ones_are_not_shown() -> None:
    shown = levo("openapi", "export", "--help").stdout
    flags = {name for each in openapi.commands["export"].params for name in each.opts}  # type: ignore[attr-defined]

    for option in CLIENT.options:
        if option.on_command_line:
            assert option.flag in shown and option.flag in flags
        for older in option.older_flags:
            assert older in flags and f"{older} " not in shown


def test_a_misspelled_variable_is_a_warning(deaf: str) -> None:
    done = export("--satellite-url", deaf, env={"LEVO_SATELLITE_TOKN": "x"})

    assert "did you mean LEVO_SATELLITE_TOKEN?" in done.stderr.splitlines()[0]
