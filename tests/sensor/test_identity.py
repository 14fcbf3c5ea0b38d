"""Which sensor this is: slots in the real kernel and real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.sensor.identity import MOST_SLOTS, Claim

HOLD = """
import sys
from pathlib import Path
from levo.sensor.identity import Claim
claim = Claim(sys.argv[1], [Path(folder) for folder in sys.argv[2:]])
print(claim.run.sensor, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex[:16]


@pytest.fixture
def claimed() -> Iterator[list[Claim]]:
    claims: list[Claim] = []
    yield claims
    for claim in claims:
        claim.release()


def holder(key: str, *folders: Path, unshare: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A process that holds a claim until it is killed; its first line is the sensor's id."""
    command = [*unshare, sys.executable, "-c", HOLD, key, *map(str, folders)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_restart_is_the_same_sensor_and_another_run(key: str, tmp_path: Path) -> None:
    first = Claim(key, [tmp_path])
    first.release()
    first.release()
    second = Claim(key, [tmp_path])

    assert first.run.sensor == second.run.sensor
    assert first.run.instance != second.run.instance
    read = uuid.UUID(second.run.instance)
    assert (read.version, read.variant, str(read)) == (4, uuid.RFC_4122, second.run.instance)
    second.release()
    assert not list(tmp_path.iterdir()), "a clean stop leaves no file"


def test_the_same_settings_twice_are_two_sensors_each_of_which_keeps_its_id(key: str, tmp_path: Path) -> None:
    processes = [holder(key, tmp_path) for _ in range(3)]
    ids = [first_line(process) for process in processes]
    end(processes[1])
    again = holder(key, tmp_path)
    try:
        assert len(set(ids)) == 3
        assert first_line(again) == ids[1], "killed, and started again while the others ran on"
    finally:
        for process in (processes[0], processes[2], again):
            end(process)


def test_sensors_that_share_no_file_system_are_told_apart_by_the_network_namespace(
    key: str, tmp_path: Path, claimed: list[Claim]
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        claimed.append(Claim(key, [tmp_path / folder]))

    assert len({claim.run.sensor for claim in claimed}) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes a network namespace")
def test_sensors_that_share_no_network_namespace_are_told_apart_by_the_file_system(
    key: str, tmp_path: Path
) -> None:
    processes = [holder(key, tmp_path, unshare=("unshare", "--net")) for _ in range(2)]
    try:
        assert len({first_line(process) for process in processes}) == 2
    finally:
        for process in processes:
            end(process)


def test_no_folder_to_write_to_is_no_obstacle(key: str, tmp_path: Path, claimed: list[Claim]) -> None:
    claimed += [Claim(key, [tmp_path / "absent"]), Claim(key, [])]

    assert len({claim.run.sensor for claim in claimed}) == 2


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_others_put_in_the_way_is_not_followed_and_does_not_block(
    key: str, tmp_path: Path, kind: str, claimed: list[Claim]
) -> None:
    place, target = tmp_path / f"levo-sensor.{key}.0", tmp_path / "target"
    if kind == "link":
        place.symlink_to(target)
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    claimed += [Claim(key, [tmp_path]), Claim(key, [tmp_path])]

    assert len({claim.run.sensor for claim in claimed}) == 2 and not target.exists()


def test_more_sensors_than_slots_are_still_told_apart(key: str, tmp_path: Path, claimed: list[Claim]) -> None:
    claimed += [Claim(key, [tmp_path]) for _ in range(MOST_SLOTS + 2)]

    assert len({claim.run.sensor for claim in claimed}) == MOST_SLOTS + 2
