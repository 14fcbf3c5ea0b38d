"""Real sensors and a real Satellite: who is there, who stopped, who was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.learn.sensors import SILENT_NS
from levo.satellite.store import CatalogReader
from levo.satellite.store.userdata import UserData
from tests.cli.capture import write_capture
from tests.cli.levo_command import environment, levo
from tests.satellite.running import RunningSatellite, until


def root(test: Callable[..., None]) -> Callable[..., None]:
    """Opens a capture socket on loopback."""
    skip = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: opens a capture socket on loopback")
    return pytest.mark.root(skip(test))  # type: ignore[no-any-return]


@pytest.fixture
def satellite(tmp_path: Path) -> Iterator[RunningSatellite]:
    with RunningSatellite(tmp_path / "data") as running:
        yield running


@pytest.fixture
def start(satellite: RunningSatellite, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a live sensor on loopback that reports every second."""
    processes: list[subprocess.Popen[bytes]] = []
    (tmp_path / "empty.yaml").touch()

    def start(*flags: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "levo", "apidump", "--config", str(tmp_path / "empty.yaml")]
        command += ["--satellite-url", satellite.otlp_http, "--interfaces", "lo", "--filter", "port 9"]
        command += ["--trace-export-interval", "500ms", "--service-name", "orders", *flags]
        process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def sensors(satellite: RunningSatellite) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = satellite.get("/api/sensors").json()["sensors"]
    return sorted(found, key=lambda sensor: str(sensor["started"]))


def ledger(sensor: dict[str, Any]) -> list[dict[str, Any]]:
    return [metric for metric in sensor["metrics"] if metric["name"] == "levo.sensor.ledger.received"]


@root
def test_two_sensors_one_stopped_cleanly_one_killed(
    satellite: RunningSatellite, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    # As somebody who watches from before the first one came.
    reader = CatalogReader(satellite.data_dir / "catalog.sqlite3")
    userdata = UserData(satellite.data_dir / "userdata.sqlite3")
    late_ns = 0

    def watching() -> AlertDetector:
        clocks = (lambda: time.time_ns() + late_ns), (lambda: time.monotonic() + late_ns / 1e9)
        detector = AlertDetector(reader, userdata.alerts, userdata.settings, *clocks)
        detector.look(True)
        return detector

    detector = watching()
    stopped, killed = start("--levo-env", "staging"), start("--levo-env", "production")
    until(lambda: len([each for each in sensors(satellite) if ledger(each)]) == 2)
    stopped.send_signal(signal.SIGTERM)
    killed.kill()
    assert stopped.wait(90) == 0
    until(lambda: any(each["state"] == "stopped" for each in sensors(satellite)))

    states = {
        each["attributes"]["deployment.environment.name"]: (each["state"], each["stopped"] is not None)
        for each in sensors(satellite)
    }
    assert states == {"staging": ("stopped", True), "production": ("reporting", False)}
    assert len({each["sensor"] for each in sensors(satellite)}) == 2
    assert all(ledger(each) for each in sensors(satellite))
    page = satellite.get("/sensors").body.decode()
    assert page.count("<article") == 2 and page.count(">stopped (clean)<") == 1

    late_ns = SILENT_NS + 60 * 10**9
    detector.look(True)
    (alert,) = [alert for alert in userdata.alerts.latest() if alert.kind == "sensor-silent"]
    assert alert.text.startswith("Sensor on ") and "(orders, production)" in alert.text
    assert not alert.ended_ns

    again = start("--levo-env", "production")
    until(lambda: any(each["attributes"]["deployment.environment.name"] == "production"
                      and each["instance"] not in alert.subject for each in sensors(satellite)))  # fmt: skip
    assert len(sensors(satellite)) == 2, "a restart is the same sensor"
    late_ns = -SILENT_NS - 60 * 10**9
    detector = watching()
    late_ns = 0
    detector.look(True)
    assert all(each.ended_ns for each in userdata.alerts.latest() if each.kind == "sensor-silent")
    again.terminate()
    reader.close()
    userdata.close()


@root
def test_the_same_sensor_twice_is_two_with_a_ledger_each(
    satellite: RunningSatellite, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    first = start()
    until(lambda: len(sensors(satellite)) == 1)
    start()
    until(lambda: len([each for each in sensors(satellite) if ledger(each)]) == 2)
    before = {each["sensor"]: each["instance"] for each in sensors(satellite)}
    first.kill()
    first.wait()
    start()
    until(lambda: {each["sensor"]: each["instance"] for each in sensors(satellite)} != before)

    after = {each["sensor"]: each["instance"] for each in sensors(satellite)}
    assert after.keys() == before.keys() and len(after) == 2
    assert len(set(after.values()) & set(before.values())) == 1


@pytest.mark.parametrize("way", ["http", "grpc", "spool"])
def test_the_end_of_a_file_is_a_clean_stop(satellite: RunningSatellite, way: str, tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "two.pcap")
    flags = ["--satellite-url", satellite.grpc if way == "grpc" else satellite.otlp_http]
    if way == "spool":
        flags += ["--spool-dir", str(tmp_path / "spool")]
    runs: set[str] = set()
    for _ in range(2):
        done = levo("apidump", "--config", os.devnull, "--read", str(capture), *flags)
        assert done.returncode == 0, done.stderr
        until(
            lambda: bool(
                {each["instance"] for each in sensors(satellite) if each["state"] == "stopped"} - runs
            )
        )
        (last,) = sensors(satellite)
        runs.add(last["instance"])

    (found,) = sensors(satellite)
    assert found["started"] <= found["stopped"] <= found["last_seen"]
    assert {"levo.sensor.stopped"}.isdisjoint(metric["name"] for metric in found["metrics"])
