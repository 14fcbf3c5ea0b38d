"""A collector of OTLP/HTTP traces that counts: ``python -m tests.packaging.collector ADDRESS PORT``.

GET /summary answers {"spans": N, "paths": {path: N}, "resource": {attribute: value}}.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Seen:
    """What came in so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.paths: Counter[str] = Counter()
        self.resource: dict[str, str] = {}

    def add(self, octets: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(octets)
        with self.lock:
            for group in request.resource_spans:
                self.resource |= {each.key: each.value.string_value for each in group.resource.attributes}
                for scope in group.scope_spans:
                    for span in scope.spans:
                        path = next(
                            (a.value.string_value for a in span.attributes if a.key == "url.path"), ""
                        )
                        self.paths[path] += 1


def handler(seen: Seen) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            octets = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                seen.add(
                    gzip.decompress(octets) if self.headers.get("Content-Encoding") == "gzip" else octets
                )
            self._answer(b"", "application/x-protobuf")

        def do_GET(self) -> None:
            with seen.lock:
                found = {"spans": seen.paths.total(), "paths": seen.paths, "resource": seen.resource}
                self._answer(json.dumps(found).encode(), "application/json")

        def _answer(self, octets: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    return Handler


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), handler(Seen())).serve_forever()
