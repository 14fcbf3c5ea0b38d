"""The operator's page: its commands are commands that there are, and do what it says, in its order."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from levo.cli.satellite import command
from levo.config.options import OPTIONS
from levo.config.satellite_settings import SATELLITE
from levo.satellite.store import DATABASE_NAME
from levo.satellite.store.backup import verify_backup
from tests.satellite.running import until
from tests.satellite.store.earlier import restore_earlier, rows_of
from tests.sensor.export.certificates import make_authority, make_leaf
from tests.system.shell import LEVO

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SYSTEMCTL = """#!{python}
import os, signal, subprocess, sys, time
from pathlib import Path

place, pid, log = Path({place!r}), Path({place!r}) / "pid", Path({place!r}) / "log"
doing, unit = sys.argv[1:]
assert unit == "levo-satellite", unit
if doing in ("stop", "restart") and pid.exists():
    os.kill(int(pid.read_text()), signal.SIGTERM)
    while b"\\nState:\\tZ" not in (status := Path("/proc", pid.read_text(), "status")).read_bytes():
        time.sleep(0.05)
    pid.unlink()
if doing in ("start", "restart"):
    before = log.read_text().count("Satellite ready") if log.exists() else 0
    with log.open("a") as out:
        options = ["--config", place / "etc" / "config.yaml", *{options!r}]
        started = subprocess.Popen([{levo!r}, "satellite", *options], stdout=out, stderr=out)
    while log.read_text().count("Satellite ready") == before:
        assert started.poll() is None, log.read_text()
        time.sleep(0.05)
    pid.write_text(str(started.pid))
if doing == "reload":
    os.kill(int(pid.read_text()), signal.SIGHUP)
"""
PROGRAMS = {
    "sudo": 'if [ "$1" = -u ]; then shift 2; fi\nexec "$@"\n',
    "apt-get": "exit 0\n",
    "levo-satellite": f'exec {LEVO} satellite --config etc/config.yaml "$@"\n',
}


def blocks() -> list[str]:
    return [
        re.sub(r"(?m)^  ", "", block) if block.startswith("  ") else block
        for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    ]


def test_every_command_of_the_satellite_is_one() -> None:
    named = re.findall(
        r"^(?:sudo )?(?:-u levo-satellite )?levo-satellite (?:--data-dir \S+ )?([a-z][a-z-]+)",
        "".join(blocks()),
        re.M,
    )

    assert set(named) >= {"backup", "restore", "verify-backup", "rotate-key"}
    assert set(named) <= set(command.commands)


def test_every_setting_that_it_names_is_one() -> None:
    known = {option.name for option in (*SATELLITE.options, *OPTIONS)}
    for key in re.findall(
        r"^([a-z-]+): ", "\n".join(re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)), re.M
    ):
        assert key in known
    settings = set(re.findall(r"`((?:backup|catalog|journal|tls|spool)-[a-z-]+)`", PAGE.read_text()))
    assert settings >= {"backup-keep", "tls-ca-certificate"}
    assert settings <= known


class Machine:
    """Folders that stand for the page's, and a service manager that knows one service."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, restore_earlier(folder / "data")
        self.earlier = rows_of(self.data / DATABASE_NAME)
        (folder / "etc").mkdir()
        self._authority = make_authority(folder)
        pair = self.renew()
        (folder / "etc" / "config.yaml").write_text(
            f"data-dir: {folder}/data\nlisten: 127.0.0.1:0\n"
            f"tls-certificate: {folder}/etc/tls.pem\ntls-key: {folder}/etc/tls.key\n"
        )
        shutil.copyfile(pair.with_suffix(".key"), folder / "etc" / "tls.key")
        shutil.copyfile(pair, folder / "etc" / "tls.pem")
        programs = folder / "bin"
        programs.mkdir()
        options = ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]
        made = SYSTEMCTL.format(python=sys.executable, place=str(folder), options=options, levo=str(LEVO))
        texts = {name: f"#!/bin/sh\n{text}" for name, text in PROGRAMS.items()} | {"systemctl": made}
        for name, text in texts.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self._path = f"{programs}:{os.environ['PATH']}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def renew(self) -> Path:
        """Make new.pem and new.key."""
        return make_leaf(self.folder, "new", *self._authority, "localhost").cert

    def serial(self) -> int:
        """Of the certificate that the pages show."""
        port = int(re.findall(r"web https://[^:]+:(\d+)/", self.log)[-1])
        shown = ssl.get_server_certificate(("localhost", port), timeout=60)
        return x509.load_pem_x509_certificate(shown.encode()).serial_number

    def run(self, block: str) -> None:
        for written, meant in (
            ("/var/lib/levo-satellite", "data"),
            ("/etc/levo/satellite", "etc"),
            ("/var/backups/levo-satellite", "backups"),
        ):
            block = block.replace(written, str(self.folder / meant))
        block = re.sub(r" -[og] levo-satellite", "", block)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env={"PATH": self._path, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}\n{self.log}"

    def end(self) -> None:
        if (self.folder / "pid").exists():
            os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_commands_do_what_the_page_says(machine: Machine) -> None:
    machine.run("systemctl start levo-satellite")
    first, backups = machine.serial(), machine.folder / "backups"
    (machine.data / "detectors.yaml").write_text("rules: []\n")
    for block in blocks():
        machine.run(block)
        if "tls.pem" in block:
            renewed = x509.load_pem_x509_certificate((machine.folder / "new.pem").read_bytes()).serial_number
            until(lambda renewed=renewed: machine.serial() == renewed)  # type: ignore[misc]
            assert first != renewed
        if "backup-folder" in block:
            until(lambda: any(backups.glob("levo-satellite-000001-*.tar.gz")))
        if "after-upgrade/" in block:
            assert (machine.data / "after-upgrade" / DATABASE_NAME).exists()
        if " reload " in block and "tls.pem" not in block:
            until(lambda: "SIGHUP: now in force: detectors.yaml" in machine.log)
            machine.renew()

    assert verify_backup(backups / "by-hand.tar.gz").has_key
    assert len(list(machine.data.glob("before-upgrade-*"))) == 1
    assert len(list(machine.data.glob("replaced-*"))) == 1
    assert (machine.folder / "restored" / "learner.key").read_bytes() != (
        machine.data / "learner.key"
    ).read_bytes()
    known = {row[1:6] for row in rows_of(machine.data / DATABASE_NAME)["endpoint"]}
    assert known >= {row[1:6] for row in machine.earlier["endpoint"]}
