"""Rollups over a real database."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.learn import State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogWriter
from levo.satellite.store.retention import DAY_S, HOUR_S, SIZES, Retention
from levo.satellite.store.schema import open_for_writing
from levo.satellite.store.traffic import (
    WHOLE_CATALOG,
    count_traffic,
    move_traffic,
    prune_traffic,
    read_traffic,
    uncount_traffic,
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
        for size in SIZES:
            rows = list(read_traffic(connection, endpoint, size, 0))
            assert sum(t.exchanges for _, t in rows) == 200
            assert sum(t.server_errors for _, t in rows) == 132
            assert all(start % size == 0 for start, _ in rows)


def test_old_rollups_go_and_coarse_ones_stay_longer(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    minutes = [trace(end_ns=NOW + 60 * number * SECOND) for number in range(300)]
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), minutes), Position(1, 1))
    connection = open_for_writing(path)
    kept_s = Retention().rollups_s()

    def stored() -> list[int]:
        return [len(list(read_traffic(connection, 1, size, 0))) for size in SIZES]

    before = stored()
    assert prune_traffic(connection, kept_s, NOW_S + HOUR_S) == 0
    assert prune_traffic(connection, kept_s, NOW_S + 5 * HOUR_S) == 3 * 120
    assert stored() == [180, *before[1:]]
    assert prune_traffic(connection, kept_s, NOW_S + DAY_S) == 0, "without traffic no time passes"


def test_traffic_moves_with_its_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), [trace("/a"), trace("/b"), trace("/b")]), Position(1, 1))
    connection = open_for_writing(path)
    move_traffic(connection, 1, 2)
    connection.execute("DELETE FROM endpoint WHERE id = 1")

    assert [t.exchanges for _, t in read_traffic(connection, 2, DAY_S, 0)] == [3]
    assert not list(read_traffic(connection, 1, DAY_S, 0))


def test_what_leaves_the_sums_leaves_them_as_though_it_had_never_come(tmp_path: Path) -> None:
    """A place may lose its endpoint at one decision and have it again at the next."""
    sums = []
    for name, paths in (("both", ["/a", "/b", "/b"]), ("one", ["/b", "/b"])):
        with CatalogWriter(tmp_path / name) as writer:
            writer.commit(learn_all(State(), [trace(path) for path in paths]), Position(1, 1))
        connection = open_for_writing(tmp_path / name)
        if name == "both":
            ((place,),) = connection.execute("SELECT id FROM place WHERE path_key = '/a'").fetchall()
            uncount_traffic(connection, place, "acme")
        sums.append(connection.execute("SELECT * FROM rollup WHERE place <= 0 ORDER BY 1, 2, 3").fetchall())
        if name == "both":
            count_traffic(connection, place, "acme")
            (whole,) = [t.exchanges for _, t in read_traffic(connection, WHOLE_CATALOG, DAY_S, 0)]
            assert whole == 3
        connection.close()
    assert sums[0] == sums[1] != []
