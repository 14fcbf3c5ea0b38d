"""Backup of both databases as one file, taken while they are in use, and its restore."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from levo.errors import ConfigError, LevoError, Problem
from levo.files import UnsafePathError, open_for_writing
from levo.satellite.store.schema import DATABASE_NAME
from levo.satellite.store.userdata.database import EARLIER_NAME, USERDATA_NAME

FORMAT_NAME = "levo-satellite-backup-1"
_NAMES = {DATABASE_NAME: DATABASE_NAME, USERDATA_NAME: USERDATA_NAME, EARLIER_NAME: USERDATA_NAME}
"""Files of this and of earlier versions, and what each is called now."""
_MAX_BYTES = 1 << 40


def write_backup(data_dir: Path, target: Path) -> None:
    """Write the databases of *data_dir*, which may be in use, to *target*: each as it is at one moment.

    What was received but not learned yet stays in the journal and is not part of it.

    Raises:
        LevoError: there is no Satellite's data there, it cannot be copied, or *target* cannot be written.
    """
    if not (data_dir / DATABASE_NAME).is_file():
        raise LevoError(f"{data_dir}: holds no data of a Satellite")
    with tempfile.TemporaryDirectory(prefix="backup-", dir=data_dir) as folder:
        copies = []
        try:
            for name, present in _NAMES.items():
                if (data_dir / name).is_file() and Path(folder) / present not in copies:
                    copies.append(Path(folder) / present)
                    _copy(data_dir / name, copies[-1])
        except sqlite3.Error as error:
            raise LevoError(f"{data_dir}: cannot be copied: {error}") from error
        try:
            with (
                open(open_for_writing(target), "wb") as file,
                tarfile.open(fileobj=file, mode="w") as archive,
            ):
                for copy in copies:
                    archive.add(copy, f"{FORMAT_NAME}/{copy.name}")
        except UnsafePathError as error:
            raise ConfigError(Problem(str(target), f"cannot be written: {error.strerror}")) from None
        except OSError as error:
            raise LevoError(f"{target}: cannot be written: {error.strerror}") from None


def restore_backup(source: Path, data_dir: Path, *, replace: bool) -> None:
    """Put the databases of a backup into *data_dir*, which no Satellite may be using.

    Raises:
        LevoError: *source* is no backup, or *data_dir* holds data already and *replace* is not set.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not replace and any((data_dir / name).exists() for name in _NAMES):
        raise LevoError(f"{data_dir}: holds data already; --replace moves it aside first")
    with tempfile.TemporaryDirectory(prefix="restore-", dir=data_dir) as folder:
        found = list(_unpack(source, Path(folder)))
        if DATABASE_NAME not in {path.name for path in found}:
            raise LevoError(f"{source}: is no backup of a Satellite")
        for path in found:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                try:
                    good = connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"
                except sqlite3.DatabaseError:
                    good = False
            if not good:
                raise LevoError(f"{source}: {path.name} in it is damaged")
        aside: Path | None = None
        for name in (*_NAMES, "journal"):
            for suffix in ("", "-wal", "-shm"):
                old = data_dir / f"{name}{suffix}"
                if old.exists():
                    aside = aside or _new_folder(data_dir, f"replaced-{time.strftime('%Y%m%d-%H%M%S')}")
                    old.rename(aside / old.name)
        for path in found:
            path.rename(data_dir / path.name)


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder that was not there: what was moved aside before stays as it is."""
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise AssertionError("unreachable")


def _unpack(source: Path, folder: Path) -> Iterator[Path]:
    """Yield the databases in *source*, by their names only: no path in an archive leads anywhere."""
    wanted = {f"{FORMAT_NAME}/{name}": present for name, present in _NAMES.items()}
    try:
        with tarfile.open(source, "r:*") as archive:
            for member in archive:
                name = wanted.get(member.name)
                stream = archive.extractfile(member) if name and member.isreg() else None
                if name is None or stream is None or member.size > _MAX_BYTES:
                    continue
                target = folder / name
                with open(target, "xb") as out:
                    os.fchmod(out.fileno(), 0o600)
                    shutil.copyfileobj(stream, out, 1 << 20)
                yield target
    except (tarfile.TarError, OSError, EOFError) as error:
        raise LevoError(f"{source}: cannot be read as a backup: {error}") from error


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        ) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
