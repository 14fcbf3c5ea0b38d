"""Runs ``levo`` commands of the checkout that is first on PYTHONPATH, each in a process of its own.

Reads one job a line, JSON, from standard input: arguments, and files for standard output and error. Answers
each with its exit status. Commands start as forks of this process, which has imported them already: thousands
of runs then cost little. Standard library only, and of Levo only the entry point of the ``levo`` script.
"""

from __future__ import annotations

import http.client  # noqa: F401 - as ssl: what the output to a Satellite imports late
import io
import json
import os
import signal
import ssl  # noqa: F401
import sys
from contextlib import redirect_stdout
from typing import Any, NoReturn

from levo.cli import main as levo

_LONGEST_S = 300
"""A command that takes longer is killed; its exit status then says so."""


def run(arguments: list[str]) -> int:
    """Run one command in this process; return its exit status."""
    sys.argv = ["levo", *arguments]
    try:
        levo()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def run_in_child(job: dict[str, Any]) -> int:
    """Run one command in a fork; return its exit status, negative for a signal."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _be_the_child(job)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _be_the_child(job: dict[str, Any]) -> NoReturn:
    status = 70
    try:
        signal.alarm(_LONGEST_S)
        for number, path in ((1, job["stdout"]), (2, job["stderr"])):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, number)
            os.close(file)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = run(job["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def main() -> None:
    """Answer jobs until standard input ends."""
    for name in ("apidump", "learn"):
        with redirect_stdout(io.StringIO()):
            run([name, "--help"])
    for line in sys.stdin:
        print(run_in_child(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
