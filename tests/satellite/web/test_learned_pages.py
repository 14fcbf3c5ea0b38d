"""Pages about sensitive data, changes, encrypted traffic and the API, over known content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from levo.engine.engine import Engine
from levo.satellite.learn import State, read_metrics
from levo.satellite.learn.state import learn_sensor
from levo.satellite.queue import Position
from levo.satellite.store import CatalogWriter
from levo.satellite.store.descriptions import store_description
from levo.sensor.assembly import ledger_of
from levo.sensor.capture.statistics import LiveStatistics
from levo.sensor.metrics import measure
from levo.sensor.pipeline import PipelineStatistics, Snapshot
from levo.wire.metrics import encode_metrics
from levo.wire.process_use import ProcessUse
from levo.wire.resource import encode_resource
from tests.satellite.openapi.learned import shop
from tests.satellite.requests import RESOURCE
from tests.satellite.store.catalogs import NOW
from tests.satellite.web.test_pages import Site

ENDPOINT = {
    "server_address": "192.0.2.7",
    "server_port": 8443,
    "server_name": "pay.example",
    "alpn": "h2",
    "version": "1.3",
    "certificate_names": ("pay.example", "*.pay.example"),
    "connections": 321,
    "decrypted_connections": 45,
    "unread": {"no_secrets": 276},
    "bytes": 3 << 20,
}
OTHERS = {
    **dict.fromkeys(ENDPOINT, None),
    **{"connections": 6, "decrypted_connections": 0, "unread": {}, "bytes": 7},
}


def report(folder: Path, *endpoints: dict[str, Any]) -> None:
    """Store what a sensor that saw *endpoints* sends, as it sends it."""
    capture = LiveStatistics((), 0)
    seen = Snapshot(
        Engine().statistics(), 0, capture, PipelineStatistics(), (), None, True, encrypted=endpoints
    )
    metrics = measure(ledger_of(seen), seen, ProcessUse())
    sent = encode_metrics(metrics, encode_resource(RESOURCE), ("levo.sensor", "1"), NOW - 1, NOW)
    state = State()
    for origin, each in read_metrics(ExportMetricsServiceRequest.FromString(sent), "acme", NOW):
        learn_sensor(state, origin.organization, origin.sensor, each)
    with CatalogWriter(folder / "catalog") as writer:
        writer.commit(state, Position(1, 1))


def test_the_encrypted_page_shows_what_a_sensor_sends(tmp_path: Path) -> None:
    report(tmp_path, ENDPOINT, OTHERS)
    text = Site(tmp_path, None).get("/encrypted")

    for shown in (
        "pay.example</th>",
        "192.0.2.7 port 8443",
        ">h2<",
        ">1.3<",
        "pay.example, *.pay.example",
        ">321<",
        ">45<",
        "3.0 MiB",
        "not visible",
    ):
        assert shown in text
    assert "Nothing is hidden" not in text


def test_the_overview_counts_the_servers_that_stay_unread(tmp_path: Path) -> None:
    report(tmp_path, ENDPOINT, OTHERS)
    text = Site(tmp_path, None).get("/")

    assert 'href="/encrypted"><span>Encrypted</span><b>2</b><small>servers unread' in text


def test_a_sensor_without_encrypted_traffic_is_said_so(tmp_path: Path) -> None:
    report(tmp_path)

    assert "Nothing is hidden" in Site(tmp_path, None).get("/encrypted")


def test_names_on_the_wire_are_text_on_the_page(tmp_path: Path) -> None:
    report(tmp_path, {**ENDPOINT, "server_name": "<script>alert(1)</script>"})
    text = Site(tmp_path, None).get("/encrypted")

    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text


def test_sensitive_data_is_filtered_by_kind_and_application(tmp_path: Path) -> None:
    site = Site(tmp_path, shop())

    assert "request-body:email" in site.get("/sensitive?kind=email&application=shop")
    assert 'href="/endpoints/' in site.get("/sensitive?kind=email")
    for query in ("kind=iban", "application=other"):
        assert 'href="/endpoints/' not in site.get(f"/sensitive?{query}")


def test_changes_of_one_kind(tmp_path: Path) -> None:
    site = Site(tmp_path, shop())

    assert "New endpoint" in site.get("/changes?kind=endpoint")
    assert "New endpoint" not in site.get("/changes?kind=status").split("<main")[1]


@pytest.mark.parametrize(
    "query", ["/changes?kind=x", "/changes?x=1", "/encrypted?x=1", "/sensitive?offset=x"]
)
def test_bad_queries_are_refused(tmp_path: Path, query: str) -> None:
    Site(tmp_path, []).get(query, 400)


def test_the_reference_shows_operations_and_what_a_description_leaves_out(tmp_path: Path) -> None:
    site = Site(tmp_path, shop())
    before = site.get("/reference?application=shop")
    described = '{"openapi": "3.1.0", "paths": {"/never-called": {"get": {"responses": {}}}}}'
    store_description(site.reader.path, ("acme", "staging", "shop"), NOW, described)
    after = site.get("/reference?application=shop")

    assert "{userId}" in before and "never-called" not in before
    assert "never-called" in after


def test_there_is_no_reference_of_an_unknown_application(tmp_path: Path) -> None:
    Site(tmp_path, shop(1)).get("/reference?application=other", 404)
