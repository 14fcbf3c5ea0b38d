"""Names are stored as keyed hashes until they are proven; what else makes text of them, what undoes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import msgspec
import pytest

from levo.satellite.learn import Detectors, LearnSettings, NameRule, Origin, State, Trace, learn
from levo.satellite.learn.naming import Application
from levo.satellite.learn.schema.packing import pack_node
from levo.satellite.openapi import Operation, render_document
from levo.satellite.queue import Position
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter
from levo.satellite.store.descriptions import store_description
from levo.satellite.store.names import described_names
from levo.satellite.store.retention import Retention
from levo.satellite.store.rotation import KEY_NAME, rotate_key
from levo.satellite.store.userdata import UserData
from levo.satellite.store.userdata.database import USERDATA_NAME

KEY = b"k" * 32
RULE = NameRule()
PLACE = ("acme", "test", "shop")
HOUR_NS = 3600 * 10**9
START_NS = 1_700_000_000 * 10**9
JSON = (("content-type", "application/json"),)


class Catalog:
    """A catalog that learns one exchange a commit."""

    def __init__(self, folder: Path, rule: NameRule = RULE) -> None:
        self.folder, self.rule = folder, rule
        folder.mkdir(exist_ok=True)
        self.path = folder / DATABASE_NAME
        (folder / KEY_NAME).write_bytes(KEY)
        self._open()
        self._commits = 0

    def _open(self) -> None:
        self.writer = CatalogWriter(self.path, key=KEY, names=self.rule)

    def restart(self, rule: NameRule = RULE) -> None:
        self.writer.close()
        self.rule = rule
        self._open()

    def learn(self, *traces: Trace) -> None:
        settings = LearnSettings(Detectors(), KEY, names=self.rule, known_names=self.writer.known_names)
        state = State()
        for trace in traces:
            learn(state, trace, settings)
        self._commits += 1
        self.writer.commit(state, Position(1, self._commits))

    def operations(self) -> list[Operation]:
        with closing(CatalogReader(self.path)) as reader:
            return reader.operations(PLACE)

    def names(self) -> set[str]:
        return {name for operation in self.operations() for name in operation.knowledge.names()}

    def has(self, text: str) -> bool:
        """Whether some file of the catalog has *text*."""
        self.writer.prune(START_NS)  # empties the write-ahead log
        with closing(sqlite3.connect(self.path)) as connection:
            rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]
        return text in repr(rows) or text.encode() in self.path.read_bytes()


TABLES = ("name", "unproven_name", "place", "endpoint", "event", "paths", "path_log")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    found = Catalog(tmp_path)
    yield found
    found.writer.close()


def asked(
    number: int,
    client: str = "",
    *,
    path: str = "/things",
    query: str = "",
    body: object = None,
    hours: int = 0,
) -> Trace:
    """A request with a number of its own, answered without a body."""
    octets = b"" if body is None else json.dumps(body).encode()
    time_ns = START_NS + number + hours * HOUR_NS
    return Trace(
        Origin(*PLACE, "sensor"), "shop.example", "POST", path, 200, 1.0, time_ns, time_ns,
        query, client, JSON, (), octets, identity=number.to_bytes(24),
    )  # fmt: skip


def answered(
    number: int, body: object, *, status: int = 200, client: str = "10.0.0.1", hours: int = 0
) -> Trace:
    time_ns = START_NS + number + hours * HOUR_NS
    return Trace(
        Origin(*PLACE, "sensor"), "shop.example", "GET", f"/answers/{number}", status, 1.0, time_ns, time_ns,
        "", client, (), JSON, b"", json.dumps(body).encode(), identity=number.to_bytes(24),
    )  # fmt: skip


def test_a_request_proves_its_names_with_three_objects_of_two_callers(catalog: Catalog) -> None:
    catalog.learn(asked(1, "10.0.0.1", query="zorbal=1", body={"lumiko": 1}))
    catalog.learn(asked(2, "10.0.0.1", query="zorbal=2", body={"lumiko": 2}))
    catalog.learn(asked(3, "10.0.0.1", query="zorbal=3", body={"lumiko": 3}))
    assert (
        not {"zorbal", "lumiko"} & catalog.names() and not catalog.has("zorbal") and not catalog.has("lumiko")
    )

    catalog.learn(asked(4, "10.0.0.2", query="zorbal=4", body={"lumiko": 4}))

    (operation,) = catalog.operations()
    assert {"zorbal", "lumiko"} <= operation.knowledge.names() and operation.unnamed == 0
    assert operation.knowledge.query.children["zorbal"].integers == 4, "nothing of before is lost"
    assert operation.knowledge.bodies["application/json"].schema.children["lumiko"].bits == 3


@pytest.mark.parametrize("caller", ["10.0.0.1", ""])
def test_the_same_request_again_is_no_other_object_and_who_is_unknown_no_other_caller(
    catalog: Catalog, caller: str
) -> None:
    for number in range(12):
        catalog.learn(asked(number, caller, query="zorbal=1", body={"lumiko": [1, 1, 1]}))
        catalog.learn(asked(number, "" if number % 2 else "10.0.0.1", query=f"karpo={number}"))

    assert not {"zorbal", "lumiko", "karpo"} & catalog.names()
    assert not catalog.has("zorbal") and not catalog.has("lumiko")


def test_an_answer_proves_its_names_with_three_objects_only_if_it_is_a_success(catalog: Catalog) -> None:
    for number in range(3):
        catalog.learn(answered(number, {"lumiko": number}), answered(number, {"zorbal": number}, status=422))
    assert "lumiko" in catalog.names() and "zorbal" not in catalog.names() and not catalog.has("zorbal")

    catalog.learn(answered(3, {"zorbal": 3}, status=422, client="10.0.0.2"))

    assert "zorbal" in catalog.names(), "what refuses may repeat: it counts as the request does"


def test_an_answer_that_never_changes_proves_its_names_in_three_days(catalog: Catalog) -> None:
    for day in range(3):
        for _ in range(5):
            once = answered(0, {"lumiko": {"zorbal": 7}}, hours=24 * day)
            catalog.learn(msgspec.structs.replace(once, path="/limits"))
        assert ("lumiko" in catalog.names()) == ("zorbal" in catalog.names()) == (day == 2)


def test_names_of_a_table_are_proven_by_tables_not_by_rows(catalog: Catalog) -> None:
    def table(number: int) -> Trace:
        rows = "".join(f"{number},{row}\n" for row in range(9))
        return msgspec.structs.replace(
            answered(number, None),
            response_headers=(("content-type", "text/csv"),),
            response_body=f"lumiko,zorbal\n{rows}".encode(),
        )

    catalog.learn(table(1), table(2))
    assert "lumiko" not in catalog.names()

    catalog.learn(table(3))
    assert {"lumiko", "zorbal"} <= catalog.names()


def test_what_is_proven_anywhere_in_an_application_is_a_name_everywhere_there(catalog: Catalog) -> None:
    catalog.learn(asked(1, "10.0.0.1", path="/one", query="zorbal=1"))
    catalog.learn(asked(2, "10.0.0.2", path="/two", query="zorbal=1"))
    catalog.learn(asked(3, "10.0.0.2", path="/three", query="zorbal=1"))

    assert ["zorbal" in operation.knowledge.query.children for operation in catalog.operations()] == [
        True
    ] * 3


def test_one_caller_alone_proves_in_a_day_marked_until_there_is_another(catalog: Catalog) -> None:
    for number in range(5):
        catalog.learn(
            asked(number, "10.0.0.1", query=f"zorbal={number}", body={"lumiko": number}, hours=5 * number)
        )
    assert not {"zorbal", "lumiko"} & catalog.names()

    catalog.learn(asked(5, "10.0.0.1", query="zorbal=5", body={"lumiko": 5}, hours=24))
    (operation,) = catalog.operations()
    assert {"zorbal", "lumiko"} <= operation.knowledge.names()
    assert json.dumps(render_document("shop", [operation])).count('"x-levo-one-caller": true') == 2

    catalog.learn(asked(6, "10.0.0.2", path="/other"))
    assert not {"zorbal", "lumiko"} & catalog.names() and not catalog.has("zorbal")
    assert not catalog.has("lumiko")

    catalog.learn(asked(7, "10.0.0.2", query="zorbal=7"))
    (_, things) = catalog.operations()
    assert things.knowledge.query.children["zorbal"].integers == 7
    assert "x-levo-one-caller" not in json.dumps(render_document("shop", [things]))


def test_names_of_a_description_are_names_at_once(catalog: Catalog) -> None:
    catalog.learn(asked(1, "10.0.0.1", query="zorbal=1&karpo=1", body={"lumiko": 1}))
    body = {"content": {"application/json": {"schema": {"properties": {"lumiko": {"type": "integer"}}}}}}
    operation = {"parameters": [{"name": "zorbal", "in": "query"}], "requestBody": body}
    document = {"openapi": "3.1.0", "paths": {"/things": {"post": operation}}}
    store_description(catalog.path, PLACE, START_NS, json.dumps(document))

    catalog.writer.listen()

    assert {"zorbal", "lumiko"} <= catalog.names() and "karpo" not in catalog.names()
    assert set(described_names(document)) == {"zorbal", "lumiko", "application/json"}


def rows(catalog: Catalog) -> dict[str, int]:
    """How many rows each table has of the application's names."""
    with closing(sqlite3.connect(catalog.path)) as connection:
        return {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE (organization, environment, application) = (?, ?, ?)",
                PLACE,
            ).fetchone()[0]
            for table in ("name", "unproven_name", "name_caller")
        }


