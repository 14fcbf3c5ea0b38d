"""``levo learn``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from openapi_spec_validator import validate

from levo.cli.learn import command, read_file
from levo.demo.capture_file import write_capture


def test_a_capture_becomes_a_valid_document_without_a_value_of_the_traffic(tmp_path: Path) -> None:
    path = tmp_path / "shop.pcap"
    with path.open("wb") as file:
        write_capture(file, 1, 600, 1_700_000_000 * 10**9, 100.0)
    result = CliRunner().invoke(command, [str(path), "--plain"])
    document = json.loads(result.stdout)
    validate(document)

    assert "/v1/users/{userId}" in document["paths"] and "/v1/users/me" in document["paths"]
    values = {v for t in read_file(path) for v in _emails(t.response_body)}
    assert len(values) > 20 and not [v for v in values if v in result.stdout]


def _emails(body: bytes) -> list[str]:
    return [part.split('"')[0] for part in body.decode("utf-8", "replace").split('"email": "')[1:]]


def test_what_is_no_capture_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.har"
    path.write_text("{}")

    assert "neither a capture nor a HAR file" in str(CliRunner().invoke(command, [str(path)]).exception)


def test_the_evidence_is_text_that_tells_why(tmp_path: Path) -> None:
    path = tmp_path / "shop.pcap"
    with path.open("wb") as file:
        write_capture(file, 1, 600, 1_700_000_000 * 10**9, 100.0)
    result = CliRunner().invoke(command, [str(path), "--evidence"])

    assert result.exit_code == 0
    assert "requests learned" in result.stdout.splitlines()[0]
    assert "/v1/users/{userId}  (confidence " in result.stdout
    assert "{userId}  parameter, 100%: value of a recognised type (certain)" in result.stdout
