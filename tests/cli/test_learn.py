"""``levo learn``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openapi_spec_validator import validate

from levo.cli.learn import command, read_file
from levo.demo.capture_file import write_capture
from levo.model.exchange import Exchange, Request, Response
from levo.sensor.export.har import har_entry


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
    assert "{userId}  parameter, 100%: value of a recognized type (certain)" in result.stdout


ENTRY: dict[str, Any] = {
    "startedDateTime": "2024-05-17T09:30:00Z",
    "request": {"method": "GET", "url": "https://shop.example/items", "headers": []},
    "response": {"status": 200, "headers": [], "content": {"mimeType": "application/json", "text": "{}"}},
}


def har(*entries: Any) -> str:
    return json.dumps({"log": {"entries": entries}})


def run(*arguments: object) -> tuple[int, str, list[str]]:
    """As the command line runs it: status, standard output and the lines on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "levo", "learn", *map(str, arguments)], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


def test_entries_that_cannot_be_used_are_counted_by_reason(tmp_path: Path) -> None:
    path = tmp_path / "page.har"
    picture = {**ENTRY, "request": {"method": "GET", "url": "data:image/png;base64,AA"}}
    asked = {**ENTRY, "response": None}
    path.write_text(har(picture, ENTRY, asked, picture, None, asked))
    status, document, lines = run(path)

    assert status == 0 and json.loads(document)["servers"] == [{"url": "https://shop.example"}]
    assert lines == [
        f"levo learn: {path}: 1 entry skipped: not an object",
        f"levo learn: {path}: 2 entries skipped: URL of another scheme than HTTP"
        " (data:, blob:, chrome-extension: ...)",
        f"levo learn: {path}: 2 entries with no response",
        "levo learn: 3 exchanges, 1 operations",
    ]


@pytest.mark.parametrize("entries", [[], [None], [{**ENTRY, "request": {"method": "GET", "url": "data:,"}}]])
def test_a_har_file_without_a_usable_entry_is_an_error(entries: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "empty.har"
    path.write_text(har(*entries))
    status, document, lines = run(path)

    assert (status, document) == (2, "")
    assert lines[-1] == f"levo: {path}: nothing to learn from: no HTTP exchange"
    assert len(lines) == 1 + len(entries)


def test_one_usable_file_of_several_is_enough(tmp_path: Path) -> None:
    (tmp_path / "empty.har").write_text(har())
    (tmp_path / "one.har").write_text(har(ENTRY))

    assert run(tmp_path / "empty.har", tmp_path / "one.har")[0] == 0
    status, _, lines = run(tmp_path / "one.har", "--host", "other.example")
    assert status == 2 and lines[-1].endswith(
        "nothing to learn from: no request of 1 to --host other.example"
    )


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)
def test_a_har_file_in_any_unicode_encoding(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_bytes(("\n " + har(ENTRY)).encode(encoding))

    assert [trace.host for trace in read_file(path)] == ["shop.example"]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"log": []}',
        b'{"log": {"entries": {}}}',
        b'{"log": {"entries": [',
        b"\xff\xfe{\x00",
        b'{"a": \xff\xfe}',
        b"[" * 200_000,
        b'{"log": ' * 100_000,
        b'{"log": {"entries": [' + b"9" * 5000 + b"]}}",
    ],
    ids=range(12),
)
def test_what_is_not_a_har_file_is_one_line(octets: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    path.write_bytes(octets)
    status, document, lines = run(path)

    assert (status, document, len(lines)) == (2, "", 1)
    assert lines[0].startswith("levo: ") and str(path) in lines[0]


def test_what_apidump_writes_as_har_is_learned_from(tmp_path: Path) -> None:
    """Exchanges of which no request was captured are said; the sensor marks content that is not whole."""
    response = Response(headers=(("Content-Type", "application/json"),), body=b'{"id": 7}', missing_bytes=9)
    request = Request(method="GET", path="/users/7", host="api.example", scheme="https")
    entries = [
        har_entry(Exchange(request=request, response=response)),
        har_entry(Exchange(response=response)),
    ]
    (tmp_path / "a.har").write_text(har(*entries))
    status, document, lines = run(tmp_path / "a.har", "--plain")

    assert status == 0 and lines[0].endswith("1 entry skipped: no method")
    assert json.loads(document)["servers"] == [{"url": "https://api.example"}]
    assert '"properties"' not in document
