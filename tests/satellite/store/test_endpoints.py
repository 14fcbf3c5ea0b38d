"""Rows follow the templates, and keep what was learned."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.endpoints import unpack_knowledge
from tests.satellite.store.catalogs import trace

NAMES = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "frank",
    "grace",
    "heidi",
    "ivan",
    "judy",
    "mallory",
    "niaj",
    "olivia",
    "peggy",
    "rupert",
    "sybil",
    "trent",
]


def test_rows_of_names_become_one_when_the_template_does(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    state = State()
    with CatalogWriter(path) as writer:
        for number, name in enumerate(NAMES * 3):
            for tail in ("", "/orders", "/settings"):
                delta = learn_all(State(paths=state.paths), [trace(f"/accounts/{name}{tail}")])
                writer.commit(delta, Position(1, number))
    reader = CatalogReader(path)
    total, rows = reader.endpoints(EndpointFilter())
    reader.close()

    assert sum(row.exchanges for row in rows) == len(NAMES) * 9
    assert total < len(NAMES)
    with sqlite3.connect(path) as connection:
        states = connection.execute("SELECT state FROM knowledge").fetchall()
        assert sum(unpack_knowledge(state).accepted for (state,) in states) == len(NAMES) * 9
        assert connection.execute("SELECT count(*) FROM redirect").fetchone()[0] >= 1


def test_an_answer_of_404_belongs_to_an_endpoint_that_others_made(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        traces = [trace("/users/1"), trace("/users/2", status=404), trace("/wp-login", status=404)]
        writer.commit(learn_all(State(), traces), Position(1, 1))
    reader = CatalogReader(tmp_path / "catalog")
    _, (row,) = reader.endpoints(EndpointFilter())

    assert row.statuses == {"200": 1.0, "404": 1.0}
    assert reader.summary().counters["noise_exchanges"] == 1
    reader.close()