def known_application(catalog: Catalog) -> Catalog:
    """Teach the catalog an application with proven and unproven names, and another one."""
    for number in range(3):
        body = {"lumiko": number, f"rare{number}": 1}
        catalog.learn(asked(number, f"10.0.0.{number}", query=f"zorbal={number}", body=body))
        other = asked(number, f"10.0.0.{number}", query=f"zorbal={number}")
        catalog.learn(msgspec.structs.replace(other, origin=Origin("acme", "test", "other", "sensor")))
    assert all(rows(catalog).values()) and {"zorbal", "lumiko"} <= catalog.names()
    return catalog


@pytest.mark.parametrize("what", ["host", "endpoint"])
def test_the_names_of_an_application_go_with_its_last_place(catalog: Catalog, what: str) -> None:
    known_application(catalog)
    known = catalog.writer.known_names(Application(*PLACE))
    removals = UserData(catalog.folder / USERDATA_NAME).removals
    method, template = ("POST", "/things") if what == "endpoint" else ("", "")
    removals.remove((*PLACE, "shop.example"), method, template, START_NS)
    catalog.writer.listen()
    if what == "endpoint":  # its host stays, until a decision has been made about it
        catalog.learn()
        catalog.writer.prune(START_NS, Retention(HOUR_NS, HOUR_NS))

    assert rows(catalog) == {"name": 0, "unproven_name": 0, "name_caller": 0}
    assert not catalog.has("lumiko") and catalog.has("zorbal"), "the other application has it"
    assert not {"zorbal", "lumiko"} & known

    catalog.learn(asked(7, "10.0.0.7", query="zorbal=7"))
    assert len(catalog.operations()) == 1 and "zorbal" not in catalog.names()
    for number in range(8, 10):
        catalog.learn(asked(number, f"10.0.0.{number}", query=f"zorbal={number}"))
    assert "zorbal" in catalog.names() and "zorbal" in known


