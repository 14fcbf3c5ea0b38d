"""250 odd responses that browsers accept (the HTTP Evader set of suricata-verify, read in place).

One response of each capture must hold the EICAR anti-virus test string, once its codings are undone. By
general rules: nothing here or in the engine knows a file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.engine_runs import run_file
from tests.helpers.lines import body
from tests.helpers.pcap import shared_captures

FLOOR = 250
"""Captures that must be read: all of them. Never lower it."""

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"

FOLDER = shared_captures()

pytestmark = pytest.mark.skipif(
    FOLDER is None or not (FOLDER / "http-evader").is_dir(),
    reason="shared captures are absent (LEVO_CAPTURES)",
)


def is_read(path: Path) -> bool:
    run = run_file(path)
    return any(EICAR in body(x["response"]) for x in run.exchanges if x["response"])


def test_test_string_is_found_behind_odd_framing(record_property):
    assert FOLDER is not None
    paths = sorted((FOLDER / "http-evader").glob("*.pcap.gz"))

    missed = [path.name.split(".")[0] for path in paths if not is_read(path)]

    found = len(paths) - len(missed)
    record_property("http_evader_found", f"{found} of {len(paths)}")
    print(f"http-evader: {found} of {len(paths)} found; missed: {' '.join(missed)}")
    assert found >= FLOOR, f"{found} of {len(paths)}; missed: {' '.join(missed)}"
