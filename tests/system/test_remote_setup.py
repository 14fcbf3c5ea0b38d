"""A sensor on another machine, set up by copying what the page says and nothing else.

The Satellite listens on one end of a veth pair, under TLS of an authority of its own, and asks for tokens.
Its pages are used by HTTPS from the other end, and the commands that they show are run there, as they stand.
"""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from levo.demo.capture_file import write_capture
from tests.satellite.running import RunningSatellite, until
from tests.sensor.export.certificates import make_authority, make_leaf
from tests.system.network import PATH, Namespace, needs, veth_pair
from tests.system.shell import LEVO, last_child, programs_in, until_said

PASSWORD = "correct horse battery"
pytestmark = [
    pytest.mark.root,
    needs("curl", "ethtool", "unshare"),
    pytest.mark.skipif(not LEVO.is_file(), reason=f"no command {LEVO}: install the package"),
]


class Visitor:
    """A browser on the sensor's machine, as far as curl is one."""

    def __init__(self, place: Namespace, base: str, authority: Path, jar: Path) -> None:
        self._place = place
        self._base = base
        self._curl = [
            "curl",
            "-sS",
            "--noproxy",
            "*",
            "--cacert",
            str(authority),
            "-b",
            str(jar),
            "-c",
            str(jar),
        ]

    def get(self, path: str) -> str:
        return self._place.run([*self._curl, "-f", "-H", "accept: text/html", self._base + path])

    def post(self, path: str, **fields: str) -> str:
        given = [word for name, value in fields.items() for word in ("--data-urlencode", f"{name}={value}")]
        return self._place.run([*self._curl, *given, self._base + path])

    def submit(self, path: str, **fields: str) -> str:
        """Send a form of a page, found where the page's address begins."""
        form = "/" + path.split("/")[1]
        found = re.search(r'name="form_token" value="([^"]+)"', self.get(form))
        assert found
        return self.post(path, form_token=found[1], **fields)

    def endpoints(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.get("/api/endpoints"))["endpoints"]
        return rows


def shown(page: str, name: str) -> str:
    found = re.search(rf'<code id="c-{name}">(.*?)</code>', page, re.DOTALL)
    assert found, page
    return html.unescape(found[1])


@contextmanager
def shell(place: Namespace, folder: Path, command: str) -> Iterator[subprocess.Popen[str]]:
    """*command* in a shell of *place*, with levo on the PATH and an /etc/levo of its own."""
    programs = programs_in(folder)
    if not (programs / "levo").exists():
        (programs / "levo").symlink_to(LEVO)
    made = not Path("/etc/levo").exists()
    Path("/etc/levo").mkdir(exist_ok=True)
    hide = f'mount -t tmpfs tmpfs /etc/levo && cd {shlex.quote(str(folder))} && exec bash -c "$0"'
    environment = {"PATH": f"{programs}:{PATH}", "HOME": str(folder)}
    process = subprocess.Popen(
        place.command(["unshare", "--mount", "bash", "-c", hide, command]),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(180, lambda: os.killpg(process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        watchdog.cancel()
        if made:
            Path("/etc/levo").rmdir()


@contextmanager
def set_up(folder: Path) -> Iterator[tuple[Visitor, Namespace]]:
    """A visitor who is the first admin of a Satellite on another machine."""
    authority, signer = make_authority(folder)
    with veth_pair() as (there, here):
        pair = make_leaf(folder, "satellite", authority, signer, "satellite.test", address=there.address)
        (folder / "satellite.yaml").write_text(
            f"tls-certificate: {pair.cert}\ntls-key: {pair.key}\ntls-ca-certificate: {authority.cert}\n"
        )
        options = ("--config", str(folder / "satellite.yaml"), "--listen", f"{there.address}:9999")
        through = there.command([])
        with RunningSatellite(folder / "data", *options, through=through) as satellite:
            until(lambda: "enter the code" in satellite.errors)
            code = satellite.errors.split("enter the code ")[1].split()[0]
            visitor = Visitor(here, f"https://{there.address}:9999", authority.cert, folder / "jar")
            visitor.post("/setup", code=code, name="anna", password=PASSWORD)
            yield visitor, here


def test_the_command_of_the_page_brings_traces_over_tls_with_a_token(tmp_path: Path) -> None:
    with set_up(tmp_path) as (visitor, here):
        assert "YOUR_TOKEN" in shown(visitor.get("/connect"), "host")
        page = visitor.submit("/connect", organization="acme", environment="staging")
        command = shown(page, "host")
        listening = ["-m", "http.server", "8080", "--bind", "127.0.0.1", f"--directory={tmp_path / 'bin'}"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = here.popen([sys.executable, *listening], **quiet)
        try:
            with shell(here, tmp_path, command) as sensor:
                assert sensor.stderr is not None
                until_said(sensor.stderr, "capturing on")
                asking = ["curl", "-sf", "--noproxy", "*", "--retry-connrefused", "--retry", "20"]
                here.run([*asking, "http://127.0.0.1:8080/?page=1"])
                until(lambda: visitor.endpoints() != [])
                os.kill(last_child(sensor.pid), signal.SIGTERM)
                told = sensor.stderr.read()
                assert sensor.wait(90) == 0, told
        finally:
            server.kill()
            server.wait()
        (found,) = visitor.endpoints()
        assert (found["organization"], found["environment"]) == ("acme", "staging")
        assert (found["method"], found["path"]) == ("GET", "/")
        assert "not delivered" not in told


def outcome(place: Namespace, folder: Path, command: str) -> tuple[int, str]:
    """(exit status, standard error) of a command that ends by itself."""
    with shell(place, folder, command) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        return process.wait(60), said


def test_a_capture_file_is_sent_as_shown_whatever_the_organization_is_called(tmp_path: Path) -> None:
    name = 'acme\'s "$HOME" `id`'
    with (tmp_path / "traffic.pcap").open("wb") as file:
        write_capture(file, 1, 40, 1_700_000_000 * 10**9, 100.0)
    with set_up(tmp_path) as (visitor, here):
        command = shown(visitor.submit("/connect", organization=name), "file")
        status, said = outcome(here, tmp_path, command)
        assert status == 0, said
        until(lambda: visitor.endpoints() != [])
        assert {each["organization"] for each in visitor.endpoints()} == {name}


def test_a_token_made_in_settings_comes_with_its_commands_and_says_so_once_it_is_revoked(
    tmp_path: Path,
) -> None:
    with (tmp_path / "traffic.pcap").open("wb") as file:
        write_capture(file, 1, 4, 1_700_000_000 * 10**9, 100.0)
    with set_up(tmp_path) as (visitor, here):
        command = shown(
            visitor.submit("/settings/tokens", name="laptop", scope="ingest", organization="acme"), "file"
        )
        status, said = outcome(here, tmp_path, command)
        assert status == 0, said

        number = re.findall(r'name="id" value="(\d+)"', visitor.get("/settings"))[0]
        visitor.submit("/settings/tokens/revoke", id=number)

        def refused() -> bool:  # a revoked token is believed for three more seconds
            status, said = outcome(here, tmp_path, command)
            return status == 1 and "HTTP 401" in said and "LEVO_SATELLITE_TOKEN" in said

        until(refused)
