"""The evidence for a template, from what is stored."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from levo.satellite.learn import Detectors, LearnSettings, Scope, State, Trace, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter, paths
from levo.satellite.store.descriptions import store_description
from levo.satellite.store.paths import read_overrides, read_template
from levo.satellite.store.rotation import KEY_NAME
from levo.satellite.store.userdata import USERDATA_NAME
from tests.satellite.store.catalogs import catalog, trace

SCOPE = Scope("acme", "staging", "shop", "shop.example")


def test_the_template_of_an_endpoint_comes_with_its_evidence(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", [trace("/users/1"), trace("/users/me")])
    _, rows = reader.endpoints(EndpointFilter())
    templates = {row.path: reader.template(row.id) for row in rows}
    missing = reader.template(99)
    hidden = reader.within("other").template(rows[0].id)
    reader.close()

    assert missing is None and hidden is None
    assert {path: t.path for path, t in templates.items() if t is not None} == {
        "/users/me": "/users/me",
        "/users/{userId}": "/users/{userId}",
    }
    template = templates["/users/{userId}"]
    assert template is not None
    assert [len(evidence) > 0 for _, _, evidence in template.evidence] == [True, True]


def test_what_cannot_be_read_any_more_has_no_evidence(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", [trace("/users/1")])
    reader.close()
    with sqlite3.connect(tmp_path / "catalog") as connection:
        connection.execute("UPDATE paths SET state = x'00'")
        assert read_template(connection, tmp_path / USERDATA_NAME, 1, b"levo") is None
        connection.execute("DELETE FROM paths")
        assert read_template(connection, tmp_path / USERDATA_NAME, 1, b"levo") is None


def test_paths_of_an_uploaded_description_are_overrides(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.commit(learn_all(State(), [trace("/users/alice")]), Position(1, 1))
        store_description(
            tmp_path / "catalog",
            SCOPE[:3],
            1,
            '{"openapi": "3.1.0", "paths": {"/users/{name}": {"get": {}}, "x-y": {}}}',
        )
        with sqlite3.connect(tmp_path / "catalog") as connection:
            (override,) = read_overrides(connection, tmp_path / USERDATA_NAME, SCOPE)
        assert writer.overrides(SCOPE) == (override,)
    reader = CatalogReader(tmp_path / "catalog")

    assert (override.kind, override.template) == ("import", "/users/{name}")
    # Rows follow with the next decision of the learner; until then none is shown under the old name.
    assert reader.template(1) is None
    reader.close()


def test_paths_of_a_description_are_those_below_its_server(tmp_path: Path) -> None:
    """Names that would be literals by themselves are values below /v1, as described."""
    document = {
        "openapi": "3.1.0",
        "servers": [{"url": "https://shop.example/v1"}],
        "paths": {"/shelves/{name}": {"get": {}}},
    }
    with CatalogWriter(tmp_path / "catalog") as writer:
        store_description(tmp_path / "catalog", SCOPE[:3], 1, json.dumps(document))
        writer.commit(
            learn_all(State(), [trace("/v1/shelves/health"), trace("/v1/shelves/index")]), Position(1, 1)
        )
    reader = CatalogReader(tmp_path / "catalog")
    _, rows = reader.endpoints(EndpointFilter())
    reader.close()

    assert [row.path for row in rows] == ["/v1/shelves/{name}"]


def test_the_evidence_knows_what_a_busy_host_learned_last_and_hashes_of_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "LARGE_BYTES", 1)
    (tmp_path / KEY_NAME).write_bytes(b"another")
    settings = LearnSettings(Detectors(), b"another")
    flows = [[trace(f"/flows/{name}"), flow(name)] for name in ("nightly", "weekly")]
    with CatalogWriter(tmp_path / "catalog", key=b"another") as writer:
        writer.commit(learn_all(State(), flows[0], settings), Position(1, 1))
        state = learn_all(State(), [*flows[1], trace("/newest/thing")], settings)
        writer.commit(state, Position(1, 2))
        expected = {
            name: template
            for decision in writer._decisions.values()
            for name, template in decision.by_template.items()
        }
    reader = CatalogReader(tmp_path / "catalog")
    _, rows = reader.endpoints(EndpointFilter(), limit=10_000)
    with sqlite3.connect(tmp_path / "catalog") as connection:
        assert connection.execute("SELECT count(*) FROM path_log").fetchone() == (1,)

    shown = {row.path: reader.template(row.id) for row in rows if row.path.startswith(("/flows", "/newest"))}
    assert "/newest/thing" in shown
    assert shown == {t.path: t for t in expected.values() if t.path in shown}
    reader.close()


def flow(name: str) -> Trace:
    body = json.dumps({"name": name, "id": 7}).encode()
    json_type = (("content-type", "application/json"),)
    return msgspec.structs.replace(
        trace("/flows", method="POST", status=201), response_headers=json_type, response_body=body
    )
