"""Documents that commands read and print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from levo.cli.documents import DocumentError, formatted, left_out, read_description

DOCUMENT = {"openapi": "3.1.0", "paths": {"/ä": {}}}


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_document_as_text(form: str, load: object) -> None:
    text = formatted(DOCUMENT, form)

    assert callable(load) and load(text) == DOCUMENT
    assert "ä" in text and text.index("openapi") < text.index("paths")


@pytest.mark.parametrize(
    ("octets", "told"), [(b"\xff", "not UTF-8"), (b"[]", "neither an OpenAPI"), (None, "No such")]
)
def test_what_is_no_document_is_one_line(tmp_path: Path, octets: bytes | None, told: str) -> None:
    path = tmp_path / "api.yaml"
    if octets is not None:
        path.write_bytes(octets)

    with pytest.raises(DocumentError, match=f"api.yaml: {told}"):
        read_description(path)


def test_what_is_left_out_is_said() -> None:
    others = [{"servers": ["https://b.example"], "left-out": ["GET /users"]}]
    lines = list(left_out({"x-levo-other-hosts": others}, {"stats.example": 3, "cdn.example": 2}))

    assert lines == [
        "left out 5 requests to third parties: stats.example, cdn.example; --host learns one of them",
        "left out GET /users of https://b.example, another API under the same paths; "
        "--host gives its document",
    ]
    assert not list(left_out({}, {}))
