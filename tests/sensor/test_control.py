"""The control thread: report, reload, metrics; signals are tested with the command."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from levo.config import Merged, Surroundings, load
from levo.errors import CaptureError, ConfigError, Problem
from levo.sensor.assembly import Sensor, open_sensor
from levo.sensor.capture.probe_link import ProbeLink
from levo.sensor.control import Control, undelivered
from levo.sensor.encrypted import encrypted_sentence
from levo.sensor.log import Log
from tests.cli.capture import write_capture
from tests.helpers.conversation import Conversation
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.pcap import write_pcap


def merge(**flags: Any) -> Merged:
    given = {name.replace("_", "-"): flag for name, flag in flags.items()}
    return load(given, {}, default_path="/nonexistent", surroundings=Surroundings())


def control(
    tmp_path: Path, reread: Any = None, form: str = "json", **flags: Any
) -> tuple[Control, io.StringIO]:
    found = merge(read=str(write_capture(tmp_path / "two.pcap")), output=("null",), **flags)
    out = io.StringIO()
    sensor = open_sensor(found, {})
    return Control(sensor, found, Log(form, stream=out), reread or (lambda: found), {}), out


def test_the_report_has_every_stage(tmp_path: Path) -> None:
    running, out = control(tmp_path)

    ledger = running.run()

    entries = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [entry["stage"] for entry in entries if "stage" in entry] == [each.label for each in ledger.stages]
    assert undelivered(ledger) == 0
    assert entries[0]["message"].startswith("levo-sensor ")


def test_the_report_for_people_is_the_rendered_ledger(tmp_path: Path) -> None:
    running, out = control(tmp_path, form="text")

    ledger = running.run()

    assert ledger.render() in out.getvalue()


@pytest.mark.parametrize(
    ("fresh", "says"),
    [
        ({"rate_limit": "5"}, ["changed: rate-limit"]),
        (
            {"levo_env": "x", "path_allow": ("a",)},
            ["changed: path-allow", "need a restart to take effect: levo-env"],
        ),
        ({}, ["configuration reread: nothing has changed"]),
    ],
)
def test_a_reload_says_what_it_did(tmp_path: Path, fresh: dict[str, Any], says: list[str]) -> None:
    capture = str(tmp_path / "two.pcap")
    running, out = control(tmp_path, lambda: merge(read=capture, output=("null",), **fresh))
    running._reload.set()

    running.run()

    messages = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert [message for message in messages if message in says] == says


def test_a_bad_reload_changes_nothing(tmp_path: Path) -> None:
    def fail() -> Merged:
        raise ConfigError(Problem("rate-limit", "is wrong"))

    running, out = control(tmp_path, fail)
    running._reload.set()

    assert running.run().balanced
    assert "configuration not reloaded: rate-limit: is wrong" in out.getvalue()


def test_why_there_are_no_tls_secrets_is_said_once(tmp_path: Path) -> None:
    found, out = merge(read=str(write_capture(tmp_path / "two.pcap")), output=("null",)), io.StringIO()
    link = ProbeLink(str(tmp_path / "probe.sock"), lambda _: None)
    running = Control(
        replace(open_sensor(found, {}), probe=link), found, Log("json", stream=out), lambda: found, {}
    )
    running._show_progress()
    assert out.getvalue() == ""
    link.start()
    link.close()
    for _ in range(2):
        running._show_progress()

    (entry,) = map(json.loads, out.getvalue().splitlines())
    assert entry["message"] == (
        f"no TLS secrets of new connections: no probe at {tmp_path}/probe.sock; capture goes on"
    )


class Mailbox:
    """Takes the metrics in place of an output."""

    def __init__(self) -> None:
        self.reports: list[ExportMetricsServiceRequest] = []

    def submit_metrics(self, encoded: bytes) -> None:
        self.reports.append(ExportMetricsServiceRequest.FromString(encoded))

    def last(self) -> dict[str, Any]:
        (group,) = self.reports[-1].resource_metrics
        return {metric.name: metric for metric in group.scope_metrics[0].metrics}


def reporting(tmp_path: Path) -> tuple[Control, Mailbox, Sensor]:
    capture, mailbox = str(write_capture(tmp_path / "two.pcap")), Mailbox()
    sensor = replace(open_sensor(merge(read=capture, output=("null",)), {}), outputs=(mailbox,))
    merged = merge(read=capture, output=("otlp",))
    return Control(sensor, merged, Log("json", stream=io.StringIO()), lambda: merged, {}), mailbox, sensor


def test_the_last_report_says_when_it_stopped_and_is_the_last_by_number(tmp_path: Path) -> None:
    running, mailbox, sensor = reporting(tmp_path)
    running._send_metrics()
    running.run()

    assert "levo.sensor.stopped" not in str(mailbox.reports[0])
    last = mailbox.last()
    (point,) = last["levo.sensor.stopped"].gauge.data_points
    assert point.as_double == pytest.approx(point.time_unix_nano / 1e9)
    assert point.start_time_unix_nano == sensor.claim.run.started_ns <= point.time_unix_nano
    assert last["levo.sensor.reports"].sum.data_points[0].as_int == len(mailbox.reports) >= 2


def test_a_sensor_that_failed_does_not_say_goodbye(tmp_path: Path) -> None:
    running, mailbox, sensor = reporting(tmp_path)

    def fail(_engine: Any) -> None:
        raise CaptureError("gone")

    sensor.pipeline.order(fail)
    with pytest.raises(CaptureError, match="gone"):
        running.run()

    assert "levo.sensor.ledger.received" in mailbox.last()
    assert "levo.sensor.stopped" not in mailbox.last()


@pytest.mark.parametrize(
    ("address", "names", "says"),
    [
        (
            "192.0.2.1",
            "a.example",
            "encrypted: 192.0.2.1:443 (a.example), TLS 1.3, h2: 1 connection, 9,000 octets",
        ),
        ("2001:db8::1", None, "encrypted: [2001:db8::1]:443 (b.example), TLS 1.3, h2: 1 connection"),
        (None, None, "encrypted: other endpoints (b.example), TLS 1.3"),
    ],
)
def test_an_endpoint_over_tls_is_told_in_words(address: str | None, names: str | None, says: str) -> None:
    endpoint = {"server_address": address, "server_port": 443, "server_name": names, "alpn": "h2"}
    endpoint |= {"version": "1.3", "certificate_names": ["b.example"], "connections": 1, "bytes": 9_000}
    told = encrypted_sentence(endpoint | {"decrypted_connections": 0, "unread": {"no_secrets": 1}})
    assert told.startswith(says) and told.endswith("octets; unread: 1 without secrets")
    read = encrypted_sentence(endpoint | {"decrypted_connections": 2, "unread": {}})
    assert read.endswith("octets, 2 read with keys")
    both = encrypted_sentence(
        endpoint | {"decrypted_connections": 2, "unread": {"suite": 3, "out_of_step": 1}}
    )
    assert both.endswith(
        "octets, 2 read with keys; unread: 3 with a version or suite that is not read, "
        "1 that lost their place in a hole"
    )


@pytest.mark.parametrize("form", ["json", "text"])
def test_both_forms_say_how_many_encrypted_endpoints_are_not_named(tmp_path: Path, form: str) -> None:
    hello = bytes([22, 3, 1, 0, 64, 1]) + bytes(63)
    frames = []
    for number in range(13):
        segments = Conversation().handshake().client(hello).segments
        frames += capture_segments(segments, Ends(client_port=41000 + number, server_port=8440 + number))
    found = merge(read=str(write_pcap(tmp_path / "tls.pcap", frames)), output=("null",))
    out = io.StringIO()
    Control(open_sensor(found, {}), found, Log(form, stream=out), lambda: found, {}).run()

    assert out.getvalue().count("encrypted: ") == 10
    assert "and 3 more endpoints over TLS" in out.getvalue()


SECOND = 10**9
STEPS = [sign * size * SECOND for size in (1, 60, 3600, 86_400, 10 * 365 * 86_400) for sign in (1, -1)]


@pytest.mark.parametrize("step", STEPS, ids=lambda ns: f"{ns // SECOND:+} s")
def test_reports_and_warnings_go_on_whatever_the_clock_is_set_to(tmp_path: Path, step: int) -> None:
    capture, mailbox = str(write_capture(tmp_path / "two.pcap")), Mailbox()
    sensor = replace(open_sensor(merge(read=capture, output=("null",)), {}), outputs=(mailbox,))
    merged, out = merge(read=capture, output=("otlp",), trace_export_interval="2"), io.StringIO()
    now, offset, told = 0, 0, []
    running = Control(
        sensor,
        merged,
        Log("json", stream=out),
        lambda: merged,
        {},
        clock=lambda: 17 * 10**17 + now + offset,
        steady=lambda: now,
    )
    for second in range(1, 111):
        now += SECOND
        offset += step if second % 10 == 0 else 0
        running._on_wake()
        running._complain("otlp", now, f"failed {second}")
        told.append(len(mailbox.reports))
    assert told == [second // 2 for second in range(1, 111)]
    said = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert said == ["failed 1", "failed 32", "failed 63", "failed 94"]
    for report in mailbox.reports:
        for metric in report.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.sum.data_points:
                assert point.start_time_unix_nano <= point.time_unix_nano
