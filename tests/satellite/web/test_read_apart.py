"""Descriptions are read in a process of their own, within bounds."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest

from levo.satellite.openapi import DocumentRefused
from levo.satellite.web import read_apart as module
from levo.satellite.web.read_apart import ReaderBusy, read_apart


def test_what_is_read_comes_back_as_json() -> None:
    read = orjson.loads(
        read_apart("openapi: 3.1.0\ninfo: {title: Größe, version: 1}\npaths: {}\nx-at: 2026-01-02\n")
    )
    assert read == {
        "openapi": "3.1.0",
        "info": {"title": "Größe", "version": 1},
        "paths": {},
        "x-at": "2026-01-02",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "neither JSON nor YAML"),
        ("openapi: 3.1.0\na: &a [x]\nb: *a\n", "line 3: YAML aliases"),
        ("openapi: 3.1.0\nx: 99999999999999999999999\n", "holds what JSON cannot"),
    ],
)
def test_why_it_is_refused_is_said(text: str, reason: str) -> None:
    with pytest.raises(DocumentRefused, match=reason):
        read_apart(text)


def test_one_is_read_at_a_time() -> None:
    with module._READING, pytest.raises(ReaderBusy):
        read_apart("openapi: 3.1.0")

    assert read_apart("openapi: 3.1.0") == b'{"openapi":"3.1.0"}'


def test_a_reader_that_dies_refuses_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DocumentRefused, match="too much time or memory"):
        read_apart("openapi: 3.1.0")


def test_a_reader_that_does_not_end_refuses_the_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "reader"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(module, "MAX_SECONDS", 1)
    with pytest.raises(DocumentRefused, match="not read within 1 s"):
        read_apart("openapi: 3.1.0")
