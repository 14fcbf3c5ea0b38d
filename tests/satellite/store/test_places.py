"""Places: what was learned, as it is stored."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from levo.satellite.learn import Knowledge, State, learn_all
from levo.satellite.learn.schema import pack_knowledge, unpack_knowledge
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.places import MAX_UNPROVEN, is_proven
from levo.satellite.store.retention import DAY_S
from levo.satellite.store.userdata import EndpointPlace, UserData
from tests.satellite.store.catalogs import trace


def places(path: Path) -> dict[str, tuple[int, float]]:
    """Endpoint and exchanges by key."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT path_key, endpoint, exchanges FROM place ORDER BY path_key")
        return {key: (endpoint, exchanges) for key, endpoint, exchanges in rows}


def test_an_answer_of_absence_that_came_first_belongs_to_what_is_proven_later(tmp_path: Path) -> None:
    """With its figures, its message, and its part of the traffic of the whole catalog."""
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [trace("/users/zxqb", status=404)]), Position(1, 1))
        (before,) = places(path)
        writer.commit(learn_all(State(), [trace("/users/zxqb")]), Position(1, 2))
    reader = CatalogReader(path)
    (row,) = reader.endpoints(EndpointFilter())[1]
    ((_, operation),) = reader.operations_of([row.id])
    whole = sum(traffic.exchanges for _, traffic in reader.traffic(DAY_S, 0))
    noise = reader.summary().counters["noise_exchanges"]
    reader.close()

    assert "zxqb" not in before, "of a name that nothing proves only a hash is kept"
    assert row.statuses == {"200": 1.0, "404": 1.0}
    assert set(operation.knowledge.responses) == {"200", "404"}
    assert (whole, noise) == (2.0, 0.0)


def test_a_refused_name_that_never_succeeded_belongs_to_the_endpoint_that_it_fits(tmp_path: Path) -> None:
    """Before the endpoint is decided on and after it; of another method there is none."""
    path = tmp_path / "catalog"
    names = ("anna", "bertram", "cyrano", "dagobert", "eulalia", "fridolin", "gwendolin", "hildebert")
    with CatalogWriter(path) as writer:
        early = [trace("/users/zacharias", status=403), trace("/users/yorick", method="DELETE", status=403)]
        writer.commit(learn_all(State(), early), Position(1, 1))
        writer.commit(learn_all(State(), [trace(f"/users/{name}") for name in names]), Position(1, 2))
        writer.commit(learn_all(State(), [trace("/users/wendelin", status=403)]), Position(1, 3))
    reader = CatalogReader(path)
    (row,) = reader.endpoints(EndpointFilter())[1]
    noise = reader.summary().counters["noise_exchanges"]
    reader.close()

    assert (row.method, row.path, row.statuses) == ("GET", "/users/{user}", {"200": 8.0, "403": 2.0})
    assert noise == 1.0


def test_what_nothing_proves_is_kept_up_to_a_number_and_counted_beyond(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    scans = [trace(f"/zxq{n}a", status=404) for n in range(MAX_UNPROVEN + 5)]
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [*scans[:7], trace("/users")]), Position(1, 1))
        writer.commit(learn_all(State(), scans[7:]), Position(1, 2))
    reader = CatalogReader(path)
    counters = reader.summary().counters
    reader.close()

    assert MAX_UNPROVEN * 0.9 < len(places(path)) <= MAX_UNPROVEN + 1
    assert len(places(path)) - 1 + counters["absent_limit_exchanges"] == MAX_UNPROVEN + 5
    assert counters["noise_exchanges"] == MAX_UNPROVEN + 5


def test_what_users_merge_and_split_takes_its_figures_along_and_back(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    scope = ("acme", "staging", "shop", "shop.example")
    userdata = UserData(tmp_path / "userdata.sqlite3")

    def shown() -> dict[str, float]:
        reader = CatalogReader(path)
        found = {row.path: row.exchanges for row in reader.endpoints(EndpointFilter())[1]}
        reader.close()
        return found

    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [trace("/users/me")] * 3 + [trace("/users/7")] * 2), Position(1, 1))
        before = shown()
        place = EndpointPlace(*scope, "GET", "/users/me")
        made = userdata.decisions.decide("merge", place, "/users/{userId}", "anna", 1)
        writer.commit(learn_all(State(), [trace("/users/8")]), Position(1, 2))
        merged = shown()
        userdata.decisions.undo(made, 2)
        userdata.decisions.decide("split", place, "/users/me", "anna", 3)
        writer.commit(learn_all(State(), [trace("/users/9")]), Position(1, 3))

    assert before == {"/users/me": 3.0, "/users/{userId}": 2.0}
    assert sum(merged.values()) == 6.0
    assert shown()["/users/me"] == 3.0


def test_the_read_model_can_be_made_again_from_the_places(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    seen = [trace("/users/me", weight=2.5), trace("/users/7"), trace("/users/8", status=404)]

    def rows() -> list[tuple[object, ...]]:
        reader = CatalogReader(path)
        found = [
            (row.method, row.path, row.traces, row.exchanges, row.statuses)
            for row in reader.endpoints(EndpointFilter())[1]
        ]
        reader.close()
        return found

    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), seen), Position(1, 1))
    before = rows()
    with sqlite3.connect(path) as connection:
        connection.executescript("DELETE FROM endpoint; DELETE FROM fact; UPDATE place SET endpoint = 0;")
    with CatalogWriter(path) as writer:
        assert writer.decide_again()
        writer.commit(State(), Position(1, 2))

    assert rows() == before != []


def test_equal_knowledge_has_equal_octets() -> None:
    one = Knowledge(auth={"basic": 1, "bearer": 2})
    other = Knowledge(auth={"bearer": 2, "basic": 1})

    assert pack_knowledge(one) == pack_knowledge(other)
    assert unpack_knowledge(pack_knowledge(one)) == one
    assert is_proven({404: 1.0, 200: 1.0}) and not is_proven({404: 1.0, 501: 2.0})
