"""Files and standard output."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.sensor.export.failure import PermanentExportError
from levo.sensor.export.files import FileSink


def test_a_path_that_cannot_be_written_is_named_before_anything_starts(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent" / "file"):
        with pytest.raises(ConfigError) as caught:
            FileSink(path)
        assert str(caught.value).startswith(f"--output: {path} cannot be written: ")


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out")
    sink.close()
    sink.close()
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    with pytest.raises(PermanentExportError):
        sink.write(b"late")


@pytest.mark.parametrize("append", [False, True])
def test_a_write_that_does_not_fit_leaves_whole_deliveries(tmp_path: Path, append: bool) -> None:
    """A file size limit stands for a full disk: the kernel takes a part of the write, then refuses."""
    sink = FileSink(tmp_path / "out", append=append)
    sink.write(b"a" * 600)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(PermanentExportError, match="out: File too large"):
            sink.write(b"b" * 600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    sink.write(b"c" * 10)
    sink.close()
    assert (tmp_path / "out").read_bytes() == b"a" * 600 + b"c" * 10


def test_a_reader_that_left_is_an_error(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as stream:
        sink = FileSink(None, stream)
        os.close(read_end)
        with pytest.raises(PermanentExportError, match="standard output: Broken pipe"):
            sink.write(b"x" * 10)
        stream.raw.close()


def test_nothing_is_written_through_a_second_name_in_a_shared_folder(tmp_path: Path) -> None:
    """One line that names the path; ``tests/test_files.py`` has every kind of link."""
    (tmp_path / "victim").write_bytes(b"precious")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.link(tmp_path / "victim", shared / "out")
    with pytest.raises(ConfigError) as caught:
        FileSink(shared / "out")
    assert str(caught.value) == (
        f"--output: {shared}/out cannot be written: it has a second name (hard link), "
        "in a folder that others can write; name another"
    )
    assert (tmp_path / "victim").read_bytes() == b"precious"


@pytest.mark.parametrize(("append", "kept"), [(True, b"before\n"), (False, b"")])
def test_a_restart_goes_on_or_replaces(tmp_path: Path, append: bool, kept: bytes) -> None:
    (tmp_path / "out").write_bytes(b"before\n")
    sink = FileSink(tmp_path / "out", append=append)
    sink.write(b"after\n")
    sink.close()
    assert (tmp_path / "out").read_bytes() == kept + b"after\n"


@pytest.mark.parametrize("rotate", ["rename", "remove", "copy and truncate", "another in its place"])
def test_a_rotation_of_logs_loses_nothing_and_leaves_no_hole(tmp_path: Path, rotate: str) -> None:
    path, old, kept = tmp_path / "out", tmp_path / "out.1", b"".join(b"%d\n" % n for n in range(1000))
    sink = FileSink(path, append=True)
    sink.write(kept)
    match rotate:
        case "rename":
            path.rename(old)
        case "remove":
            old.write_bytes(path.read_bytes())
            path.unlink()
        case "copy and truncate":
            old.write_bytes(path.read_bytes())
            os.truncate(path, 0)
        case _:
            path.rename(old)
            path.touch(0o600)
    assert sink.write(b"next\n") == ""
    sink.write(b"more\n")
    sink.close()
    assert (old.read_bytes(), path.read_bytes()) == (kept, b"next\nmore\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_where_nothing_can_be_made_anew_what_is_open_goes_on(tmp_path: Path) -> None:
    """As after a sensor has given up its rights."""
    folder = tmp_path / "logs"
    folder.mkdir()
    sink = FileSink(folder / "out", append=True)
    folder.rename(tmp_path / "moved")
    assert "cannot be opened again: No such file or directory; what was open is written on" in sink.write(
        b"x"
    )
    sink.close()
    assert (tmp_path / "moved" / "out").read_bytes() == b"x"


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    sink = FileSink(tmp_path / "pipe", append=True)
    sink.write(b"x")
    sink.close()
    assert os.read(reader, 10) == b"x"
    os.close(reader)
