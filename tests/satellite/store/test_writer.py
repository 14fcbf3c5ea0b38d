"""What is written, with the position, both or neither."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.errors import LevoError
from levo.satellite.learn import Run, SensorReport, State, Trace, learn_all, learn_sensor, merge
from levo.satellite.learn.trace import schemes_of, status_name
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.hosts import Limits
from levo.satellite.store.writer import MAX_RUNS
from tests.helpers.effort import scaled
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
    """Return *delta* without the endpoints that nothing in it proves: none of their requests had success."""
    kept = merge(State(), delta)
    for key, facts in delta.endpoints.items():
        if not any(100 <= status < 400 for status in facts.statuses):
            del kept.endpoints[key]
    return kept


@given(st.lists(states(), max_size=3))
@settings(max_examples=scaled(25), deadline=None)
def test_commits_add_up_to_the_merged_state(
    tmp_path_factory: pytest.TempPathFactory, deltas: list[State]
) -> None:
    """Row by row. What is noise is decided from all that is known, so it is none once something proves it."""
    path = tmp_path_factory.mktemp("catalog") / "catalog"
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
        assert {s.key for s in reader.sensors()[1]} == set(together.sensors)
        for sensor in reader.sensors()[1]:
            report = together.sensors[sensor.key]
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
        for key, facts in proven(together).endpoints.items()
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


def test_a_damaged_row_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.commit(learn_all(State(), [trace()]), Position(1, 1))
        with sqlite3.connect(tmp_path / "catalog") as other:
            other.execute("UPDATE place SET knowledge = x'9bff'")
        before = stored(tmp_path / "catalog")
        with pytest.raises(
            LevoError, match=r"catalog: what is stored .* is damaged at octet \d+: it ends too"
        ):
            writer.commit(learn_all(State(), [trace()]), Position(1, 2))

        assert (stored(tmp_path / "catalog"), writer.checkpoint().position) == (before, Position(1, 1))


def test_the_revision_grows_only_with_news(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        first = writer.commit(learn_all(State(), [trace()]), Position(1, 1)).revision
        second = writer.commit(State(), Position(1, 2)).revision
        third = writer.commit(learn_all(State(), [None]), Position(1, 3)).revision

    assert (second, third) == (first, first + 1)


def test_a_full_catalog_counts_what_it_cannot_take(tmp_path: Path) -> None:
    """Established places stay, and where they are all there is room for, new ones are counted."""

    def used(start: int) -> list[Trace | None]:
        return [
            trace("/word", host=f"h{number}.example", weight=2)
            for number in range(start, start + 5)
            for _ in range(20)
        ]

    with CatalogWriter(tmp_path / "catalog", limits=Limits(places=7, name_hosts=True)) as writer:
        writer.commit(learn_all(State(), used(0)), Position(1, 1))
        writer.commit(learn_all(State(), used(5)), Position(1, 2))
        writer.commit(
            learn_all(State(), [trace("/word", host="h0.example", end_ns=NOW + SECOND)]), Position(1, 3)
        )
    reader = CatalogReader(tmp_path / "catalog")

    assert reader.summary().endpoints == 7
    assert reader.summary().counters["endpoint_limit_exchanges"] == 2 * 20 * 3
    assert reader.summary().last_seen_ns == NOW + SECOND
    reader.close()


def test_what_never_had_success_makes_room_first_then_what_had_least(tmp_path: Path) -> None:
    used = [trace("/used", end_ns=NOW) for _ in range(20)]
    rare = [trace("/rare", end_ns=NOW + SECOND)]
    refused = [trace("/refused", status=401, end_ns=NOW + 2 * SECOND) for _ in range(50)]
    others = [trace("/used", application="bank")]
    paths = []
    with CatalogWriter(tmp_path / "catalog", limits=Limits(places=3, name_hosts=True)) as writer:
        writer.commit(learn_all(State(), [*used, *rare, *refused, *others]), Position(1, 1))
        for number, path in enumerate(("/new", "/newer"), start=2):
            writer.commit(learn_all(State(), [trace(path, end_ns=NOW + 9 * SECOND)]), Position(1, number))
            reader = CatalogReader(tmp_path / "catalog")
            paths.append({row.path for row in reader.endpoints(EndpointFilter(application="shop"))[1]})
            counters = reader.summary().counters
            reader.close()

    assert paths == [{"/used", "/rare", "/new"}, {"/used", "/new", "/newer"}]
    assert counters["displaced_exchanges"] == 51
    assert not counters.get("noise_exchanges")


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


def report(
    instance: str, started_s: int, *, last_s: int, seen_s: int, lost: float, stop: bool = False
) -> State:
    last = (last_s, last_s * SECOND)
    run = Run(instance, started_s * SECOND, last, last if stop else (0, 0))
    values = {("levo.sensor.ledger.units", (("state", "lost"),)): (last_s * SECOND, lost)}
    return learn_sensor(
        State(), "acme", "s", SensorReport(seen_s * SECOND, seen_s * SECOND, values=values, run=run)
    )


def ledgers(path: Path, *reports: State) -> dict[str, float]:
    """What the catalog has of one sensor id after *reports*, each committed alone: units lost by run."""
    with CatalogWriter(path) as writer:
        for number, state in enumerate(reports):
            writer.commit(state, Position(1, number))
    reader = CatalogReader(path)
    total, rows = reader.sensors()
    reader.close()
    assert total == len(rows)
    return {row.run.instance: row.metrics[0].value for row in rows}


def test_no_ledger_hides_another_even_under_the_same_id(tmp_path: Path) -> None:
    a = report("a", 100, last_s=110, seen_s=110, lost=7)
    b = report("b", 105, last_s=115, seen_s=115, lost=0)
    a_stops = report("a", 100, last_s=120, seen_s=120, lost=8, stop=True)

    assert ledgers(tmp_path / "overlapping", a, b, a_stops) == {"a": 8, "b": 0}
    hidden = report("a", 100, last_s=104, seen_s=104, lost=7)
    assert ledgers(tmp_path / "replaced in error", hidden, b, a_stops) == {"a": 8, "b": 0}


def test_a_restart_takes_the_place_of_the_run_before_and_late_words_do_not_bring_that_back(
    tmp_path: Path,
) -> None:
    killed = report("a", 100, last_s=110, seen_s=110, lost=7)
    late = learn_sensor(
        State(), "acme", "s", SensorReport(900 * SECOND, 900 * SECOND, run=Run("a", 100 * SECOND))
    )
    goodbye = report("a", 100, last_s=111, seen_s=901, lost=7, stop=True)
    again = report("b", 200, last_s=210, seen_s=210, lost=1)

    assert ledgers(tmp_path / "catalog", killed, again, late, killed, goodbye) == {"b": 1}
    reader = CatalogReader(tmp_path / "catalog")
    (row,) = reader.sensors()[1]
    assert (row.first_seen_ns, row.last_seen_ns) == (110 * SECOND, 210 * SECOND)
    assert not row.run.stopped_ns
    reader.close()


def test_runs_under_one_id_are_bounded_and_a_later_one_still_finds_a_place(tmp_path: Path) -> None:
    many = [report(f"r{number}", 100, last_s=110, seen_s=110, lost=0) for number in range(MAX_RUNS + 3)]
    found = ledgers(tmp_path / "catalog", *many, report("later", 200, last_s=210, seen_s=210, lost=1))
    reader = CatalogReader(tmp_path / "catalog")

    assert len(found) == MAX_RUNS and found["later"] == 1
    assert reader.summary().counters["sensor_limit_reports"] == 3
    reader.close()


def test_only_who_went_without_a_word_is_silent(tmp_path: Path) -> None:
    with CatalogWriter(tmp_path / "catalog") as writer:
        for number, state in enumerate(
            [
                report("killed", 100, last_s=110, seen_s=110, lost=0),
                report("stopped", 100, last_s=111, seen_s=111, lost=0, stop=True),
            ]
        ):
            writer.commit(state, Position(1, number))
    reader = CatalogReader(tmp_path / "catalog")

    assert [key.instance for key in reader.silent_sensors(0, 10**18)] == ["killed"]
    assert not reader.silent_sensors(111 * SECOND, 10**18) and not reader.silent_sensors(0, 110 * SECOND)
    found = {row.run.instance: row.run.stopped_ns for row in reader.sensors()[1]}
    assert found == {"killed": 0, "stopped": 111 * SECOND}
    reader.close()
