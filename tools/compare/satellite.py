"""What a Satellite answers once it has learned recorded deliveries: OpenAPI, endpoints and the rest of REST.

Clock and key are fixed (``fixed/sitecustomize.py``), deliveries go in one at a time, each learned before the
next is sent, and the answers are asked of a Satellite started anew, which has nothing but its files.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import urllib3

from tools.compare.commits import Tree
from tools.compare.inputs import Input
from tools.compare.sensor import environment, write

_FIXED = Path(__file__).resolve().parent / "fixed"
_PATIENCE_S = 120.0
_INPUTS_PER_DELIVERY = 24
_PAGE = 200
_SETTLED_S = 4.0
_IDENTITY = re.compile(r"\{[a-z_]+\}")
Answer = tuple[int, Any]


def deliveries_of(inputs: Sequence[Input], sent: Path) -> list[tuple[str, bytes]]:
    """Return (``traces`` or ``metrics``, octets): what a sensor sent, some inputs of one corpus at a time."""
    found = []
    captures = [each for each in inputs if each.is_capture]
    for _, of_corpus in groupby(captures, key=lambda each: each.corpus):
        files = list(of_corpus)
        for at in range(0, len(files), _INPUTS_PER_DELIVERY):
            group = files[at : at + _INPUTS_PER_DELIVERY]
            for kind in ("traces", "metrics"):
                octets = b"".join((sent / f"{each.name}.{kind}").read_bytes() for each in group)
                found += [(kind, octets)] if octets else []
    return found


def ask_all(tree: Tree, deliveries: Iterable[tuple[str, bytes]], out: Path) -> None:
    """Let the Satellite of *tree* learn, and write what it answers to *out*/PART.

    Raises:
        RuntimeError: it does not start, or does not learn in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        with satellite(tree, Path(folder)) as running:
            for kind, octets in deliveries:
                running.teach(kind, octets)
        with satellite(tree, Path(folder)) as running:
            for name, answer in _answers(running):
                write(out / name, json.dumps(answer, indent=1, ensure_ascii=False).encode())


class Running:
    """A Satellite that listens."""

    def __init__(self, web: str, otlp: str) -> None:
        self._web, self._otlp = web, otlp
        self._pool = urllib3.PoolManager(timeout=_PATIENCE_S, retries=False)

    def get(self, path: str, **query: str | int) -> Answer:
        """Return status and content, JSON where it is."""
        asked = "?" + urllib.parse.urlencode(query) if query else ""
        answer = self._pool.request("GET", f"{self._web}{path}{asked}")
        try:
            return answer.status, json.loads(answer.data)
        except ValueError:
            return answer.status, answer.data.decode("utf-8", "replace")

    @property
    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except urllib3.exceptions.HTTPError:
            return False

    def teach(self, kind: str, octets: bytes) -> None:
        """Send one delivery, and wait until it is in the catalog."""
        before = self._revision()
        answer = self._pool.request(
            "POST",
            f"{self._otlp}/v1/{kind}",
            body=octets,
            headers={"content-type": "application/x-protobuf"},
        )
        if answer.status != 200:
            raise RuntimeError(f"a delivery of {kind} was refused with status {answer.status}")
        _wait(lambda: self._revision() != before, f"a delivery of {kind} was not learned")

    def _revision(self) -> Any:
        return self.get("/api/summary")[1]["revision"]


@contextmanager
def satellite(tree: Tree, data: Path) -> Iterator[Running]:
    """Run a Satellite over *data*; SIGTERM ends it, after it has learned everything."""
    web, otlp = _free_ports(2)
    addresses = ["--listen", f"127.0.0.1:{web}", "--otlp-http", f"127.0.0.1:{otlp}"]
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "levo", "satellite", "--data-dir", str(data)),
            *addresses,
            *("--otlp-grpc", "127.0.0.1:0"),
        ],
        cwd=data,
        env=environment(tree, _FIXED),
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            running = Running(f"http://127.0.0.1:{web}", f"http://127.0.0.1:{otlp}")
            _wait(lambda: running.is_ready or process.poll() is not None, f"no Satellite of {tree.name}")
            if process.poll() is not None:
                raise RuntimeError(f"the Satellite of {tree.name} ended with status {process.returncode}")
            yield running
        finally:
            process.terminate()
            process.wait(_PATIENCE_S)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _wait(done: Any, problem: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"{problem} within {_PATIENCE_S:g} s")
        time.sleep(0.05)


