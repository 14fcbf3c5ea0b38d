from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from levo.errors import LevoError
from levo.satellite.learn import Knowledge, State, learn_all
from levo.satellite.learn.schema import pack_knowledge
from levo.satellite.openapi import render_document
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter, schema
from levo.satellite.store.schema import open_for_reading, open_for_writing
from tests.satellite.store.catalogs import older_catalog, trace
from tests.satellite.store.earlier import CATALOG, restore_earlier, rows_of


def test_a_commit_is_durable_before_it_returns(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "catalog")

    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        connection = open_for_writing(tmp_path / "catalog")
        schema = connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
        connection.close()

    assert len(schema) > 4
    assert (tmp_path / "catalog").stat().st_mode & 0o077 == 0


def test_a_later_schema_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "later")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()
    (tmp_path / "foreign").write_bytes(b"this is no database" * 100)

    with pytest.raises(LevoError, match="later version"):
        open_for_writing(tmp_path / "later")
    with pytest.raises(LevoError, match="cannot be used as the catalog"):
        open_for_writing(tmp_path / "foreign")
    with pytest.raises(LevoError, match="cannot be used as the catalog"):
        open_for_writing(tmp_path / "no such folder" / "catalog")


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    open_for_writing(tmp_path / "catalog?#").close()
    connection = open_for_reading(tmp_path / "catalog?#")

    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM endpoint")
    connection.close()


