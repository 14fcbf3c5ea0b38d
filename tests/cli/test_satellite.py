"""``levo satellite`` as typed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from levo.cli.satellite import command
from levo.config.satellite_settings import SATELLITE
from tests.cli.levo_command import levo
from tests.satellite.running import RunningSatellite


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "levo", "satellite", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_ports_that_were_chosen_are_told(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as satellite:
        for place in (satellite.web, satellite.grpc, satellite.otlp_http):
            host, _, port = place.rpartition("/")[2].partition(":")
            assert int(port) > 0
            socket.create_connection((host, int(port)), timeout=180).close()


def test_an_address_that_others_can_reach_is_pointed_out(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path, "--listen", "0.0.0.0:0") as satellite:
        assert satellite.get("/api/summary").status == 401
        assert satellite.web.startswith("http://127.0.0.1:")
        satellite.terminate()

        assert "first run on 0.0.0.0" in satellite.errors and "enter the code" in satellite.errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "nowhere"], "--listen: 'nowhere' has no port; write host:port"),
        (["--otlp-grpc", "::1:4317"], "put an IPv6 address in brackets: [::1]:4317"),
        (["--config", "/nonexistent.yaml"], "--config: '/nonexistent.yaml': no such file"),
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


def test_every_setting_is_a_flag_and_the_names_are_the_tables() -> None:
    flags = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}

    assert flags == {option.flag for option in SATELLITE.options} | {"--config"}


def test_a_dry_run_and_config_show_print_every_setting_with_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("max-request-bytes: 10MB\njournal-max-bytes: 10MiB\n")
    given = ("--config", str(path), "--listen", "127.0.0.1:1")
    environ = {"LEVO_SATELLITE_LISTEN": "127.0.0.1:2", "LEVO_SATELLITE_DRAIN_TIMEOUT": "1m"}

    shown = [
        levo("satellite", *given, "--dry-run", env=environ),
        levo("satellite", "config", "show", *given, env=environ),
        levo("satellite", *given, "config", "show", env=environ),
    ]

    for done in shown:
        lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
        assert (done.returncode, done.stderr) == (0, "")
        assert list(lines) == [option.name for option in SATELLITE.options]
        assert lines["listen"] == ["127.0.0.1:1", "--listen"]
        assert lines["drain-timeout"] == ["1m", "LEVO_SATELLITE_DRAIN_TIMEOUT"]
        assert lines["max-request-bytes"] == ["10000000", f"{path}:1"]
        assert lines["journal-max-bytes"] == ["10MiB", f"{path}:2"]
    as_json = json.loads(levo("satellite", "config", "show", "--format", "json", env=environ).stdout)
    assert as_json["listen"] == {"value": "127.0.0.1:2", "origin": "LEVO_SATELLITE_LISTEN"}


def test_a_misspelled_variable_is_a_warning(tmp_path: Path) -> None:
    done = levo("satellite", "--dry-run", env={"LEVO_SATELLITE_NONSENSE": "1", "LEVO_SATELLITE_LISTN": "x"})

    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"levo satellite: warning: environment variable {what}"
        for what in (
            "'LEVO_SATELLITE_LISTN' is not known; did you mean LEVO_SATELLITE_LISTEN?",
            "'LEVO_SATELLITE_NONSENSE' is not known; nothing reads it",
        )
    ]


def test_a_file_is_checked_by_either_command(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("otlp-grpc: :1\njournal-max-bytes: much\n")
    for arguments in (("satellite", "config", "check"), ("config", "check")):
        done = levo(*arguments, str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{path}:2:20: journal-max-bytes: 'much' is not a size")
    path.write_text("otlp-grpc: :1\n")
    assert levo("satellite", "config", "check", str(path)).stdout == f"{path}: no errors\n"
    assert levo("config", "check", str(path)).stdout.startswith(f"{path}: no errors (")


def test_the_backup_takes_the_data_directory_of_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"data-dir: {tmp_path / 'data'}\n")
    with RunningSatellite(tmp_path / "data"):
        done = levo("satellite", "--config", str(config), "backup", str(tmp_path / "file"))

    assert (done.returncode, done.stderr) == (0, "")


def test_the_time_to_drain_is_a_setting(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path, "--drain-timeout", "2m") as satellite:
        assert satellite.terminate() == 0


def test_the_rules_on_weaknesses_are_printed_and_written(tmp_path: Path) -> None:
    page = run("rules", "auth-01")
    every = run("rules")
    written = run("rules", "--write", str(tmp_path))

    assert page.stdout.startswith("# AUTH-01: Sensitive data")
    assert every.stdout.startswith("# Rules") and "AUTH-01.md" in every.stdout
    assert written.stdout == "" and (tmp_path / "AUTH-01.md").read_text() == page.stdout
    assert (tmp_path / "index.md").read_text() == every.stdout
