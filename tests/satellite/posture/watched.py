"""A server whose every exchange is learned from, as a sensor would report it: real HTTP, the real learner."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import orjson

from levo.satellite.learn import (
    BodyBudget,
    Detectors,
    LearnSettings,
    NameRule,
    Origin,
    State,
    Trace,
    learn_all,
)
from levo.satellite.posture import Facts, Finding, PostureSettings, evaluate, read_facts
from levo.satellite.posture.settings import DEFAULT_SETTINGS
from levo.satellite.queue import Position
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter

SECOND = 10**9
START_NS = 1_700_000_000 * SECOND
BEARER = {"Authorization": "Bearer 0123456789abcdef"}


@dataclass(frozen=True)
class Request:
    """What a server gets."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def known(self) -> bool:
        """Whether it has a bearer token."""
        return self.headers.get("authorization", "").startswith("Bearer ")


@dataclass(frozen=True)
class Response:
    """What it answers: *body* as JSON, or octets of the type *media*."""

    status: int = 200
    body: object = None
    media: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


NOT_FOUND = Response(404, {"error": "not found"})
DENIED = Response(401, {"error": "who are you?"})
Route = Callable[[Request, re.Match[str]], Response]
Routes = Mapping[str, Route]
"""By a pattern of ``METHOD /path``."""


class Watched:
    """Serves *routes* on loopback, and keeps what is asked and answered; use as a context."""

    def __init__(self, routes: Routes) -> None:
        self.traces: list[Trace] = []
        compiled = [(re.compile(pattern), route) for pattern, route in routes.items()]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline:
                    self.close_connection = True
                elif self.parse_request():
                    self._answer()

            def _answer(self) -> None:
                target = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, target.path, target.query, headers, body)
                named = f"{self.command} {target.path}"
                found = ((pattern.fullmatch(named), route) for pattern, route in compiled)
                response = next((route(request, match) for match, route in found if match), NOT_FOUND)
                octets = response.body if isinstance(response.body, bytes) else orjson.dumps(response.body)
                if response.body is None:
                    octets = b""
                self.send_response_only(response.status)  # no Server, no Date
                if octets:
                    self.send_header("Content-Type", response.media)
                self.send_header("Content-Length", str(len(octets)))
                for name, value in response.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(octets)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self._connection = HTTPConnection(*self._server.server_address[:2], timeout=30)  # type: ignore[arg-type]
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._server.shutdown()
        self._server.server_close()

    def ask(
        self,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        *,
        host: str = "shop.example",
        environment: str = "production",
        client: str = "",
        weight: float = 1.0,
    ) -> int:
        """Ask for ``METHOD /path?query``; return the status."""
        method, _, path = target.partition(" ")
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        octets = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        if octets and "content-type" not in sent:
            sent["content-type"] = "application/json"
        self._connection.request(method, path, octets or None, sent)
        answer = self._connection.getresponse()
        content = answer.read()
        where = urlsplit(path)
        if "authorization" in sent:  # as the sensor masks it
            scheme, _, rest = sent["authorization"].partition(" ")
            sent["authorization"] = f"{scheme} {'*' * len(rest)}"
        number = len(self.traces)
        at = START_NS + number * SECOND
        received = tuple((name.lower(), value) for name, value in answer.getheaders())
        self.traces.append(
            Trace(
                Origin("acme", environment, "shop", "sensor"), host, method, where.path, answer.status,
                weight,
                at, at + 1000, where.query, client or f"9.9.9.{number % 9 + 1}", tuple(sent.items()),
                received, octets, content, identity=number.to_bytes(24),
            )
        )  # fmt: skip
        return answer.status

    def facts(self, folder: Path, parts: Sequence[Sequence[Trace]] | None = None) -> Facts:
        """Return what is learned of all exchanges, committed in *parts*, by default at once."""
        return facts_of_traces(folder, [self.traces] if parts is None else parts)

    def findings(self, folder: Path, settings: PostureSettings = DEFAULT_SETTINGS) -> list[Finding]:
        """Return what is found in all exchanges."""
        return evaluate(self.facts(folder), settings)


def facts_of_traces(folder: Path, parts: Sequence[Sequence[Trace]]) -> Facts:
    """Return what is learned of *parts*, each a commit to a catalog in *folder*, which is new."""
    folder.mkdir(exist_ok=True)
    path = folder / DATABASE_NAME
    for number, part in enumerate(parts, start=1):
        with CatalogWriter(path, key=b"k", names=NameRule()) as writer:
            settings = LearnSettings(
                Detectors(), b"k", BodyBudget(), names=NameRule(), known_names=writer.known_names
            )
            assert settings.budget is not None
            settings.budget.counted(writer.paths_of)
            writer.commit(learn_all(State(), part, settings), Position(1, number))
            writer.look()
    with sqlite3.connect(path) as connection:  # what was looked at early is a little older
        connection.execute("UPDATE endpoint SET looked_traces = 0")
    with CatalogWriter(path, key=b"k", names=NameRule()) as writer:
        writer.look()
    reader = CatalogReader(path)
    try:
        return read_facts(reader)
    finally:
        reader.close()


def brief(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """Return rule, severity, place and subject of each, in order of rule and place."""
    return sorted(
        (
            each.rule,
            str(each.severity),
            f"{each.place.method} {each.place.path}".strip() or each.place.host,
            each.subject,
        )
        for each in findings
    )
