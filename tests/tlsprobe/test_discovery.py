"""Every file whose code a process maps is found once, whatever has become of its name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.tlsprobe.discovery import MappedFile, mapped_files


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """A copy of sleep that runs."""
    found = shutil.which("sleep")
    assert found is not None
    copy = tmp_path / "a sleeper"
    shutil.copy(found, copy)
    process = subprocess.Popen([str(copy), "60"], stdin=subprocess.PIPE)
    try:
        while not any(each.path == str(copy) for each in mapped_files(set())):
            assert process.poll() is None
        yield copy
    finally:
        process.kill()
        process.wait()


def found_as(name: str) -> MappedFile:
    return next(each for each in mapped_files(set()) if each.path.startswith(name))


def test_each_file_is_named_once() -> None:
    seen: set[tuple[str, int]] = set()

    first = list(mapped_files(seen))

    assert len({each.identity for each in first}) == len(first)
    assert os.path.realpath(f"/proc/{os.getpid()}/exe") in {each.path for each in first}
    assert {each.identity for each in first} <= seen
    again = {each.identity for each in mapped_files(seen)}
    assert not again & {each.identity for each in first}


def test_it_is_opened_as_the_process_sees_it(running: Path) -> None:
    descriptor = found_as(str(running)).open()

    try:
        assert os.path.samestat(os.fstat(descriptor), running.stat())
    finally:
        os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: map_files takes a capability")
def test_a_library_that_was_upgraded_is_opened_as_it_was(running: Path) -> None:
    """The process goes on with the old file, which has no name any more."""
    before = running.stat().st_ino
    running.unlink()
    shutil.copy("/bin/ls", running)

    mapped = found_as(str(running))
    descriptor = mapped.open()

    try:
        assert mapped.path.endswith(" (deleted)")
        assert os.fstat(descriptor).st_ino == before
    finally:
        os.close(descriptor)


def test_a_process_that_has_ended_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError):
        MappedFile(2**22 + 1, "/bin/ls", ("0:0", 1), "0-1").open()


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """Anonymous memory, the kernel's pages, data that is not executable, and files that are no processes."""
    (tmp_path / "17").mkdir()
    (tmp_path / "17" / "maps").write_bytes(
        b"5581-5592 r-xp 00000000 fd:01 42                         /usr/lib/a b.so\n"
        b"5592-5593 r--p 00000000 fd:01 43                         /usr/lib/data.so\n"
        b"7ffc-7ffd r-xp 00000000 00:00 0                          [vdso]\n"
        b"7ffd-7ffe r-xp 00000000 00:00 0 \n"
    )
    (tmp_path / "self").mkdir()
    (tmp_path / "18").mkdir()

    found = list(mapped_files(set(), tmp_path))

    assert found == [MappedFile(17, "/usr/lib/a b.so", ("fd:01", 42), "5581-5592")]
