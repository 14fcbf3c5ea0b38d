"""Files in which other tools keep exchanges, read for ``levo learn`` and ``levo openapi check``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from levo.errors import LevoError
from levo.satellite.learn import Origin, Trace
from levo.satellite.learn.har import HarReport, read_har
from levo.satellite.learn.recordings import (
    burp_entries,
    is_postman,
    mitmproxy_entries,
    postman_entries,
)

LEARNED = Origin("default", "default", "learned", "")
"""Where exchanges of files are said to come from."""
_NETSTRING = re.compile(rb"[0-9]{1,12}:[0-9]{1,12}:")
"""How flows of mitmproxy begin: the length of the first, and that of its first name."""


class UnreadableFile(LevoError):
    """A file that is none of those that can be learned from."""

    exit_status = 2


def is_recording(path: Path) -> bool:
    """Whether the file at *path* may be the recording of a browser, with requests to whatever a page uses."""
    return path.suffix.lower() == ".har"


def read_recording(path: Path, start: bytes, command: str) -> Iterator[Trace] | None:
    """Return the traces of a recording, and print what became of its entries; None if it is none.

    *start*: its first octets. *command*: the one that reads it, named in what is printed.

    Raises:
        UnreadableFile: it looks like one, and cannot be read.
    """
    text = start.decode(json.detect_encoding(start), "replace").lstrip()
    if text.startswith(("{", "[")):
        return _recording(path, _json_entries, command)
    if text.startswith(("<?xml", "<items")):
        return _recording(path, burp_entries, command)
    return _recording(path, mitmproxy_entries, command) if _NETSTRING.match(start) else None


def _recording(path: Path, entries: Callable[[bytes], Iterable[Any]], command: str) -> Iterator[Trace]:
    """Yield the traces of a file that *entries* reads, and print what became of its entries."""
    report = HarReport()
    try:
        modified_ns = path.stat().st_mtime_ns
        document = {"log": {"entries": list(entries(path.read_bytes()))}}
    except (ValueError, RecursionError, OSError) as error:
        detail = str(error) if isinstance(error, NoEntries) else "none of the files that can be learned from"
        raise UnreadableFile(f"{path}: {detail}") from error
    yield from read_har(document, LEARNED, report, modified_ns)
    for line in report.lines():
        click.echo(f"{command}: {path}: {line}", err=True)


class NoEntries(ValueError):
    """A JSON document without a list of exchanges. The text says so in one line."""


def _json_entries(octets: bytes) -> Iterable[Any]:
    document = json.loads(octets)
    if is_postman(document):
        return postman_entries(document)
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        raise NoEntries("neither a capture nor a HAR file")
    return entries
