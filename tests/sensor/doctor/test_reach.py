"""Asking the Satellite without traces."""

from __future__ import annotations

from levo.sensor.doctor.reach import Reached, reach
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
