"""Downloads hold every row that passes the filters of their page, whatever their number."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest
from bench.satellite.seed import seed
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from levo.satellite.catalog.place import place_of
from levo.satellite.learn import SensorReport, State, Trace, learn_all
from levo.satellite.learn.state import learn_sensor
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.descriptions import store_description
from levo.satellite.store.userdata import NewAlert
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.exports import Table, download
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.render import Renderer
from levo.satellite.web.rest import derived_routes, rest_routes
from levo.satellite.web.rest_decisions import decision_routes
from levo.satellite.web.triage import Triage
from tests.satellite.asgi import call
from tests.satellite.openapi.learned import shop
from tests.satellite.running import Answer
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace
from tests.satellite.web.test_pages import Site

MANY = 350
"""More than a page of any table."""


class Exports:
    """The pages and REST over one catalog."""

    def __init__(self, folder: Path, traces: list[Trace] | None) -> None:
        self.site = Site(folder, traces)
        self.reader, self.userdata = self.site.reader, self.site.userdata
        userdata = self.userdata
        self.catalogs = Catalogs(self.reader)
        triage = Triage(
            self.catalogs,
            userdata.decisions,
            userdata.views,
            userdata.removals,
            userdata.audit,
            Renderer("http://localhost", lambda: NOW),
        )
        self.app = Starlette(
            routes=[
                *rest_routes(self.catalogs),
                *derived_routes(self.catalogs),
                *decision_routes(
                    self.catalogs, userdata.decisions, userdata.views, userdata.audit, userdata.alerts, triage
                ),
            ],
            exception_handlers={HTTPException: on_http_exception},
        )

    def get(self, target: str) -> Answer:
        answer = call(self.app, "GET", target)
        assert answer.status == 200, (target, answer.body)
        return answer

    def csv(self, path: str, **query: object) -> list[dict[str, str]]:
        answer = self.get(f"{path}?{urlencode({**query, 'format': 'csv'})}")
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))

    def json(self, path: str, **query: object) -> list[dict[str, Any]]:
        answer = self.get(f"{path}?{urlencode({**query, 'format': 'json'})}")
        assert answer.headers["content-disposition"].startswith("attachment")
        (rows,) = (value for value in answer.json().values() if isinstance(value, list))
        assert answer.json()["total"] == len(rows)
        return rows


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """More rows of everything than a page shows."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "catalog"
    seed(path, endpoints=MANY, days=2, events=6000, sensors=MANY, applications=175, now_ns=NOW)
    found = Exports(folder, None)
    for number in range(MANY):
        found.userdata.audit.record("anna", "accept", f"GET /{number}", "", NOW + number)
        alert = NewAlert("new-endpoint", str(number), f"New endpoint {number}")
        found.userdata.alerts.add([alert], NOW, sent=False)
    return found


TABLES = {
    "/api/endpoints": MANY,
    "/api/applications": MANY,
    "/api/sensors": MANY,
    "/api/encrypted": MANY * 10,
    "/api/sensitive": MANY // 2 * 3,
    "/api/changes": 6000,
    "/api/events": 6000,
    "/api/audit": MANY,
    "/api/alerts": MANY,
}


@pytest.mark.parametrize("path", TABLES)
def test_a_download_has_every_row_once(large: Exports, path: str) -> None:
    as_csv, as_json = large.csv(path), large.json(path)

    assert len(as_csv) == len(as_json) == large.get(path).json()["total"] >= min(TABLES[path], MANY)
    assert len({orjson.dumps(row) for row in as_json}) == len(as_json)
    assert list(as_csv[0]) == list(as_json[0])
    name = path.rpartition("/")[2]
    assert large.get(path).json()[name] == as_json[:100]


@pytest.mark.parametrize("path", TABLES)
def test_a_page_of_a_list_says_that_there_is_more_and_where(large: Exports, path: str) -> None:
    name, rows, target = path.rpartition("/")[2], [], f"{path}?limit=1000"
    while target:
        answer = large.get(target)
        document = answer.json()
        rows += document[name]
        assert (
            (document["next"] is None) == (len(rows) == document["total"]) == ("link" not in answer.headers)
        )
        found = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        target = found[1] if found else ""
        assert not target or f"offset={document['next']}" in target

    assert rows == large.json(path)


