"""What is written, with the position, both or neither."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.errors import LevoError
from levo.satellite.learn import SensorReport, State, Trace, learn_all, learn_sensor, merge
from levo.satellite.learn.trace import schemes_of, status_name
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from tests.satellite.learn.test_state import states
from tests.satellite.store.catalogs import NOW, SECOND, trace


def stored(
    path: Path,
) -> dict[tuple[str, ...], tuple[int, float, dict[str, float], int, int, tuple[str, ...]]]:
    reader = CatalogReader(path)
    rows = reader.endpoints(EndpointFilter(), limit=1000)[1]
    reader.close()
    return {
        (r.organization, r.environment, r.application, r.host, r.method, r.path): (
            r.traces,
            r.exchanges,
            r.statuses,
            r.first_seen_ns,
            r.last_seen_ns,
            r.schemes,
        )
        for r in rows
    }


SHOWN = {"/": "/", "/users/{integer}": "/users/{userId}", "/users/me": "/users/me"}
"""How the places that ``states`` visits are shown."""


def proven(delta: State) -> State:
    """Return *delta* without the endpoints that nothing in it proves: all they did was not to be there."""
    kept = merge(State(), delta)
    for key, facts in delta.endpoints.items():
        if set(facts.statuses) == {404}:
            del kept.endpoints[key]
    return kept


@given(st.lists(states(), max_size=3))
@settings(max_examples=25, deadline=None)
def test_commits_add_up_to_the_merged_state(
    tmp_path_factory: pytest.TempPathFactory, deltas: list[State]
) -> None:
    """Row by row. What is noise is decided with each commit, and stays noise when it is proven later."""
    path = tmp_path_factory.mktemp("catalog") / "catalog"
    expected = State()
    for delta in deltas:
        expected = merge(expected, proven(delta))
    together = State()
    with CatalogWriter(path) as writer:
        for number, delta in enumerate(deltas):
            writer.commit(delta, Position(1, number))
            together = merge(together, delta)
    reader = CatalogReader(path) if deltas else None

    if reader is not None:
        summary = reader.summary()
        assert summary.counters.get("learned_traces", 0) == together.traces
        noise = summary.counters.get("noise_exchanges", 0.0)
        assert summary.exchanges + noise == together.exchanges
        assert {(s.organization, s.sensor) for s in reader.sensors()[1]} == set(together.sensors)
        for sensor in reader.sensors()[1]:
            report = together.sensors[sensor.organization, sensor.sensor]
            assert sensor.attributes == {name: value for name, (_, value) in report.attributes.items()}
            assert {
                (m.name, tuple(m.labels.items())): (m.time_ns, m.value) for m in sensor.metrics
            } == report.values
        reader.close()
    assert stored(path) == {
        (*key.scope, key.method, SHOWN[key.place]): (
            facts.traces,
            facts.exchanges,
            {status_name(status): exchanges for status, exchanges in facts.statuses.items()},
            facts.first_seen_ns,
            facts.last_seen_ns,
            schemes_of(facts.schemes),
        )
        for key, facts in expected.endpoints.items()
    }


def test_a_failed_commit_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.commit(learn_all(State(), [trace()]), Position(3, 4))
        before = (stored(tmp_path / "catalog"), writer.checkpoint())
        broken = learn_all(State(), [trace("/other"), trace()])
        learn_sensor(broken, "acme", "s", SensorReport(1, 2**70))  # no such integer in SQLite
        with pytest.raises((sqlite3.Error, OverflowError)):
            writer.commit(broken, Position(9, 9))

        assert (stored(tmp_path / "catalog"), writer.checkpoint()) == before
        assert writer.commit(State(), Position(3, 5)).position == Position(3, 5)


def test_a_catalog_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        other = sqlite3.connect(tmp_path / "catalog")
        other.execute("ALTER TABLE counter RENAME TO gone")
        other.close()
        with pytest.raises(LevoError, match="catalog: cannot be written: no such table"):
            writer.commit(learn_all(State(), [trace()]), Position(1, 1))

    assert stored(tmp_path / "catalog") == {}


def test_the_revision_grows_only_with_news(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        first = writer.commit(learn_all(State(), [trace()]), Position(1, 1)).revision
        second = writer.commit(State(), Position(1, 2)).revision
        third = writer.commit(learn_all(State(), [None]), Position(1, 3)).revision

    assert (second, third) == (first, first + 1)


def test_a_full_catalog_counts_what_it_cannot_take(tmp_path: Path) -> None:
    def flood(start: int) -> list[Trace | None]:
        return [trace("/word", host=f"h{number}.example", weight=2) for number in range(start, start + 5)]

    with CatalogWriter(tmp_path / "catalog", max_endpoints=7) as writer:
        writer.commit(learn_all(State(), flood(0)), Position(1, 1))
        writer.commit(learn_all(State(), flood(5)), Position(1, 2))
        writer.commit(
            learn_all(State(), [trace("/word", host="h0.example", end_ns=NOW + SECOND)]), Position(1, 3)
        )
    reader = CatalogReader(tmp_path / "catalog")

    assert reader.summary().endpoints == 7
    assert reader.summary().counters["endpoint_limit_exchanges"] == 2 * 3
    assert reader.summary().last_seen_ns == NOW + SECOND
    reader.close()


def test_old_pages_are_not_left_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "catalog-wal"
    with CatalogWriter(tmp_path / "catalog") as writer:
        reader = CatalogReader(tmp_path / "catalog")
        writer.commit(learn_all(State(), [trace("/users/me")]), Position(1, 1))
        assert log.stat().st_size > 0
        writer.prune(NOW)
        assert log.stat().st_size == 0
        writer.commit(learn_all(State(), [trace("/users/me")]), Position(1, 2))
        assert log.stat().st_size > 0

    assert not log.exists() or log.stat().st_size == 0
    writer.close()
    reader.close()
