"""Room on disk: it is known, comes back after something was deleted, and has a limit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from levo.satellite.learn import Scope, State, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.hosts import Limits
from levo.satellite.store.retention import DAY_NS, Retention
from levo.satellite.store.storage import stored_bytes
from levo.satellite.store.userdata import UserData
from levo.satellite.store.userdata.database import USERDATA_NAME
from tests.satellite.store.catalogs import NOW, SECOND, trace

HOSTS = 60


def fill(writer: CatalogWriter, hosts: int = HOSTS) -> None:
    """Traffic of many minutes, hours and days, from many hosts, and what was only refused."""
    ends = [NOW - number * 60 * SECOND for number in range(150)]
    ends += [NOW - number * 3600 * SECOND for number in range(100)]
    ends += [NOW - number * DAY_NS for number in range(100)]
    traces = [
        trace("/a", host=f"h{number}.example", end_ns=end_ns) for number in range(hosts) for end_ns in ends
    ]
    traces += [
        trace(f"/r{number}", host="h0.example", status=401, end_ns=NOW - number) for number in range(300)
    ]
    traces.append(trace("/a", host="old.example", end_ns=NOW - 200 * DAY_NS))
    writer.commit(learn_all(State(), traces), Position(1, 1))


def rollups(path: Path) -> dict[int, int]:
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT size_s, count(*) FROM rollup WHERE place = 0 GROUP BY 1"))


def test_the_file_shrinks_after_something_was_deleted(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        fill(writer)
        writer.prune(NOW)
        before = path.stat().st_size
        userdata = UserData(tmp_path / USERDATA_NAME)
        for number in range(1, HOSTS):
            scope = Scope("acme", "staging", "shop", f"h{number}.example")
            userdata.removals.remove(scope, "", "", NOW)
        userdata.close()
        writer.listen()
        writer.prune(NOW)

    assert path.stat().st_size < before * 0.6
    reader = CatalogReader(path)
    found = reader.storage()
    reader.close()
    assert found.file_bytes == path.stat().st_size and found.free_bytes <= 64 * 4096
    assert found.disk_free_bytes > 0


def test_a_catalog_of_an_earlier_version_shrinks_too(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        fill(writer)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA auto_vacuum = 0")
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
        connection.execute("DELETE FROM rollup WHERE place > 5")
    connection.close()
    before = path.stat().st_size
    with CatalogWriter(path) as writer:
        writer.prune(NOW)
        assert path.stat().st_size < before / 2

    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_the_least_worth_is_given_up_first_and_only_as_much_as_needed(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path, limits=Limits(hosts=100, name_hosts=True)) as writer:
        fill(writer)
        writer.prune(NOW, Retention())
        size = stored_bytes(writer._connection)
        assert writer.keep_within(size) == {}
        before = rollups(path)
        first = writer.keep_within(int(size * 0.95))
        assert first.keys() == {"rollups by the minute"}
        assert rollups(path)[60] < before[60] and rollups(path)[3600] == before[3600]
        seen: list[str] = []
        for part in range(94, 10, -2):
            for _ in range(3):
                seen += writer.keep_within(size * part // 100)
            if "endpoints" in seen:
                break

    order = list(dict.fromkeys(["rollups by the minute", *seen]))
    assert order == [
        "rollups by the minute",
        "refused paths",
        "rollups by the hour",
        "rollups by the day",
        "endpoints",
    ], "there are no changes but new endpoints"
    left = rollups(path)
    assert left[60] >= 60 and left[3600] >= 48 and left[86_400] >= 30
    reader = CatalogReader(path)
    total, _ = reader.endpoints(EndpointFilter())
    assert total > HOSTS // 2 and "old.example" not in {
        row.host for row in reader.endpoints(EndpointFilter(), limit=1000)[1]
    }
    assert reader.summary().counters["given_up_rows"] > 0
    reader.close()


def test_growth_is_of_the_last_week(tmp_path: Path) -> None:
    path = tmp_path / "catalog"
    with CatalogWriter(path) as writer:
        fill(writer, 1)
        writer.prune(NOW - 3 * DAY_NS)
        reader = CatalogReader(path)
        assert (reader.storage().growth_bytes, reader.storage().days_left) == (0, None)
        before = reader.storage().stored_bytes
        fill(writer, 40)
        writer.prune(NOW)
        found = reader.storage()
        reader.close()

    assert found.growth_bytes == (found.stored_bytes - before) / 3 > 0
    assert found.days_left == found.disk_free_bytes / found.growth_bytes
