"""Traffic of applications, recorded by the real sensor: ``python -m tests.satellite.recorded VENV FILE``.

Drives a Prefect server (``bench/discovery/real_prefect.py`` says what VENV holds; needs root and
Debian's ``wamerican``), watches it with
``levo apidump`` and writes the deliveries to FILE, which ``tests.satellite.same_catalog --recording`` reads.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from levo.demo.capture_file import save_capture
from levo.satellite.queue import Record, RecordKind
from tests.helpers.collector import Collector

PROJECT = Path(__file__).parents[2]
PER_DELIVERY = 20
"""The sensor sends more at once when it reads a file; divided, there is more to commit apart."""


class Recording:
    """Deliveries of some application, in order."""

    def __init__(self, deliveries: Iterable[bytes], received_ns: int) -> None:
        self._deliveries = [part for each in deliveries for part in _divided(each)]
        self._received_ns = received_ns
        self.traces = sum(_spans(_read(each)) for each in self._deliveries)

    def records(self) -> list[Record]:
        """Return the deliveries as the journal has them."""
        return [Record(RecordKind.TRACES, self._received_ns, "acme", each) for each in self._deliveries]

    def save(self, path: Path) -> None:
        """Write the recording to *path*."""
        with gzip.open(path, "wb") as file:
            for octets in (self._received_ns.to_bytes(8), *self._deliveries):
                file.write(len(octets).to_bytes(4) + octets)

    @classmethod
    def read(cls, path: Path) -> Recording:
        """Read what ``save`` wrote."""
        with gzip.open(path, "rb") as file:
            received, *deliveries = _chunks(file.read())
        return cls(deliveries, int.from_bytes(received))


def demo(exchanges: int, seed: int = 1) -> Recording:
    """Record the traffic of ``levo demo``, which the sensor reads from the capture that the demo writes."""
    start_ns = time.time_ns() - 3600 * 10**9
    with tempfile.TemporaryDirectory() as folder, Collector() as collector:
        capture = Path(folder) / "demo.pcap"
        save_capture(capture, seed, exchanges, start_ns, exchanges / 600)
        (Path(folder) / "sensor.yaml").touch()
        arguments = ["apidump", "--read", str(capture), "--config", str(Path(folder) / "sensor.yaml")]
        arguments += ["--satellite-url", collector.url, "--levo-env", "demo", "--service-name", "shop"]
        subprocess.run(
            [sys.executable, "-m", "levo", *arguments, "--rate-limit", "0"], check=True, capture_output=True
        )
        return Recording(collector.bodies["traces"], time.time_ns())


def prefect(environment: Path) -> Recording:
    """Record a Prefect server that lives in *environment* while it is driven."""
    with Collector() as collector:
        program = PROJECT / "bench" / "discovery" / "real_prefect.py"
        subprocess.run(
            [sys.executable, str(program), str(environment)],
            check=True,
            env={**os.environ, "BENCH_SATELLITE_URL": collector.url},
        )
        return Recording(collector.bodies["traces"], time.time_ns())


def _divided(delivery: bytes) -> Iterator[bytes]:
    for resource in _read(delivery).resource_spans:
        for scope in resource.scope_spans:
            for at in range(0, len(scope.spans), PER_DELIVERY):
                part = ExportTraceServiceRequest()
                kept = part.resource_spans.add()
                kept.resource.CopyFrom(resource.resource)
                kept.scope_spans.add(scope=scope.scope).spans.extend(scope.spans[at : at + PER_DELIVERY])
                yield part.SerializeToString()


def _read(octets: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(octets)


def _spans(request: ExportTraceServiceRequest) -> int:
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


def _chunks(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        size = int.from_bytes(octets[at : at + 4])
        yield octets[at + 4 : at + 4 + size]
        at += 4 + size


if __name__ == "__main__":
    prefect(Path(sys.argv[1])).save(Path(sys.argv[2]))
