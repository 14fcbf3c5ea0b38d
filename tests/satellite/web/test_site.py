"""The site as a browser and a script see it, on a real Satellite."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.satellite.receive.test_http_routes import PROTOBUF, known
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite

SCRIPT = "<script>alert(1)</script>"


def test_every_answer_keeps_browsers_strict(satellite: RunningSatellite) -> None:
    for path in ("/", "/api/endpoints", "/static/site.js", "/nowhere", "/healthz"):
        headers = satellite.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


def test_pages_name_no_other_host_and_hold_no_inline_script(satellite: RunningSatellite) -> None:
    page = satellite.get("/").body.decode()

    assert "https://" not in page
    assert (
        "<script>" not in page and " onclick" not in page and "<style" not in page and " style=" not in page
    )
    for asset in ("/static/site.css", "/static/site.js", "/static/icon.svg"):
        assert asset in page and satellite.get(asset).status == 200


def test_scripts_in_traffic_are_shown_as_text(satellite: RunningSatellite) -> None:
    call = Call(path=f"/{SCRIPT.replace('/', '')}", host=f'"><img src=x onerror=alert(1)>{SCRIPT}')
    resource = {"service.name": f"xss{SCRIPT}", "deployment.environment.name": SCRIPT}
    satellite.post("/v1/traces", traces([call], resource).SerializeToString(), content_type=PROTOBUF)
    known(satellite, "xss%3Cscript%3Ealert(1)%3C/script%3E")
    for path in (
        "/",
        "/catalog",
        "/catalog?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/catalog?method=%22%3E%3Cscript%3Ealert(1)",
    ):
        page = satellite.get(path).body.decode()
        assert "<script>alert" not in page and "<img src=x" not in page
        assert "&lt;script&gt;" in page

    answer = satellite.get("/api/endpoints")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path", ["/static/../site.py", "/static/%2e%2e/site.py", "/static/..%2f..%2f..%2fpyproject.toml"]
)
def test_static_files_stay_in_their_folder(satellite: RunningSatellite, path: str) -> None:
    assert satellite.get(path).status == 404


@pytest.mark.parametrize("path", ["/nowhere", "/api/nowhere", "/api/endpoints/999999999", "/api/endpoints/x"])
def test_what_is_not_there_is_a_problem_document(satellite: RunningSatellite, path: str) -> None:
    answer = satellite.get(path)

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404


def test_a_foreign_host_name_is_misdirected(satellite: RunningSatellite) -> None:
    answer = satellite.get("/api/endpoints", {"host": "attacker.example"})

    assert answer.status == 421
    assert satellite.get("/api/endpoints", {"host": "localhost:1"}).status == 200


def test_a_change_is_told_to_open_pages(satellite: RunningSatellite) -> None:
    connection = http.client.HTTPConnection(urlsplit(satellite.web).netloc, timeout=30)
    connection.request("GET", "/live")
    stream = connection.getresponse()

    def revision() -> int:
        while not (line := stream.readline()).startswith(b"data: "):
            assert line
        return int(line[6:])

    assert stream.getheader("content-type", "").startswith("text/event-stream")
    before = revision()
    body = traces([Call()], {"service.name": "live"}).SerializeToString()
    satellite.post("/v1/traces", body, content_type=PROTOBUF)
    assert revision() > before
    assert known(satellite, "live")
    connection.close()


def test_health(satellite: RunningSatellite) -> None:
    assert satellite.get("/healthz").body == b"ok\n"
    assert satellite.get("/readyz").body == b"ready\n"


def test_rest_is_json_with_etags(satellite: RunningSatellite) -> None:
    answer = satellite.get("/api/applications")

    assert json.loads(answer.body)["total"] >= 0
    again = satellite.get("/api/applications", {"if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
