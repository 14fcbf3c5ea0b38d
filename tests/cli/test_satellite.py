"""``levo satellite`` as typed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.satellite.running import RunningSatellite


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "levo", "satellite", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ports_that_were_chosen_are_told(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        for place in (satellite.web, satellite.grpc, satellite.otlp_http):
            host, _, port = place.rpartition("/")[2].partition(":")
            assert int(port) > 0
            socket.create_connection((host, int(port)), timeout=10).close()


def test_an_address_that_others_can_reach_is_pointed_out(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path, "--listen", "0.0.0.0:0") as satellite:
        assert satellite.get("/api/summary").status == 401
        assert satellite.web.startswith("http://127.0.0.1:")
        satellite.terminate()

        assert "first run on 0.0.0.0" in satellite.errors and "enter the code" in satellite.errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "nowhere"], "--listen: 'nowhere' is no host:port"),
        (["--otlp-grpc", "::1:4317"], "--otlp-grpc: '::1:4317': write an IPv6 address in brackets"),
        (["--config", "/nonexistent.yaml"], "/nonexistent.yaml: --config: cannot be read"),
        (["--lisen", "x"], "--lisen: no such option"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments: list[str], said: str) -> None:
    answer = run(*arguments)

    assert answer.returncode == 2
    assert answer.stdout == "" and answer.stderr.count("\n") == 1
    assert said in answer.stderr


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run("--data-dir", str(tmp_path / "file" / "data"), "--listen", "127.0.0.1:0")

    assert answer.returncode == 1
    assert "--data-dir" in answer.stderr and answer.stderr.count("\n") == 1
