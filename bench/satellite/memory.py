"""Memory of a Satellite over millions of traces; needs the tests' libraries.

Sends traces to a real ``levo satellite``, half of them ordinary ones, half to one host at 100,000 random
paths, each of which answers 200 or 404, over and over. Every trace has an identity and a time of its own.
Prints what is resident in the Satellite's processes and how large its files are along the way, and says how
much that grew after the first fifth, in which each path came for the first time.

    python -m bench.satellite.memory [TRACES] [--figure FILE.svg] [--minutes N]
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span
from tests.satellite.corpora import Corpus
from tests.satellite.requests import attribute
from tests.satellite.running import RunningSatellite

from bench import svg

PATHS = 100_000
PER_GROUP, GROUPS = 20, 10
"""Traces of a resource, and resources of a delivery; ordinary and random ones in turns."""
SENDERS = 3
POINTS = 100
SETTLED = 0.2
MARKS = {"trace": b"TRACEIDM", "span": b"SPANIDMK", "start": b"STARTNSM", "end": b"ENDTIMEM"}
"""Octets that stand for what is new in each trace."""


class Delivery:
    """A request whose identities and times are written anew each time that it is sent."""

    def __init__(self, request: ExportTraceServiceRequest) -> None:
        self._octets = bytearray(request.SerializeToString())
        self._places = {name: list(_find(self._octets, mark)) for name, mark in MARKS.items()}
        self.traces = len(self._places["span"])

    def fresh(self, first: int) -> bytes:
        """Return it with the identities *first* and following, as of now."""
        octets, now_ns = self._octets, time.time_ns()
        for name in ("trace", "span"):
            for number, at in enumerate(self._places[name], start=first + 1):
                octets[at : at + 8] = number.to_bytes(8, "little")
        for name, ago_ns in (("start", 2 * 10**7), ("end", 10**7)):
            for at in self._places[name]:
                octets[at : at + 8] = (now_ns - ago_ns).to_bytes(8, "little")
        return bytes(octets)


def _find(octets: bytearray, mark: bytes) -> Iterator[int]:
    at = octets.find(mark)
    while at >= 0:
        yield at
        at = octets.find(mark, at + 1)


def deliveries(paths: int) -> list[Delivery]:
    """Return deliveries that ask for each of *paths* random paths once, and as often for anything else."""
    rng = random.Random(1)
    ordinary = iter(Corpus(paths, 1, hard=False).records())
    groups: list[ResourceSpans] = []
    for _ in range(0, paths, PER_GROUP):
        groups.append(ExportTraceServiceRequest.FromString(next(ordinary).payload).resource_spans[0])
        groups.append(_random_paths(rng))
    made = []
    for at in range(0, len(groups), GROUPS):
        request = ExportTraceServiceRequest(resource_spans=groups[at : at + GROUPS])
        for span in (span for group in request.resource_spans for span in group.scope_spans[0].spans):
            span.trace_id, span.span_id = rng.randbytes(8) + MARKS["trace"], MARKS["span"]
            span.start_time_unix_nano = int.from_bytes(MARKS["start"], "little")
            span.end_time_unix_nano = int.from_bytes(MARKS["end"], "little")
        made.append(Delivery(request))
    return made


def _random_paths(rng: random.Random) -> ResourceSpans:
    group = ResourceSpans()
    group.resource.attributes.append(attribute("service.name", "scanned"))
    spans = group.scope_spans.add().spans
    for _ in range(PER_GROUP):
        words = ("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 12))) for _ in range(6))
        path = "/" + "/".join(itertools.islice(words, rng.randint(1, 6)))
        span = Span(kind=Span.SPAN_KIND_SERVER)
        values: dict[str, str | int] = {
            "http.request.method": rng.choice(("GET", "GET", "POST")),
            "url.path": path,
            "server.address": "scanned.example",
            "http.response.status_code": rng.choice((200, 404)),
            "http.response.header.content-type": "application/json",
            "levo.http.response.body": json.dumps({"id": rng.randrange(10**6), "path": path}),
        }
        span.attributes.extend(attribute(key, value) for key, value in values.items())
        spans.append(span)
    return group


class Sending:
    """Sends *traces* traces over a few connections; one that is told to come later does."""

    def __init__(self, satellite: RunningSatellite, made: list[Delivery], traces: int) -> None:
        self._address = urlsplit(satellite.otlp_http).netloc
        self._rounds = itertools.cycle(made)
        self._traces = traces
        self._lock = threading.Lock()
        self._begun = 0
        self.sent = 0
        self.told_to_wait = 0
        self.error = ""
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        headers = {"Content-Type": "application/x-protobuf", "X-Levo-Organization-Id": "acme"}
        while True:
            with self._lock:
                if self._begun >= self._traces:
                    return
                delivery = next(self._rounds)
                octets = delivery.fresh(self._begun)
                self._begun += delivery.traces
            while True:
                connection.request("POST", "/v1/traces", octets, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status not in (429, 503):
                    break
                self.told_to_wait += 1
                time.sleep(float(answer.getheader("Retry-After") or 1))
            if answer.status != 200:
                self.error = f"answered {answer.status}"
                return
            with self._lock:
                self.sent += delivery.traces

    def stop(self) -> None:
        """Begin no other delivery."""
        self._traces = 0


def resident_mib(process: int) -> tuple[float, float]:
    """Return what is resident of the Satellite *process* and of the learner that it has started, in MiB."""
    (learner,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    found = []
    for each in (process, learner):
        lines = Path(f"/proc/{each}/status").read_text().splitlines()
        found.append(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024)
    return found[0], found[1]


class Point(NamedTuple):
    """What is taken when so many traces are learned."""

    learned: int
    satellite_mib: float
    learner_mib: float
    catalog_mb: float
    journal_mb: float
    endpoints: int


def point_of(satellite: RunningSatellite) -> Point:
    """Measure *satellite* now and print it."""
    summary = satellite.summary()
    sizes = {
        name: sum(file.stat().st_size for file in satellite.data_dir.glob(pattern)) / 1e6
        for name, pattern in (("catalog", "catalog.sqlite3*"), ("journal", "journal/*"))
    }
    found = Point(
        int(summary["counters"].get("learned_traces", 0)),
        *resident_mib(satellite.process.pid),
        sizes["catalog"],
        sizes["journal"],
        int(summary["endpoints"]),
    )
    print(
        f"{found.learned:12,} {found.satellite_mib:10.1f} {found.learner_mib:8.1f} {found.catalog_mb:8.1f}"
        f" {found.journal_mb:8.1f} {found.endpoints:9,}",
        flush=True,
    )
    return found


def main() -> None:
    """Send, print a line now and then, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("traces", type=int, nargs="?", default=10_000_000)
    parser.add_argument("--paths", type=int, default=PATHS, help="random ones (%(default)s)")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw memory over traces")
    parser.add_argument("--minutes", type=float, default=1e9, help="send no longer than that")
    options = parser.parse_args()
    made = deliveries(options.paths)
    points: list[Point] = []
    print(
        f"{'learned':>12} {'web, MiB':>10} {'learner':>8} {'catalog, MB':>8} {'journal':>8} {'endpoints':>9}"
    )
    with tempfile.TemporaryDirectory() as folder, RunningSatellite(Path(folder)) as satellite:
        start = time.monotonic()
        sending = Sending(satellite, made, options.traces)
        while not sending.done or any((satellite.data_dir / "journal").glob("*.segment")):
            time.sleep(1.0)
            learned = int(satellite.summary()["counters"].get("learned_traces", 0))
            if learned >= (points[-1].learned if points else 0) + options.traces / POINTS:
                points.append(point_of(satellite))
            if time.monotonic() - start > options.minutes * 60:
                sending.stop()
        points.append(point_of(satellite))
        took = time.monotonic() - start
        counters = satellite.summary()["counters"]
    print(f"{sending.sent:,} sent in {took:.0f} s, told to wait {sending.told_to_wait:,} times; {counters}")
    if sending.error or counters["learned_traces"] != sending.sent:
        sys.exit(sending.error or "not all were learned")
    settled = [point for point in points if point.learned >= SETTLED * sending.sent]
    for name in ("satellite_mib", "learner_mib", "catalog_mb"):
        first, last = getattr(settled[0], name), getattr(settled[-1], name)
        most = max(getattr(point, name) for point in settled)
        print(f"{name}: {first:.1f} at {settled[0].learned:,}, {last:.1f} at the end, at most {most:.1f}")
    if options.figure:
        series = [
            (title, [(point.learned / 1e6, getattr(point, name)) for point in points])
            for title, name in (("learner", "learner_mib"), ("receiver and pages", "satellite_mib"))
        ]
        text = svg.lines("Resident memory of a Satellite", series, x="million traces learned", y="MiB")
        options.figure.write_text(text)


if __name__ == "__main__":
    main()
