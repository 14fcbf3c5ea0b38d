"""Whoever belongs to an organization learns nothing of another, on no page, in no format, by no trick."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from levo.satellite.web.rest_description import rest_description
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, metrics, traces
from tests.satellite.running import RunningSatellite, fetch, until
from tests.satellite.web.test_security import PASSWORD, Person

OTHER = "zebracorp"
"""Part of every name of the other organization: what leaks holds it."""
PAGES = (
    "/",
    "/?range=90d",
    "/catalog",
    "/catalog?q=zebra",
    f"/catalog?organization={OTHER}",
    "/catalog?review=ignored",
    "/catalog?status=5xx",
    "/sensitive",
    f"/sensitive?application={OTHER}-shop",
    "/changes",
    "/encrypted",
    "/refused",
    "/reference",
    "/sensors",
    "/settings",
)


def resource(organization: str) -> dict[str, str]:
    return {
        "service.name": f"{organization}-shop",
        "deployment.environment.name": f"{organization}-prod",
        "levo.sensor.id": f"{organization}-sensor",
        "host.name": f"{organization}-host",
        "service.version": "1",
    }


def calls(organization: str) -> list[Call]:
    body = {
        "levo.http.response.body": f'{{"{organization}_email": "ada@example.org", "{organization}_id": 7}}'
    }
    return [
        Call(path=f"/{organization}/{what}", host=f"{organization}.example", status=status, more=body)
        for what, status in (("users", 200), ("orders", 503), ("orders", 200), ("hidden", 401))
        for _ in range(40)
    ]


class TwoTenants:
    """A Satellite with the traffic of acme and of the other, and an editor of each."""

    def __init__(self, running: RunningSatellite) -> None:
        self.running = running
        for name in ("acme", OTHER):
            named = {"x_levo_organization_id": name}
            for body in (
                traces(calls(name), resource(name)).SerializeToString(),
                traces(calls(name)[:2], resource(name)).SerializeToString(),
            ):
                assert running.post("/v1/traces", body, content_type=PROTOBUF, **named).status == 200
            report = metrics({"levo.sensor.connections_tls": 3}, resource(name)).SerializeToString()
            running.post("/v1/metrics", report, content_type=PROTOBUF, **named)
        until(lambda: len(running.endpoints()) == 4)
        until(lambda: running.get("/api/sensitive").json()["total"] == 6)
        self.admin = Person(running.web)
        self.admin.login("nobody")
        made = {"name": "anna", "role": "admin", "password": PASSWORD}
        assert self.admin.post("/settings/accounts", made).status == 303
        self.admin.login("anna")
        self.theirs = {
            row["path"]: row for row in self.all("/api/endpoints?organization=" + OTHER)["endpoints"]
        }
        for name in ("acme", OTHER):
            fields = {"name": f"editor-{name}", "role": "editor", "organization": name, "password": PASSWORD}
            assert self.admin.post("/settings/accounts", fields).status == 303
        self.mine, self.other = Person(running.web), Person(running.web)
        self.mine.login("editor-acme")
        self.other.login(f"editor-{OTHER}")
        self.identity = next(iter(self.theirs.values()))["id"]
        self.decide(self.other, "ignore")
        self.decide(self.other, "accept")
        self.other.post("/views", {"name": f"{OTHER} view", "query": f"application={OTHER}-shop"})

    def all(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.admin.get(path).json()
        return found

    def decide(self, person: Person, kind: str, detail: str = "") -> int:
        return person.post(f"/endpoints/{self.identity}/decide", {"kind": kind, "detail": detail}).status


@pytest.fixture(scope="module")
def tenants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoTenants]:
    with RunningSatellite(tmp_path_factory.mktemp("tenants")) as running:
        yield TwoTenants(running)


def leaks(text: str, asked: str = "") -> bool:
    """Whether *text* tells of the other; a page may repeat what was asked for."""
    for known in (asked, quote(asked, safe=""), asked.replace("=", "=").partition("=")[2]):
        text = text.replace(known, "") if OTHER in known else text
    return OTHER in text


@pytest.mark.parametrize("path", PAGES)
def test_no_page_shows_the_other(tenants: TwoTenants, path: str) -> None:
    answer = tenants.mine.get(path)

    assert answer.status == 200
    assert not leaks(answer.body.decode(), urlsplit(path).query)
    if "?" not in path and path not in ("/settings",):
        assert "acme" in answer.body.decode()
        assert OTHER in tenants.admin.get(path).body.decode()


GETS = [path for path, item in rest_description()["paths"].items() if "get" in item and "{" not in path]


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("path", GETS)
def test_neither_rest_nor_an_export_tells_of_the_other(tenants: TwoTenants, path: str, form: str) -> None:
    item = rest_description()["paths"][path]["get"]
    named = {parameter["name"] for parameter in item["parameters"]}
    if form == "csv" and "format" not in named:
        return
    asked = f"{path}?format=csv" if form == "csv" else path
    answer = tenants.mine.get(asked, accept="application/json")
    assert answer.status in (200, 403, 404) and not leaks(answer.body.decode())
    for name, value in (("organization", OTHER), ("application", f"{OTHER}-shop"), ("q", "zebra")):
        if name in named:
            answer = tenants.mine.get(f"{asked}{'&' if '?' in asked else '?'}{name}={value}")
            assert not leaks(answer.body.decode()), (path, name)


def test_an_endpoint_of_the_other_does_not_exist(tenants: TwoTenants) -> None:
    for path in ("/endpoints/{}", "/api/endpoints/{}"):
        found = path.format(tenants.identity)
        assert tenants.mine.get(found).status == 404
        assert tenants.other.get(found).status == tenants.admin.get(found).status == 200
    events = tenants.mine.get(f"/api/changes?endpoint={tenants.identity}").json()
    assert events["total"] == 0 and tenants.all(f"/api/changes?endpoint={tenants.identity}")["total"] > 0


def test_the_numbers_are_those_of_the_own_organization(tenants: TwoTenants) -> None:
    own, everything = tenants.mine.get("/api/summary").json(), tenants.all("/api/summary")

    assert (own["endpoints"], own["applications"], own["sensors"], own["counters"]) == (2, 1, 1, {})
    assert own["count"] * 2 == everything["count"] == 244
    assert 0 < own["revision"] <= everything["revision"]
    text = re.sub(r"<[^>]*>", " ", tenants.mine.get("/").body.decode())
    assert re.search(r"Exchanges\s+122\b", text)


def test_nothing_of_the_other_can_be_changed(tenants: TwoTenants) -> None:
    mine, number = tenants.mine, tenants.identity
    assert tenants.decide(mine, "accept") == 404
    page = tenants.other.get(f"/endpoints/{number}").body.decode()
    decision = re.search(r"/decisions/(\d+)/undo", page)
    view = re.search(r"/views/(\d+)/remove", tenants.other.get("/catalog").body.decode())
    assert decision and view
    assert mine.post(decision[0], {}).status == 404
    assert mine.post(view[0], {}).status == 404
    place = {"organization": OTHER, "environment": f"{OTHER}-prod", "application": f"{OTHER}-shop"}
    uploaded = {"document": "openapi: 3.1.0\npaths: {}", **place}
    assert mine.post("/reference/description", uploaded).status == 404
    headers = {"cookie": mine.cookie, "x-form-token": mine.form_token}
    query = "&".join(f"{name}={value}" for name, value in place.items())
    target = f"{mine.base}/api/description?{query}"
    assert fetch("PUT", target, b'{"openapi": "3.1.0"}', headers).status == 404
    assert tenants.other.post("/reference/description", uploaded).status == 303


def test_views_of_the_same_name_do_not_meet(tenants: TwoTenants) -> None:
    assert tenants.mine.post("/views", {"name": f"{OTHER} view", "query": "q=mine"}).status == 303
    assert f"application={OTHER}-shop" in tenants.other.get("/catalog").body.decode()


def test_what_is_of_all_is_for_those_who_see_all(tenants: TwoTenants) -> None:
    assert tenants.mine.get("/metrics").status == 403
    assert tenants.mine.post("/api/backup", {}).status == 403
    assert tenants.admin.get("/metrics").status == 200
    fields = {"name": "boss", "role": "admin", "organization": "acme", "password": PASSWORD}
    assert tenants.admin.post("/settings/accounts", fields).status == 400


def test_a_token_sees_its_organization_only(tenants: TwoTenants) -> None:
    page = tenants.admin.post(
        "/settings/tokens", {"name": "robot", "scope": "viewer", "organization": "acme"}
    )
    found = re.search(r"levo_[\w-]{30,}", page.body.decode())
    assert found
    answer = fetch("GET", tenants.mine.base + "/api/endpoints", None, {"authorization": f"Bearer {found[0]}"})
    assert answer.json()["total"] == 2 and not leaks(answer.body.decode())


def test_the_stream_is_silent_about_the_other(tenants: TwoTenants) -> None:
    connection = http.client.HTTPConnection(urlsplit(tenants.mine.base).netloc, timeout=180)
    connection.request("GET", "/live", headers={"cookie": tenants.mine.cookie})
    stream = connection.getresponse()

    def revision() -> int:
        while not (line := stream.readline()).startswith(b"data: "):
            assert line
        return int(line[6:])

    first = revision()
    for name in (OTHER, "acme"):
        before = tenants.all("/api/summary")["revision"]
        body = traces([Call(path=f"/{name}/live")], resource(name)).SerializeToString()
        sent = tenants.running.post("/v1/traces", body, content_type=PROTOBUF, x_levo_organization_id=name)
        assert sent.status == 200
        until(lambda at=before: tenants.all("/api/summary")["revision"] > at)  # type: ignore[misc]
    told = revision()
    while told < json.loads(tenants.mine.get("/api/summary").body)["revision"]:
        told = revision()  # what the messages show is stored after the counts
    assert first < told
    connection.close()


def test_a_new_password_leads_to_no_other_organization(tenants: TwoTenants) -> None:
    fields = {"name": "pat", "role": "viewer", "organization": "acme", "password": PASSWORD}
    tenants.admin.post("/settings/accounts", fields)
    pat = Person(tenants.mine.base)
    pat.login("pat")
    assert pat.post("/settings/password", {"old": PASSWORD, "new": PASSWORD + " 2"}).status == 303
    assert pat.get("/api/endpoints", accept="application/json").json()["total"] in (2, 3)
