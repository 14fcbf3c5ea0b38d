"""The kernel tells of code that is mapped, however short the process lives."""

from __future__ import annotations

import os
import select
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from levo.errors import ProbeError
from levo.tlsprobe.discovery import MappedFile
from levo.tlsprobe.mappings import Mappings, mapped_file


def unavailable() -> str:
    """Why the kernel does not tell here; empty where it does."""
    try:
        Mappings().close()
    except ProbeError as error:
        return str(error)
    return ""


@pytest.mark.root
@pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "available")
def test_a_process_of_milliseconds_is_told(tmp_path: Path) -> None:
    program = tmp_path / "a program"
    found = shutil.which("true")
    assert found is not None
    shutil.copy(found, program)
    mappings = Mappings()
    try:
        subprocess.run([str(program)], check=True)
        poll = select.poll()
        for each in mappings.descriptors:
            poll.register(each, select.POLLIN)
        assert poll.poll(10_000)
        told = [each for each in mappings.read() if each.path == str(program)]
        again = [each for each in mappings.read() if each.path == str(program)]
    finally:
        mappings.close()
        mappings.close()

    assert {each.identity[1] for each in told} == {program.stat().st_ino}
    assert again == []
    descriptor = told[0].open()  # the process is gone, the file is the same
    assert os.path.samestat(os.fstat(descriptor), program.stat())
    os.close(descriptor)
    program.unlink()
    with pytest.raises(OSError):
        told[0].open()


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "available")
def test_what_did_not_fit_is_noticed() -> None:
    mappings = Mappings()
    try:
        script = "i=0; while [ $i -lt 3000 ]; do /bin/true; i=$((i+1)); done"
        subprocess.run(["sh", "-c", script], check=True)
        list(mappings.read())
        subprocess.run(["true"], check=True)
        list(mappings.read())
        assert mappings.lost
    finally:
        mappings.close()


def record(path: bytes, inode: int = 7) -> bytes:
    return struct.pack("<IIQQQIIQQII", 9, 9, 0x1000, 0x2000, 0, 0xFE, 1, inode, 0, 5, 2) + path


@pytest.mark.parametrize(
    "octets",
    [record(b"//anon\0\0", 5), record(b"[vdso]\0\0"), record(b"/memfd\0", 0), record(b"")[:40], b""],
)
def test_what_is_no_file_is_left_out(octets: bytes) -> None:
    assert list(mapped_file(octets)) == []


def test_a_record_is_read() -> None:
    found = list(mapped_file(record(b"/usr/lib/a b.so\0\0\0\0\0")))

    assert found == [MappedFile(9, "/usr/lib/a b.so", ("fe:01", 7), "1000-3000")]