FILTERS = (
    "q=orders",
    "q=app 1",
    "application=app 3",
    "environment=staging",
    "organization=acme",
    "host=h7.example",
    "method=POST",
    "status=5xx",
    "new=7d",
    "review=open",
    "q=orders&environment=production&sort=exchanges",
    "sort=last_seen",
    "sort=first_seen",
    "sort=exchanges",
)


@pytest.mark.parametrize("query", FILTERS)
def test_an_export_of_the_catalog_has_its_filters_and_order(large: Exports, query: str) -> None:
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    rows = large.csv("/api/endpoints", **asked)
    pages = [
        large.get(f"/api/endpoints?{urlencode({**asked, 'offset': offset})}").json()["endpoints"]
        for offset in range(0, MANY, 100)
    ]

    assert [row["id"] for row in rows] == [str(row["id"]) for page in pages for row in page]
    assert len(rows) == MANY or "sort" not in query or "q" in query


def test_an_export_of_the_catalog_has_the_review_of_its_page(tmp_path: Path) -> None:
    exports = Exports(tmp_path, [trace(f"/{n}", host=f"{n}.example") for n in ("plain", "junk", "good")])
    for row in exports.reader.endpoints(EndpointFilter())[1]:
        kind = {"/junk": "ignore", "/good": "accept"}.get(row.path)
        if kind:
            exports.userdata.decisions.decide(kind, place_of(row), "", "anna", NOW)  # type: ignore[arg-type]

    found = {
        review: {row["path"] for row in exports.csv("/api/endpoints", review=review)}
        for review in ("", "open", "accepted", "ignored")
    }
    assert found == {
        "": {"/plain", "/good"},
        "open": {"/plain"},
        "accepted": {"/good"},
        "ignored": {"/junk"},
    }


LINKED = {
    "/catalog": "/api/endpoints",
    "/catalog?q=orders&sort=exchanges": "/api/endpoints",
    "/catalog?q=a%26b&application=app+3&status=5xx&new=7d&review=open&offset=100": "/api/endpoints",
    "/sensitive": "/api/sensitive",
    "/sensitive?kind=email&application=app+3&offset=1": "/api/sensitive",
    "/changes": "/api/changes",
    "/changes?kind=status&offset=100": "/api/changes",
    "/encrypted": "/api/encrypted",
    "/sensors": "/api/sensors",
    "/": "/api/traffic",
    "/?range=7d": "/api/traffic",
    "/endpoints/7?range=90d": "/api/endpoints/7/traffic",
    "/endpoints/7": "/api/sensitive",
}


@pytest.mark.parametrize("page", LINKED)
def test_the_links_of_a_page_lead_to_what_it_shows(large: Exports, page: str) -> None:
    text = large.site.get(page)
    links = [html.unescape(link) for link in re.findall(r'href="(/api/[^"]*format=[^"]*)"', text)]
    links = [link for link in links if urlsplit(link).path == LINKED[page]]
    asked = {n: v for n, v in parse_qs(urlsplit(page).query).items() if n != "offset"}
    if page.startswith("/endpoints/") and LINKED[page] == "/api/sensitive":
        asked = {"endpoint": ["7"]}

    assert [parse_qs(urlsplit(link).query)["format"] for link in links] == [["csv"], ["json"]]
    for link in links:
        query = {n: v for n, v in parse_qs(urlsplit(link).query).items() if n != "format"}
        assert query == asked or (not asked and set(query) == {"range"})
        large.get(link)


def test_the_sensitive_data_of_a_kind_and_an_application(large: Exports) -> None:
    everything = large.json("/api/sensitive")
    application = everything[0]["application"]
    rows = large.csv("/api/sensitive", kind="email", application=application)
    of_one = large.csv("/api/sensitive", endpoint=everything[0]["endpoint"])

    assert 0 < len(rows) < len(everything)
    assert len(rows) == sum((f["kind"], f["application"]) == ("email", application) for f in everything)
    assert {row["endpoint"] for row in of_one} == {str(everything[0]["endpoint"])}


