"""What the sensor and ``levo learn`` make of each input: JSONL, OTLP, ledger, OpenAPI."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tools.compare.commits import Tree
from tools.compare.exceptions import IGNORED_ATTRIBUTES, IGNORED_LOG_FIELDS
from tools.compare.inputs import Input

_HERE = Path(__file__).resolve().parent
_ALWAYS = ["--rate-limit", "0", "--max-memory", "64MiB", "--log-format", "json"]
# A batch goes out when it is full or at the end, so that the clock does not say where batches end.
_CONFIG = "trace-export-interval: 600s\n"


class Sink:
    """An OTLP collector that keeps what it is sent until it is taken."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                with lock:
                    outer._bodies.append((self.path.rpartition("/")[2], body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, kind: str) -> bytes:
        """Return the bodies of one kind as one message (protobuf messages are joined by concatenation)."""
        taken = b"".join(body for name, body in self._bodies if name == kind)
        self._bodies = [each for each in self._bodies if each[0] != kind]
        return taken

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Runner:
    """Commands of one tree."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, arguments: Sequence[str], stdout: Path, stderr: Path) -> int:
        """Run one command to its end; return its exit status, negative for a signal."""
        assert self._process.stdin is not None and self._process.stdout is not None
        job = {"arguments": list(arguments), "stdout": str(stdout), "stderr": str(stderr)}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the commands has ended")
        return int(answer)


def environment(tree: Tree, *first: Path) -> dict[str, str]:
    """Return variables with which Python finds this tree, and nothing of the user's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LEVO_", "PYTHON"))}
    path = os.pathsep.join(map(str, (*first, tree.source)))
    return kept | {"PYTHONPATH": path, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}


@contextmanager
def runner(tree: Tree, folder: Path) -> Iterator[Runner]:
    """Start the process that runs commands, in *folder*."""
    with subprocess.Popen(
        [sys.executable, str(_HERE / "runner.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(tree),
    ) as process:
        try:
            yield Runner(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def collect(tree: Tree, inputs: Sequence[Input], out: Path, *, learns: bool) -> None:
    """Run all inputs; answers go to *out*/PART, OTLP as it was sent to *out*/sent."""
    with tempfile.TemporaryDirectory() as scratch:
        sink = Sink()
        work = Path(scratch)
        (work / "config.yaml").write_text(_CONFIG)
        try:
            with runner(tree, work) as levo:
                for each in inputs:
                    if each.is_capture:
                        _observe(levo, sink, each, work, out)
                    if learns:
                        _learn(levo, each, work, out)
        finally:
            sink.close()


def _observe(levo: Runner, sink: Sink, each: Input, work: Path, out: Path) -> None:
    keys = ["--tls-keylog", str(each.key_log)] if each.key_log else []
    names = ["--service-name", each.corpus, "--levo-env", "compared", "--config", "config.yaml"]
    reading = ["apidump", "--read", str(each.path), *keys, *names, *_ALWAYS]
    ways = {
        "masked": ["--output", "jsonl:exchanges", "--output", "otlp", "--satellite-url", sink.url],
        "plain": ["--output", "jsonl:exchanges", "--no-redact"],
    }
    for way, options in ways.items():
        lines = work / "exchanges"
        lines.unlink(missing_ok=True)
        status = levo.run([*reading, *options], work / "stdout", work / "stderr")
        write(out / "jsonl" / f"{each.name}.{way}", lines.read_bytes() if lines.exists() else b"")
        report = {"status": status, "report": ledger_of((work / "stderr").read_text(), sink.url)}
        write(out / "ledger" / f"{each.name}.{way}", json.dumps(report, indent=1).encode())
    traces, metrics = sink.take("traces"), sink.take("metrics")
    write(out / "otlp" / each.name, otlp_lines(traces))
    write(out / "sent" / f"{each.name}.traces", traces)
    write(out / "sent" / f"{each.name}.metrics", metrics)


def _learn(levo: Runner, each: Input, work: Path, out: Path) -> None:
    for version in ("3.0", "3.1"):
        status = levo.run(["learn", str(each.path), "--openapi", version], work / "stdout", work / "stderr")
        head = b"" if status == 0 else f"exit status {status}\n".encode()
        write(out / "openapi" / f"{each.name}.{version}", head + (work / "stdout").read_bytes())


def write(path: Path, octets: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)


def ledger_of(log: str, url: str) -> list[dict[str, Any]]:
    """Return the structured lines of a sensor's last report; what is worded, and times, are left out."""
    found = []
    for line in log.replace(url, "http://satellite").splitlines():
        entry = json.loads(line) if line.startswith("{") else {"line": line}
        if "event" in entry or "line" in entry or entry.get("level") == "error":
            kept = entry if entry.get("level") == "error" else _without(entry, IGNORED_LOG_FIELDS)
            found.append(_without(kept, {"time"}))
    return found


def _without(entry: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


def otlp_lines(message: bytes) -> bytes:
    """Return an ExportTraceServiceRequest as lines: each resource and scope once, each span in hexadecimal.

    Spans stay octet for octet what they were; how many went in one request does not matter.
    """
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    lines: list[bytes] = []
    latest: dict[str, bytes] = {}

    def say(kind: str, line: bytes) -> None:
        if latest.get(kind) != line:
            latest[kind] = line
            lines.append(line)

    for _, resource_spans in protobuf_fields(message):
        rest = []
        for number, value in protobuf_fields(resource_spans):
            if number == 1:
                attributes = [
                    [each.key, str(each.value).strip()]
                    for each in Resource.FromString(value).attributes
                    if each.key not in IGNORED_ATTRIBUTES
                ]
                say("resource", json.dumps({"resource": attributes}).encode())
            elif number == 2:
                for inner, octets in protobuf_fields(value):
                    if inner == 2:
                        rest.append(b"span " + octets.hex().encode())
                    else:
                        say(f"scope {inner}", f"scope {inner} {octets.hex()}".encode())
            else:
                say(f"schema {number}", f"schema {number} {value.hex()}".encode())
        lines += rest
    return b"\n".join(lines)


def protobuf_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, octets) of the length-delimited fields of a message that has no others.

    Raises:
        ValueError: it has others, or is cut.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        if tag & 7 != 2 or at + length > len(message):
            raise ValueError(f"not a message of messages at octet {at}")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        value |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not message[at - 1] & 0x80:
            return value, at
    raise ValueError("the message is cut")
