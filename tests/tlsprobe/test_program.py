"""The eBPF program, loaded for real and hit by real libraries, of which only private copies are probed."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.errors import ProbeError
from levo.tlsprobe.locate import locate
from levo.tlsprobe.location import Location
from levo.tlsprobe.program import OBJECT, Program, cookie
from tests.tlsprobe.test_locate import located, system_libssl

HANDSHAKE = """
import ssl, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.helpers.tls_peers import TlsPeers
for _ in range(int(sys.argv[4])):
    TlsPeers(Path(sys.argv[2]), version=ssl.TLSVersion[sys.argv[3]]).handshake()
"""
RECORD = 96


def unavailable() -> str:
    """Why no program can be loaded here; empty where one can."""
    if os.geteuid() != 0:
        return "needs root: loads an eBPF program"
    if not OBJECT.exists():
        return "the probe's program was not compiled: no clang or no libbpf-dev"
    try:
        Program(ring_bytes=4096).close()
    except ProbeError as error:
        return str(error)
    return ""


pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "available")]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A copy of the system's libssl in a folder of its own."""
    path = tmp_path / "lib" / system_libssl().name
    path.parent.mkdir()
    shutil.copy(system_libssl(), path)
    return path


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program(ring_bytes=1 << 16)
    yield made
    made.close()


def handshakes(library: Path, folder: Path, version: str, count: int = 1) -> list[str]:
    """Client and server in one process shake hands; the lines that the library itself wrote to a key log."""
    log = folder / "keys.log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-c", HANDSHAKE, str(Path(__file__).parents[2]), str(folder), version, str(count)]
    subprocess.run(argv, check=True, env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)}, timeout=120)
    return [line for line in log.read_text().splitlines() if not line.startswith("#")]


def records(program: Program) -> list[tuple[int, str, str]]:
    """What is in the ring: kind, client random and secret of each record."""
    with mmap.mmap(program.ring, 8192 + 2 * program.ring_bytes, mmap.MAP_SHARED, mmap.PROT_READ) as ring:
        written = int.from_bytes(ring[4096:4104], "little")
        found = []
        for at in range(8192, 8192 + written, RECORD):
            kind, length = ring[at + 8], ring[at + 9]
            assert int.from_bytes(ring[at : at + 4], "little") == RECORD - 8
            assert int.from_bytes(ring[at + 12 : at + 16], "little") != 0
            found.append((kind, ring[at + 16 : at + 48].hex(), ring[at + 48 : at + 48 + length].hex()))
        return found


KINDS = {
    "CLIENT_RANDOM": 0,
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET": 1,
    "SERVER_HANDSHAKE_TRAFFIC_SECRET": 2,
    "CLIENT_TRAFFIC_SECRET_0": 3,
    "SERVER_TRAFFIC_SECRET_0": 4,
}


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_ring_has_what_the_library_logs(
    program: Program, library: Path, tmp_path: Path, version: str
) -> None:
    """Each secret of the client's key log, with its random; the server in the same process has them too."""
    detach = program.attach(str(library), located(library))
    lines = handshakes(library, tmp_path, version)
    detach()

    expected = Counter(
        (KINDS[label], random, secret) for label, random, secret in map(str.split, lines) if label in KINDS
    )
    assert len(expected) == (1 if version == "TLSv1_2" else 4)
    assert Counter(records(program)) == expected + expected
    counted = program.counters()
    assert counted["hits"] == counted["passed"] + counted["filtered"]
    assert counted["passed"] == 2 * len(expected)


def test_nothing_hits_after_detaching(program: Program, library: Path, tmp_path: Path) -> None:
    program.attach(str(library), located(library))()

    handshakes(library, tmp_path, "TLSv1_3")

    assert program.counters()["hits"] == 0


def test_a_full_ring_is_counted(library: Path, tmp_path: Path) -> None:
    program = Program(ring_bytes=4096)
    detach = program.attach(str(library), located(library))
    handshakes(library, tmp_path, "TLSv1_3", 20)
    detach()

    counted = program.counters()
    program.close()

    assert counted["passed"] == 4096 // RECORD
    assert counted["ring_full"] == 20 * 8 - counted["passed"]
    assert counted["hits"] == sum(counted.values()) - counted["hits"]


def test_a_limit_is_counted(library: Path, tmp_path: Path) -> None:
    program = Program(ring_bytes=1 << 16, most_a_second=1)
    detach = program.attach(str(library), located(library))
    began = time.monotonic()
    handshakes(library, tmp_path, "TLSv1_3", 5)
    seconds = int(time.monotonic() - began) + 2
    detach()

    counted = program.counters()
    program.close()

    assert counted["passed"] + counted["limited"] == 5 * 8
    assert 1 <= counted["passed"] <= seconds


def test_processes_are_left_out_by_name(library: Path, tmp_path: Path) -> None:
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    for options, passed in (
        ({"denied": [name[:15], "python3", "python"]}, False),
        ({"allowed": ["somebody-else"]}, False),
        ({"denied": ["somebody-else"]}, True),
    ):
        program = Program(ring_bytes=1 << 16, **options)  # type: ignore[arg-type]
        detach = program.attach(str(library), located(library))
        handshakes(library, tmp_path, "TLSv1_3")
        detach()
        counted = program.counters()
        program.close()

        assert (counted["passed"] > 0) is passed
        assert counted["hits"] == counted["passed"] + counted["filtered"]


def test_a_wrong_place_is_counted_as_fault_or_filtered(
    program: Program, library: Path, tmp_path: Path
) -> None:
    """The program reads what is not there: the process goes on, and nothing is passed as a secret."""
    true = located(library)
    wrong = Location(true.machine, "", true.address, true.offset, "pointer", 0xFF8, 0x7F0, 2)
    detach = program.attach(str(library), wrong)

    assert handshakes(library, tmp_path, "TLSv1_3")
    detach()

    counted = program.counters()
    assert counted["hits"] > 0
    assert counted["hits"] == counted["passed"] + counted["filtered"] + counted["fault"]


def test_a_file_without_code_is_refused_by_the_kernel(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"nothing")
    with pytest.raises(ProbeError, match="the kernel refuses the probe"):
        program.attach(str(path), Location("x86-64", "", 0, 1 << 40, "arguments", 0, 0, 2))


def test_without_its_object_there_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="built without clang"):
        Program(path=tmp_path / "no.o")


def test_the_cookie_has_all_of_a_location() -> None:
    with open(system_libssl(), "rb") as file:
        place = locate(file.fileno())
    whole = Location(place.machine, "", 0, 0, "pointer", 0xA8, 0xB8, 2)

    assert cookie(whole) == 2 | 0xA8 << 4 | 0xB8 << 16
