"""``levo apidump`` as a process: over a file, with bad input, without privilege, live."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.capture import CANARY, PAIRS, write_capture
from tests.cli.levo_command import environment, levo
from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.packets import Ends, capture_segments, ethernet, ipv4
from tests.helpers.pcap import write_pcap
from tests.helpers.ports import unused_port
from tests.satellite.running import RunningSatellite, until
from tests.sensor.capture.network import private_network, veth

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: opens a capture socket on loopback")


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A ``levo`` process that does not outlive the test."""
    command = [sys.executable, "-m", "levo", *arguments]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait(90)
            watchdog.cancel()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return write_capture(tmp_path / "two.pcap")


@pytest.fixture
def bare(tmp_path: Path) -> tuple[str, str]:
    """``--config`` with an empty file, so that the machine's own file plays no part."""
    path = tmp_path / "empty.yaml"
    path.touch()
    return "--config", str(path)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_becomes_lines_and_a_ledger(capture: Path, bare: tuple[str, str]) -> None:
    done = levo("apidump", *bare, "--read", str(capture), "--output", "jsonl", "--log-format", "text")

    found = lines(done.stdout)
    assert done.returncode == 0
    assert [(line["request"]["path"], line["response"]["status"]) for line in found] == [
        ("/users/7", 200),
        ("/health", 204),
    ]
    assert "exchanges: 2 exchanges = 2 finished" in done.stderr
    assert done.stderr.endswith("balance: all 6 stages add up\n")


def test_the_log_is_json_without_a_terminal(capture: Path, bare: tuple[str, str]) -> None:
    done = levo("apidump", *bare, "--read", str(capture), "--output", "null")

    entries = lines(done.stderr)
    ledger = [entry for entry in entries if entry.get("event") == "ledger" and "stage" in entry]
    assert [entry["stage"] for entry in ledger][-1] == "output null"
    assert all(entry["balanced"] and entry["received"] == sum(entry["states"].values()) for entry in ledger)


def test_vxlan_on_an_unusual_port_is_one_line_until_the_port_is_named(
    bare: tuple[str, str], tmp_path: Path
) -> None:
    frames = capture_segments(converse(exchanges_as_turns(PAIRS)), Ends())
    header = ip_over(struct.pack("!HHHH", 5, 6789, 0, 0) + b"\x08" + bytes(7))
    path = write_pcap(
        tmp_path / "mirror.pcap", [(at, header(octets), len(header(octets))) for at, octets, _ in frames]
    )

    unnamed = levo("apidump", *bare, "--read", str(path), "--output", "jsonl", "--log-format", "text")
    named = levo("apidump", *bare, "--read", str(path), "--output", "jsonl", "--vxlan-port", "6789")

    told = [line for line in unnamed.stderr.splitlines() if "VXLAN" in line]
    assert (len(lines(unnamed.stdout)), len(told)) == (0, 1)
    assert "UDP to port 6789 looks like VXLAN" in told[0]
    assert told[0].endswith("set --vxlan-port 6789")
    assert (len(lines(named.stdout)), "VXLAN" in named.stderr) == (2, False)


def ip_over(front: bytes) -> Callable[[bytes], bytes]:
    """Put *front* and an outer Ethernet and IP header in front of a frame."""

    def wrapped(octets: bytes) -> bytes:
        return ethernet(ipv4("203.0.113.1", "203.0.113.2", front + octets, protocol=17))

    return wrapped


