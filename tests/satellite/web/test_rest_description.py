"""The description of REST, against the routes and against what they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from levo import __version__
from levo.satellite.store import CatalogReader
from levo.satellite.store.userdata import UserData
from levo.satellite.web.backup import Backup
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.render import Renderer
from levo.satellite.web.rest import derived_routes, rest_routes
from levo.satellite.web.rest_decisions import decision_routes
from levo.satellite.web.rest_description import description_route, rest_description
from levo.satellite.web.rest_findings import finding_routes
from levo.satellite.web.triage import Triage
from tests.satellite.asgi import call
from tests.satellite.openapi.learned import shop
from tests.satellite.store.catalogs import catalog

DESCRIBED = rest_description()
GETS = sorted(path for path, item in DESCRIBED["paths"].items() if "get" in item)


def routes(folder: Path) -> list[Route]:
    catalog(folder / "catalog", shop(5)).close()
    userdata = UserData(folder / "userdata.sqlite3")
    reader = CatalogReader(folder / "catalog", userdata.path)
    decisions, views, audit = userdata.decisions, userdata.views, userdata.audit
    catalogs = Catalogs(reader)
    triage = Triage(catalogs, decisions, views, userdata.removals, audit, Renderer("http://localhost"))
    return [
        *rest_routes(catalogs),
        *derived_routes(catalogs),
        *decision_routes(catalogs, decisions, views, audit, userdata.alerts, triage),
        *finding_routes(userdata.findings, audit),
        Backup(folder).route(),
        description_route(),
    ]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starlette]:
    yield Starlette(
        routes=routes(tmp_path_factory.mktemp("rest")),
        exception_handlers={HTTPException: on_http_exception},
    )


def accepted(schema: dict[str, Any]) -> list[str]:
    """Values that a schema says can be used: all of an enumeration, both ends of a range."""
    if "enum" in schema:
        return list(schema["enum"])
    if schema["type"] == "integer":
        return [str(schema["minimum"]), str(schema["maximum"])]
    return ["x" * schema["maxLength"]]


def refused(schema: dict[str, Any]) -> list[str]:
    """Values just outside of it."""
    if "enum" in schema:
        return ["none-of-these"]
    if schema["type"] == "integer":
        return [str(schema["minimum"] - 1), str(schema["maximum"] + 1), "x"]
    return ["x" * (schema["maxLength"] + 1)]


def test_it_is_a_valid_description_and_served_as_written(app: Starlette) -> None:
    validate(DESCRIBED)

    assert call(app, "GET", "/api").json() == DESCRIBED
    assert DESCRIBED["info"]["version"] == __version__


def test_every_route_is_described_and_nothing_else(tmp_path: Path) -> None:
    there = {
        (re.sub(r"\{\w+(:\w+)?\}", "{}", route.path), method)
        for route in routes(tmp_path)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (re.sub(r"\{\w+\}", "{}", path), method.upper())
        for path, item in DESCRIBED["paths"].items()
        for method in item
    }

    assert described == there


@pytest.mark.parametrize("path", GETS)
def test_what_is_described_is_accepted_and_what_is_not_is_refused(app: Starlette, path: str) -> None:
    operation = DESCRIBED["paths"][path]["get"]
    target = path.replace("{id}", "1").replace("{name}", "A" * 16)
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            for value in accepted(parameter["schema"]):
                status = call(app, "GET", f"{target}?{urlencode({parameter['name']: value})}").status
                assert str(status) in operation["responses"] and status != 400, (parameter, value)
            for value in refused(parameter["schema"]):
                status = call(app, "GET", f"{target}?{urlencode({parameter['name']: value})}").status
                assert status == 400, (parameter, value)
    assert call(app, "GET", f"{target}?not-described=1").status == 400


@pytest.mark.parametrize("path", GETS)
def test_answers_have_a_described_media_type(app: Starlette, path: str) -> None:
    answer = call(app, "GET", path.replace("{id}", "1"))
    described = DESCRIBED["paths"][path]["get"]["responses"][str(answer.status)]

    assert answer.headers["content-type"].partition(";")[0] in described["content"]
