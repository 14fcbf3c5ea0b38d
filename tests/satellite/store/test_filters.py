"""Filters in SQL find what they find of one endpoint at a time."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from levo.satellite.learn import Trace
from levo.satellite.learn.authentication import authentication_of
from levo.satellite.query import ENDPOINTS, parse, passes
from levo.satellite.store import CatalogReader, EndpointFilter, EndpointRow
from levo.satellite.store.reader import _COLUMN_OF, AUTHENTICATIONS
from tests.satellite.store.catalogs import catalog, trace

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> CatalogReader:
    now = time.time_ns()
    traces: list[Trace | None] = [
        trace("/v1/users", status=200, end_ns=now - DAY),
        trace("/v1/users", status=503, end_ns=now - DAY),
        trace("/v1/users", method="POST", status=201, application="Shop", end_ns=now),
        trace(
            "/v1/100%_off", host="a.example", environment="production", scheme="https", end_ns=now - 20 * DAY
        ),
        trace("/health", status=404, application="ops", host="b.test", end_ns=now),
        trace("/health", application="ops", host="b.test", scheme="http", end_ns=now),
        *(trace("/busy", application="ops", host="b.test", end_ns=now - DAY) for _ in range(30)),
    ]
    return catalog(tmp_path_factory.mktemp("filters") / "catalog", traces)


def values_of(row: EndpointRow, name: str) -> list[str | float]:
    now_ns = time.time_ns()
    words = {meant: word for word, meant in AUTHENTICATIONS.items()}
    known: dict[str, list[str | float]] = {
        "status": [{"invalid": -1}.get(code, 0) or int(code) for code in row.statuses],
        "auth": [words[authentication_of(row.access)]],
        "scheme": list(row.schemes),
        "exchanges": [row.exchanges],
        "errors": [sum(n for code, n in row.statuses.items() if code.startswith("5")) / row.exchanges],
        "first-seen": [(now_ns - row.first_seen_ns) / 1e9],
        "last-seen": [(now_ns - row.last_seen_ns) / 1e9],
    }
    return known[name] if name in known else [getattr(row, name)]


TEXTS = (
    "", "users", "SHOP", "100%_off", '"0%"', "a_b", "method:post", "method:POST,get", "-method:get",
    "app:shop", "application:sh*", "host:*.example -host:a*", "path:/v1/*", "path:*users", "path:/V1/users",
    "env:production", "status:5xx", "status:404,503", "status:none", "status>=404", "status<300",
    "-status:2xx", "scheme:https", "scheme:http,https", "-scheme:http", "exchanges>1", "exchanges:1",
    "exchanges<=30",
    "errors>0%", "errors:50%", "first-seen<2d", "last-seen>7d", "auth:none", "auth:unknown", "-auth:none",
    "method:post or (status:5xx users)", "-(method:post or app:ops)", "(users or health) -status:404",
)  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_sql_finds_what_passes_one_by_one(reader: CatalogReader, text: str) -> None:
    expression = parse(text, ENDPOINTS)
    everything = reader.endpoints(EndpointFilter())[1]
    total, found = reader.endpoints(EndpointFilter(expression=expression))

    passing = [
        r.id for r in everything if passes(expression, ENDPOINTS, lambda name, r=r: values_of(r, name))
    ]
    assert [row.id for row in found] == passing
    assert total == len(passing) == reader.count_endpoints(EndpointFilter(expression=expression))
    assert [row.id for row in reader.each_endpoint(EndpointFilter(expression=expression))] == passing


def test_some_filters_find_some_endpoints_and_not_all(reader: CatalogReader) -> None:
    counts = [reader.count_endpoints(EndpointFilter(expression=parse(text, ENDPOINTS))) for text in TEXTS]
    assert max(counts) == 5 and sum(0 < each < 5 for each in counts) > 25


def test_every_field_has_a_column() -> None:
    assert set(_COLUMN_OF) == {field.name for field in ENDPOINTS.all}


def test_latencies_of_the_last_week(tmp_path: Path) -> None:
    now = time.time_ns()
    timed = [
        msgspec.structs.replace(trace("/", host=host, end_ns=end_ns), start_ns=end_ns - latency * 1_000_000)
        for host, end_ns, latency in (
            *(("fast.example", now - DAY, 5) for _ in range(30)),
            *(("slow.example", now - DAY, 400) for _ in range(30)),
            *(("uneven.example", now - DAY, each) for each in (*[5] * 24, *[900] * 6)),
            *(("lately.example", now - 20 * DAY, 400) for _ in range(30)),
        )
    ]
    reader = catalog(tmp_path / "catalog", timed)

    def found(text: str) -> set[str]:
        return {row.host for row in reader.endpoints(EndpointFilter(expression=parse(text, ENDPOINTS)))[1]}

    assert found("p95>200ms") == {"slow.example", "uneven.example"}
    assert found("p50>0.2s") == {"slow.example"}
    assert found("p99<10ms") == {"fast.example"}
    assert found("-p99>0") == {"lately.example"}


def test_facets_and_other_filters_go_together_with_a_filter(reader: CatalogReader) -> None:
    wanted = EndpointFilter(application="ops", expression=parse("path:/health or path:/busy", ENDPOINTS))
    facets = reader.facets(wanted)

    assert {each.value: each.endpoints for each in facets["auth"]} == {"none": 2}
    assert {each.value for each in facets["status"]} == {"2xx", "4xx"}
    assert reader.count_endpoints(wanted) == 2
