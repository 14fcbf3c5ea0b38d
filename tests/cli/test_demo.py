"""``levo demo`` as users run it: real processes, loopback only."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from levo.demo.run import may_capture
from tests.demo.demo_process import levo_demo

EXPECTED = {
    ("GET", "/v1/users"),
    ("POST", "/v1/users"),
    ("GET", "/v1/users/me"),
    ("POST", "/v1/orders"),
    ("POST", "/v1/payments"),
    ("GET", "/v1/products"),
    ("GET", "/internal/users.csv"),
}
"""Some of the sample API's endpoints: those without a parameter in the path."""

cannot_capture = pytest.mark.skipif(not may_capture(), reason="needs CAP_NET_RAW")


def counts(output: str) -> tuple[int, int]:
    """(sent, cataloged) of the last line."""
    line = output.splitlines()[-1]
    found = re.fullmatch(
        r"sent ([\d,]+) requests, learned from ([\d,]+) exchanges, \d+ endpoints, nothing lost", line
    )
    assert found, output
    sent, cataloged = (int(number.replace(",", "")) for number in found.groups())
    return sent, cataloged


def children_of(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.root
@cannot_capture
def test_live_traffic_becomes_a_catalog_until_the_demo_is_interrupted() -> None:
    with levo_demo() as demo:
        endpoints = demo.wait_for_endpoints(EXPECTED)
        demo.wait_for(r"(learned from [1-9][\d,]* exchanges, [1-9])")
        assert demo.end(signal.SIGINT) == 0

    assert "live on lo" in demo.output
    assert {(e["application"], e["environment"]) for e in endpoints} == {("shop", "demo")}
    sent, cataloged = counts(demo.output)
    assert cataloged == sent > 30


def test_a_replay_becomes_the_same_catalog() -> None:
    with levo_demo("--replay") as demo:
        demo.wait_for_endpoints(EXPECTED)
        assert demo.end(signal.SIGTERM) == 0

    sent, cataloged = counts(demo.output)
    assert cataloged == sent >= 200


def test_it_ends_by_itself_with_all_that_was_sent_in_the_catalog() -> None:
    with levo_demo("--replay", "--seconds", "0.5", "--rate", "20") as demo:
        assert demo.end() == 0

    assert counts(demo.output) == (100, 100)


@pytest.mark.root
@cannot_capture
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_without_the_right_to_capture_it_says_so_and_replays() -> None:
    with levo_demo(through=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")) as demo:
        demo.wait_for("(no right to capture)")
        demo.wait_for_endpoints({("GET", "/v1/users/me")})
        assert demo.end(signal.SIGTERM) == 0


def test_nothing_is_left_when_it_ends() -> None:
    with levo_demo("--replay") as demo:
        address = demo.wait_for(r"Satellite +(http://\S+)")
        children = children_of(demo.process.pid)
        directories = {
            part.decode()
            for child in children
            for part in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if b"levo-demo-" in part
        }
        assert demo.end(signal.SIGTERM) == 0

    assert children and directories
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert not [path for path in directories if os.path.exists(path)]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


def test_children_do_not_outlive_a_killed_demo() -> None:
    with levo_demo("--replay") as demo:
        demo.wait_for(r"Satellite +(http://\S+)")
        children = children_of(demo.process.pid)
        assert demo.end(signal.SIGKILL) == -signal.SIGKILL

    waiter = ["tail", *(f"--pid={child}" for child in children), "-f", "/dev/null"]
    subprocess.run(waiter, timeout=90, check=True)


def test_a_taken_port_is_one_clear_line() -> None:
    with levo_demo("--replay") as demo:
        port = demo.wait_for(r"http://127.0.0.1:(\d+)/")
        command = [sys.executable, "-m", "levo", "demo", "--replay", "--port", port]
        second = subprocess.run(command, capture_output=True, text=True, timeout=180)

    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"port {port}: " in second.stderr and "--port" in second.stderr


def test_the_traffic_as_a_capture_file_for_the_sensor(tmp_path: Path) -> None:
    capture = tmp_path / "traffic.pcap"
    command = [sys.executable, "-m", "levo", "demo", "--write-capture", str(capture), "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout) == (0, f"{capture}: 80 exchanges of the sample API\n")

    read = [sys.executable, "-m", "levo", "apidump", "--config=/dev/null", f"--read={capture}"]
    lines = subprocess.run(
        [*read, "--rate-limit=0", "--output=jsonl"], capture_output=True, text=True, timeout=180, check=True
    ).stdout.splitlines()
    assert len(lines) == 80


def test_a_capture_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    start = [sys.executable, "-m", "levo", "demo", "--write-capture"]
    nowhere = subprocess.run(
        [*start, str(tmp_path / "none" / "x.pcap")], capture_output=True, text=True, timeout=180
    )
    both = subprocess.run([*start, "x.pcap", "--replay"], capture_output=True, text=True, timeout=180)

    assert nowhere.returncode == 1 and nowhere.stderr.count("\n") == 1
    assert "--write-capture" in nowhere.stderr and "No such file" in nowhere.stderr
    assert both.returncode == 2 and "--replay" in both.stderr
