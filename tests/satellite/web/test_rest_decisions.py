"""Decisions and views over REST, with the rules of the pages."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from levo.satellite.store import CatalogReader
from levo.satellite.store.userdata import UserData
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.render import Renderer
from levo.satellite.web.rest_decisions import decision_routes
from levo.satellite.web.triage import Triage
from tests.satellite.asgi import call
from tests.satellite.running import Answer
from tests.satellite.store.catalogs import NOW, catalog, trace


class Rest:
    """One endpoint, ``GET /users/{userId}``, and nobody has said anything about it."""

    def __init__(self, folder: Path) -> None:
        userdata = UserData(folder / "userdata.sqlite3")
        catalog(folder / "catalog", [trace()]).close()
        catalogs = Catalogs(CatalogReader(folder / "catalog", userdata.path))
        triage = Triage(
            catalogs,
            userdata.decisions,
            userdata.views,
            userdata.removals,
            userdata.audit,
            Renderer("http://localhost", lambda: NOW),
        )
        self.app = Starlette(
            routes=decision_routes(
                catalogs, userdata.decisions, userdata.views, userdata.audit, userdata.alerts, triage
            ),
            exception_handlers={HTTPException: on_http_exception},
        )

    def __call__(self, method: str, target: str, **fields: str) -> Answer:
        body = orjson.dumps(fields) if method == "POST" else b""
        return call(self.app, method, target, body, {"content-type": "application/json"})


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return Rest(tmp_path)


def test_a_decision_is_taken_listed_and_taken_back_once(rest: Rest) -> None:
    made = rest("POST", "/api/endpoints/1/decisions", kind="rename", detail="/users/{member}")
    number = made.json()["decision"]

    assert made.status == 201
    (listed,) = rest("GET", "/api/endpoints/1/decisions").json()["decisions"]
    assert (listed["id"], listed["kind"], listed["undone"]) == (number, "rename", None)
    assert [rest("DELETE", f"/api/decisions/{number}").status for _ in range(2)] == [204, 404]
    (listed,) = rest("GET", "/api/endpoints/1/decisions").json()["decisions"]
    assert listed["undone"] is not None
    actions = [entry["action"] for entry in rest("GET", "/api/audit").json()["audit"]]
    assert actions == ["undo rename", "rename"]


@pytest.mark.parametrize(
    ("target", "fields", "status"),
    [
        ("/api/endpoints/9/decisions", {"kind": "accept"}, 404),
        (f"/api/endpoints/{1 << 70}/decisions", {"kind": "accept"}, 404),
        ("/api/endpoints/1/decisions", {"kind": "other"}, 400),
        ("/api/endpoints/1/decisions", {"kind": "split", "detail": "/users/{userId}"}, 400),
        ("/api/endpoints/1/decisions?x=1", {"kind": "accept"}, 400),
    ],
)
def test_what_cannot_be_decided_is_refused(
    rest: Rest, target: str, fields: dict[str, str], status: int
) -> None:
    assert rest("POST", target, **fields).status == status
    assert rest("GET", "/api/audit").json()["total"] == 0


def test_views_are_kept_and_forgotten(rest: Rest) -> None:
    assert rest("POST", "/api/views", name="failing", query="status=5xx").status == 201
    assert rest("POST", "/api/views", name="bad", query="<script>").status == 400
    (view,) = rest("GET", "/api/views").json()["views"]
    assert (view["name"], view["query"]) == ("failing", "status=5xx")
    assert [rest("DELETE", f"/api/views/{view['id']}").status for _ in range(2)] == [204, 404]
