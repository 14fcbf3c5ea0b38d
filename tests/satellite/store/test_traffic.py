"""Rollups over a real database."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogWriter
from levo.satellite.store.schema import open_for_writing
from levo.satellite.store.traffic import (
    DAY_S,
    HOUR_S,
    KEPT_S,
    WHOLE_CATALOG,
    move_traffic,
    prune_traffic,
    read_traffic,
)
from tests.satellite.store.catalogs import NOW, SECOND, trace

NOW_S = NOW // SECOND


def test_every_size_adds_up_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    traces = [trace(end_ns=NOW + n * 40 * SECOND, weight=2, status=500 if n % 3 else 200) for n in range(100)]
    with CatalogWriter(path) as writer:
        for at, part in enumerate((traces[:30], traces[30:])):
            writer.commit(learn_all(State(), part), Position(1, at))
    connection = open_for_writing(path)
    for endpoint in (WHOLE_CATALOG, 1):
        for size in KEPT_S:
            rows = list(read_traffic(connection, endpoint, size, 0))
            assert sum(t.exchanges for _, t in rows) == 200
            assert sum(t.server_errors for _, t in rows) == 132
            assert all(start % size == 0 for start, _ in rows)


def test_old_rollups_go_and_coarse_ones_stay_longer(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [trace()]), Position(1, 1))
    connection = open_for_writing(path)

    assert prune_traffic(connection, NOW_S + HOUR_S) == 0
    assert prune_traffic(connection, NOW_S + DAY_S) == 3
    assert [len(list(read_traffic(connection, 1, size, 0))) for size in KEPT_S] == [0, 1, 1]


def test_traffic_moves_with_its_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [trace("/a"), trace("/b"), trace("/b")]), Position(1, 1))
    connection = open_for_writing(path)
    move_traffic(connection, 1, 2)
    connection.execute("DELETE FROM endpoint WHERE id = 1")

    assert [t.exchanges for _, t in read_traffic(connection, 2, DAY_S, 0)] == [3]
    assert not list(read_traffic(connection, 1, DAY_S, 0))
