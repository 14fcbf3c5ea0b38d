"""What a sensor that root started keeps, read from the kernel for each thread, and that all still works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.sensor.privileges import Plan, User, plan
from tests.cli.levo_command import SOURCE, environment
from tests.packaging.sidecar import until
from tests.system.network import Namespace, loopback_namespace, missing_reason

UID, GID = 54321, 54322
ROOT = SOURCE.parent
REASON = missing_reason()
root = [pytest.mark.root, pytest.mark.skipif(REASON is not None, reason=REASON or "")]


def python() -> list[str] | None:
    """An interpreter, with what it imports, that a user who is not root can use; None if there is none."""
    site = next((each for each in sys.path if each.endswith("site-packages")), "")
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    for interpreter in (system, sys.executable):
        argv = ["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", interpreter, "-c"]
        path = os.pathsep.join((str(SOURCE), site))
        try:
            done = subprocess.run(
                [*argv, "import click, yaml, urllib3, levo.engine.engine"], env={"PYTHONPATH": path}, cwd="/"
            )
        except OSError:
            continue
        if done.returncode == 0:
            return [interpreter, path]
    return None


@pytest.fixture(scope="module")
def interpreter() -> list[str]:
    found = python() if REASON is None else None
    if found is None:
        pytest.skip("needs an interpreter that other users can use")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of the user who calls sudo; pytest's own are closed to others."""
    made = Path(tempfile.mkdtemp(prefix="levo-"))
    os.chown(made, UID, GID)
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def sensor(
    namespace: Namespace, interpreter: list[str], folder: Path, *arguments: str, sudo: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    variables = {"SUDO_UID": str(UID), "SUDO_GID": str(GID), "SUDO_USER": "someone"} if sudo else {}
    env = environment({"PYTHONPATH": interpreter[1], **variables})
    argv = [interpreter[0], "-m", "levo", "apidump", "--interfaces=lo", "--rate-limit=0", *arguments]
    with (folder / "log").open("wb") as log:
        process = namespace.popen(argv, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
    try:
        until("capture", lambda: "capturing on" in text(folder) or process.poll() is not None)
        assert process.poll() is None, text(folder)
        yield process
    finally:
        process.kill()
        process.wait(30)


def text(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")


def threads(process: int) -> Iterator[dict[str, str]]:
    for each in Path(f"/proc/{process}/task").iterdir():
        lines = (each / "status").read_text().splitlines()
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def assert_kept(process: int, uid: int, gid: int, *, at_least: int = 4) -> None:
    found = list(threads(process))
    assert len(found) >= at_least, [each["Name"] for each in found]
    for each in found:
        kept = [int(each[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")]
        assert kept == [1 << 13, 1 << 13, 1 << 13, 0, 0], each
        assert each["NoNewPrivs"] == "1", each
        assert each["Uid"].split() == [str(uid)] * 4 and each["Gid"].split() == [str(gid)] * 4, each
        if uid:
            assert each["Groups"].split() == [str(gid)], each


SERVE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        size = int(self.headers.get("X-Size", "2"))
        self.send_response(200); self.send_header("Content-Length", str(size)); self.end_headers()
        for _ in range(0, size, 65536): self.wfile.write(b"x" * min(size, 65536))
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""
FETCH = """
import sys, urllib.request as u
u.urlopen(u.Request(sys.argv[1], headers={"X-Size": sys.argv[2]})).read()
"""


@contextmanager
def server(namespace: Namespace) -> Iterator[None]:
    process = namespace.popen([sys.executable, "-c", SERVE])
    try:
        until("server", lambda: fetch(namespace, "/up", check=False))
        yield
    finally:
        process.kill()
        process.wait(30)


def fetch(namespace: Namespace, path: str, size: int = 2, *, port: int = 8080, check: bool = True) -> bool:
    argv = [sys.executable, "-c", FETCH, f"http://127.0.0.1:{port}{path}", str(size)]
    done = subprocess.run(namespace.command(argv), capture_output=True)
    assert done.returncode == 0 or not check, done.stderr.decode()[-500:]
    return done.returncode == 0


class TestUnderSudo:
    pytestmark = root

    def test_each_thread_keeps_net_raw_and_all_goes_on(self, interpreter: list[str], folder: Path) -> None:
        lines, archive, spool = folder / "out.jsonl", folder / "out.har", folder / "new" / "spool"
        config, keys = folder / "config.yaml", folder / "keys"
        config.write_text("rate-limit: 0\n")
        keys.write_text("")
        keys.chmod(0o600)  # root's: it is open already
        with (
            loopback_namespace() as alone,
            server(alone),
            sensor(
                alone,
                interpreter,
                folder,
                f"--output=jsonl:{lines}",
                f"--output=har:{archive}",
                "--output=otlp",
                "--satellite-url=http://127.0.0.1:9",
                f"--spool-dir={spool}",
                f"--config={config}",
                f"--tls-keylog={keys}",
                "--listen=127.0.0.1:80",
                "--trace-export-interval=200ms",
            ) as process,
        ):
            assert f"runs as user {UID}, who called sudo, with CAP_NET_RAW alone" in text(folder)
            assert f"{keys} cannot be read as user {UID}" in text(folder), (
                "said that it is read on while it is not replaced"
            )
            fetch(alone, "/before")
            until("exchange", lambda: "/before" in lines.read_text())
            assert_kept(process.pid, UID, GID, at_least=7)
            # A ring that fills is replaced, which opens another socket.
            fetch(alone, "/large", 64 << 20)
            fetch(alone, "/after")
            until("exchange", lambda: "/after" in lines.read_text())
            config.write_text("rate-limit: 0\npath-exclusions: [^/gone]\n")
            process.send_signal(signal.SIGHUP)
            until("reload", lambda: "changed: path-exclusions" in text(folder))
            assert fetch(alone, "/healthz", port=80)
            until("spool", lambda: any(each.stat().st_size for each in spool.glob("*.spool")))
            assert_kept(process.pid, UID, GID, at_least=7)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert '"balanced": true' in text(folder) and '"balanced": false' not in text(folder)
        assert "Traceback" not in text(folder)
        assert len(json.loads(archive.read_text())["log"]["entries"]) >= 3
        made = [lines, archive, spool.parent, spool, *spool.iterdir()]
        assert {(each.stat().st_uid, each.stat().st_gid) for each in made} == {(UID, GID)}

    def test_interfaces_that_appear_later_are_captured(self, interpreter: list[str], folder: Path) -> None:
        with loopback_namespace() as alone:
            arguments = ["--output=null", "--interfaces=late0"]
            add = ["ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1"]
            alone.run(add)
            with sensor(alone, interpreter, folder, *arguments):
                alone.run(["ip", "link", "set", "late0", "up"])
                until("interface", lambda: "capturing on 'late0'" in text(folder))

    def test_a_spool_that_root_left_is_taken_over(self, interpreter: list[str], folder: Path) -> None:
        spool = folder / "spool"
        arguments = [
            "--satellite-url=http://127.0.0.1:9",
            f"--spool-dir={spool}",
            "--trace-export-interval=200ms",
        ]
        with loopback_namespace() as alone, server(alone):
            for sudo in (False, True):
                with sensor(alone, interpreter, folder, *arguments, sudo=sudo) as process:
                    fetch(alone, "/x")
                    until("spool", lambda: any(each.stat().st_size for each in spool.glob("*.spool")))
                    process.send_signal(signal.SIGTERM)
                    process.wait(60)
                if not sudo:
                    assert {each.stat().st_uid for each in (spool, *spool.iterdir())} == {0}
        assert '"spooled": 2' in text(folder), "what root left is among what waits"
        assert {each.stat().st_uid for each in (spool, *spool.iterdir())} == {UID}

    def test_a_spool_of_somebody_else_is_refused(self, interpreter: list[str], folder: Path) -> None:
        spool = folder / "spool"
        spool.mkdir(mode=0o700)
        os.chown(spool, UID + 7, GID + 7)
        argv = [interpreter[0], "-m", "levo", "apidump", f"--spool-dir={spool}"]
        env = environment({"PYTHONPATH": interpreter[1], "SUDO_UID": str(UID), "SUDO_GID": str(GID)})
        done = subprocess.run(argv, env=env, capture_output=True, text=True, cwd="/", timeout=60)
        assert done.returncode == 2 and f"cannot be written as user {UID}" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_a_file_that_was_there_keeps_its_owner(self, interpreter: list[str], folder: Path) -> None:
        there = folder / "there.jsonl"
        there.write_text("old")
        with (
            loopback_namespace() as alone,
            server(alone),
            sensor(alone, interpreter, folder, f"--output=jsonl:{there}", "--trace-export-interval=200ms"),
        ):
            fetch(alone, "/x")
            until("exchange", lambda: "/x" in there.read_text())
        assert there.stat().st_uid == 0


class TestRootItself:
    pytestmark = root

    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {"SUDO_UID": "0", "SUDO_GID": "0"},
            {"SUDO_UID": "x"},
            {"LEVO_USER": "0", "SUDO_UID": "5", "SUDO_GID": "5"},
        ],
    )
    def test_it_stays_user_0_with_net_raw_alone(self, tmp_path: Path, variables: dict[str, str]) -> None:
        env = environment(variables)
        argv = [
            sys.executable,
            "-m",
            "levo",
            "apidump",
            "--interfaces=lo",
            f"--output=jsonl:{tmp_path / 'out'}",
        ]
        with loopback_namespace() as alone, server(alone), (tmp_path / "log").open("wb") as log:
            process = alone.popen([*argv, "--trace-export-interval=200ms"], env=env, stdout=log, stderr=log)
            try:
                until("capture", lambda: "runs as user 0, with CAP_NET_RAW alone" in text(tmp_path))
                fetch(alone, "/x")
                until("exchange", lambda: "/x" in (tmp_path / "out").read_text())
                assert_kept(process.pid, 0, 0)
            finally:
                process.kill()
                process.wait(30)

    def test_dry_run_and_doctor_say_it(self, tmp_path: Path) -> None:
        with loopback_namespace() as alone:
            for arguments in (["apidump", "--dry-run"], ["doctor", "--seconds=0.1"]):
                argv = [sys.executable, "-m", "levo", *arguments]
                done = subprocess.run(alone.command(argv), env=environment(), capture_output=True, text=True)
                assert "as user 0, with CAP_NET_RAW alone" in done.stdout, done.stderr


def test_a_user_who_is_not_root_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert plan({"SUDO_UID": "5", "SUDO_GID": "5"}, capture=True) == Plan(None, True)


def test_files_belong_to_the_user_that_is_become() -> None:
    assert Plan(User(5, 6), True).owner == (5, 6)
    assert Plan(None, True).owner is None
