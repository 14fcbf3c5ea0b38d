"""Damaged databases: a Satellite on them starts, or says in one line why not, without a traceback."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.effort import long
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, metrics, traces
from tests.satellite.running import RunningSatellite, fetch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PAGE_BYTES = 4096
PAGES = (
    "/",
    "/catalog",
    "/sensitive",
    "/changes",
    "/sensors",
    "/settings",
    "/api/endpoints",
    "/api/sensitive",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a Satellite that has learned and been set up a little."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    body = '{"id": 7, "email": "ada@example.org"}'
    more = {"levo.http.response.body": body, "http.response.header.content-type": "application/json"}
    with RunningSatellite(folder) as running:
        calls = [
            Call(path=f"/orders/{n}/{word}", more=more) for n in range(9) for word in ("a", "items", "cost")
        ]
        running.post("/v1/traces", traces(calls).SerializeToString(), content_type=PROTOBUF)
        report = metrics({"levo.packets": 9}).SerializeToString()
        running.post("/v1/metrics", report, content_type=PROTOBUF)
        running.until_learned(len(calls))
        running.post("/views", b"name=x&query=q%3D1", content_type="application/x-www-form-urlencoded")
        running.post("/endpoints/1/decide", b"kind=accept", content_type="application/x-www-form-urlencoded")
        assert running.terminate() == 0
    return folder


def outcome(data_dir: Path) -> tuple[int, str]:
    """(exit status, standard error) of a Satellite that is asked for its pages if it starts."""
    try:
        with RunningSatellite(data_dir) as running:
            for page in PAGES:
                fetch("GET", running.web + page, None, {"accept": "text/html"})
            running.post("/v1/traces", traces([Call()]).SerializeToString(), content_type=PROTOBUF)
            return running.terminate(), running.errors
    except AssertionError as error:
        arguments = [sys.executable, "-m", "levo", "satellite", "--data-dir", str(data_dir)]
        ports = ["--listen=127.0.0.1:0", "--otlp-grpc=127.0.0.1:0", "--otlp-http=127.0.0.1:0"]
        again = subprocess.run([*arguments, *ports], capture_output=True, text=True, timeout=180)
        return again.returncode, again.stderr or str(error)


def damaged(octets: bytes, page: int, how: random.Random) -> bytes:
    changed = bytearray(octets)
    start, kind = page * PAGE_BYTES, how.randrange(4)
    if kind == 0:
        changed[start : start + PAGE_BYTES] = how.randbytes(PAGE_BYTES)
    elif kind == 1:
        changed[start : start + PAGE_BYTES] = bytes(PAGE_BYTES)
    else:
        for _ in range(1 if kind == 2 else 40):
            changed[start + how.randrange(PAGE_BYTES)] ^= 1 << how.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("tries", [8, long(60)])
@pytest.mark.parametrize("name", ["catalog.sqlite3", "userdata.sqlite3"])
def test_a_damaged_page_is_no_traceback(whole: Path, tmp_path: Path, name: str, tries: int) -> None:
    octets = (whole / name).read_bytes()
    count = len(octets) // PAGE_BYTES
    how = random.Random(tries)
    pages = [0, 0, *how.choices(range(count), k=tries - 2)] if tries < count else list(range(count)) * 2
    failures = []
    for at, page in enumerate(pages):
        folder = tmp_path / str(at)
        shutil.copytree(whole, folder)
        (folder / name).write_bytes(damaged(octets, page, how))
        status, errors = outcome(folder)
        if "Traceback" in errors or status not in (0, 1, 2) or (status and not errors.strip()):
            failures.append((page, status, errors[-800:]))
        shutil.rmtree(folder)
    assert not failures, f"{len(failures)} of {len(pages)}: {failures[:2]}"
