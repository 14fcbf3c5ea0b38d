"""``/api/findings``: lists, files, decisions."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from levo.satellite.access import Identity
from levo.satellite.store.userdata import UserData
from levo.satellite.web.problems import on_http_exception
from levo.satellite.web.rest_findings import MAX_AT_ONCE, decide, finding_routes, read_decision
from tests.satellite.asgi import call
from tests.satellite.store.userdata.test_findings import kept

DAY = 86_400 * 10**9
ANNA = Identity("anna", "editor")


@pytest.fixture
def userdata(tmp_path: Path) -> Iterator[UserData]:
    made = UserData(tmp_path / "userdata.sqlite3")
    document = '{"text": "=Seen.", "evidence": [{"name": "successes", "count": 5, "of": 9}], "verify": "401"}'
    made.findings.put(
        [kept(f"/{number}", rank=number % 5, document=document, endpoint=number) for number in range(150)], 1
    )
    yield made
    made.close()


@pytest.fixture
def app(userdata: UserData) -> Starlette:
    routes = finding_routes(userdata.findings, userdata.audit)
    return Starlette(routes=routes, exception_handlers={HTTPException: on_http_exception})


def test_a_list_its_pages_and_its_filter(app: Starlette) -> None:
    page = call(app, "GET", "/api/findings").json()
    bad = call(app, "GET", f"/api/findings?filter={quote('severity:critical state:open')}").json()

    assert (page["total"], page["next"], len(page["findings"])) == (150, 100, 100)
    assert [each["severity"] for each in page["findings"][:31]] == ["critical"] * 30 + ["high"]
    assert page["findings"][0]["of"] == 9 and page["findings"][0]["text"] == "=Seen."
    assert bad["total"] == 30
    wrong = call(app, "GET", "/api/findings?filter=severety:high")
    assert wrong.status == 400 and "column 1" in wrong.json()["detail"]


def test_files_have_all_rows(app: Starlette) -> None:
    rows = list(csv.DictReader(io.StringIO(call(app, "GET", "/api/findings?format=csv").body.decode())))
    sarif = call(app, "GET", "/api/findings?format=sarif")

    assert len(rows) == 150 == len({row["id"] for row in rows})
    assert rows[0]["text"] == "'=Seen."
    assert sarif.headers["content-type"].startswith("application/sarif+json")
    assert len(orjson.loads(sarif.body)["runs"][0]["results"]) == 150
    assert len(call(app, "GET", "/api/findings?format=json").json()["findings"]) == 150


def test_one_finding_with_what_was_decided(app: Starlette, userdata: UserData) -> None:
    name = call(app, "GET", "/api/findings").json()["findings"][0]["id"]
    form = {"verdict": "accepted", "id": name, "reason": "by-design", "note": "A map", "expires": "30d"}
    decide(userdata.findings, userdata.audit, ANNA, form, time.time_ns())
    one = call(app, "GET", f"/api/findings/{name}").json()

    assert (one["state"], one["verify"]) == ("accepted", "401")
    assert one["expires"] and one["decisions"][0]["by"] == "anna" and one["decisions"][0]["note"] == "A map"
    assert [(each["state"], each["by"]) for each in one["history"]] == [("accepted", "anna"), ("open", None)]
    assert userdata.audit.page()[1][0].action == "finding accepted"
    assert call(app, "GET", "/api/findings/NOSUCH").status == 404


def test_many_at_once_by_a_filter(app: Starlette, userdata: UserData) -> None:
    form = {"verdict": "false-positive", "filter": "severity:critical,high", "reason": "wrong"}
    assert decide(userdata.findings, userdata.audit, ANNA, form, time.time_ns()) == 60

    left = call(app, "GET", "/api/findings?filter=state:open").json()["total"]
    assert (left, userdata.audit.page()[0]) == (90, 1)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "verdict"),
        ({"verdict": "accepted"}, "reason"),
        ({"verdict": "accepted", "reason": "because"}, "reason"),
        ({"verdict": "accepted", "reason": "wrong", "scope": "all"}, "scope"),
        ({"verdict": "accepted", "reason": "wrong", "expires": "soon"}, "expires"),
        ({"verdict": "accepted", "reason": "wrong", "expires": "2001-01-01"}, "expires"),
        ({"verdict": "accepted", "reason": "wrong", "note": "x" * 501}, "note"),
        ({"verdict": "accepted", "reason": "wrong"}, "id or filter"),
        ({"verdict": "accepted", "reason": "wrong", "id": "A", "filter": "b"}, "id or filter"),
        ({"verdict": "accepted", "reason": "wrong", "id": "A"}, "no such finding"),
        ({"verdict": "accepted", "reason": "wrong", "filter": "x:y"}, "column 1"),
    ],
)
def test_what_cannot_be_decided_says_why(userdata: UserData, form: dict[str, str], said: str) -> None:
    with pytest.raises(HTTPException, match=said):
        decide(userdata.findings, userdata.audit, ANNA, form, time.time_ns())
    assert userdata.audit.page()[0] == 0


def test_another_organization_sees_and_decides_nothing(userdata: UserData) -> None:
    stranger = Identity("eve", "editor", organization="other")
    (one, *_) = userdata.findings.everything()
    form = {"verdict": "accepted", "reason": "wrong"}

    with pytest.raises(HTTPException, match="no such finding"):
        decide(userdata.findings, userdata.audit, stranger, {**form, "id": one}, time.time_ns())
    assert (
        decide(userdata.findings, userdata.audit, stranger, {**form, "filter": "rule:*"}, time.time_ns()) == 0
    )


def test_times_of_expiry() -> None:
    now = 1_700_000_000 * 10**9
    form = {"verdict": "accepted", "reason": "wrong"}

    assert read_decision(form, now).expires_ns == 0
    assert read_decision({**form, "expires": "30d"}, now).expires_ns == now + 30 * DAY
    assert read_decision({**form, "expires": "2030-01-31"}, now).expires_ns == 1_896_048_000 * 10**9
    assert MAX_AT_ONCE == 10_000
