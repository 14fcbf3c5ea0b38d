"""``levo doctor`` names the right cause: staged situations in a network namespace, and files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.capture import write_capture
from tests.cli.levo_command import environment, levo
from tests.system.network import Namespace, loopback_namespace, needs, until_listening

ROOT = Path(__file__).resolve().parents[2]
PORT = 18473


@dataclass(frozen=True, slots=True)
class Situation:
    """What goes on, what the user wrote, and what the doctor must say first."""

    talk: str | None
    flags: tuple[str, ...]
    says: str
    status: int = 1
    fix: str = ""


QUIET = ("--output", "null")

SITUATIONS = {
    "wrong interface": Situation(
        "http",
        (*QUIET, "--interfaces=idle0"),
        "problem: no TCP packet on idle0, but there are packets on lo",
        fix="--interfaces lo",
    ),
    "unknown interface": Situation(
        None, (*QUIET, "--interfaces=nope0"), "there is no interface 'nope0'", fix="idle0"
    ),
    "filter that matches nothing": Situation(
        "http",
        (*QUIET, "--filter=port 81"),
        "problem: --filter 'port 81' matches none of",
        fix=f"port {PORT}",
    ),
    "only TLS": Situation(
        "tls", QUIET, f"problem: all that could be HTTP is encrypted (TLS on port {PORT})", fix="ends TLS"
    ),
    "only HTTP/2": Situation(
        "http2",
        (*QUIET, "--rate-limit=0"),
        f"note: all HTTP here is HTTP/2, which includes gRPC (on port {PORT})",
        status=0,
    ),
    "another protocol": Situation(
        "lines", QUIET, f"problem: the traffic on port {PORT} is not HTTP", fix="--filter"
    ),
    "excluded by rules": Situation(
        "http",
        (*QUIET, "--path-exclusions=/items"),
        "problem: every whole exchange is left out by your rules: --path-exclusions",
        fix="expressions",
    ),
    "rate limit reached": Situation(
        "http",
        (*QUIET, "--rate-limit=2"),
        "warning: the rate limit is reached",
        status=0,
        fix="raise --rate-limit",
    ),
    "no traffic": Situation(None, QUIET, "problem: no TCP packet on any interface", fix="send a request"),
    "Satellite unreachable": Situation(
        "http",
        ("--satellite-url=http://127.0.0.1:9",),
        "problem: the Satellite does not take traces: http://127.0.0.1:9",
        fix="--satellite-url",
    ),
    "all well": Situation("http", (*QUIET, "--rate-limit=0"), "nothing is wrong", status=0),
}


@contextmanager
def talking(where: Namespace, kind: str | None) -> Iterator[None]:
    if kind is None:
        yield
        return
    argv = [sys.executable, "-m", "tests.helpers.talk", kind, str(PORT)]
    process = where.popen(argv, env=environment({"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}), cwd=ROOT)
    try:
        until_listening(where, PORT, process=process)
        yield
    finally:
        process.kill()
        process.wait()


def doctor(where: Namespace, *flags: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    argv = [*prefix, sys.executable, "-m", "levo", "doctor", "--seconds=1.5", "--config=/dev/null", *flags]
    return subprocess.run(
        where.command(argv), env=environment(), capture_output=True, text=True, timeout=180, check=False
    )


def check(done: subprocess.CompletedProcess[str], situation: Situation) -> None:
    page = done.stdout
    findings = page.partition("Findings\n")[2]
    first, _, following = findings.partition("Next\n")
    assert situation.says in first.split("\n  2. ")[0], page + done.stderr
    assert situation.fix in following
    assert done.returncode == situation.status, page


@pytest.fixture(scope="module")
def here() -> Iterator[Namespace]:
    with loopback_namespace() as namespace:
        namespace.run(["ip", "link", "add", "idle0", "type", "veth", "peer", "name", "idle1"])
        namespace.run(["ip", "link", "set", "idle0", "up"])
        namespace.run(["ip", "link", "set", "idle1", "up"])
        yield namespace


@pytest.mark.root
@needs()
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_the_first_finding_is_the_cause(here: Namespace, situation: Situation) -> None:
    with talking(here, situation.talk):
        check(doctor(here, *situation.flags), situation)


@pytest.mark.root
@needs()
def test_many_interfaces_are_watched_together() -> None:
    """And the interface that was named is still told from the others."""
    with loopback_namespace() as namespace:
        for number in range(9):
            namespace.run(["ip", "link", "add", f"a{number}", "type", "veth", "peer", "name", f"b{number}"])
            namespace.run(["ip", "link", "set", f"a{number}", "up"])
            namespace.run(["ip", "link", "set", f"b{number}", "up"])
        with talking(namespace, "http"):
            well = doctor(namespace, *QUIET, "--rate-limit=0")
            assert (well.returncode, "nothing is wrong" in well.stdout) == (0, True), well.stdout
            assert "more than 16 are up: captured together, as any" in well.stdout
            wrong = doctor(namespace, *QUIET, "--interfaces=a3")
            assert "problem: no TCP packet on a3, but there are packets on" in wrong.stdout, wrong.stdout
            assert wrong.returncode == 1
            filtered = doctor(namespace, *QUIET, "--interfaces=lo", "--filter=port 1")
            assert "--filter 'port 1' matches none" in filtered.stdout, filtered.stdout


@pytest.mark.root
@needs("setpriv")
def test_no_privilege(here: Namespace) -> None:
    without = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")

    done = doctor(here, *QUIET, prefix=without)

    check(done, Situation(None, (), "problem: capturing on", fix="NET_RAW"))
    assert "CAP_NET_RAW is missing" in done.stdout


REJECTING = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(401)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *parts):
        pass
http.server.HTTPServer(("127.0.0.1", 18499), Handler).serve_forever()
"""


@pytest.mark.root
@needs()
def test_a_satellite_that_rejects_the_organization(here: Namespace) -> None:
    process = here.popen([sys.executable, "-c", REJECTING])
    try:
        with talking(here, "http"):
            url = "--satellite-url=http://127.0.0.1:18499"
            done = doctor(here, url, "--levoai-org-id=unknown-org")
    finally:
        process.kill()
        process.wait()

    says = "problem: the Satellite at http://127.0.0.1:18499 rejects the organization or its token"
    check(done, Situation(None, (), says, fix="--levoai-org-id"))


def test_a_file_is_judged_the_same_way(tmp_path: Path) -> None:
    capture = str(write_capture(tmp_path / "two.pcap"))
    flags = ("doctor", "--config=/dev/null", "--output=null", f"--read={capture}")

    well, excluded = levo(*flags), levo(*flags, "--host-allow=nowhere")

    assert (well.returncode, excluded.returncode) == (0, 1)
    assert "TCP port 8080: 100 % of the packets, HTTP/1.1, 2 exchanges" in well.stdout
    assert "every whole exchange is left out by your rules: --host-allow (2)" in excluded.stdout


@pytest.mark.parametrize("flags", [("--filter=port foo",), ("--seconds=x",), ("--read=/nonexistent",)])
def test_settings_that_cannot_be_used_are_one_line(flags: tuple[str, ...]) -> None:
    done = levo("doctor", "--config=/dev/null", "--output=null", *flags)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("levo: ")
