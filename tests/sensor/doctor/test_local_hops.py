"""Processes that pass connections on, found by what they are called and where they listen; real ones too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.sensor.doctor.diagnosis import Level, diagnose
from levo.sensor.doctor.local_hops import LocalHop, find_local_hops
from tests.sensor.doctor.evidence import HTTP, config, sight, watched

RELAY = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
def copy(one, other):
    while octets := one.recv(65536):
        other.sendall(octets)
    other.close()
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@contextmanager
def relay(folder: Path, name: str, to: int = 9, port: int = 0) -> Iterator[tuple[int, int]]:
    """(process, port) of a relay that is called *name*."""
    called = folder / name
    called.symlink_to(os.path.realpath(sys.executable))
    process = subprocess.Popen(
        [called, "-S", "-c", RELAY, str(port), str(to)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ["docker-proxy", "socat", "envoy"])
def test_a_real_process_is_found_by_its_name_and_its_socket(name: str, tmp_path: Path) -> None:
    with relay(tmp_path, name) as (pid, port):
        assert [hop for hop in find_local_hops() if hop.pid == pid] == [LocalHop(name, pid, (port,))]


def test_another_process_that_listens_is_none(tmp_path: Path) -> None:
    with relay(tmp_path, "orders-api") as (pid, _):
        assert all(hop.pid != pid for hop in find_local_hops())


Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Puts a process into a folder that looks like /proc, where port 8080 is listened on by socket 77."""
    (tmp_path / "net").mkdir()
    row = "  0: 0100007F:1F90 00000000:0000 {} 00000000:00000000 00:00000000 00000000 0 0 77 1\n"
    (tmp_path / "net" / "tcp").write_text("header\n" + row.format("0A"))
    (tmp_path / "net" / "tcp6").write_text(
        "header\n" + row.format("01").replace("77", "78").replace("1F90", "1F91")
    )

    def put(pid: int, name: str, command: str = "", sockets: tuple[int, ...] = ()) -> None:
        folder = tmp_path / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "cmdline").write_text(command.replace(" ", "\0"))
        for number, inode in enumerate(sockets):
            (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    return put


def test_without_the_right_to_see_sockets_the_command_line_tells(write: Write, tmp_path: Path) -> None:
    write(
        5,
        "docker-proxy",
        "/usr/bin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-port 80",
    )
    write(6, "socat", "socat TCP-LISTEN:8080,fork TCP:10.0.0.1:80")
    write(7, "socat", "socat TCP-LISTEN:9999 -")
    write(8, "nginx", "nginx: worker", (77, 78))

    assert [(hop.pid, hop.ports) for hop in find_local_hops(tmp_path)] == [
        (5, (8080,)),
        (6, (8080,)),
        (8, (8080,)),
    ]


@pytest.mark.parametrize(
    ("mode", "found"), [("--proxy-mode=userspace", 1), ("--proxy-mode=iptables", 0), ("", 0)]
)
def test_kube_proxy_passes_on_in_userspace_mode_alone(
    mode: str, found: int, write: Write, tmp_path: Path
) -> None:
    write(5, "kube-proxy", f"kube-proxy {mode}", (77,))

    assert len(find_local_hops(tmp_path)) == found


def test_nothing_is_found_where_there_is_no_proc(tmp_path: Path) -> None:
    assert find_local_hops(tmp_path / "none") == ()


def hops(name: str, port: int = 8080) -> list[LocalHop]:
    return [LocalHop(name, 5, (80, port))]


def test_a_relay_with_exchanges_is_a_finding_that_names_it_and_one_side() -> None:
    (found,) = diagnose(config(), watched(sight(HTTP)), None, hops("docker-proxy"))

    assert (found.code, found.level) == ("local-hop", Level.WARNING)
    assert found.text == (
        "docker-proxy (process 5), Docker's userland proxy, listens on port 8080: 2 exchanges came to it, "
        "and are captured again where it passes them on"
    )
    assert found.fix.startswith("capture one side of it: --filter 'not port 8080'; --merge-hops")


def test_a_proxy_is_a_note_until_its_sides_are_merged() -> None:
    (found,) = diagnose(config(), watched(sight(HTTP)), None, hops("envoy"))
    assert (found.code, found.level) == ("local-hop", Level.NOTE)

    assert diagnose(config(merge_hops=True), watched(sight(HTTP)), None, hops("envoy")) == []


def test_a_relay_on_a_port_without_exchanges_is_none() -> None:
    assert diagnose(config(), watched(sight(HTTP)), None, hops("docker-proxy", 8081)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: opens a capture socket on loopback")
@pytest.mark.root
def test_doctor_names_a_docker_proxy_that_doubles_requests(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as application,
        relay(tmp_path, "docker-proxy", application.getsockname()[1]) as (pid, port),
    ):
        doctor = subprocess.Popen(
            [sys.executable, "-m", "levo", "doctor", "--interfaces=lo", "--seconds=4", "--output=null",
             f"--filter=port {port} or port {application.getsockname()[1]}"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        application.settimeout(60)
        while doctor.poll() is None:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
                server, _ = application.accept()
                with server:
                    server.recv(4096)
                    server.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    client.recv(4096)
            time.sleep(0.05)
        assert doctor.stdout is not None
        page = doctor.stdout.read()
    assert f"docker-proxy (process {pid}), Docker's userland proxy, listens on port {port}:" in page
    assert f"--filter 'not port {port}'" in page
