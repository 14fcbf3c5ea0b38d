"""REST over a catalog with known content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.rest import derived_routes, rest_routes
from tests.satellite.asgi import call
from tests.satellite.store.catalogs import NOW, SECOND, catalog, trace


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Starlette]:
    reader = catalog(
        tmp_path / "catalog",
        [trace(), trace(status=503, weight=2.5, end_ns=NOW + SECOND), trace("/orders", method="POST")],
    )
    yield Starlette(
        routes=rest_routes(Catalogs(reader)),
        exception_handlers={HTTPException: on_http_exception},
    )
    reader.close()


def test_an_endpoint_in_full(app: Starlette) -> None:
    document = call(app, "GET", "/api/endpoints?method=GET").json()
    (endpoint,) = document.pop("endpoints")

    assert document == {"total": 1, "limit": 100, "offset": 0, "next": None}
    assert call(app, "GET", f"/api/endpoints/{endpoint['id']}").json() == endpoint
    del endpoint["id"]
    assert 0.9 < endpoint.pop("confidence") <= 1
    assert endpoint == {
        "organization": "acme",
        "environment": "staging",
        "application": "shop",
        "host": "shop.example",
        "authentication": "none seen",
        "schemes": [],
        "method": "GET",
        "path": "/users/{userId}",
        "count": 3.5,
        "traces": 2,
        "statuses": {"200": 1, "503": 2.5},
        "status_classes": {"2xx": 1, "5xx": 2.5},
        "first_seen": "2023-11-14T22:13:20.000Z",
        "last_seen": "2023-11-14T22:13:21.000Z",
    }


def test_paging(app: Starlette) -> None:
    first = call(app, "GET", "/api/endpoints?limit=1").json()
    second = call(app, "GET", f"/api/endpoints?limit=1&offset={first['next']}").json()

    assert [d["endpoints"][0]["path"] for d in (first, second)] == ["/orders", "/users/{userId}"]
    assert second["next"] is None


def test_the_other_lists(app: Starlette) -> None:
    (application,) = call(app, "GET", "/api/applications").json()["applications"]
    summary = call(app, "GET", "/api/summary").json()

    assert (application["application"], application["endpoints"], application["count"]) == ("shop", 2, 4.5)
    assert (summary["endpoints"], summary["count"], summary["errors"]) == (2, 4.5, 2.5)
    assert call(app, "GET", "/api/sensors").json()["sensors"] == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1.5",
        "limit=%D9%A3",
        "limit=" + "9" * 5000,
        "offset=x",
        "offset=1000001",
        "sort=path;DROP",
        "status=2",
        "nonsense=1",
        "limit=1&limit=2",
        "q=" + "x" * 301,
    ],
)
def test_parameters_that_cannot_be_used(app: Starlette, query: str) -> None:
    answer = call(app, "GET", f"/api/endpoints?{query}")

    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["detail"].startswith(query.partition("=")[0])


def test_the_evidence_for_a_path(tmp_path: Path) -> None:
    reader = catalog(tmp_path / "catalog", [trace()])
    app = Starlette(
        routes=derived_routes(Catalogs(reader)),
        exception_handlers={HTTPException: on_http_exception},
    )
    document = call(app, "GET", "/api/endpoints/1/evidence").json()
    missing = call(app, "GET", "/api/endpoints/2/evidence").status
    reader.close()
    users, value = document.pop("segments")

    assert missing == 404
    assert document["path"] == "/users/{userId}"
    assert document["parameters"] == [
        {
            "name": "userId",
            "type": "integer",
            "format": None,
            "kinds": {"integer": 1},
            "spans_segments": False,
        }
    ]
    assert (users["segment"], users["kind"], value["kind"]) == ("users", "word", "parameter")
    assert value["because"] == [
        {"what": "value of a recognized type", "speaks_for": "value", "certain": True, "log_odds": None}
    ]
