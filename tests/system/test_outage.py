"""The real sensor while its Satellite fails in every way, over HTTP and gRPC, and when it is killed.

Each phase of the drill lasts 1 s, and 60 s in the long form.
"""

from __future__ import annotations

import http.client
import http.server
import json
import random
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.cli.levo_command import environment
from tests.helpers.collector import Answer, Collector
from tests.helpers.effort import long
from tests.sensor.capture.network import private_network
from tests.system.grpc_collector import GrpcAnswer, GrpcCollector
from tests.system.network import needs

AnyCollector = Collector | GrpcCollector
CODE = grpc.StatusCode
LOST = ("queue_full", "failed", "rejected", "spool_evicted", "spool_damaged")

pytestmark = [pytest.mark.root, pytest.mark.slow, needs(), pytest.mark.timeout(900)]


class Application:
    """A small HTTP server on a port of its own, and a client that asks it for numbered paths."""

    def __init__(self) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # one segment an answer: no delayed acknowledgement

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                return

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=180)
        self.asked = 0

    def ask(self, count: int = 1) -> None:
        for _ in range(count):
            self._client.request("GET", f"/n/{self.asked}")
            self._client.getresponse().read()
            self.asked += 1

    def ask_for(self, seconds: float, until: Callable[[], bool] = lambda: True) -> None:
        """Ask for *seconds*, then on until *until*, at most half a minute more."""
        end = time.monotonic() + seconds
        while time.monotonic() < end or (not until() and time.monotonic() < end + 30):
            self.ask(10)
            time.sleep(0.02)

    def close(self) -> None:
        self._client.close()
        self._server.shutdown()
        self._server.server_close()


class Sensor:
    """``levo apidump`` on loopback, watching one port."""

    def __init__(self, folder: Path, port: int, url: str, *flags: str) -> None:
        self._log = folder / f"sensor-{time.monotonic_ns()}.log"
        argv = [
            *(sys.executable, "-m", "levo", "apidump", "--config=/dev/null", "--interfaces=lo"),
            *(f"--filter=tcp port {port}", f"--satellite-url={url}", "--rate-limit=0"),
            *("--trace-export-interval=100ms", "--log-format=json", *flags),
        ]
        with self._log.open("wb") as sink:
            self.process = subprocess.Popen(argv, env=environment(), stderr=sink)
        self.wait_until(lambda: "capturing on" in self.log)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], bool], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.02)

    def stop(self) -> dict[str, dict[str, Any]]:
        """SIGTERM; the stages of the ledger, all of which balance."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(90) == 0, self.log[-3000:]
        events = [json.loads(line) for line in self.log.splitlines()]
        stages = {event["stage"]: event for event in events if "stage" in event}
        for stage in stages.values():
            assert stage["balanced"] and stage["received"] == sum(stage["states"].values()), stage["message"]
        assert stages["capture"]["states"]["kernel_dropped"] == 0
        return stages

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def application() -> Iterator[Application]:
    running = Application()
    try:
        yield running
    finally:
        running.close()


class Delivered:
    """How often each numbered request arrived as a trace. Decodes each body once: there are many."""

    def __init__(self) -> None:
        self.times: Counter[int] = Counter()
        self._read: Counter[AnyCollector] = Counter()

    def look(self, *collectors: AnyCollector) -> Counter[int]:
        for collector in collectors:
            bodies = collector.bodies["traces"]
            for body in bodies[self._read[collector] :]:
                self._read[collector] += 1
                self.times.update(_numbers(body))
        return self.times


def _numbers(body: bytes) -> Iterator[int]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                for attribute in span.attributes:
                    if attribute.key == "url.path" and attribute.value.string_value.startswith("/n/"):
                        yield int(attribute.value.string_value[3:])


@dataclass(frozen=True)
class Transport:
    """A kind of Satellite, and how each trouble looks on its wire."""

    collector: type[Collector] | type[GrpcCollector]
    fine: Answer | GrpcAnswer
    unavailable: Answer | GrpcAnswer
    """Asks for a pause of a second."""
    exhausted: tuple[Answer | GrpcAnswer, ...]
    faults: tuple[Answer | GrpcAnswer, ...]
    """To draw from at random, together with *fine*."""


TRANSPORTS = {
    "http": Transport(
        Collector,
        (200, {}),
        (503, {"retry-after": "1"}),
        ((429, {"retry-after": "1"}),),
        ((503, {}), (429, {"retry-after": "0"}), (400, {}), (502, {})),
    ),
    "grpc": Transport(
        GrpcCollector,
        (CODE.OK, None),
        (CODE.UNAVAILABLE, 1.0),
        ((CODE.RESOURCE_EXHAUSTED, 1.0), (CODE.RESOURCE_EXHAUSTED, None)),
        (
            (CODE.UNAVAILABLE, None),
            (CODE.RESOURCE_EXHAUSTED, 0.0),
            (CODE.RESOURCE_EXHAUSTED, None),
            (CODE.INVALID_ARGUMENT, None),
        ),
    ),
}


class Moods:
    """What the Satellite answers at the moment."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.delay_s = 0.0

    def __call__(self) -> Any:
        time.sleep(self.delay_s)
        return self.answer


