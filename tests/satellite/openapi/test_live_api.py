"""A learned document, put into a fuzzer of its own kind, finds the operations of the live sample API."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from levo.cli.learn import read_file
from levo.demo.capture_file import write_capture
from levo.demo.loopback import ApiServer
from levo.demo.messages import Response, SampleRequest
from levo.demo.sample_api import API_TOKEN, SampleApi
from levo.satellite.learn import State, learn
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of
from tests.helpers.effort import scaled

START_NS = 1_700_000_000 * 10**9
EXAMPLES = str(scaled(12) // 4)
"""Made-up requests per operation, besides those of the document: 3, in the long form 30."""


class CountingApi(SampleApi):
    """The sample API; remembers how each of its routes answered."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.answered: Counter[tuple[str, int]] = Counter()

    def answer(self, request: SampleRequest) -> Response:
        response = super().answer(request)
        self.answered[self.route(request.method, request.target), response.status] += 1
        return response

    def route(self, method: str, target: str) -> str:
        """The route that a request belongs to, as a regular expression; empty when there is none."""
        path = target.partition("?")[0]
        found = (p.pattern for m, p, _, _ in self._routes if m == method and p.fullmatch(path))
        return next((f"{method} {pattern}" for pattern in found), "")

    def routes(self) -> set[str]:
        return {f"{method} {pattern.pattern}" for method, pattern, _, _ in self._routes}


@contextmanager
def serving(api: SampleApi) -> Iterator[int]:
    """Serve *api* on loopback by a thread of its own; gives the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ApiServer(api)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(60)
        yield server.port
        asyncio.run_coroutine_threadsafe(server.close(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> State:
    file = tmp_path_factory.mktemp("capture") / "sample.pcap"
    with file.open("wb") as written:
        write_capture(written, 5, 4000, START_NS, 100.0)
    state = State()
    for trace in read_file(file):
        learn(state, trace)
    return state


def run_fuzzer(document: Path, port: int, *checks: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", f"http://127.0.0.1:{port}",
            "--header", f"Authorization: Bearer {API_TOKEN}", "--max-examples", EXAMPLES, "--seed", "1",
            "--phases", "examples,fuzzing", "--mode", "positive", "--checks", ",".join(checks),
            "--generation-database", "none", "--no-color", "--continue-on-failure",
        ],
        capture_output=True, text=True, timeout=300, cwd=document.parent,
    )  # fmt: skip


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_schemathesis_finds_the_described_operations(learned: State, version: str, tmp_path: Path) -> None:
    document: dict[str, Any] = render_document("demo", operations_of(learned), version=version)
    validate(document)
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    api = CountingApi(5)
    with serving(api) as port:
        done = run_fuzzer(file, port, "content_type_conformance")

    described = {
        api.route(method.upper(), path.replace("{", "").replace("}", ""))
        for path, item in document["paths"].items()
        for method in item
    }
    reached = {route for route, status in api.answered if route and status != 405}
    succeeded = {route for route, status in api.answered if route and status < 400}
    assert described == api.routes(), "what was learned is what there is"
    assert reached == api.routes()
    assert len(succeeded) >= 15, api.routes() - succeeded
    assert not done.returncode, done.stdout