def _answers(running: Running) -> Iterator[tuple[str, Answer]]:
    """Yield (part and name, answer) for every GET route that the Satellite says it has."""
    description = running.get("/api")
    yield "rest/api", description
    routes = {
        path: {each["name"]: each["schema"] for each in item["get"]["parameters"] if each["in"] == "query"}
        for path, item in description[1]["paths"].items()
        if "get" in item and path != "/api"
    }
    endpoints = {row["id"]: _name_of(row) for row in _rows(running, "/api/endpoints")}
    places = [
        {name: row[name] for name in ("organization", "environment", "application") if row[name]}
        for row in _rows(running, "/api/applications")
    ]
    for path, parameters in routes.items():
        part = _part(path)
        if not _IDENTITY.search(path):
            continue
        for identity, name in endpoints.items() if path.startswith("/api/endpoints/") else ():
            one = _IDENTITY.sub(str(identity), path)
            for query in _ranges(parameters):
                answer = running.get(one, **query)
                yield _named(part, f"{_IDENTITY.sub('one', path)}/{name}", query), answer
    # What is worked out now and then comes last, when it has been.
    _settle(running, [path for path in routes if not _IDENTITY.search(path)])
    for path, parameters in routes.items():
        if _IDENTITY.search(path):
            continue
        part = _part(path)
        if "version" in parameters:
            for place in places:
                for query in ({"version": "3.0"}, {"version": "3.1"}, {"version": "3.1", "plain": "1"}):
                    yield _named(part, path, place | query), running.get(path, **place, **query)
        elif set(parameters) == {"organization", "environment", "application"}:
            for place in places:
                yield _named(part, path, place), running.get(path, **place)
        elif "limit" in parameters:
            yield _named(part, path, {}), _with_names(_whole(running, path), endpoints)
        else:
            for query in _ranges(parameters):
                yield _named(part, path, query), running.get(path, **query)


def _part(path: str) -> str:
    if path == "/api/openapi":
        return "openapi"
    return "endpoints" if path in ("/api/endpoints", "/api/endpoints/{id}") else "rest"


def _named(part: str, path: str, query: dict[str, str]) -> str:
    detail = ",".join(f"{name}={value}" for name, value in query.items())
    return f"{part}/satellite{path}/{detail or 'answer'}"


def _ranges(parameters: dict[str, Any]) -> list[dict[str, str]]:
    return [{"range": each} for each in parameters.get("range", {}).get("enum", ())] or [{}]


def _whole(running: Running, path: str) -> Answer:
    """Return the first page with the rows of all pages."""
    status, first = running.get(path, limit=_PAGE, offset=0)
    following = first.get("next") if status == 200 else None
    while isinstance(following, int):
        _, page = running.get(path, limit=_PAGE, offset=following)
        for name, rows in page.items():
            if isinstance(rows, list):
                first[name] += rows
        following = page.get("next")
    return status, first


def _rows(running: Running, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _whole(running, path)[1][path.rpartition("/")[2]]
    return rows


def _name_of(row: dict[str, Any]) -> str:
    """Name an endpoint by what it is: its number shifts when there is another one before it."""
    place = "/".join(row[name] for name in ("organization", "environment", "application", "host"))
    name = urllib.parse.quote(f"{place} {row['method']} {row['path']}", safe=" {}")
    return name if len(name) <= 200 else f"{name[:180]} {hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _with_names(answer: Answer, endpoints: dict[int, str]) -> Answer:
    """Put the name in place of the number where rows of an answer refer to an endpoint."""
    rows = answer[1].values() if isinstance(answer[1], dict) else ()
    for row in (each for item in rows if isinstance(item, list) for each in item if isinstance(each, dict)):
        if "endpoint" in row:
            row["endpoint"] = endpoints.get(row["endpoint"], row["endpoint"])
    return answer


def _settle(running: Running, paths: Sequence[str]) -> None:
    """Wait until answers no longer change."""
    seen, since = None, time.monotonic()
    end = since + _PATIENCE_S
    while time.monotonic() - since < _SETTLED_S:
        now = [running.get(path) for path in paths]
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() > end:
            raise RuntimeError("the answers of the Satellite go on changing")
        time.sleep(0.5)