def test_changes_of_a_kind_and_of_an_endpoint(large: Exports) -> None:
    of_kind, of_one = large.csv("/api/changes", kind="status"), large.csv("/api/changes", endpoint=7)

    assert len(of_kind) == 1200 and {row["kind"] for row in of_kind} == {"status"}
    assert len(of_one) == large.get("/api/changes?endpoint=7").json()["total"] > 0
    assert {row["endpoint"] for row in of_one} == {"7"}


def test_an_explicit_limit_is_obeyed(large: Exports) -> None:
    assert len(large.csv("/api/endpoints", limit=7)) == 7
    assert large.csv("/api/endpoints", limit=7, offset=5) == large.csv("/api/endpoints")[5:12]
    assert large.csv("/api/endpoints", offset=300) == large.csv("/api/endpoints")[300:]


def test_there_is_no_export_of_sensitive_data_before_all_endpoints_were_looked_at(tmp_path: Path) -> None:
    catalog(tmp_path / "catalog", shop(), looked=False).close()
    exports = Exports(tmp_path, None)
    early = call(exports.app, "GET", "/api/sensitive?format=csv")

    assert early.status == 503 and early.headers["retry-after"]
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.look()
    assert {row["kind"] for row in exports.csv("/api/sensitive")} >= {"email"}


@pytest.mark.parametrize("path", TABLES)
def test_a_table_without_rows_has_its_header(tmp_path: Path, large: Exports, path: str) -> None:
    empty = Exports(tmp_path, [])
    header = empty.get(f"{path}?format=csv").body.decode()

    assert header.count("\r\n") == 1
    assert header.rstrip().split(",") == list(large.json(path)[0])
    assert empty.json(path) == []


def test_the_comparison_with_a_description_is_one_table(tmp_path: Path) -> None:
    exports = Exports(tmp_path, shop())
    described = '{"openapi": "3.1.0", "paths": {"/never-called": {"get": {"responses": {}}}}}'
    store_description(exports.reader.path, ("acme", "staging", "shop"), NOW, described)
    document = exports.get("/api/comparison").json()
    rows = exports.csv("/api/comparison", application="shop")

    pairs = [(row["category"], row["method"], row["path"]) for row in rows]
    assert pairs == [
        *(("shadow", each["method"], each["path"]) for each in document["shadow"]),
        ("unused", "GET", "/never-called"),
    ]
    assert "/api/comparison?" in exports.site.get("/reference?application=shop")


def test_the_sensitive_fields_of_an_application_are_a_table(tmp_path: Path) -> None:
    exports = Exports(tmp_path, shop())
    rows = exports.csv("/api/sensitive", organization="acme", environment="staging", application="shop")

    assert [(row["path"], row["location"], row["kind"], row["contained"]) for row in rows] == [
        (each["path"], each["location"], each["kind"], str(each["contained"]))
        for each in exports.get("/api/sensitive").json()["sensitive"]
    ]
    assert rows and not exports.csv("/api/sensitive", environment="production")


def test_traffic_over_time_is_a_table(tmp_path: Path) -> None:
    now = time.time_ns()
    exports = Exports(tmp_path, [trace(end_ns=now), trace(end_ns=now - 3 * 86_400 * SECOND, status=500)])
    rows = exports.csv("/api/traffic", range="90d")

    assert [(row["count"], row["server_errors"]) for row in rows] == [("1", "1"), ("1", "0")]
    assert exports.json("/api/endpoints/1/traffic", range="90d")[1]["count"] == 1


TEXT: Table[str] = Table("texts", ("text", "nested"), lambda text: {"text": text, "nested": [text]})
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A")  # noqa: RUF001


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_starts_as_a_formula_does(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(read(download(TEXT, [text], "csv")).decode(), newline=""))

    assert row[0] == "'" + text and row[1] == orjson.dumps([text]).decode()