def test_names_stay_while_an_application_has_a_place(catalog: Catalog) -> None:
    known_application(catalog)
    catalog.learn(msgspec.structs.replace(asked(5, "10.0.0.5"), host="api.example"))
    before = rows(catalog)
    UserData(catalog.folder / USERDATA_NAME).removals.remove((*PLACE, "shop.example"), "", "", START_NS)
    catalog.writer.listen()

    assert rows(catalog) == before and len(catalog.operations()) == 1


def test_names_of_a_description_come_back_with_traffic(catalog: Catalog) -> None:
    known_application(catalog)
    operation = {"parameters": [{"name": "zorbal", "in": "query"}]}
    document = {"openapi": "3.1.0", "paths": {"/things": {"post": operation}}}
    store_description(catalog.path, PLACE, START_NS, json.dumps(document))
    UserData(catalog.folder / USERDATA_NAME).removals.remove((*PLACE, "shop.example"), "", "", START_NS)
    catalog.writer.listen()
    assert rows(catalog)["name"] == 0

    catalog.learn(asked(7, "10.0.0.7", query="zorbal=7", body={"lumiko": 7}))
    assert "zorbal" in catalog.names() and "lumiko" not in catalog.names()


def test_a_removal_that_fails_leaves_the_names(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    known_application(catalog)
    before, known = rows(catalog), catalog.writer.known_names(Application(*PLACE))
    names = set(known)
    UserData(catalog.folder / USERDATA_NAME).removals.remove((*PLACE, "shop.example"), "", "", START_NS)
    with monkeypatch.context() as patch:
        patch.setattr(CatalogWriter, "_add_counters", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            catalog.writer.listen()

    assert (rows(catalog), known) == (before, names)


def test_names_that_were_text_before_there_was_a_rule_stay_text(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, NameRule(1, 1))
    catalog.learn(asked(1, "10.0.0.1", query="zorbal=1", body={"lumiko": 1}))
    assert {"zorbal", "lumiko"} <= catalog.names()

    catalog.restart()
    catalog.learn(asked(2, "10.0.0.1", query="zorbal=1&karpo=1", body={"lumiko": 1}))
    assert {"zorbal", "lumiko"} <= catalog.names() and "karpo" not in catalog.names()

    catalog.restart(NameRule(1, 1))
    catalog.learn(asked(3, "10.0.0.1", query="karpo=1"))
    assert "karpo" in catalog.names(), "without a rule the next request shows it"
    (operation,) = catalog.operations()
    assert operation.knowledge.query.children["karpo"].integers == 2
    catalog.writer.close()


def test_operations_that_were_text_before_there_was_a_rule_stay_endpoints(tmp_path: Path) -> None:
    def paths() -> set[str]:
        return {operation.path for operation in catalog.operations()}

    catalog = Catalog(tmp_path, NameRule(1, 1))
    catalog.learn(asked(1, "10.0.0.1", path="/graphql", body={"query": "query Lumiko { a }"}))
    assert paths() == {"/graphql#query.Lumiko"}

    catalog.restart()
    catalog.learn(asked(2, "10.0.0.1", path="/graphql", body={"query": "query Lumiko { a }"}))
    assert paths() == {"/graphql#query.Lumiko"}
    catalog.writer.close()


def test_a_new_key_leaves_no_mark_of_an_operation(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    catalog.learn(asked(1, "10.0.0.1", path="/graphql", body={"query": "query Lumiko { a }"}))
    assert catalog.has("/graphql/#/?")
    catalog.writer.close()

    rotate_key(tmp_path)
    catalog._open()
    catalog.learn(asked(2, "10.0.0.2"))
    assert not catalog.has("/graphql/#/?")
    catalog.writer.close()


def test_a_new_key_starts_unproven_names_anew_and_keeps_the_others(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    for number in range(3):
        catalog.learn(asked(number, f"10.0.0.{number % 2}", query=f"zorbal={number}"))
    catalog.learn(asked(4, "10.0.0.1", query="karpo=1"))
    catalog.writer.close()

    assert rotate_key(tmp_path).names == 1
    (operation,) = catalog.operations()
    assert "zorbal" in operation.knowledge.names() and operation.unnamed == 0


def test_a_flood_of_names_displaces_no_proven_one(catalog: Catalog) -> None:
    for number in range(4):
        catalog.learn(
            asked(number, f"10.0.0.{number % 2}", body={"lumiko": number, "zorbal": {"karpo": number}})
        )
    for number in range(40):
        letters = [chr(97 + i) for i in range(26)]
        flood = {f"x{a}{letters[number % 26]}{b}q": 1 for a in letters for b in letters[:8]}
        catalog.learn(asked(100 + number, "10.0.0.9", body={**flood, "lumiko": number}))

    (operation,) = catalog.operations()
    schema = operation.knowledge.bodies["application/json"].schema
    assert {"lumiko", "zorbal"} <= schema.children.keys() and "karpo" in schema.children["zorbal"].children
    assert schema.children["lumiko"].integers == 44 and not schema.folded and schema.crowded
    assert schema.other is not None and 0 < schema.unnamed <= 80


def test_many_names_are_the_same_schema_however_they_came(tmp_path: Path) -> None:
    """An object of 280 names, half of which are proven sooner or later."""
    names = [f"{a}{b}{c}ov" for a in "bdfgklm" for b in "aeiou" for c in "lmnrstvz"]
    rng = Random(1)
    traces = [
        asked(
            number,
            f"10.0.0.{number % 3}",
            body={name: number for name in (*rng.sample(names[:140], 20), *rng.sample(names[140:], 2))},
        )
        for number in range(50)
    ]
    found = set()
    for size, seed in ((50, 0), (1, 0), (7, 1), (10, 2)):
        mixed = list(traces)
        Random(seed).shuffle(mixed)
        catalog = Catalog(tmp_path / f"{size}")
        for at in range(0, len(mixed), size):
            catalog.learn(*mixed[at : at + size])
        (operation,) = catalog.operations()
        schema = operation.knowledge.bodies["application/json"].schema
        assert 100 < len(schema.children) <= 160 and schema.unnamed > 50 and schema.other is None
        found.add((pack_node(schema), schema.unnamed))
        catalog.writer.close()

    assert len(found) == 1


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_operations_have_marks_until_they_are_proven(catalog: Catalog, batch: int) -> None:
    def call(number: int, name: str, client: str) -> Trace:
        body = {"query": f"query {name} {{ user {{ id }} }}", "variables": {"n": number}}
        return asked(number, client, path="/graphql", body=body)

    calls = [call(n, "Lumiko", "10.0.0.1") for n in range(4)] + [call(9, "Zorbal", "10.0.0.2")]
    for at in range(0, len(calls), batch):
        catalog.learn(*calls[at : at + batch])
    assert not catalog.has("Lumiko") and not catalog.has("Zorbal")
    assert len(catalog.operations()) == 2 and "Lumiko" not in json.dumps(
        render_document("shop", catalog.operations())
    )
    catalog.restart()

    catalog.learn(call(10, "Lumiko", "10.0.0.2"))

    found = {operation.path: operation.exchanges for operation in catalog.operations()}
    assert found.pop("/graphql#query.Lumiko") == 5.0 and list(found.values()) == [1.0]
    assert "/graphql#query.Lumiko" in render_document("shop", catalog.operations())["paths"]
    assert not catalog.has("Zorbal")
