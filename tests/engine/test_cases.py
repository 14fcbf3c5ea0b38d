"""The generated capture cases: what is expected was written by hand, and every file can be made again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cases.generate import FOLDER, all_cases, files
from tests.helpers.engine_runs import Run, run_file, run_frames
from tests.helpers.lines import summaries
from tests.helpers.pcap import read_pcap

KNOWN = {
    "mid-stream-out-of-order": "octets before the first segment seen are not taken back without a handshake"
}
"""Cases that are not read rightly yet; each fails when it is, so that it is taken off."""

NAMES = sorted(path.parent.name for path in FOLDER.glob("*/expect.json"))


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """Where *actual* does not have what *expected* names."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{where}: expected an object, found {actual!r}"]
        found = []
        for key, value in expected.items():
            default = {"anomalies": [], "trailers": [], "interim": 0}.get(key)
            found += differences(value, actual.get(key, default), f"{where}.{key}")
        return found
    return [] if expected == actual else [f"{where}: expected {expected!r}, found {actual!r}"]


def check(run: Run, expected: dict[str, Any]) -> None:
    """Exchanges match in some order, one for one, and the named counters are exact."""
    left = list(run.exchanges)
    for wanted in expected["exchanges"]:
        match = next((x for x in left if not differences(wanted, x)), None)
        if match is None:
            target = (wanted.get("request") or {}).get("target")
            near = [x for x in left if (x["request"] or {}).get("target") == target] or left[:1]
            problems = differences(wanted, near[0]) if near else ["there is none left"]
            pytest.fail(f"{target}: {problems}; all: {summaries(run.exchanges)}")
        left.remove(match)
    assert summaries(left) == [], "exchanges nobody expects"
    counted = {name: run.statistics[name] for name in expected["statistics"]}
    assert counted == expected["statistics"]


@pytest.mark.parametrize("name", NAMES)
def test_case_is_read_as_its_author_says(name, request):
    if name in KNOWN:
        request.applymarker(pytest.mark.xfail(reason=KNOWN[name], strict=True))
    expected = json.loads((FOLDER / name / "expect.json").read_text())

    check(run_file(FOLDER / name / "input.pcap"), expected)


@pytest.mark.parametrize("name", NAMES)
def test_case_does_not_depend_on_batch_size(name):
    """Frame by frame, the same lines come out in the same order."""
    link_type, frames = read_pcap(FOLDER / name / "input.pcap")

    whole = run_frames(frames, link_type=link_type)
    single = run_frames(frames, link_type=link_type, slice_size=1)

    assert single.exchanges == whole.exchanges
    assert single.statistics == whole.statistics


def test_files_are_what_the_generator_writes():
    """Regenerate with ``python -m tests.cases.generate``."""
    cases = all_cases()
    assert sorted(cases) == NAMES
    for case in cases.values():
        for name, octets in files(case).items():
            assert (FOLDER / case.name / name).read_bytes() == octets, f"{case.name}/{name}"
