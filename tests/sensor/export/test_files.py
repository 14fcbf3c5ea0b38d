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


def test_a_write_that_does_not_fit_leaves_whole_deliveries(tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the kernel takes a part of the write, then refuses."""
    sink = FileSink(tmp_path / "out")
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
