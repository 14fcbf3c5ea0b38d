"""What runs is found, probed and taken back; one sensor at a time gets the ring."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from levo.errors import ProbeError
from levo.tlsprobe import service
from levo.tlsprobe.discovery import MappedFile
from levo.tlsprobe.link import ask_ring, ask_status
from levo.tlsprobe.location import Location
from levo.tlsprobe.service import Libraries, Service
from tests.satellite.running import until
from tests.tlsprobe.test_locate import system_libssl

US = {os.geteuid()}


class Kernel:
    """In the place of the kernel: notes what is attached. Descriptors are of files."""

    def __init__(self, refuses: str = "") -> None:
        self.attached: list[tuple[str, Location]] = []
        self.detached: list[int] = []
        self.ring, self.counter_map = os.memfd_create("ring"), os.memfd_create("counters")
        self.ring_bytes = 1 << 20
        self._refuses = refuses

    def attach(self, path: str, location: Location) -> Callable[[], None]:
        if self._refuses:
            raise ProbeError(self._refuses)
        self.attached.append((os.path.realpath(path), location))
        number = len(self.attached)
        return lambda: self.detached.append(number)

    def counters(self) -> dict[str, int]:
        return {"hits": 3, "passed": 2, "filtered": 1}


def mapped(path: Path, number: int) -> MappedFile:
    return MappedFile(os.getpid(), str(path), ("fd:01", number), "0-1")


def test_a_library_is_probed_once_for_each_file(tmp_path: Path) -> None:
    """A copy is another file for the kernel, though the same build."""
    copy = tmp_path / "libssl.so"
    shutil.copy(system_libssl(), copy)
    kernel = Kernel()
    libraries = Libraries(kernel)

    libraries.meet([mapped(system_libssl(), 1), mapped(Path("/bin/ls"), 2), mapped(copy, 3)])

    assert [path for path, _ in kernel.attached] == [str(system_libssl().resolve()), str(copy)]
    assert kernel.attached[0][1] == kernel.attached[1][1]
    assert (len(libraries.found), libraries.examined) == (2, 3)
    libraries.close()
    assert kernel.detached == [1, 2]


def test_what_the_kernel_refuses_is_said() -> None:
    libraries = Libraries(Kernel("it takes CAP_BPF"))

    libraries.meet([mapped(system_libssl(), 1)])

    assert libraries.found[0].reason == "it takes CAP_BPF"
    assert libraries.found[0].facts()["reason"] == "it takes CAP_BPF"


def test_a_library_without_a_clear_place_is_said_too(tmp_path: Path) -> None:
    """It has the labels, so it is worth a line; a program without them is not."""
    blurred = tmp_path / "libssl.so"
    octets = system_libssl().read_bytes()
    blurred.write_bytes(octets.replace(b"_SECRET", b"_XECRET"))
    libraries = Libraries(Kernel())

    libraries.meet([mapped(blurred, 1)])

    assert [each.location for each in libraries.found] == [None]
    assert "no function that gets both" in libraries.found[0].reason


def test_only_libraries_within_a_folder(tmp_path: Path) -> None:
    kernel = Kernel()
    libraries = Libraries(kernel, [str(tmp_path)])

    libraries.meet([mapped(system_libssl(), 1)])

    assert (kernel.attached, libraries.examined) == ([], 0)


def test_what_nobody_maps_any_more_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "libssl.so"
    shutil.copy(system_libssl(), copy)
    kernel = Kernel()
    libraries = Libraries(kernel, [str(tmp_path)])
    libraries.meet([mapped(copy, number) for number in (1, 2, 3)])

    libraries.look()
    assert kernel.detached == [], "the next process that maps it is read from its first handshake on"
    monkeypatch.setattr(service, "MOST_FOUND", 2)
    libraries.look()
    assert kernel.detached == [1] and len(libraries.found) == 2
    libraries.close()


class Told:
    """A kernel that tells of mappings on very many processors."""

    lost = False

    def __init__(self) -> None:
        self.descriptors = [os.eventfd(0) for _ in range(40)]

    def read(self) -> list[MappedFile]:
        return []


def test_many_processors_leave_room_for_the_sensor(tmp_path: Path) -> None:
    told = Told()
    with serving(tmp_path / "probe.sock", mappings=told):
        assert ask_ring(str(tmp_path / "probe.sock"), US).size_bytes == 1 << 20
    for each in told.descriptors:
        os.close(each)


@contextmanager
def serving(path: Path, readers: set[int] = US, mappings: Told | None = None) -> Iterator[Kernel]:
    kernel = Kernel()
    serves = Service(kernel, Libraries(kernel, ["/nowhere"]), str(path), readers)
    ready = threading.Event()
    thread = threading.Thread(target=serves.run, args=(ready.set, mappings))
    thread.start()
    try:
        assert ready.wait(90)
        yield kernel
    finally:
        serves.stop()
        thread.join(90)
        serves.close()
        serves.close()


def test_one_sensor_reads_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "probe.sock")
    with serving(tmp_path / "probe.sock") as kernel:
        first = ask_ring(path, US)
        assert os.path.samestat(os.fstat(first.secrets), os.fstat(kernel.ring))
        with pytest.raises(ProbeError, match="another sensor"):
            ask_ring(path, US)
        status = json.loads(ask_status(path, US))
        assert (status["sensor"], status["report"]) == (True, None), "it does not answer"

        first.close()
        until(lambda: not json.loads(ask_status(path, US))["sensor"])
        second = ask_ring(path, US)
        second.close()
    assert not os.path.exists(path)


@contextmanager
def reporting(path: str, report: bytes) -> Iterator[None]:
    """A sensor that answers *report* when the probe asks."""
    ring = ask_ring(path, US)
    thread = threading.Thread(target=ring.wait, args=(lambda: report,))
    thread.start()
    try:
        yield
    finally:
        ring.end()
        thread.join(90)
        ring.close()


def test_the_status_has_what_the_sensor_says(tmp_path: Path) -> None:
    path = str(tmp_path / "probe.sock")
    with serving(tmp_path / "probe.sock"):
        for report in ({"endpoints": [], "processes": [{"process": 7}]}, {"processes": ["x" * 100_000]}):
            with reporting(path, json.dumps(report).encode()):
                for _ in range(2):
                    assert json.loads(ask_status(path, US))["report"] == report
            until(lambda: not json.loads(ask_status(path, US))["sensor"])
        with reporting(path, b"no JSON"):
            status = json.loads(ask_status(path, US))
            assert (status["sensor"], status["report"]) == (True, None)
        with reporting(path, b"x" * (2 << 20)):
            assert json.loads(ask_status(path, US))["report"] is None


def test_the_processes_of_a_library_are_told(tmp_path: Path) -> None:
    """Each that has it mapped now, by its number among those that were found."""
    copy = tmp_path / "libssl.so.3"
    shutil.copy(system_libssl(), copy)
    libraries = Libraries(Kernel(), [str(tmp_path)])
    code = f"import ctypes, sys; ctypes.CDLL({str(copy)!r}); print(flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        libraries.look()
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        assert libraries.processes() == [{"process": process.pid, "command": name, "libraries": [0]}]
        process.communicate()
    assert libraries.processes() == []
    libraries.close()


def test_a_sensor_learns_that_the_probe_has_ended(tmp_path: Path) -> None:
    with serving(tmp_path / "probe.sock"):
        ring = ask_ring(str(tmp_path / "probe.sock"), US)
    ring.wait()
    ring.close()


def test_who_may_not_read_gets_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "probe.sock", {4_000_000}), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(tmp_path / "probe.sock"))
        with suppress(ConnectionResetError):
            assert connection.recv(64) == b""


def test_only_its_user_may_connect(tmp_path: Path) -> None:
    with serving(tmp_path / "probe.sock"):
        assert (tmp_path / "probe.sock").stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_listened_at_is_named(tmp_path: Path) -> None:
    kernel = Kernel()
    with pytest.raises(ProbeError, match="cannot listen at"):
        Service(kernel, Libraries(kernel), str(tmp_path / "no" / "probe.sock"), US)
