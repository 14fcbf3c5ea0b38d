"""What a sensor that root started keeps, read from the kernel for each thread, and that all still works."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from levo.config import load
from levo.sensor.capture.seccomp import missing
from levo.sensor.privileges import Plan, User, lost_files, plan
from tests.cli.levo_command import SOURCE, environment
from tests.packaging.sidecar import until
from tests.system.network import Namespace, loopback_namespace, missing_reason

UID, GID = 54321, 54322
ROOT = SOURCE.parent
REASON = missing_reason()
UNFILTERED = missing()
root = [pytest.mark.root, pytest.mark.skipif(REASON is not None, reason=REASON or "")]
filtered = [*root, pytest.mark.skipif(bool(UNFILTERED), reason=f"no filter of system calls: {UNFILTERED}")]


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
    namespace: Namespace,
    interpreter: list[str],
    folder: Path,
    *arguments: str,
    sudo: bool = True,
    path: str = "",
    **more: str,
) -> Iterator[subprocess.Popen[bytes]]:
    variables = {"SUDO_UID": str(UID), "SUDO_GID": str(GID), "SUDO_USER": "someone"} if sudo else {}
    """*interpreter*: with its path last, or its path is *path* and the rest a command."""
    command = interpreter if path else interpreter[:1]
    env = environment({"PYTHONPATH": path or interpreter[1], **variables, **more})
    argv = [*command, "-m", "levo", "apidump", "--interfaces=lo", "--rate-limit=0", *arguments]
    with (folder / "log").open("wb") as log:
        process = namespace.popen(argv, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
    try:
        until("capture", lambda: "capturing on" in text(folder) or process.poll() is not None)
        assert process.poll() is None, text(folder)
        yield process
    finally:
        process.kill()
        process.wait(90)


def text(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")


def threads(process: int) -> Iterator[dict[str, str]]:
    for each in Path(f"/proc/{process}/task").iterdir():
        try:
            lines = (each / "status").read_text().splitlines()
        except OSError:  # it has ended
            continue
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def assert_kept(process: int, uid: int, gid: int, *, at_least: int = 4) -> None:
    found = list(threads(process))
    assert len(found) >= at_least, [each["Name"] for each in found]
    for each in found:
        kept = [int(each[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")]
        assert kept == [1 << 13, 1 << 13, 1 << 13, 0, 0], each
        assert each["NoNewPrivs"] == "1" and each["Seccomp"] == "2", each
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
        process.wait(90)


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
            assert (
                f"runs as user {UID}, who called sudo, with CAP_NET_RAW alone, system calls filtered"
                in text(folder)
            )
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
        done = subprocess.run(argv, env=env, capture_output=True, text=True, cwd="/", timeout=180)
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
                process.wait(90)

    def test_dry_run_and_doctor_say_it(self, tmp_path: Path) -> None:
        with loopback_namespace() as alone:
            for arguments in (["apidump", "--dry-run"], ["doctor", "--seconds=0.1"]):
                argv = [sys.executable, "-m", "levo", *arguments]
                done = subprocess.run(alone.command(argv), env=environment(), capture_output=True, text=True)
                assert "as user 0, with CAP_NET_RAW alone" in done.stdout, done.stderr


class TestFilterOfSystemCalls:
    pytestmark = filtered

    @pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
    def test_nothing_that_a_sensor_does_is_refused(self, interpreter: list[str], folder: Path) -> None:
        """Read from strace: a call that fails quietly is found, too."""
        trace, lines, spool = folder / "trace", folder / "out.jsonl", folder / "spool"
        config, keys = folder / "config.yaml", folder / "keys"
        config.write_text("rate-limit: 0\n")
        keys.write_text("")
        strace = ["strace", "-D", "-f", "-o", str(trace), "-e", "status=failed"]
        arguments = [
            f"--output=jsonl:{lines}",
            "--output=otlp",
            "--satellite-url=grpc://localhost:4317",
            f"--spool-dir={spool}",
            f"--config={config}",
            f"--tls-keylog={keys}",
            "--listen=127.0.0.1:8888",
            "--trace-export-interval=200ms",
        ]
        with (
            loopback_namespace() as alone,
            server(alone),
            sensor(alone, [*strace, interpreter[0]], folder, *arguments, path=interpreter[1]) as process,
        ):
            fetch(alone, "/before")
            until("spool", lambda: any(each.stat().st_size for each in spool.glob("*.spool")))
            with alone.popen([sys.executable, "-c", COLLECT], cwd=ROOT, stdout=subprocess.PIPE) as collector:
                assert collector.stdout is not None and collector.stdout.readline() == b"traces\n"
                keys.unlink()
                keys.write_text("# another\n")
                config.write_text("rate-limit: 0\npath-exclusions: [^/gone]\n")
                process.send_signal(signal.SIGHUP)
                until("reload", lambda: "changed: path-exclusions" in text(folder))
                fetch(alone, "/large", 64 << 20)  # its ring is replaced
                assert fetch(alone, "/metrics", port=8888)
                fetch(alone, "/after")
                until("exchange", lambda: "/after" in lines.read_text())
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                collector.kill()
        refused = set(
            re.findall(r"(?m)(\w+)(?:\(| resumed).* = -1 (EPERM|ENOSYS|EAFNOSUPPORT)", trace.read_text())
        )
        # The lock that root made in a sticky folder is not its successor's to remove.
        assert refused <= {("clone3", "ENOSYS"), ("unlink", "EPERM")}
        assert '"balanced": false' not in text(folder)

    def test_it_can_be_left_out(self, interpreter: list[str], folder: Path) -> None:
        for value, state, told in (
            ("off", "0", "system calls not filtered (LEVO_SECCOMP=off)"),
            ("log", "2", "system calls logged (LEVO_SECCOMP=log)"),
        ):
            with (
                loopback_namespace() as alone,
                sensor(alone, interpreter, folder, "--output=null", LEVO_SECCOMP=value) as process,
            ):
                assert {each["Seccomp"] for each in threads(process.pid)} == {state}
                assert told in text(folder)

    def test_a_file_is_read_under_it(self, folder: Path) -> None:
        """A pipe is read for as long as somebody writes into it."""
        os.mkfifo(folder / "pipe")
        argv = [sys.executable, "-m", "levo", "apidump", f"--read={folder / 'pipe'}", "--output=null"]
        with subprocess.Popen(argv, env=environment(), stderr=subprocess.DEVNULL) as process:
            with (folder / "pipe").open("wb") as pipe:
                pipe.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
                pipe.flush()
                until("filter", lambda: {each["Seccomp"] for each in threads(process.pid)} == {"2"})
                assert {each["CapPrm"].strip("0") for each in threads(process.pid)} == {""}
            assert process.wait(60) == 0

    def test_a_value_that_is_none_is_refused(self) -> None:
        argv = [sys.executable, "-m", "levo", "apidump", "--dry-run"]
        done = subprocess.run(argv, env=environment({"LEVO_SECCOMP": "no"}), capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr == "levo: LEVO_SECCOMP: 'no' is not one of on, log and off\n"


COLLECT = """
import time
from tests.system.grpc_collector import GrpcCollector
collector = GrpcCollector(port=4317)
while not collector.bodies["traces"]: time.sleep(0.05)
print("traces", flush=True)
time.sleep(60)
"""


def test_a_user_who_is_not_root_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert plan({"SUDO_UID": "5", "SUDO_GID": "5"}, capture=True) == Plan(None, True)


def test_files_belong_to_the_user_that_is_become() -> None:
    assert Plan(User(5, 6), True).owner == (5, 6)
    assert Plan(None, True).owner is None


@pytest.mark.parametrize("setting", ["tls-ca-cert-path", "tls-client-cert-path", "tls-client-key-path"])
def test_a_file_that_cannot_be_renewed_is_named(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "file.pem")
    found = load({"read": "x"}, {}, default_path="/nonexistent").config
    config = replace(found, read=None, **{setting.replace("-", "_"): path})
    monkeypatch.setattr(os, "access", lambda name, mode: name != path)
    (warning,) = lost_files(Plan(None, True), None, config)
    assert warning.startswith(
        f"{setting}: {path} cannot be read as user {os.geteuid()}: a new one takes effect"
    )