def test_standard_input_gzip_and_several_outputs(
    capture: Path, bare: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    outputs = ("--output", "jsonl", "--output", f"jsonl:{out}", "--output", f"har:{tmp_path / 'out.har'}")

    done = levo("apidump", *bare, "--read", "-", *outputs, stdin=gzip.compress(capture.read_bytes()))

    assert done.returncode == 0
    assert len(lines(done.stdout)) == 2
    assert out.read_text() == done.stdout
    assert len(json.loads((tmp_path / "out.har").read_text())["log"]["entries"]) == 2


def test_credentials_are_masked_unless_asked_otherwise(capture: Path, bare: tuple[str, str]) -> None:
    masked = levo("apidump", *bare, "--read", str(capture), "--output", "jsonl")
    plain = levo("apidump", *bare, "--read", str(capture), "--output", "jsonl", "--no-redact")

    assert CANARY not in masked.stdout + masked.stderr
    assert CANARY in plain.stdout and CANARY not in plain.stderr


@pytest.mark.parametrize(
    ("flags", "kept", "state"),
    [
        (("--filter", "port 1"), 0, None),
        (("--path-exclusions", "^/health$"), 1, "path_excluded"),
        (("--path-allow", "^/users/"), 1, "path_not_allowed"),
        (("--host-allow", r"^api\.example:8080$"), 2, None),
        (("--host-exclusions", "example"), 0, "host_excluded"),
        (("--path-allow", "a,b", "--path-allow", "users"), 1, "path_not_allowed"),
        (("--rate-limit", "1"), 1, "rate_limited"),
    ],
)
def test_filters(
    capture: Path, bare: tuple[str, str], flags: tuple[str, ...], kept: int, state: str | None
) -> None:
    done = levo("apidump", *bare, "--read", str(capture), "--output", "jsonl", *flags)

    exchanges = next(entry for entry in lines(done.stderr) if entry.get("stage") == "exchanges")
    assert (done.returncode, len(lines(done.stdout))) == (0, kept)
    if state is not None:
        assert exchanges["states"][state] == 2 - kept


def test_ip_and_url_filters_from_the_file(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("url-filter: {rules: [{action: ignore, methods: [GET], request-uri: 'full=1'}]}\n")
    by_url = levo("apidump", "--config", str(path), "--read", str(capture), "--output", "jsonl")
    path.write_text(
        "ip-filter-list: {entries: [{policy: drop, host-network: 10.0.0.2, host-ports: 8000-9000}]}\n"
    )
    by_ip = levo("apidump", "--config", str(path), "--read", str(capture), "--output", "jsonl")

    assert [line["request"]["path"] for line in lines(by_url.stdout)] == ["/health"]
    assert by_ip.stdout == ""


BAD = [
    (("--filter", "port 80 and"), "--filter: 'port 80 and' cannot be compiled"),
    (("--filter", "port foo"), "--filter: 'port foo' cannot be compiled"),
    (("--host-allow", "(a"), "--host-allow: '(a' is not a regex"),
    (("--path-exclusions", "*"), "--path-exclusions: '*' is not a regex"),
    (("--interfaces", "nope0"), "nope0"),
    (("--satellite-url", "ftp://x"), "--satellite-url: 'ftp://x' has an unknown scheme"),
    (("--satellite-url", "< INSERT SATELLITE URL (http(s)://hostname|IP:port) >"), "placeholder"),
    (("--rate-limit", "fast"), "--rate-limit: 'fast' is not a number"),
    (("--read", "/nonexistent.pcap"), "/nonexistent.pcap"),
    (("--read", __file__), "no pcap or pcapng"),
    (("--config", "/nonexistent.yaml"), "--config: '/nonexistent.yaml': no such file or directory"),
    (("--output", "csv"), "--output: 'csv' is not an output"),
    (("--output", "jsonl:/nonexistent/x"), "/nonexistent/x"),
    (("--no-redact",), "--no-redact: sends credentials"),
    (("--output", "otlp", "--spool-dir", "/proc/nope"), "--spool-dir: spool directory /proc/nope"),
    (("--config", ""), "--config: is empty"),
    (("--rate-limit", "--dry-run", "10"), "levo apidump --help"),
    (("two.pcap",), "two.pcap"),
]


@pytest.mark.parametrize(("flags", "says"), BAD, ids=[" ".join(flags)[:40] for flags, _ in BAD])
def test_bad_input_is_one_line_and_status_2_before_capture(
    flags: tuple[str, ...], says: str, capture: Path, bare: tuple[str, str]
) -> None:
    source = () if "--read" in flags or "--interfaces" in flags else ("--read", str(capture))
    base = () if "--config" in flags else bare
    output = () if "--output" in flags or "--no-redact" in flags else ("--output", "null")

    done = levo("apidump", *base, *source, *output, *flags)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("levo: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_file_that_is_read_is_not_overwritten(capture: Path, bare: tuple[str, str]) -> None:
    before = capture.read_bytes()

    done = levo("apidump", *bare, "--read", str(capture), "--output", f"jsonl:{capture}")

    assert (done.returncode, capture.read_bytes()) == (2, before)
    assert "would overwrite the file of --read" in done.stderr


def test_a_missing_capture_leaves_an_existing_output_alone(bare: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "precious.jsonl"
    out.write_text("precious")

    assert levo("apidump", *bare, "--read", "/nonexistent", "--output", f"jsonl:{out}").returncode == 2
    assert out.read_text() == "precious"


def test_dry_run_of_a_file(capture: Path, bare: tuple[str, str]) -> None:
    done = levo("apidump", *bare, "--read", str(capture), "--filter", "port 8080", "--dry-run")

    assert done.returncode == 0
    assert f"reads {capture}" in done.stdout
    assert "compiled filter (" in done.stdout
    assert "--filter" in done.stdout


def test_dry_run_lists_interfaces_without_capturing(bare: tuple[str, str]) -> None:
    done = levo("apidump", *bare, "--interfaces", "lo", "--dry-run", "--satellite-url", "127.0.0.1:4317")

    assert done.returncode == 0
    assert "  lo: up, 127.0.0.1" in done.stdout
    assert "left out of the capture (own traffic): 127.0.0.1:4317" in done.stdout


@pytest.mark.root
@root
@private_network
def test_a_dry_run_says_that_many_interfaces_are_captured_together() -> None:
    flags = ("apidump", "--config=/dev/null", "--dry-run")
    assert "together" not in levo(*flags).stdout
    for number in range(9):
        veth(f"left{number}", f"right{number}")

    many = levo(*flags).stdout

    assert "  right8: up, no address\n" in many and "  captured together, as any\n" in many
    assert "together" not in levo(*flags, "--interfaces=lo").stdout
    assert "  captured together, as any\n" in levo(*flags, "--interfaces=any").stdout


def test_an_unreachable_satellite_fails_a_replay_in_the_end(capture: Path, bare: tuple[str, str]) -> None:
    """SIGTERM cuts the retries short: the traces are counted as lost, and the exit status says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        flags = ["apidump", *bare, "--read", str(capture), "--satellite-url", url]
        with running(*flags) as sensor:
            assert sensor.stderr is not None
            seen = ""
            for line in sensor.stderr:
                seen += line
                if "trying again" in line:
                    sensor.send_signal(signal.SIGTERM)

    assert sensor.returncode == 1
    assert "2 traces could not be delivered" in seen
    assert all(entry["balanced"] for entry in lines(seen) if "balanced" in entry)


@root
@pytest.mark.root
def test_without_the_privilege_one_line_says_how_to_get_it() -> None:
    # As in a container whose definition drops NET_RAW: prctl(PR_CAPBSET_DROP, CAP_NET_RAW), then exec.
    unprivileged = (
        "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(24, 13, 0, 0, 0) == 0;"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    levo_command = ["-m", "levo", "apidump", "--interfaces", "lo", "--output", "null"]
    done = subprocess.run(
        [sys.executable, "-c", unprivileged, *levo_command],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert done.returncode == 1
    assert "CAP_NET_RAW" in done.stderr
    assert done.stderr.count("\n") == 1


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        return


@root
@pytest.mark.root
def test_live_on_loopback_with_health_reload_and_sigterm(tmp_path: Path) -> None:
    config, out = tmp_path / "config.yaml", tmp_path / "out.jsonl"
    config.write_text("path-exclusions: ^/skip\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    health = unused_port()
    flags = [
        "--interfaces",
        "lo",
        "--filter",
        f"port {port}",
        "--output",
        f"jsonl:{out}",
        "--config",
        str(config),
    ]
    flags += ["--trace-export-interval", "100ms", "--listen", f"127.0.0.1:{health}"]

    def get(path: str, on: int = port) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{on}{path}", timeout=180) as answer:
            body: bytes = answer.read()
            return body

    def wait_for(count: int) -> list[dict[str, Any]]:
        until(lambda: out.exists() and out.read_text().count("\n") >= count)
        return lines(out.read_text())

    with running("apidump", *flags) as sensor:
        assert sensor.stderr is not None
        assert "capturing on lo" in sensor.stderr.readline()
        get("/skip/1")
        get("/first")
        assert [line["request"]["path"] for line in wait_for(1)] == ["/first"]
        assert get("/healthz", health) == b"ok\n"
        assert get("/readyz", health) == b"ready\n"
        assert b'levo_sensor_ledger_units_total{stage="exchanges",state="path_excluded"' in get(
            "/metrics", health
        )

        config.write_text("path-exclusions: ^/first\nlevo-env: other\n")
        sensor.send_signal(signal.SIGHUP)
        assert "changed: path-exclusions" in sensor.stderr.readline()
        assert "need a restart to take effect: levo-env" in sensor.stderr.readline()
        get("/first")
        get("/skip/2")
        assert [line["request"]["path"] for line in wait_for(2)] == ["/first", "/skip/2"]

        sensor.send_signal(signal.SIGTERM)
        rest = sensor.stderr.read()
    server.shutdown()

    assert sensor.returncode == 0
    ledger = {
        entry["stage"]: entry for entry in lines(rest) if entry.get("event") == "ledger" and "stage" in entry
    }
    assert all(entry["balanced"] for entry in ledger.values())
    assert ledger["exchanges"]["states"]["path_excluded"] == 2
    assert ledger["capture"]["states"]["kernel_dropped"] == 0


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_file_that_the_satellite_refuses_says_what_to_do(
    capture: Path, bare: tuple[str, str], tmp_path: Path, kind: str
) -> None:
    """A real Satellite that asks for tokens; reading ends before a progress line could have said why."""
    settings = tmp_path / "satellite.yaml"
    settings.write_text("ingest-tokens: required\n")
    with RunningSatellite(tmp_path / "data", "--config", str(settings)) as satellite:
        url = satellite.web if kind == "http" else f"grpc://{satellite.grpc}"
        done = levo("apidump", *bare, "--read", str(capture), "--rate-limit=0", f"--satellite-url={url}")
        told = done.stderr.splitlines()
        why = [line for line in told if "traces not delivered: " in line]

        assert done.returncode == 1
        assert len(why) == 1 and "LEVO_SATELLITE_TOKEN" in why[0] and "/v1/metrics" not in why[0]

        form = {"name": "t", "scope": "ingest", "organization": "acme"}
        made = satellite.post("/settings/tokens", json.dumps(form).encode(), content_type="application/json")
        found = re.search(rb"levo_[A-Za-z0-9_-]{20,}", made.body)
        assert found is not None
        token = {"LEVO_SATELLITE_TOKEN": found[0].decode()}
        again = levo(
            "apidump", *bare, "--read", str(capture), "--rate-limit=0", f"--satellite-url={url}", env=token
        )
        assert (again.returncode, "not delivered" in again.stderr) == (0, False), again.stderr


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes links of other users")
@pytest.mark.parametrize("kind", ["jsonl", "har", "spool", "spool/inner"])
def test_a_planted_link_is_one_line_and_status_2(capture: Path, tmp_path: Path, kind: str) -> None:
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    shared.chmod(0o1777)
    victim.mkdir() if kind.startswith("spool") else victim.write_bytes(b"precious")
    (shared / "planted").symlink_to(victim)
    os.chown(shared / "planted", 54321, 54321, follow_symlinks=False)
    if kind.startswith("spool"):
        folder = shared / "planted" / kind.partition("/")[2]
        arguments = ["--satellite-url=http://127.0.0.1:9", f"--spool-dir={folder}"]
    else:
        arguments = [f"--output={kind}:{shared / 'planted'}"]
    done = levo("apidump", f"--read={capture}", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "is a link of user 54321" in done.stderr
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_bytes() == b"precious"


def test_folders_and_files_that_everybody_can_write_are_warned_about(capture: Path, tmp_path: Path) -> None:
    spool, config = tmp_path / "spool", tmp_path / "config.yaml"
    spool.mkdir()
    spool.chmod(0o777)
    config.write_text("rate-limit: 0\n")
    config.chmod(0o666)
    done = levo(
        "apidump",
        f"--read={capture}",
        f"--config={config}",
        "--satellite-url=http://127.0.0.1:9",
        f"--spool-dir={spool}",
    )
    assert f"spool-dir: every user may write {spool}" in done.stderr
    assert (
        f"{config} decides what is captured, and others can change it: every user may write it" in done.stderr
    )
