"""The README's tour, run as it stands: each block of commands, in order, in a checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.satellite.running import until
from tests.system.network import PATH, Namespace, loopback_namespace, needs
from tests.system.shell import LEVO, last_child, programs_in, until_said

README = Path(__file__).resolve().parents[2] / "README.md"
LASTING = "until Ctrl-C"
READY = {"satellite": "Satellite ready", "apidump": "capturing on"}


def blocks() -> list[str]:
    section = README.read_text(encoding="utf-8").split("## Five-minute tour", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def test_no_command_of_the_tour_needs_an_activated_environment() -> None:
    text = "".join(blocks())

    assert ".venv/bin/levo" in text
    assert not re.search(r"(?<![/\w.-])levo ", text)


class Terminal:
    """Where the reader types."""

    def __init__(self, place: Namespace, folder: Path) -> None:
        self._place = place
        self._folder = folder
        (folder / ".venv").symlink_to(LEVO.parents[1])
        self._environment = {
            "PATH": f"{programs_in(folder)}:{PATH}",
            "HOME": str(folder),
            "LEVO_SATELLITE_DATA_DIR": str(folder / "data"),
        }

    def run(self, block: str) -> None:
        done = subprocess.run(
            self._place.command(["bash", "-euo", "pipefail", "-c", block]),
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"

    @contextmanager
    def keep_running(self, block: str) -> Iterator[None]:
        """Until the end, when what Ctrl-C does must be an end without an error."""
        with subprocess.Popen(
            self._place.command(["bash", "-c", block]),
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            watchdog = threading.Timer(180, lambda: os.killpg(process.pid, signal.SIGKILL))
            watchdog.start()
            assert process.stdout is not None
            try:
                ready = next(text for word, text in READY.items() if f"levo {word}" in block)
                until_said(process.stdout, ready)
                yield
                os.kill(last_child(process.pid), signal.SIGINT)
                rest = process.stdout.read()
                assert process.wait(60) == 0, rest
            finally:
                watchdog.cancel()
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def learned(self, application: str) -> bool:
        answer = self._place.run(["curl", "-s", "--noproxy", "*", "http://127.0.0.1:9999/api/applications"])
        return application in {row["application"] for row in json.loads(answer)["applications"]}


@pytest.mark.root
@needs("curl")
@pytest.mark.skipif(not LEVO.is_file(), reason=f"no command {LEVO}: install the package")
def test_the_tour_runs_as_written(tmp_path: Path) -> None:
    with loopback_namespace() as place, ExitStack() as lasting:
        terminal = Terminal(place, tmp_path)
        for block in blocks():
            if LASTING in block:
                lasting.enter_context(terminal.keep_running(block))
                continue
            terminal.run(block)
            if "--service-name shop" in block:  # a reader takes longer than the Satellite does to learn
                until(lambda: terminal.learned("shop"))
        made = {each.name for each in tmp_path.iterdir()}
        document = json.loads((tmp_path / "new.json").read_text())

    assert {"traffic.pcap", "traffic.har", "old.json", "new.json"} <= made
    assert "/v1/orders" in document["paths"]
