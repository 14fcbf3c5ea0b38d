"""Backups that are made by themselves: verified, in order, and few."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from levo.satellite.backups import AGAIN_S, BackupPlan, ScheduledBackups
from levo.satellite.store import DATABASE_NAME
from levo.satellite.store.backup import verify_backup
from tests.satellite.running import until
from tests.satellite.store.catalogs import NOW, catalog, trace

HOUR = 3600.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    catalog(made / DATABASE_NAME, [trace("/orders")]).close()
    return made


@pytest.fixture
def plan(tmp_path: Path) -> BackupPlan:
    return BackupPlan(tmp_path / "backups", HOUR, 3)


def names(plan: BackupPlan) -> list[str]:
    return sorted(path.name for path in plan.folder.iterdir())


def test_the_latest_are_kept_whatever_the_clock_says(data: Path, plan: BackupPlan) -> None:
    now_ns = NOW
    backups = ScheduledBackups(data, plan, clock_ns=lambda: now_ns)
    for step_s in (0, 3600, -86_400, -86_400, 7):
        now_ns += step_s * 10**9
        assert backups.make(plan)

    assert [name[:21] for name in names(plan)] == [f"levo-satellite-{number:06}" for number in (3, 4, 5)]
    for path in plan.folder.iterdir():
        assert verify_backup(path).names >= {DATABASE_NAME}
        assert path.stat().st_mode & 0o077 == 0
    found = backups.statistics()
    assert (found.made_total, found.failed_total, found.last_ns) == (5, 0, now_ns)
    assert found.last_bytes == (plan.folder / names(plan)[-1]).stat().st_size


def test_one_that_fails_costs_no_good_one_and_is_reported_until_one_is_good(
    data: Path, plan: BackupPlan, caplog: pytest.LogCaptureFixture
) -> None:
    backups = ScheduledBackups(data, plan)
    for _ in range(3):
        assert backups.make(plan)
    good = names(plan)
    (data / DATABASE_NAME).rename(data / "away")
    assert not backups.make(plan) and not backups.make(plan)

    assert names(plan) == good
    assert backups.statistics().failed_total == 2
    assert "holds no data" in backups.statistics().failure and "failed" in backups.notes()[0]
    assert len(caplog.messages) == 1
    (data / "away").rename(data / DATABASE_NAME)
    assert backups.make(plan) and backups.notes() == []


def test_what_is_not_ours_in_the_folder_stays_and_half_a_backup_goes(data: Path, plan: BackupPlan) -> None:
    plan.folder.mkdir()
    half = plan.folder / "levo-satellite-000001-20260101-000000.tar.gz.part"
    for path in (half, plan.folder / "levo-satellite-by-hand.tar.gz", plan.folder / "notes"):
        path.write_bytes(b"x")
    backups = ScheduledBackups(data, plan)
    for _ in range(5):
        assert backups.make(plan)

    assert names(plan)[3:] == ["levo-satellite-by-hand.tar.gz", "notes"]


@pytest.mark.parametrize(
    ("age_s", "due"), [(0.0, False), (HOUR - 1, False), (HOUR + 1, True), (-5.0, True)], ids=str
)
def test_after_a_restart_the_last_one_counts(data: Path, plan: BackupPlan, age_s: float, due: bool) -> None:
    ScheduledBackups(data, plan).make(plan)
    (path,) = plan.folder.iterdir()
    os.utime(path, ns=(NOW, NOW))
    backups = ScheduledBackups(data, plan, lambda: 100.0, lambda: NOW + int(age_s * 10**9))

    assert backups.is_due() is due
    assert backups.statistics().last_ns == NOW


def test_they_are_made_when_due_and_again_soon_after_a_failure(data: Path, plan: BackupPlan) -> None:
    now_s = 0.0
    backups = ScheduledBackups(data, plan, lambda: now_s)

    asyncio.run(backups.look())
    assert backups.statistics().made_total == 1 and not backups.is_due()
    now_s += HOUR
    (data / DATABASE_NAME).rename(data / "away")
    asyncio.run(backups.look())
    assert backups.statistics().failed_total == 1 and not backups.is_due()
    now_s += AGAIN_S
    (data / "away").rename(data / DATABASE_NAME)
    asyncio.run(backups.look())
    assert backups.statistics().made_total == 2
    now_s += HOUR - 1
    assert not backups.is_due()


def test_a_new_plan_takes_the_place_of_the_one_before(data: Path, plan: BackupPlan, tmp_path: Path) -> None:
    backups = ScheduledBackups(data, None)
    assert not backups.is_due() and backups.statistics().plan is None
    backups.change(plan)
    asyncio.run(backups.look())
    assert len(names(plan)) == 1
    backups.change(other := replace(plan, folder=tmp_path / "other"))
    asyncio.run(backups.look())
    assert len(names(other)) == 1
    backups.change(None)
    assert not backups.is_due()


def test_a_running_satellite_makes_them(tmp_path: Path) -> None:
    from tests.satellite.running import RunningSatellite

    folder = tmp_path / "backups"
    with RunningSatellite(tmp_path / "data", "--backup-folder", str(folder)) as satellite:
        until(lambda: satellite.metric("levo_satellite_backups_total") == 1)
        assert satellite.metric("levo_satellite_backup_last_success_timestamp_seconds") > 0
        assert "Last good one" in satellite.get("/settings").body.decode()
        (path,) = folder.iterdir()
        assert verify_backup(path).has_key
