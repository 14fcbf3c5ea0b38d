"""What an operator is shown of the parts together."""

from __future__ import annotations

from pathlib import Path

from levo.satellite.backups import BackupPlan, ScheduledBackups
from levo.satellite.certificate import PemFiles
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.tls import Tls
from levo.satellite.upkeep import Upkeep
from tests.sensor.export.certificates import make_authority


def test_numbers_and_notes_are_those_of_the_parts(tmp_path: Path) -> None:
    own, _ = make_authority(tmp_path)
    tls = Tls(PemFiles(own.cert, own.key))
    backups = ScheduledBackups(tmp_path, BackupPlan(tmp_path / "backups", 60.0, 1))
    supervisor = LearnerSupervisor(tmp_path, lambda _: None)
    upkeep = Upkeep(
        supervisor=supervisor,
        tls=tls,
        backups=backups,
        alerts_waiting=lambda: (2, 5 * 10**9),
        clock_ns=lambda: 9 * 10**9,
    )
    backups.make(BackupPlan(tmp_path / "backups", 60.0, 1))
    found = upkeep.statistics()

    assert set(found.processes) == {"web"}
    assert (found.alerts_waiting, found.alert_age_s) == (2, 4.0)
    assert found.tls == tls.statistics() and found.backups == backups.statistics()
    assert [note.partition(" ")[0] for note in upkeep.notes()] == ["the", "the"]
    assert "expires in 0 days" in upkeep.notes()[0] and "backup failed" in upkeep.notes()[1]


def test_without_tls_and_alerts_there_is_nothing_to_say(tmp_path: Path) -> None:
    upkeep = Upkeep(
        supervisor=LearnerSupervisor(tmp_path, lambda _: None),
        tls=None,
        backups=ScheduledBackups(tmp_path, None),
        alerts_waiting=lambda: (0, 0),
    )

    assert upkeep.notes() == []
    assert (upkeep.statistics().tls, upkeep.statistics().alert_age_s) == (None, 0.0)
