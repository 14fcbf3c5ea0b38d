"""Live: the clock of a running sensor is set (libfaketime); what it captures goes out all the same."""

from __future__ import annotations

import glob
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.system.network import loopback_namespace, needs
from tests.system.nginx import serving
from tests.system.sensor import capturing

LIBRARY = next(iter(sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))), "")
pytestmark = [
    pytest.mark.root,
    needs("nginx"),
    pytest.mark.skipif(not LIBRARY, reason="not installed: faketime"),
]


def test_what_is_captured_goes_out_whatever_the_clock_is_set_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames keep the kernel's time, which nobody has set: the two disagree by hours, days and years."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    with loopback_namespace() as here, serving(here, tmp_path / "nginx") as nginx:
        monkeypatch.setenv("LD_PRELOAD", LIBRARY)
        monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
        monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
        monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        with capturing(here, tmp_path, nginx.base) as sensor:
            for name in ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE"):
                monkeypatch.delenv(name)
            for offset in ("-3600", "+86400", "-86400", "+315360000", "-7200"):
                clock.write_text(offset)
                sensor.catch_up()
        sensor.assert_ledger()
        last = json.loads(sensor.log.splitlines()[-1])["time"]
        assert datetime.fromisoformat(last) < datetime.now(UTC) - timedelta(hours=1), "the clock was not set"
        assert all(each["incomplete"] is None for each in sensor.exchanges(without="/none"))
