"""``levo openapi``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from levo.cli.openapi import command

OLD = {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {}}}}}
NEW = {"openapi": "3.1.0", "paths": {"/b": {"get": {"responses": {}}}}}


def test_diff(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.yaml"
    old.write_text(json.dumps(OLD))
    new.write_text(json.dumps(NEW))
    result = CliRunner().invoke(command, ["diff", str(old), str(new)])

    assert result.stdout.splitlines() == [
        "BREAKING GET /a: operation: removed",
        "ok       GET /b: operation: added",
    ]


def test_what_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("[]")

    assert "not an OpenAPI 3 document" in str(
        CliRunner().invoke(command, ["diff", str(path), str(path)]).exception
    )


def test_aliases_in_a_file_do_not_explode(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    levels = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
    path.write_text("openapi: 3.1.0\na0: &a0 [x]\n" + "".join(levels))

    assert "when its aliases are written out" in str(
        CliRunner().invoke(command, ["diff", str(path), str(path)]).exception
    )