def test_for_an_organization_every_table_is_a_view_of_its_part(tmp_path: Path) -> None:
    writing = open_for_writing(tmp_path / "catalog")
    connection = open_for_reading(tmp_path / "catalog", organization="o'brien")
    tables = {row[0] for row in writing.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    views = {row[0] for row in connection.execute("SELECT name FROM temp.sqlite_schema WHERE type = 'view'")}

    assert tables == views
    for table in sorted(tables):
        columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
        cursor = connection.execute(f"SELECT * FROM {table}")
        assert [column[0] for column in cursor.description] == columns
    writing.close()


def test_a_catalog_of_one_organization_keeps_its_sums_when_it_is_migrated(tmp_path: Path) -> None:
    connection = older_catalog(tmp_path / "catalog", 3)
    connection.executescript(
        "INSERT INTO sensor VALUES ('acme', 's', 1, 1, x'');"
        "INSERT INTO rollup VALUES (0, 60, 120, 5, 0, 0, x'');"
    )
    connection.close()
    connection = open_for_writing(tmp_path / "catalog")

    assert connection.execute("SELECT name FROM organization").fetchall() == [("acme",)]
    assert connection.execute("SELECT place, exchanges FROM rollup").fetchall() == [(-1, 5.0), (0, 5.0)]


def test_sensors_of_the_schema_before_are_kept_as_runs_without_a_name(tmp_path: Path) -> None:
    connection = older_catalog(tmp_path / "catalog", 4)
    connection.executescript(
        "INSERT INTO sensor VALUES ('acme', 's', 1, 2, x'82aa6174747269627574657380a676616c75657390');"
        "INSERT INTO endpoint (id, organization, environment, application, host, method, template, traces,"
        " exchanges, first_seen_ns, last_seen_ns) VALUES (7, 'acme', 'e', 'a', 'h', 'GET', '/', 1, 1, 1, 1);"
        "INSERT INTO redirect VALUES (7, 3), (8, 7);"
    )
    connection.close()
    open_for_writing(tmp_path / "catalog").close()
    reader = CatalogReader(tmp_path / "catalog")
    (row,) = reader.sensors()[1]

    assert (row.key, row.first_seen_ns, row.last_seen_ns) == (("acme", "s", ""), 1, 2)
    assert not row.run.stopped_ns and reader.silent_sensors(0, 3) == {row.key}
    assert reader.merged_into([3, 7]) == {7: [8]}, "7 was given to another endpoint after a merge"
    reader.close()


def test_endpoints_of_the_schema_before_have_no_known_scheme_until_one_is_seen(tmp_path: Path) -> None:
    """Schema 5 did not keep it: the document says http as it did, then what traffic shows."""
    connection = older_catalog(tmp_path / "catalog", 5)
    add_endpoint(connection, 1, "/users", "/users")
    add_endpoint(connection, 2, "/orders", "/orders")
    connection.close()
    with CatalogWriter(tmp_path / "catalog") as writer:
        reader = CatalogReader(tmp_path / "catalog")
        before = reader.endpoints(EndpointFilter())[1]
        place = ("acme", "staging", "shop")
        servers = [render_document("shop", reader.operations(place))["servers"]]
        assert writer.decide_again()
        writer.commit(learn_all(State(), [trace("/users", scheme="https")]), Position(1, 2))
        after = reader.endpoints(EndpointFilter())[1]
        servers.append(render_document("shop", reader.operations(place))["servers"])
        reader.close()

    assert [(row.path, row.schemes, row.traces) for row in before] == [("/orders", (), 1), ("/users", (), 1)]
    assert [(row.path, row.schemes) for row in after] == [("/orders", ()), ("/users", ("https",))]
    assert servers == [[{"url": "http://shop.example"}], [{"url": "https://shop.example"}]]


def add_endpoint(connection: sqlite3.Connection, number: int, template: str, place: str) -> None:
    """Add an endpoint as it was stored before there were places: one exchange, one message."""
    known = Knowledge(accepted=1)
    connection.execute(
        "INSERT INTO endpoint (id, organization, environment, application, host, method, template, traces,"
        " exchanges, first_seen_ns, last_seen_ns, path, place) VALUES (?, 'acme', 'staging', 'shop',"
        " 'shop.example', 'GET', ?, 1, 1, 1, 1, ?, ?)",
        (number, template, template.replace("{}", "{userId}"), place),
    )
    connection.execute("INSERT INTO endpoint_status VALUES (?, 200, 1)", (number,))
    connection.execute("INSERT INTO knowledge VALUES (?, ?)", (number, pack_knowledge(known)))
    connection.execute("INSERT INTO rollup VALUES (?, 60, 120, 1, 0, 0, x'9180')", (number,))


def test_endpoints_of_the_schema_before_become_places_and_lose_nothing(tmp_path: Path) -> None:
    """Also two that have the same place by now; the next decision joins what it finds to be one endpoint."""
    connection = older_catalog(tmp_path / "catalog", 6)
    add_endpoint(connection, 1, "/users/{}", "/users/{integer}")
    add_endpoint(connection, 2, "/users/zxqb", "/users/{*}")
    add_endpoint(connection, 3, "/users/zxqc", "/users/{*}")
    paths = [1, 3, [0, 0, 0, 0, []], [], [], OLD_TRIE]
    connection.execute(
        "INSERT INTO paths VALUES ('acme', 'staging', 'shop', 'shop.example', ?)",
        (msgspec.msgpack.encode(paths),),
    )
    connection.close()
    with CatalogWriter(tmp_path / "catalog") as writer:
        before = writer.decide_again()
        writer.commit(State(), Position(1, 1))
        again = writer.decide_again()
    reader = CatalogReader(tmp_path / "catalog")
    (row,) = reader.endpoints(EndpointFilter())[1]
    ((_, operation),) = reader.operations_of([row.id])
    traffic = reader.traffic(60, 0, row.id)

    assert before == "an earlier version" and again == ""
    assert (row.path, row.traces, row.exchanges, row.statuses) == ("/users/{user}", 3, 3.0, {"200": 3.0})
    assert operation.knowledge.accepted == 3
    assert [(start, each.exchanges) for start, each in traffic] == [(120, 3.0)]
    assert reader.merged_into([row.id]) == {row.id: [2, 3]}
    reader.close()


_CALL = [["GET", [1, 1000, 4, 1, 0, 0]]]
OLD_TRIE = [[], [["users", [[], [["{*}", [_CALL, [], None]], ["{integer}", [_CALL, [], None]]], None]]], None]


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_a_catalog_of_the_version_before_keeps_all_its_rows(tmp_path: Path, killed: bool) -> None:
    path = restore_earlier(tmp_path, killed=killed) / CATALOG
    before = rows_of(path)
    for _ in range(2):
        open_for_writing(path).close()
        after = rows_of(path)

        places = after.pop("place")
        assert after.pop("endpoint_redirect") == [(*row, 0.0) for row in before["redirect"]] != []
        assert [row[-2] for row in places] == [row[-1] for row in before["knowledge"]]
        assert {row[-1] for row in places} == {b""}  # nobody counted who was let in
        unchanged = before.keys() - {"redirect", "knowledge", "endpoint", "paths"}
        assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
        assert [row[:5] for row in after["paths"]] == before["paths"]
    reader = CatalogReader(path)
    assert [row.path for row in reader.endpoints(EndpointFilter())[1]][-1] == "/orders/{orderId}"
    assert reader.merged_into([1]) == {1: [3, 4]}
    reader.close()


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = restore_earlier(tmp_path) / CATALOG
    before = rows_of(path)
    steps = schema._STEPS
    first = f"{steps[6]}; DROP TABLE no_such_table"
    monkeypatch.setattr(schema, "_STEPS", (*steps[:6], first, *steps[7:]))
    with pytest.raises(LevoError, match="cannot be used as the catalog"):
        open_for_writing(path)

    assert rows_of(path) == before
    monkeypatch.undo()
    open_for_writing(path).close()
    assert "endpoint_redirect" in rows_of(path)


def test_weights_of_an_earlier_catalog_become_parts_that_add_up_exactly_in_any_order(tmp_path: Path) -> None:
    connection = older_catalog(tmp_path / "catalog", 7)
    connection.execute(
        "INSERT INTO endpoint (id, organization, environment, application, host, method, template, traces,"
        " exchanges, first_seen_ns, last_seen_ns) VALUES (1, 'a', 'p', 's', 'h', 'GET', '/b', 9, 1e6, 1, 2)"
    )
    weights = {200: 28.200000000000003, 404: 1_000_000.7999999999, 500: 7.1}
    connection.executemany("INSERT INTO endpoint_status VALUES (1, ?, ?)", weights.items())
    connection.execute("INSERT INTO counter VALUES ('noise_exchanges', 14.6)")
    connection.close()
    open_for_writing(tmp_path / "catalog").close()

    expected = {status: round(weight * 1024) / 1024 for status, weight in weights.items()}
    with sqlite3.connect(tmp_path / "catalog") as connection:
        (statuses, exchanges) = connection.execute("SELECT statuses, exchanges FROM place").fetchone()
        assert msgspec.json.decode(statuses, type=dict[int, float]) == expected
        assert exchanges == sum(expected.values())
        assert dict(connection.execute("SELECT status, exchanges FROM endpoint_status")) == expected
        assert connection.execute("SELECT exchanges FROM endpoint").fetchone() == (exchanges,)
        assert connection.execute("SELECT value FROM counter").fetchone() == (14.599609375,)