@pytest.mark.parametrize("text", ["plain", "a,b", 'say "x"', "two\r\nlines", "ümlaut", ""])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_text_comes_out_as_it_went_in(text: str, form: str) -> None:
    octets = read(download(TEXT, [text], form))
    if form == "json":
        assert orjson.loads(octets) == {"texts": [{"text": text, "nested": [text]}], "total": 1}
    else:
        assert list(csv.reader(io.StringIO(octets.decode(), newline="")))[1][0] == text


@pytest.mark.parametrize("form", ["csv", "json"])
def test_rows_are_read_as_they_are_sent(form: str) -> None:
    taken = 0

    def rows() -> Iterator[str]:
        nonlocal taken
        for _ in range(100_000):
            taken += 1
            yield "x" * 100

    pieces = iterated(download(TEXT, rows(), form))
    sizes = [len(next(pieces)) for _ in range(3)]

    assert taken < 3000 and max(sizes) < 100_000
    assert sum(1 for _ in pieces) > 100 and taken == 100_000


def test_what_changes_during_an_export_makes_no_row_come_twice_or_never(tmp_path: Path) -> None:
    """The order by last seen turns round between two batches."""
    path = tmp_path / "catalog"
    seed(path, endpoints=1200, days=1, events=2000, now_ns=NOW)
    reader = CatalogReader(path)
    rows = reader.each_endpoint(EndpointFilter(), sort="last_seen")
    events = reader.each_event()
    some, few = [next(rows) for _ in range(300)], [next(events) for _ in range(300)]
    with CatalogWriter(path) as writer:
        late = [trace(f"/new{n}", end_ns=NOW + n * SECOND) for n in range(300)]
        writer.commit(learn_all(State(), late), Position(2, 1))

    identities = [row.id for row in (*some, *rows)]
    assert len(identities) == len(set(identities)) == 1200
    assert len({event.id for event in (*few, *events)}) == 2000


def test_a_refused_path_comes_once_however_many_come_during_an_export(tmp_path: Path) -> None:
    path = tmp_path / "catalog"

    def refused(part: int, start_ns: int) -> list[Trace]:
        words = [
            f"{a}{b}{c}{d}" for a in "bdfg"[part::2] for b in "aeiou" for c in "klmnprstvz" for d in "aeiou"
        ]
        return [trace(f"/{word}/admin", status=401, end_ns=start_ns + n) for n, word in enumerate(words)]

    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), refused(0, NOW)), Position(1, 1))
        reader = CatalogReader(path)
        total = reader.refused()[0]
        rows = reader.each_refused()
        some = [next(rows) for _ in range(300)]
        writer.commit(learn_all(State(), refused(1, NOW + SECOND)), Position(2, 1))

    times = [row.last_seen_ns for row in (*some, *rows)]
    assert times == sorted(set(times), reverse=True) and len(times) == total == 500
    assert reader.refused()[0] > total


def test_what_was_deleted_during_an_export_is_left_out(tmp_path: Path) -> None:
    state = State()
    for number in range(50):
        learn_sensor(state, "acme", f"s{number}", SensorReport(NOW, NOW + number, {}, {}))
    with CatalogWriter(tmp_path / "catalog") as writer:
        writer.commit(state, Position(1, 1))
        rows = CatalogReader(tmp_path / "catalog").each_sensor()
        first = next(rows)
        writer._connection.execute("DELETE FROM sensor WHERE sensor = 's0'")

    assert [first.sensor, *(row.sensor for row in rows)] == [f"s{n}" for n in range(49, 0, -1)]


def read(response: object) -> bytes:
    return b"".join(iterated(response))


def iterated(response: object) -> Iterator[bytes]:
    """The pieces of a streamed answer, one at a time."""
    assert isinstance(response, StreamingResponse)
    pieces = response.body_iterator.__aiter__()
    with asyncio.Runner() as runner:

        async def following() -> bytes | None:
            try:
                piece = await pieces.__anext__()
            except StopAsyncIteration:
                return None
            assert isinstance(piece, bytes)
            return piece

        while (piece := runner.run(following())) is not None:
            yield piece
