"""A real browser over a real Satellite; skipped with a reason where either is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, metrics, traces
from tests.satellite.running import RunningSatellite, until

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = os.environ.get("LEVO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
RESOURCE = {
    "service.name": "shop",
    "deployment.environment.name": "production",
    "levo.sensor.id": "sensor-1",
    "host.name": "web-1",
    "levo.organization.id": "acme",
}
BODY = (
    '{"id": 7, "email": "ada%d@example.org", "name": "Ada", "iban": "DE89370400440532013000", "active": true}'
)


def calls() -> list[Call]:
    """A small shop: two collections, a failing report, something personal."""
    made = []
    for number in range(40):
        body = {
            "levo.http.response.body": BODY % number,
            "levo.http.request.body": '{"note": "x", "quantity": 2}',
        }
        made.append(Call(path=f"/v1/users/{number + 1000}", more=body, port=80))
        made.append(Call("POST", "/v1/orders", 201, more=body, port=80))
        made.append(Call("GET", f"/v1/orders/{number + 5000}", 200 if number % 5 else 404, port=80))
        made.append(Call("GET", "/v1/reports/daily", 200 if number % 8 else 503, port=80))
        made.append(Call("GET", "/health", more={}, port=80))
    return made


def send(satellite: RunningSatellite, made: list[Call], resource: dict[str, str] | None = None) -> None:
    body = traces(made, resource or RESOURCE).SerializeToString()
    answer = satellite.post("/v1/traces", body, content_type=PROTOBUF)
    assert answer.status == 200, answer


# Not for the session: Playwright keeps an event loop running in this thread while it is open.
@pytest.fixture(scope="package")
def browser() -> Iterator[object]:
    if not CHROMIUM:
        pytest.skip("no Chromium here; LEVO_CHROMIUM names one")
    with playwright.sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSatellite]:
    """A Satellite that knows the shop."""
    with RunningSatellite(tmp_path_factory.mktemp("shop")) as running:
        send(running, calls())
        report = metrics({"levo.sensor.connections_tls": 12}, RESOURCE)
        running.post("/v1/metrics", report.SerializeToString(), content_type=PROTOBUF)
        until(lambda: len(running.endpoints()) >= 5)
        until(lambda: running.get("/api/sensitive").json()["total"] > 0)
        yield running


@pytest.fixture(scope="package")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from LEVO_AXE or the npm package."""
    named = os.environ.get("LEVO_AXE", "")
    if named:
        return Path(named).read_text()
    if not shutil.which("npm"):
        pytest.skip("axe-core needs npm, or LEVO_AXE with the path of axe.min.js")
    folder = Path(__file__).parents[2] / "build" / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            "axe-core@4",
        ]
        if subprocess.run(command, capture_output=True, timeout=120).returncode:
            pytest.skip("axe-core cannot be installed here")
    return script.read_text()
