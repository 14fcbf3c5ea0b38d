"""Measures a real ``levo satellite`` fed over OTLP/gRPC: ``python -m bench.learning.live cost|memory``.

``cost``: traces per CPU second of the Satellite's processes, with two JSON bodies of 4 kB, received, made
durable, learned and stored. ``memory``: resident memory of its processes while many small traces with random
paths pass.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import NamedTuple

import grpc
import orjson
from bench.learning.run import item
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
JOURNAL = "64MiB"
"""So little may wait that what is sent is not far ahead of what is learned."""
_TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP = 20_000
"""Traces after which the four endpoints are known well, so that one body in 16 is looked into."""
_MARK = bytes.fromhex("c0ffee00c0ffee00c0ffee00")
"""Opens the trace id of a template, so that its place in the octets can be found."""


class Usage(NamedTuple):
    """Of one process."""

    cpu_s: float
    rss_bytes: int


class Satellite:
    """``levo satellite`` in processes of its own; use as a context."""

    def __init__(self, data_dir: Path) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", "levo", "satellite", "--data-dir", str(data_dir),
                "--listen", "127.0.0.1:0", "--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LEVO_SATELLITE_JOURNAL_MAX_BYTES": JOURNAL},
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"OTLP/gRPC (\S+)", line)
        if found is None:
            raise RuntimeError(f"the Satellite is not ready: {line!r}")
        self.grpc = found[1]
        self._journal = data_dir / "journal"

    def __enter__(self) -> Satellite:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(60)

    def usage(self) -> dict[str, Usage]:
        """By ``receiver`` and ``learner``."""
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return dict(zip(("receiver", "learner"), map(_usage, (main, *map(int, children))), strict=True))

    def is_idle(self) -> bool:
        """Whether all that was accepted is learned and committed."""
        return not any(self._journal.glob("*.segment"))


def _usage(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


class Deliveries:
    """Export requests made once and sent again and again, each time with new span ids and times."""

    def __init__(self, requests: list[ExportTraceServiceRequest]) -> None:
        self._templates: list[tuple[bytearray, list[int]]] = []
        for request in requests:
            octets = bytearray(request.SerializeToString())
            self._templates.append((octets, [found.start() for found in re.finditer(_MARK, octets)]))
        self._number = 0

    def next(self, index: int) -> tuple[bytes, int]:
        """Return the octets of request *index*, in turn, and its spans."""
        octets, places = self._templates[index % len(self._templates)]
        for place in places:
            self._number += 1
            # Trace id (16 octets), tag and length of the span id (2), span id (8).
            octets[place + 12 : place + 16] = self._number.to_bytes(4)
            octets[place + 18 : place + 26] = self._number.to_bytes(8)
        return bytes(octets), len(places)


def request_of(spans: list[dict[str, str | bytes | int]]) -> ExportTraceServiceRequest:
    """Return an export request as the sensor makes them, with a mark where each span's ids are."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for key, value in (("service.name", "shop"), ("levo.sensor.id", "bench")):
        resource.resource.attributes.add(key=key).value.string_value = value
    into = resource.scope_spans.add().spans
    now = time.time_ns()
    for attributes in spans:
        span = into.add(trace_id=_MARK + bytes(4), span_id=bytes(8), kind=Span.SPAN_KIND_SERVER)
        span.start_time_unix_nano, span.end_time_unix_nano = now - 10**7, now
        span.attributes.extend(_attribute(*each) for each in attributes.items())
    return request


def _attribute(key: str, value: str | bytes | int) -> KeyValue:
    made = KeyValue(key=key)
    if isinstance(value, bytes):
        made.value.bytes_value = value
    elif isinstance(value, str):
        made.value.string_value = value
    else:
        made.value.int_value = value
    return made


def full_spans(rng: Random, count: int) -> Iterator[dict[str, str | bytes | int]]:
    """Spans with two bodies of 4 kB and eleven header fields each way."""
    bodies = [orjson.dumps({"items": [item(rng) for _ in range(14)], "total": 14}) for _ in range(50)]
    for number in range(count):
        attributes: dict[str, str | bytes | int] = {
            "http.request.method": "POST",
            "url.scheme": "http",
            "url.path": f"/v1/{rng.choice(('orders', 'users', 'items', 'carts'))}/{rng.randrange(10**6)}",
            "url.query": "page=1",
            "server.address": "shop.example",
            "client.address": f"10.0.0.{number % 200}",
            "http.response.status_code": 200,
            "levo.http.request.body": rng.choice(bodies),
            "levo.http.response.body": rng.choice(bodies),
        }
        for side in ("request", "response"):
            attributes[f"http.{side}.header.content-type"] = "application/json"
            attributes[f"http.{side}.header.x-request-id"] = rng.randbytes(8).hex()
            for name in ("accept", "user-agent", "via", "date", "vary", "server", "x-a", "x-b", "x-c"):
                attributes[f"http.{side}.header.{name}"] = "some words of a header"
        yield attributes


