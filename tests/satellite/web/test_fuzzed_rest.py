"""REST exercised by schemathesis on a Satellite that knows something: all methods, good and bad requests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import RESOURCE, calls
from tests.helpers.effort import long
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import metrics, traces
from tests.satellite.running import RunningSatellite, until

pytest.importorskip("schemathesis", reason="schemathesis is not installed")

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


def operations(satellite: RunningSatellite) -> int:
    return sum(len(item) for item in satellite.get("/api").json()["paths"].values())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("examples", [6, long(60)])
def test_schemathesis_finds_nothing_that_is_not_described(tmp_path: Path, examples: int) -> None:
    with RunningSatellite(tmp_path / "data") as satellite:
        satellite.post("/v1/traces", traces(calls(), RESOURCE).SerializeToString(), content_type=PROTOBUF)
        report = metrics({"levo.sensor.connections_tls": 12}, RESOURCE).SerializeToString()
        satellite.post("/v1/metrics", report, content_type=PROTOBUF)
        until(lambda: satellite.get("/api/sensitive").json()["total"] > 0)
        (tmp_path / "api.json").write_bytes(satellite.get("/api").body)
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", "api.json", "--url", satellite.web,
                "--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", "1",
                "--phases", "examples,coverage,fuzzing", "--mode", "all", "--continue-on-failure",
                "--generation-database", "none", "--no-color", "--request-timeout", "30",
            ],
            capture_output=True, text=True, timeout=1700, cwd=tmp_path,
        )  # fmt: skip
        print(done.stdout[-1500:])
        assert done.returncode == 0, done.stdout[-8000:]
        generated = re.search(r"(\d+) generated", done.stdout)
        assert generated and int(generated[1]) > 500
        assert re.search(r"Tested: (\d+)", done.stdout)[1] == str(operations(satellite))  # type: ignore[index]
        assert "Traceback" not in satellite.errors
        assert satellite.get("/readyz").status == 200
