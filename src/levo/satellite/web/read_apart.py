"""Reads an uploaded description in a process of its own.

The parser of YAML holds the interpreter for seconds, and its memory stays: neither may touch the process
that answers pages and takes traces. ``python -m`` of this module is that process.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading

import orjson

from levo.satellite.openapi import DocumentRefused, read_document

MAX_SECONDS = 60
"""Of the clock; of CPU, half."""
_MAX_MEMORY_BYTES = 1 << 30
_REFUSED = 3
_READING = threading.Lock()


class ReaderBusy(Exception):
    """Another description is being read."""


def read_apart(text: str) -> bytes:
    """Return the OpenAPI 3 document in *text*, JSON or YAML without aliases, as JSON.

    One at a time: each takes the processor for seconds and hundreds of megabytes.

    Raises:
        DocumentRefused: see ``read_document``; or it took too much time or memory.
        ReaderBusy: another one is being read.
    """
    if not _READING.acquire(blocking=False):
        raise ReaderBusy
    try:
        return _read(text)
    finally:
        _READING.release()


def _read(text: str) -> bytes:
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=text.encode(errors="replace"), capture_output=True, timeout=MAX_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise DocumentRefused(f"not read within {MAX_SECONDS} s") from None
    if done.returncode == _REFUSED:
        raise DocumentRefused(done.stdout.decode())
    if done.returncode:
        raise DocumentRefused("takes too much time or memory to read")
    return done.stdout


def _main() -> int:
    os.nice(10)  # what answers pages goes first
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY_BYTES, _MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS // 2, MAX_SECONDS // 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        try:
            document = read_document(sys.stdin.buffer.read().decode(), aliases=False)
            kept = orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS)
        except (TypeError, orjson.JSONEncodeError):
            raise DocumentRefused("holds what JSON cannot") from None
        except MemoryError:
            raise DocumentRefused("takes too much memory to read") from None
    except DocumentRefused as refused:
        sys.stdout.write(str(refused))
        return _REFUSED
    sys.stdout.buffer.write(kept)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
