"""Asking the Satellite without traces."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest

from levo.sensor.doctor import reach as reaching
from levo.sensor.doctor.reach import Reached, reach
from tests.satellite.running import RunningSatellite
from tests.sensor.doctor.evidence import config
from tests.sensor.export.receivers import Answer, GrpcReceiver, HttpReceiver


def ask(url: str) -> Reached:
    found = reach(config(satellite_url=url, output=("otlp",), levoai_org_id="acme"))
    assert found is not None
    return found


def test_a_satellite_that_takes_traces() -> None:
    receiver = HttpReceiver()
    try:
        found = ask(f"http://127.0.0.1:{receiver.port}")
    finally:
        receiver.close()

    assert found.error is None
    assert receiver.seen.headers[0]["x-levo-organization-id"] == "acme"
    assert receiver.seen.bodies == [b""]


def test_one_that_does_not_know_us() -> None:
    receiver = HttpReceiver([Answer(401)])
    try:
        found = ask(f"http://127.0.0.1:{receiver.port}")
    finally:
        receiver.close()

    assert found.rejects_organization


def test_over_grpc() -> None:
    receiver = GrpcReceiver()
    try:
        assert ask(f"grpc://127.0.0.1:{receiver.port}").error is None
    finally:
        receiver.close()


def test_nobody_there() -> None:
    found = ask("http://127.0.0.1:9")

    assert found.error is not None and "127.0.0.1:9" in found.error
    assert not found.rejects_organization


def test_without_otlp_nobody_is_asked() -> None:
    assert reach(config()) is None


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_satellite_tells_its_time(transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is off in the one place that reads it for this."""
    with RunningSatellite(tmp_path) as satellite:
        url = satellite.otlp_http if transport == "http" else f"grpc://{satellite.grpc}"
        for off_s in (0.0, 7200.0, -86_400.0):
            off = SimpleNamespace(time=lambda off_s=off_s: time.time() + off_s, monotonic=time.monotonic)
            monkeypatch.setattr(reaching, "time", off)
            found = ask(url)

            assert found.error is None and found.ahead_s is not None
            assert abs(found.ahead_s - off_s) <= found.within_s + 0.01


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        (formatdate(1_000_000_000, usegmt=True), 2.5),
        ("Sun, 09 Sep 2001 01:46:40 -0000", 2.5),
        ("", None),
        ("yesterday", None),
        ("Sun, 99 Sep 99999 01:46:40 GMT", None),
    ],
)
def test_the_middle_of_what_it_can_have_been(date: str, ahead_s: float | None) -> None:
    """Asked at 1,000,000,002, answered two seconds later, in the second that began at 1,000,000,000."""
    assert reaching._ahead(date, 1_000_000_002.0, 2.0) == (ahead_s, 1.5 if ahead_s else 0.0)
