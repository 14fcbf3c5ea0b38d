"""SIGHUP: rereads what can change while the Satellite runs, and names what cannot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from levo.config.reload import changes
from levo.config.satellite_settings import SATELLITE, SatelliteSettings
from levo.errors import LevoError
from levo.satellite.backups import BackupPlan, ScheduledBackups
from levo.satellite.certificate import PemFiles
from levo.satellite.learn import RULES_NAME, load_rules
from levo.satellite.learner import Bounds
from levo.satellite.posture import PostureSettings, load_posture_settings
from levo.satellite.store.backup import POSTURE_NAME
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.tls import Tls

_LOG = logging.getLogger(__name__)
_Read = TypeVar("_Read")


def pem_files(settings: SatelliteSettings) -> PemFiles | None:
    """Return where the certificate of the ports is; None where they speak no TLS."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return PemFiles(settings.tls_certificate, settings.tls_key, settings.tls_ca_certificate)


def backup_plan(settings: SatelliteSettings) -> BackupPlan | None:
    """Return when and where backups are made; None for never."""
    if settings.backup_folder is None:
        return None
    return BackupPlan(settings.backup_folder, settings.backup_interval_ns / 1e9, settings.backup_keep)


class Reload:
    """Applies what has changed since the start or the last time. Lives on one event loop."""

    def __init__(
        self,
        settings: SatelliteSettings,
        reread: Callable[[], SatelliteSettings],
        supervisor: LearnerSupervisor,
        tls: Tls | None,
        backups: ScheduledBackups,
        bounds: Callable[[SatelliteSettings], Bounds],
        judge: Callable[[PostureSettings], None],
    ) -> None:
        """Args:
        settings: those in force.
        reread: merges flags, variables and file again; may raise LevoError.
        supervisor: of the learner.
        tls: of the ports, None if they speak none.
        backups: those that are made by themselves.
        bounds: makes what the learner is told of settings.
        judge: takes how the rules of posture are to be asked.
        """
        self.settings = settings
        """Those in force."""
        self._reread = reread
        self._supervisor = supervisor
        self._tls = tls
        self._backups = backups
        self._bounds = bounds
        self._judge = judge
        self._asked = asyncio.Event()
        self._files = {name: _octets(self._path(name)) for name in (RULES_NAME, POSTURE_NAME)}

    def ask(self) -> None:
        """Reread soon; many calls become one."""
        self._asked.set()

    async def run(self) -> None:
        """Do what is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        said, notes = [], []
        try:
            said += self._apply(await asyncio.to_thread(self._reread))
        except LevoError as error:
            said.append(f"settings stay as they are: {'; '.join(str(error).splitlines())}")
        if self._tls is not None:
            files = pem_files(self.settings)
            if await asyncio.to_thread(self._tls.look, files=files, settled=True):
                said.append("now in force: the renewed certificate")
            notes = self._tls.notes()
        said += await self._reload_file(
            RULES_NAME, "detection rules", _checked_rules, lambda _: self._supervisor.renew()
        )
        said += await self._reload_file(
            POSTURE_NAME, "the rules of posture", load_posture_settings, self._judge
        )
        _LOG.warning("SIGHUP: %s", "; ".join([*(said or ["nothing has changed"]), *notes]))

    def _apply(self, new: SatelliteSettings) -> list[str]:
        """Take over what can be; return what was and what was not."""
        now, later = changes(self.settings, new, SATELLITE.options)
        if (pem_files(self.settings) is None) != (pem_files(new) is None):
            speaking = [name for name in now if name.startswith("tls-")]
            now, later = [name for name in now if name not in speaking], [*later, *speaking]
        before, planned = self._bounds(self.settings), backup_plan(self.settings)
        fields = (SATELLITE.by_key[name].field for name in now)
        self.settings = replace(self.settings, **{name: getattr(new, name) for name in fields})
        if self._bounds(self.settings) != before:
            self._supervisor.renew(self._bounds(self.settings))
        if backup_plan(self.settings) != planned:
            self._backups.change(backup_plan(self.settings))
        said = [f"now in force: {', '.join(now)}"] if now else []
        return [*said, f"a restart is needed for {', '.join(later)}"] if later else said

    async def _reload_file(
        self, name: str, what: str, load: Callable[[Path], _Read], use: Callable[[_Read], None]
    ) -> list[str]:
        """Take over the file *name*, if its octets are others: what *load* reads of it goes to *use*."""
        path = self._path(name)
        octets = await asyncio.to_thread(_octets, path)
        if octets == self._files[name]:
            return []
        try:
            use(await asyncio.to_thread(load, path))
        except LevoError as error:
            return [f"{what} stay as they are: {error}"]
        self._files[name] = octets
        return [f"now in force: {name}"]

    def _path(self, name: str) -> Path:
        return self.settings.data_dir / name


def _checked_rules(path: Path) -> None:
    """Read the detection rules, as the learner will; none are there without the file."""
    if path.exists():
        load_rules(path)


def _octets(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
