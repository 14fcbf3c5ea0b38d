"""Decisions of users about endpoints and findings."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from levo.satellite.catalog.place import place_of
from levo.satellite.store import CatalogReader, EndpointFilter, EndpointRow
from levo.satellite.store.userdata import UserData
from levo.satellite.web import read_apart
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.render import Renderer
from levo.satellite.web.triage import Triage, check_decision
from tests.satellite.asgi import call
from tests.satellite.running import Answer
from tests.satellite.store.catalogs import NOW, catalog, trace


class Decided:
    """Triage of a catalog with one endpoint, ``GET /users/{userId}``."""

    def __init__(self, folder: Path) -> None:
        self.userdata = UserData(folder / "userdata.sqlite3")
        catalog(folder / "catalog", [trace()]).close()
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        userdata = self.userdata
        triage = Triage(
            Catalogs(self.reader),
            userdata.decisions,
            userdata.views,
            userdata.removals,
            userdata.audit,
            Renderer("http://localhost", lambda: NOW),
        )
        self.app = Starlette(routes=triage.routes(), exception_handlers={HTTPException: on_http_exception})
        (self.row,) = self.reader.endpoints(EndpointFilter())[1]

    def post(self, target: str, **fields: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return call(self.app, "POST", target, urlencode(fields).encode(), kind)

    def decide(self, **fields: str) -> Answer:
        return self.post(f"/endpoints/{self.row.id}/decide", **fields)

    def audited(self) -> list[str]:
        return [entry.action for entry in self.userdata.audit.page()[1]]


@pytest.fixture
def site(tmp_path: Path) -> Decided:
    return Decided(tmp_path)


def test_a_decision_is_kept_audited_and_taken_back_once(site: Decided) -> None:
    answer = site.decide(kind="accept", detail="is dropped")
    (decision,) = site.userdata.decisions.of(place_of(site.row))

    assert answer.headers["location"] == f"/endpoints/{site.row.id}?said=saved"
    assert (decision.kind, decision.detail, decision.actor) == ("accept", "", "local")
    assert site.post(f"/decisions/{decision.id}/undo").status == 303
    assert site.post(f"/decisions/{decision.id}/undo").status == 404
    assert site.userdata.decisions.in_force("accept") == []
    assert site.audited() == ["undo accept", "accept"]


def test_a_refused_decision_leaves_no_trace(site: Decided) -> None:
    assert site.decide(kind="nonsense").status == 400
    assert site.post("/endpoints/999/decide", kind="accept").status == 404
    assert site.post(f"/endpoints/{1 << 70}/decide", kind="accept").status == 404
    assert (site.userdata.decisions.of(place_of(site.row)), site.audited()) == ([], [])


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("rename", "/users/{account}"),
        ("split", "/users/me"),
        ("merge", "/{collection}/{userId}"),
        ("confirm", "response-body:200:email email"),
        ("ignore", ""),
    ],
)
def test_what_can_be_decided(site: Decided, kind: str, detail: str) -> None:
    check_decision(kind, detail, site.row)

    assert site.decide(kind=kind, detail=detail).status == 303


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("rename", "/users/me"),
        ("split", "/users/{other}"),
        ("merge", "/users/{userId}"),
        ("rename", "users/{a}"),
        ("rename", "/users/{a b}"),
        ("rename", "/users/{}"),
        ("split", "/users/a b"),
        ("split", ""),
        ("confirm", "email"),
        ("reject", "a b c"),
        ("", ""),
    ],
)
def test_what_cannot_be_decided(site: Decided, kind: str, detail: str) -> None:
    row: EndpointRow = site.row
    with pytest.raises(HTTPException) as refused:
        check_decision(kind, detail, row)

    assert refused.value.status_code == 400


def test_a_view_is_saved_and_removed(site: Decided) -> None:
    assert site.post("/views", name="mine", query="q=a&sort=path").headers["location"] == (
        "/catalog?q=a&sort=path&said=saved"
    )
    (view,) = site.userdata.views.all()
    assert (view.name, view.query) == ("mine", "q=a&sort=path")
    assert [site.post(f"/views/{view.id}/remove").status for _ in range(2)] == [303, 404]


@pytest.mark.parametrize(("name", "query"), [("", "q=a"), ("x", ""), ("x", "q=<b>"), ("\x07", "q=a")])
def test_a_view_that_cannot_be_used_is_refused(site: Decided, name: str, query: str) -> None:
    assert site.post("/views", name=name, query=query).status == 400
    assert site.userdata.views.all() == []


PLACE = {"organization": "acme", "environment": "staging", "application": "shop"}


@pytest.mark.parametrize("document", ['{"openapi": "3.1.0"}', "openapi: 3.1.0\npaths: {}\n"])
def test_a_description_is_uploaded_as_json_or_yaml(site: Decided, document: str) -> None:
    assert site.post("/reference/description", document=document, **PLACE).status == 303
    kept = site.reader.description(("acme", "staging", "shop"))
    assert kept is not None and kept[0] == NOW and '"openapi":"3.1.0"' in kept[1]


def test_one_description_is_read_at_a_time(site: Decided) -> None:
    with read_apart._READING:
        answer = site.post("/reference/description", document='{"openapi": "3.1.0"}', **PLACE)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    ("document", "more", "status"),
    [
        ("{", {}, 400),
        ("a: [", {}, 400),
        ("swagger: '1.2'", {}, 400),
        ("openapi: 3.1.0\na: &a [x]\nb: *a\n", {}, 400),
        ("openapi: 3.1.0\na: " + "[" * 500 + "]" * 500, {}, 400),
        ("openapi: 3.1.0\na: 2020-99-99", {}, 400),
        ("- openapi", {}, 400),
        ("openapi: 3.1.0", {"application": "other"}, 404),
        ("openapi: 3.1.0", {"application": ""}, 400),
    ],
)
def test_what_is_no_description_is_refused(
    site: Decided, document: str, more: dict[str, str], status: int
) -> None:
    assert site.post("/reference/description", **{"document": document, **PLACE, **more}).status == status
    assert site.reader.description(("acme", "staging", "shop")) is None