def small_spans(rng: Random, count: int) -> Iterator[dict[str, str | bytes | int]]:
    """Spans with one small body; each has a random path of its own."""
    for _ in range(count):
        yield {
            "http.request.method": "GET",
            "url.path": f"/v1/{_word(rng)}/{_word(rng)}",
            "server.address": "shop.example",
            "client.address": f"10.0.{rng.randrange(8)}.{rng.randrange(250)}",
            "http.response.status_code": 200,
            "http.response.header.content-type": "application/json",
            "levo.http.response.body": orjson.dumps({"id": rng.randrange(10**6), "name": _word(rng)}),
        }


def _word(rng: Random) -> str:
    return "".join(rng.choices("bcdfghklmnprstvw", k=3)) + "".join(rng.choices("aeiou-xz", k=5))


def send(satellite: Satellite, deliveries: Deliveries, traces: int) -> Iterator[int]:
    """Send *traces*, yielding how many are acknowledged; waits while the journal is full."""
    sent = index = 0
    with grpc.insecure_channel(satellite.grpc) as channel:
        export = channel.unary_unary(EXPORT)
        while sent < traces:
            octets, spans = deliveries.next(index)
            try:
                export(octets, timeout=60)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                time.sleep(0.1)
                continue
            index += 1
            sent += spans
            yield sent


def cost(traces: int, batch: int) -> dict[str, float]:
    """Return traces per CPU second: in all, of the receiver and of the learner, after the first 20,000."""
    rng = Random(1)
    spans = list(full_spans(rng, 2_000))
    requests = [request_of(spans[at : at + batch]) for at in range(0, len(spans), batch)]
    with tempfile.TemporaryDirectory() as name, Satellite(Path(name)) as satellite:
        deliveries = Deliveries(requests)
        for _ in send(satellite, deliveries, WARM_UP):
            pass
        _settle(satellite)
        before = satellite.usage()
        start = time.monotonic()
        done = 0
        for done in send(satellite, deliveries, traces):  # noqa: B007
            pass
        _settle(satellite)
        took = time.monotonic() - start
        after = satellite.usage()
    spent = {role: after[role].cpu_s - before[role].cpu_s for role in after}
    return {
        "all": done / sum(spent.values()),
        **{role: done / seconds for role, seconds in spent.items()},
        "wall": done / took,
        "rss MiB": sum(usage.rss_bytes for usage in after.values()) / 2**20,
    }


def _settle(satellite: Satellite) -> None:
    while not satellite.is_idle():
        time.sleep(0.1)


def memory(traces: int, paths: int, every: int, data: Path) -> Iterator[dict[str, float]]:
    """Yield, after *every* traces, how much memory each process has and the catalog on disk, in MiB."""
    spans = list(small_spans(Random(7), paths))
    deliveries = Deliveries([request_of(spans[at : at + 500]) for at in range(0, paths, 500)])
    del spans
    due = 0
    start = time.monotonic()
    with Satellite(data) as satellite:
        for sent in send(satellite, deliveries, traces):
            if sent >= due or sent >= traces:
                due += every
                usage = satellite.usage()
                yield {
                    "traces": sent,
                    "seconds": round(time.monotonic() - start, 1),
                    **{role: round(each.rss_bytes / 2**20, 1) for role, each in usage.items()},
                    **{f"{role} cpu": each.cpu_s for role, each in usage.items()},
                    "disk": round(sum(f.stat().st_size for f in data.glob("catalog*")) / 2**20, 1),
                }
        _settle(satellite)
        usage = satellite.usage()
        yield {"traces": sent, **{r: round(u.rss_bytes / 2**20, 1) for r, u in usage.items()}}


def main() -> int:
    """Print the figures, as JSON Lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cost", "memory"))
    parser.add_argument("--traces", type=int)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=250_000)
    options = parser.parse_args()
    if options.what == "cost":
        print(orjson.dumps(cost(options.traces or 100_000, options.batch)).decode())
        return 0
    with tempfile.TemporaryDirectory() as name:
        for line in memory(options.traces or 10_000_000, options.paths, options.every, Path(name)):
            print(orjson.dumps(line).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
