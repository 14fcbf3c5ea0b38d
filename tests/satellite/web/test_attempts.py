"""Content of the traffic and of addresses that wants to be more than text, and requests that never end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest

from levo.satellite.web.rest_description import rest_description
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, metrics, traces
from tests.satellite.running import RunningSatellite, fetch, until

SCRIPT = "<script>alert(7)</script>"
QUOTED = "\"'><img src=x onerror=alert(7)>"
PAGES = (
    "/", "/catalog", "/sensitive", "/changes", "/encrypted", "/refused", "/reference", "/sensors",
    "/settings", "/endpoints/1", "/endpoints/2", "/login",
)  # fmt: skip
FILTERS = {
    "/": ("range", "said"),
    "/catalog": (
        "organization", "environment", "application", "host", "method", "status", "q", "sort", "offset",
        "new", "review", "said",
    ),
    "/sensitive": ("kind", "application", "offset", "said"),
    "/changes": ("kind", "offset", "said"),
    "/reference": ("organization", "environment", "application", "q", "offset", "said"),
    "/endpoints/1": ("range", "said"),
    "/sensors": ("said",),
    "/settings": ("offset", "said"),
    "/login": ("next",),
}  # fmt: skip
INJECTED = (
    "' OR '1'='1",
    "'; DROP TABLE endpoint; --",
    '" UNION SELECT password FROM account --',
    "%' ESCAPE 'x",
    "1) OR 1=1 --",
    "\\",
    "\N{FULLWIDTH APOSTROPHE} OR 1=1",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSatellite]:
    """A Satellite that has learned nothing but attempts."""
    resource = {
        "service.name": f"shop{SCRIPT}",
        "deployment.environment.name": f"prod{QUOTED}",
        "levo.sensor.id": f"sensor{SCRIPT}",
        "host.name": f"host{QUOTED}",
        "service.version": SCRIPT,
        "levo.organization.id": f"acme{SCRIPT}",
    }
    body = json.dumps({f"email{SCRIPT}": "ada@example.org", QUOTED: {SCRIPT: 1}, "status": SCRIPT})
    more = {
        "levo.http.request.body": body,
        "levo.http.response.body": body,
        "url.query": f"{quote(SCRIPT)}=1&q={quote(SCRIPT)}",
        "http.request.header.x-evil": SCRIPT,
        "http.request.header.content-type": f"application/json; {SCRIPT}",
        f"http.request.header.{SCRIPT}": "1",
    }
    with RunningSatellite(tmp_path_factory.mktemp("hostile")) as running:
        calls = [
            Call(method, f"/{SCRIPT.replace('/', '')}/{QUOTED}", status, host=f"h{QUOTED}", more=more)
            for method in ("GET", SCRIPT[:12])
            for status in (200, 503)
            for _ in range(20)
        ]
        running.post("/v1/traces", traces(calls, resource).SerializeToString(), content_type=PROTOBUF)
        report = metrics({"levo.sensor.connections_tls": 1, SCRIPT: 2}, resource).SerializeToString()
        running.post("/v1/metrics", report, content_type=PROTOBUF)
        until(lambda: len(running.endpoints()) >= 1)
        running.until_idle()
        row = running.endpoints()[0]
        place = {name: row[name] for name in ("organization", "environment", "application")}
        described = {
            "openapi": "3.1.0",
            "info": {"title": SCRIPT},
            "paths": {f"/{SCRIPT}": {"get": {"summary": SCRIPT, "responses": {}}}},
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in place.items())
        target = f"{running.web}/api/description?{query}"
        assert fetch("PUT", target, json.dumps(described).encode(), {}).status == 204
        view = json.dumps({"name": SCRIPT, "query": "q=1"}).encode()
        kind = {"content-type": "application/json"}
        assert fetch("POST", running.web + "/api/views", view, kind).status == 201
        yield running


@pytest.mark.parametrize("path", PAGES)
def test_what_came_with_traffic_is_text_on_every_page(hostile: RunningSatellite, path: str) -> None:
    answer = hostile.get(path)
    page = answer.body.decode()

    assert answer.status in (200, 303, 404)
    for active in ("<script>alert", "<img src=x", "onerror=alert(7)>"):
        assert active not in page
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    if path in ("/catalog", "/reference"):
        assert "alert(7)" in page


def test_what_came_with_traffic_is_data_in_rest(hostile: RunningSatellite) -> None:
    for path, item in rest_description()["paths"].items():
        if "get" in item:
            answer = hostile.get(path.replace("{id}", "1"))
            assert answer.headers["content-type"].split(";")[0] in (
                "application/json", "application/problem+json",
            ), path  # fmt: skip
            assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("text", INJECTED)
def test_no_filter_is_read_as_sql(hostile: RunningSatellite, text: str) -> None:
    before = hostile.summary()["endpoints"]
    for path, names in FILTERS.items():
        for name in names:
            status = hostile.get(f"{path}?{name}={quote(text)}").status
            assert status in (200, 303, 400, 404), (path, name, status)
    for path, item in rest_description()["paths"].items():
        for parameter in item.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                target = f"{path.replace('{id}', '1')}?{parameter['name']}={quote(text)}"
                answer = hostile.get(target)
                assert answer.status in (200, 400, 404), target
                if answer.status == 200 and "total" in answer.json() and parameter["name"] != "q":
                    assert answer.json()["total"] == 0, target
    assert hostile.summary()["endpoints"] == before


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/login", "/views", "/api/views"])
@pytest.mark.parametrize("how", ["one giant", "no end announced"])
def test_giants_are_refused_on_every_route_that_takes_a_body(
    hostile: RunningSatellite, path: str, how: str
) -> None:
    parts = urlsplit(hostile.web)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {PROTOBUF}\r\n"
    with socket.create_connection((parts.hostname, parts.port), timeout=180) as connection:
        if how == "one giant":
            connection.sendall(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
        else:
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
            try:
                for _ in range(80):
                    connection.sendall(chunk)
            except ConnectionError:
                pass
        try:
            said = connection.recv(100)
        except ConnectionError:
            said = b""
    assert said == b"" or said.split()[1] in (b"413", b"415", b"403", b"400"), said[:60]


def test_slow_requests_keep_nobody_waiting(hostile: RunningSatellite) -> None:
    parts = urlsplit(hostile.web)
    slow = [socket.create_connection((parts.hostname, parts.port), timeout=180) for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            begun = (
                b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Length: 100000\r\n\r\nx"
            )
            connection.sendall(begun[: None if number % 2 else 40])
        assert hostile.get("/catalog").status == 200
        body = traces([Call(path="/while/slow")]).SerializeToString()
        assert hostile.post("/v1/traces", body, content_type=PROTOBUF).status == 200
    finally:
        for connection in slow:
            connection.close()
