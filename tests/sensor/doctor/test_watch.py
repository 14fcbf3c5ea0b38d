"""The same traffic with and without the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import CaptureFileError
from levo.sensor.doctor.watch import watch
from tests.cli.capture import write_capture
from tests.sensor.doctor.evidence import config


def test_a_file_is_read_to_its_end_twice(tmp_path: Path) -> None:
    capture = str(write_capture(tmp_path / "two.pcap"))

    seen = watch(config(read=capture, filter="port 81"), {}, 0.0)
    ruled = watch(config(read=capture, path_exclusions=("^/health$",)), {}, 0.0)

    assert seen.everything.statistics["exchanges_emitted"] == 2
    assert (seen.kept.packets, seen.interfaces) == (0, ())
    assert seen.everything.ports[0]["exchanges"] == 2
    assert ruled.kept.statistics["exchanges_dropped"]["path_excluded"] == 1
    assert ruled.kept.statistics["exchanges_emitted"] == 1


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptureFileError):
        watch(config(read=str(tmp_path / "nothing")), {}, 1.0)
