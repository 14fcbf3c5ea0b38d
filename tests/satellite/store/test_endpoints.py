"""Rows follow the templates, and keep what was learned."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from levo.satellite.learn import Scope, State, learn_all
from levo.satellite.learn.schema import unpack_knowledge
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.userdata import EndpointPlace, UserData
from levo.satellite.store.writer import Retention
from tests.satellite.store.catalogs import NOW, trace

DAY_NS = 86_400 * 10**9

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
    with CatalogWriter(path) as writer:
        for number, name in enumerate(NAMES * 3):
            for tail in ("", "/orders", "/settings"):
                delta = learn_all(State(), [trace(f"/accounts/{name}{tail}")])
                writer.commit(delta, Position(1, number))
    reader = CatalogReader(path)
    total, rows = reader.endpoints(EndpointFilter())
    reader.close()

    assert sum(row.exchanges for row in rows) == len(NAMES) * 9
    assert total < len(NAMES)
    with sqlite3.connect(path) as connection:
        states = connection.execute("SELECT knowledge FROM place WHERE endpoint != 0").fetchall()
        assert sum(unpack_knowledge(state).accepted for (state,) in states) == len(NAMES) * 9
        assert connection.execute("SELECT count(*) FROM endpoint_redirect").fetchone()[0] >= 1


def test_an_answer_of_404_belongs_to_an_endpoint_that_others_made(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        traces = [trace("/users/1"), trace("/users/2", status=404), trace("/wp-login", status=404)]
        writer.commit(learn_all(State(), traces), Position(1, 1))
    reader = CatalogReader(tmp_path / "catalog")
    _, (row,) = reader.endpoints(EndpointFilter())

    assert row.statuses == {"200": 1.0, "404": 1.0}
    assert reader.summary().counters["noise_exchanges"] == 1
    reader.close()


def test_the_number_of_an_endpoint_is_never_given_again(tmp_path: Path) -> None:
    """After a merge the old number leads to the endpoint that has it all, and never to a new one."""
    path = tmp_path / "catalog"
    seen: set[int] = set()
    with CatalogWriter(path) as writer:
        reader = CatalogReader(path)
        for number, name in enumerate(NAMES * 3):
            before = {row.id for row in reader.endpoints(EndpointFilter(), limit=1000)[1]}
            for tail in ("", "/orders", "/settings"):
                delta = learn_all(State(), [trace(f"/accounts/{name}{tail}")])
                writer.commit(delta, Position(1, number))
            after = {row.id for row in reader.endpoints(EndpointFilter(), limit=1000)[1]}
            assert not (after - before) & seen
            seen |= before | after
        assert reader.merged_into(list(after)), "some were merged"
        highest = max(seen)
        delta = learn_all(State(), [trace("/later", host="later.example")])
        writer.commit(delta, Position(1, 999))
        (later,) = reader.endpoints(EndpointFilter(host="later.example"))[1]
        assert later.id > highest and reader.endpoint(later.id) == later
        reader.close()


def test_what_a_new_template_takes_from_another_is_no_news(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    scope = Scope("acme", "staging", "shop", "shop.example")
    userdata = UserData(tmp_path / "userdata.sqlite3")
    with CatalogWriter(path) as writer:

        def commit(number: int, *seen: str) -> None:
            writer.commit(learn_all(State(), [trace(each) for each in seen]), Position(1, number))

        commit(1, *(f"/users/{number}" for number in range(100, 140)), "/users/me")
        userdata.decisions.decide("merge", EndpointPlace(*scope, "GET", "/users/me"), "/users/{}", "anna", 1)
        commit(2, "/users/me", "/users/7")
        userdata.decisions.decide("split", EndpointPlace(*scope, "GET", "/users/{}"), "/users/me", "anna", 2)
        commit(3, "/users/me", "/users/8")
        commit(4, "/users/new-one")
    reader = CatalogReader(path)
    rows = {row.path: row.id for row in reader.endpoints(EndpointFilter())[1]}
    events = [event.detail for event in reader.events(kind="endpoint")[1]]
    reader.close()

    assert "/users/me" in rows and len(rows) >= 2
    assert not any(detail.endswith("/me") for detail in events), (rows, events)
    assert len(events) == len(set(events)) >= 1


def test_what_may_be_a_value_makes_no_endpoint_before_it_is_decided(tmp_path: Path) -> None:
    """A busy host is decided on now and then; in between, each new user is no news, and is not lost."""
    with CatalogWriter(tmp_path / "catalog") as writer:
        users = [trace(f"/users/{name}") for name in NAMES * 3]
        writer.commit(learn_all(State(), [*users, trace("/health")]), Position(1, 1))
        reader = CatalogReader(tmp_path / "catalog")

        def known() -> dict[str, float]:
            return {row.path: row.exchanges for row in reader.endpoints(EndpointFilter())[1]}

        (users_path,) = known().keys() - {"/health"}
        new = [trace("/users/walter"), trace("/users/xaver"), trace("/status")]
        writer.commit(learn_all(State(), new), Position(1, 2), decide=lambda *_: {})
        assert known() == {users_path: len(users), "/health": 1, "/status": 1}
        assert reader.summary().counters["noise_exchanges"] == 2
        writer.commit(State(), Position(1, 2))
        assert known() == {users_path: len(users) + 2, "/health": 1, "/status": 1}
        assert reader.summary().counters["noise_exchanges"] == 0
        reader.close()


def test_redirects_of_the_least_used_endpoints_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a flood of paths would take the disk, or the numbers that people have links to."""
    monkeypatch.setattr("levo.satellite.store.endpoints.MAX_REDIRECTS", 2)
    used = {"/orders": 9, "/a": 1, "/carts": 5, "/b": 1}
    with CatalogWriter(tmp_path / "catalog") as writer:
        for at, (path, times) in enumerate(used.items()):
            writer.commit(learn_all(State(), [trace(path)] * times), Position(1, at))
        with closing(CatalogReader(tmp_path / "catalog")) as reader:
            numbers = {row.path: row.id for row in reader.endpoints(EndpointFilter())[1]}
        writer.commit(learn_all(State(), [trace("/later", end_ns=NOW + 10 * DAY_NS)]), Position(1, 9))
        for _ in range(2):
            writer.prune(NOW + 10 * DAY_NS, Retention(DAY_NS, DAY_NS))
    with sqlite3.connect(tmp_path / "catalog") as connection:
        kept = {old for (old,) in connection.execute("SELECT old_endpoint FROM endpoint_redirect")}
    assert kept == {numbers["/orders"], numbers["/carts"], numbers["/b"]}, "the last is the highest number"


def test_what_is_asked_for_each_endpoint_that_goes_reads_no_whole_table(tmp_path: Path) -> None:
    CatalogWriter(tmp_path / "catalog").close()
    with sqlite3.connect(tmp_path / "catalog") as connection:
        for statement in (
            "DELETE FROM event WHERE endpoint = 1",
            "UPDATE endpoint_redirect SET new_endpoint = 1 WHERE new_endpoint = 2",
            "DELETE FROM endpoint WHERE id = 1",
            "SELECT id FROM place WHERE endpoint = 1",
            "DELETE FROM endpoint_status WHERE endpoint = 1",
            "DELETE FROM sensitive_field WHERE endpoint = 1",
        ):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert all(step.startswith("SEARCH") for step in plan), (statement, plan)