@pytest.mark.parametrize("spooling", [True, False], ids=["spool", "no spool"])
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("phase_s", [1.0, long(60.0)])
@private_network
def test_the_drill(transport: Transport, spooling: bool, tmp_path: Path, phase_s: float) -> None:
    """Gone, unavailable, slow, exhausted, back: capture never stalls, and nothing is lost silently.

    RESOURCE_EXHAUSTED without a RetryInfo is no promise that trying again helps (OTLP specification): then a
    sensor without a spool gives up and counts, one with a spool keeps what it has.
    """
    moods = Moods(transport.fine)
    delivered = Delivered()
    gives_up = not spooling and (CODE.RESOURCE_EXHAUSTED, None) in transport.exhausted
    with application() as app:
        first = transport.collector(moods)
        flags = (f"--spool-dir={tmp_path / 'spool'}",) if spooling else ()
        sensor = Sensor(tmp_path, app.port, first.url, *flags)
        try:
            app.ask_for(phase_s)
            first.close()
            app.ask_for(phase_s)
            moods.answer = transport.unavailable
            second = transport.collector(moods, port=first.port)
            app.ask_for(phase_s, lambda: second.refused > 0)
            moods.answer, moods.delay_s = transport.fine, 0.3
            app.ask_for(phase_s)
            moods.delay_s = 0.0
            for moods.answer in transport.exhausted:
                refused = second.refused
                app.ask_for(phase_s, lambda refused=refused: second.refused > refused)  # type: ignore[misc]
            moods.answer = transport.fine
            app.ask_for(phase_s)
            recovered = app.asked

            def is_back() -> bool:
                app.ask()
                return max(delivered.look(first, second), default=-1) >= recovered

            sensor.wait_until(is_back, 90 + phase_s)
            stages = sensor.stop()
        finally:
            sensor.kill()
        second.close()
        arrived = delivered.look(first, second)

    output = stages["output otlp"]["states"]
    lost = sum(output[state] for state in LOST)
    assert stages["exchanges"]["received"] == app.asked
    assert len(arrived) == app.asked - lost
    assert output["spooled"] == 0
    # Without a spool a long outage may be more than the queue holds.
    assert lost == 0 if spooling else lost == output["failed"] + output["queue_full"]
    assert output["failed"] > 0 or not gives_up


@private_network
def test_without_a_satellite_the_loss_is_counted(tmp_path: Path) -> None:
    """It never comes: what is held at the end, and what did not fit, is in the ledger to the last trace."""
    with application() as app:
        sensor = Sensor(tmp_path, app.port, "http://127.0.0.1:9", "--max-memory=4MiB")
        try:
            app.ask(3000)
            stages = sensor.stop()
        finally:
            sensor.kill()

    output = stages["output otlp"]["states"]
    assert "otlp: its queue is full; " in sensor.log
    assert output["exported"] == 0
    assert output["failed"] + output["queue_full"] + stages["traces"]["states"]["queue_full"] == app.asked


@private_network
def test_a_killed_sensor_loses_at_most_the_last_interval(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    delivered = Delivered()
    with application() as app:
        flags = (f"--spool-dir={spool}", "--listen=127.0.0.1:8888")
        sensor = Sensor(tmp_path, app.port, "http://127.0.0.1:9", *flags)
        try:
            app.ask(500)
            before = app.asked
            sensor.wait_until(lambda: spooled("http://127.0.0.1:8888/metrics") == before)
            app.ask(20)
        finally:
            sensor.kill()
        with Collector() as collector:
            second = Sensor(tmp_path, app.port, collector.url, f"--spool-dir={spool}")
            try:
                second.wait_until(lambda: set(range(before)) <= set(delivered.look(collector)))
                app.ask(20)
                stages = second.stop()
            finally:
                second.kill()
            arrived = delivered.look(collector)

    assert set(range(before)) | set(range(before + 20, before + 40)) <= set(arrived)
    assert stages["output otlp"]["states"]["exported"] >= before + 20


def spooled(url: str) -> int:
    """How many traces the sensor says to have in its spool."""
    with urllib.request.urlopen(url, timeout=180) as answer:
        text = answer.read().decode()
    labels = r'stage="output",output="otlp",state="spooled",fate="waiting"'
    found = re.search(rf"(?m)^levo_sensor_ledger_waiting\{{{labels}\}} (\d+)", text)
    assert found, text
    return int(found[1])


@pytest.mark.parametrize("seed", [*range(4), *map(long, range(4, 10))])
@private_network
def test_random_faults_balance(seed: int, tmp_path: Path) -> None:
    """Any order of failures, with or without a spool: the ledger balances and says what did not arrive."""
    chance = random.Random(seed)
    transport = TRANSPORTS["grpc" if seed % 2 else "http"]
    moods = Moods(transport.fine)
    spool = (f"--spool-dir={tmp_path / 'spool'}",) if chance.random() < 0.5 else ()
    with application() as app:
        collectors = [transport.collector(moods)]
        listening = True
        sensor = Sensor(tmp_path, app.port, collectors[0].url, *spool)
        try:
            for _ in range(8):
                moods.answer = chance.choice([transport.fine, transport.fine, *transport.faults])
                moods.delay_s = chance.choice([0.0, 0.0, 0.2])
                if chance.random() < 0.3:
                    if listening:
                        collectors[-1].close()
                    else:
                        collectors.append(transport.collector(moods, port=collectors[0].port))
                    listening = not listening
                app.ask_for(chance.uniform(0.05, 0.4))
            stages = sensor.stop()
        finally:
            sensor.kill()
        arrived = Delivered().look(*collectors)
        if listening:
            collectors[-1].close()

    output = stages["output otlp"]["states"]
    assert stages["exchanges"]["received"] == app.asked == sum(output.values())
    assert len(arrived) >= output["exported"]
    assert app.asked - len(arrived) <= sum(output.values()) - output["exported"]
