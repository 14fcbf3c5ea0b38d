"""A disk that is full and databases that are damaged, under a real Satellite: one line, and no traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, until
from tests.satellite.small_disk import mounted_disk

FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[RunningSatellite]:
    with mounted_disk(tmp_path / "disk", 80) as folder, RunningSatellite(folder / "data") as running:
        body = traces([Call()]).SerializeToString()
        assert running.post("/v1/traces", body, content_type=PROTOBUF).status == 200
        running.until_learned(1)
        running.until_idle()
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        yield running


@pytest.mark.root
def test_what_cannot_be_written_is_answered_with_507_and_changes_nothing(full: RunningSatellite) -> None:
    name = "x" * 90
    posts = {
        "/settings/tokens": b"scope=ingest&organization=acme&name=" + name.encode(),
        "/settings/accounts": b"name=anna&role=admin&password=correct+horse+battery",
        "/settings/webhooks": b"url=http://127.0.0.1:1/" + name.encode() * 9,
        "/views": b"query=q%3D1&name=" + name[:50].encode(),
        "/endpoints/1/decide": b"kind=accept",
    }
    for path, form in posts.items():
        statuses = {full.post(path, form, **FORM).status for _ in range(30)}
        assert 507 in statuses and statuses <= {303, 200, 507}, path
    answer = full.post("/views", posts["/views"], **FORM)
    assert answer.json()["detail"] == "the disk of this Satellite is full; nothing was changed"
    assert full.post("/api/backup", b"", **FORM).status in (503, 507)
    body = traces([Call()]).SerializeToString()
    assert full.post("/v1/traces", body, content_type=PROTOBUF).status == 429
    for path in ("/healthz", "/catalog", "/sensors", "/api/endpoints"):
        assert full.get(path).status == 200, path
    assert "Traceback" not in full.errors
    assert full.errors.count("the disk of this Satellite is full") <= 5


def test_a_catalog_that_is_damaged_while_in_use_is_named(tmp_path: Path) -> None:
    with RunningSatellite(tmp_path) as running:
        body = traces([Call(path=f"/orders{n}/x") for n in range(300)]).SerializeToString()
        assert running.post("/v1/traces", body, content_type=PROTOBUF).status == 200
        running.until_learned(300)
        assert running.terminate() == 0
    path = tmp_path / "catalog.sqlite3"
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'endpoint'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with RunningSatellite(tmp_path) as running:
        answer = running.get("/api/endpoints")
        assert answer.status == 503
        assert "damaged; stop it and restore a backup" in answer.json()["detail"]
        until(lambda: "is damaged" in running.errors)
        assert "Traceback" not in running.errors
