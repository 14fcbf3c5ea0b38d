"""The site as a browser and a script see it, on a real Satellite."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.satellite.receive.test_http_routes import PROTOBUF, known
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, fetch, until
from tests.satellite.test_app import learner_of

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


def test_the_otlp_port_answers_to_loopback_names_only_too(satellite: RunningSatellite) -> None:
    body = traces([Call()], {"service.name": "rebound"}).SerializeToString()
    named = {"content-type": PROTOBUF, "host": "attacker.example"}
    assert fetch("POST", satellite.otlp_http + "/v1/traces", body, named).status == 421
    assert fetch("GET", satellite.otlp_http + "/healthz", None, named).status == 421
    assert fetch("GET", satellite.otlp_http + "/healthz", None, {"host": "localhost"}).status == 200


def test_a_trailing_slash_leads_to_the_page_whatever_host_is_named(satellite: RunningSatellite) -> None:
    answer = satellite.get("/catalog/", {"host": "evil.localhost"})
    assert (answer.status, answer.headers["location"]) == (307, "/catalog")


def test_a_change_is_told_to_open_pages(satellite: RunningSatellite) -> None:
    connection = http.client.HTTPConnection(urlsplit(satellite.web).netloc, timeout=90)
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


def test_readiness_names_its_causes_on_both_ports_and_in_the_metrics(tmp_path: Path) -> None:
    config = tmp_path / "satellite.yaml"
    config.write_text("journal-max-bytes: 1MiB\n")
    body = traces([Call(more={"note": "x" * 4000})] * 60).SerializeToString()
    with RunningSatellite(tmp_path / "data", "--config", str(config)) as running:
        learner = learner_of(running)
        os.kill(learner, signal.SIGSTOP)
        try:
            until(lambda: running.post("/v1/traces", body, content_type=PROTOBUF).status == 429)
            for base in (running.web, running.otlp_http):
                answer = fetch("GET", base + "/readyz", None, {})
                assert answer.status == 503
                assert answer.body.decode().splitlines() == [
                    "not ready: traces are refused: the learners are behind; the journal is full",
                    "not ready: the learner was stopped by a signal; kill -CONT lets it go on",
                ]
            assert running.metric("levo_satellite_ready") == 0
            assert running.metric('levo_satellite_not_ready{cause="refusing"}') == 1
            until(lambda: "not ready: traces are refused" in running.errors)
        finally:
            os.kill(learner, signal.SIGCONT)
        until(lambda: running.get("/readyz").status == 200)
        until(lambda: "ready again" in running.errors)
        assert running.errors.count("\n") == 3
        assert running.metric("levo_satellite_ready") == 1


def test_idle_connections_leave_room_for_health_and_little_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nulimit -n 512\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with RunningSatellite(tmp_path / "data") as running:
        for base in (running.web, running.otlp_http):
            place = urlsplit(base)
            idle = []
            for _ in range(600):
                with contextlib.suppress(OSError):
                    idle.append(socket.create_connection((place.hostname, place.port), timeout=5))
            assert fetch("GET", base + "/healthz", None, {}).status == 200
            assert fetch("GET", running.web + "/catalog", None, {}).status == 200
            for each in idle:
                each.close()
        assert len(running.errors) < 10_000


def test_rest_is_json_with_etags(satellite: RunningSatellite) -> None:
    answer = satellite.get("/api/applications")

    assert json.loads(answer.body)["total"] >= 0
    again = satellite.get("/api/applications", {"if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
