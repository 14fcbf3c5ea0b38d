"""Programs that listen and speak TLS are found by the code that they have mapped; real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from levo.sensor.doctor.tls_programs import TlsProgram, find_tls_programs, look_at_tls
from levo.tlsprobe.locate import read_build_id
from tests.tlsprobe.test_locate import system_libssl
from tests.tlsprobe.test_service import reporting, serving

LISTEN = """
import ctypes, socket, sys
for library in sys.argv[1:]:
    ctypes.CDLL(library)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listening(folder: Path, *libraries: Path, more: bytes = b"") -> Iterator[tuple[int, int]]:
    """(process, port) of a program ``orders``, with *more* octets behind it, that has loaded *libraries*."""
    program = folder / "orders"
    octets = Path(os.path.realpath(sys.executable)).read_bytes()
    with open(sys.executable, "rb") as file:
        build_id = bytes.fromhex(read_build_id(file.fileno()))
    # A build of its own: what another Python was refused for is not said of it.
    program.write_bytes((octets.replace(build_id, os.urandom(len(build_id))) if build_id else octets) + more)
    program.chmod(0o755)
    argv = [program, "-S", "-c", LISTEN, *libraries]
    place = {**os.environ, "PYTHONHOME": sys.base_prefix}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=place) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.communicate()


def found(process: int) -> list[TlsProgram]:
    return [each for each in find_tls_programs() if each.pid == process]


def test_a_program_with_a_library_that_is_read(tmp_path: Path) -> None:
    with listening(tmp_path, system_libssl()) as (process, port):
        assert found(process) == [TlsProgram("orders", process, (port,))]


def test_a_program_with_rustls_is_named_with_what_to_do(tmp_path: Path) -> None:
    with listening(tmp_path, more=b"CLIENT_TRAFFIC_SECRET_0 /rustls-0.23.1/") as (process, port):
        (program,) = found(process)

    assert (program.name, program.ports) == ("orders", (port,))
    assert program.reason.startswith("uses rustls") and "KeyLogFile" in program.reason


def test_a_java_machine(tmp_path: Path) -> None:
    machine = tmp_path / "libjvm.so"
    shutil.copy(system_libssl(), machine)
    with listening(tmp_path, machine) as (process, _):
        (program,) = found(process)
        assert "JSSE" in program.reason
    with listening(tmp_path, machine, system_libssl()) as (process, _):
        assert [each.reason for each in found(process)] == [""], "such as netty-tcnative"


def test_a_program_without_tls_is_none(tmp_path: Path) -> None:
    with listening(tmp_path) as (process, _):
        assert found(process) == []


def test_what_the_probe_and_its_sensor_say(tmp_path: Path) -> None:
    nowhere = tmp_path / "proc"
    (nowhere / "net").mkdir(parents=True)
    path = str(tmp_path / "probe.sock")
    assert not look_at_tls(path, nowhere).probed

    report = b'{"endpoints": [{"unread": {"suite": 1}}], "processes": []}'
    with serving(tmp_path / "probe.sock"), reporting(path, report):
        seen = look_at_tls(path, nowhere)

    assert seen.probed and list(seen.endpoints) == [{"unread": {"suite": 1}}]
