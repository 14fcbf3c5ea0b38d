"""Backup of an installation as one file, taken while it is in use, and its restore, here or elsewhere.

The file is a gzip'd tar archive. Its first entry, ``manifest.json``, has size and SHA-256 of all others: the
databases, the key of the installation, without which its hashes mean nothing, and the users' detection rules.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from isal import igzip

from levo import __version__
from levo.errors import ConfigError, LevoError, Problem
from levo.files import UnsafePathError, free_bytes, open_for_writing
from levo.satellite.learn import RULES_NAME
from levo.satellite.store.rotation import KEY_NAME, fits, read_fingerprint, read_key
from levo.satellite.store.schema import DATABASE_NAME
from levo.satellite.store.userdata.database import EARLIER_NAME, USERDATA_NAME

FORMAT_NAME = "levo-satellite-backup-2"
FIRST_FORMAT_NAME = "levo-satellite-backup-1"
"""Of versions that kept databases only; it has no manifest."""
SPARE_BYTES = 64 << 20
"""So much is left free: with less, a Satellite refuses traces."""
_MANIFEST = "manifest.json"
_DATABASES = {DATABASE_NAME: DATABASE_NAME, USERDATA_NAME: USERDATA_NAME, EARLIER_NAME: USERDATA_NAME}
"""Files of this and of earlier versions, and what each is called now."""
POSTURE_NAME = "posture.yaml"
"""How the user wants weaknesses to be judged (``satellite.posture``), in the data directory."""
_BESIDE = (KEY_NAME, RULES_NAME, POSTURE_NAME)
_NAMES = (*_DATABASES, *_BESIDE)
_MAX_BYTES = 1 << 40
_MAX_MANIFEST_BYTES = 64 << 10
_PIECE_BYTES = 1 << 20
_LEVEL = 1
"""Of igzip: a catalog becomes a tenth, at 190 MB a second of processor time."""


class _File(msgspec.Struct):
    size: int
    sha256: str


class _Manifest(msgspec.Struct):
    made_ns: int
    version: str
    files: dict[str, _File]


@dataclass(frozen=True, slots=True)
class BackupContents:
    """What an archive was found to hold."""

    made_ns: int
    """Nanoseconds since the Unix epoch; 0 for one of an earlier version, which does not say."""
    version: str
    """Of the levo that made it; empty likewise."""
    names: frozenset[str]

    @property
    def has_key(self) -> bool:
        """Whether callers and objects are recognized on another machine."""
        return KEY_NAME in self.names


def write_backup(data_dir: Path, target: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
    """Write what is in *data_dir*, which may be in use, to *target*: each database as it is at one moment.

    What was received but not learned yet stays in the journal and is not part of it.

    Raises:
        LevoError: there is no Satellite's data there, it cannot be copied, it lacks its key, *target* cannot
            be written, or there is no room.
    """
    if not (data_dir / DATABASE_NAME).is_file():
        raise LevoError(f"{data_dir}: holds no data of a Satellite")
    _see_room(data_dir, target)
    with tempfile.TemporaryDirectory(prefix="backup-", dir=data_dir) as name:
        folder = Path(name)
        try:
            copies = copy_installation(data_dir, folder)
            fingerprint = read_fingerprint(folder / DATABASE_NAME)
            key = folder / KEY_NAME
            if fingerprint and not (key.exists() and fits(fingerprint, read_key(key))):
                raise LevoError(f"{data_dir / KEY_NAME}: is not the key of this catalog; put it back first")
            manifest = _Manifest(clock_ns(), __version__, {each.name: _measured(each) for each in copies})
        except (sqlite3.Error, OSError) as error:
            raise LevoError(f"{data_dir}: cannot be copied: {error}") from error
        try:
            with open(open_for_writing(target), "wb") as file:
                _write_archive(file, manifest, copies)
        except UnsafePathError as error:
            raise ConfigError(Problem(str(target), f"cannot be written: {error.strerror}")) from None
        except OSError as error:
            if target.is_file():
                target.unlink()  # half an archive
            raise LevoError(f"{target}: cannot be written: {error.strerror}") from None


def copy_installation(data_dir: Path, folder: Path, names: dict[str, str] | None = None) -> list[Path]:
    """Copy databases, key and rules of *data_dir*, which may be in use, into *folder*; return the copies.

    *names*: which databases, and what each is called there; else as this version calls them.

    Raises:
        sqlite3.Error: a database cannot be read.
        OSError: something cannot be written.
    """
    copies: list[Path] = []
    for name, present in (_DATABASES if names is None else names).items():
        if (data_dir / name).is_file() and folder / present not in copies:
            copies.append(folder / present)
            _copy(data_dir / name, copies[-1])
    for name in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            octets = (data_dir / name).read_bytes()
            copies.append(folder / name)
            copies[-1].write_bytes(octets)
    for copy in copies:
        copy.chmod(0o600)
    return copies


def verify_backup(source: Path) -> BackupContents:
    """Read the whole of *source* and compare it with what it says of itself; write nothing.

    Raises:
        LevoError: it is no backup, or damaged.
    """
    return _read(source, None)


def restore_backup(source: Path, data_dir: Path, *, replace: bool) -> BackupContents:
    """Put the contents of a backup into *data_dir*, which no Satellite may be using.

    Raises:
        LevoError: *source* is no backup, damaged, or has another catalog's key; there is no room; or
            *data_dir* holds data already and *replace* is not set. Then nothing is changed.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not replace and any((data_dir / name).exists() for name in _DATABASES):
        raise LevoError(f"{data_dir}: holds data already; --replace moves it aside first")
    with tempfile.TemporaryDirectory(prefix="restore-", dir=data_dir) as name:
        folder = Path(name)
        contents = _read(source, folder)
        for database in contents.names & set(_DATABASES):
            if not _is_sound(folder / database):
                raise LevoError(f"{source}: {database} in it is damaged")
        # One of an earlier version is completed by the key and the rules that are there.
        moved = _NAMES if contents.version else tuple(_DATABASES)
        key = folder / KEY_NAME if contents.has_key else data_dir / KEY_NAME
        fingerprint = read_fingerprint(folder / DATABASE_NAME)
        if fingerprint and not (key.exists() and fits(fingerprint, read_key(key))):
            raise LevoError(f"{source}: its {KEY_NAME} is not the key of its catalog")
        aside: Path | None = None
        for old_name in (*moved, "journal"):
            for suffix in ("", "-wal", "-shm"):
                old = data_dir / f"{old_name}{suffix}"
                if old.exists():
                    aside = aside or _new_folder(data_dir, f"replaced-{time.strftime('%Y%m%d-%H%M%S')}")
                    old.rename(aside / old.name)
        for restored in contents.names:
            (folder / restored).rename(data_dir / restored)
    return contents


def stored_bytes(data_dir: Path) -> int:
    """Return how many octets the databases of *data_dir* take, their logs included."""
    return sum(
        path.stat().st_size
        for name in _DATABASES
        for path in (data_dir / name, data_dir / f"{name}-wal")
        if path.is_file()
    )


def see_room(folder: Path, octets: int, what: str) -> None:
    """See that *octets* can be written into *folder* and leave it enough to go on.

    Raises:
        LevoError: they cannot; *what* says what they are.
    """
    free = free_bytes(folder)
    if octets + SPARE_BYTES > free:
        raise LevoError(
            f"{folder}: {what} needs {_mebibytes(octets + SPARE_BYTES)} MiB free, there are {free >> 20}"
        )


def _see_room(data_dir: Path, target: Path) -> None:
    """See that there is room for the copy beside the data, and for an archive that nothing compresses."""
    octets = stored_bytes(data_dir)
    shared = False
    if target.parent.is_dir() and (target.is_file() or not target.exists()):  # a pipe takes no room
        shared = target.parent.stat().st_dev == data_dir.stat().st_dev
        if not shared:
            see_room(target.parent, octets, "a backup")
    see_room(data_dir, octets * (2 if shared else 1), "a backup")


def _mebibytes(octets: int) -> int:
    return -(-octets >> 20)


def _is_sound(path: Path) -> bool:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        try:
            return bool(connection.execute("PRAGMA quick_check").fetchone()[0] == "ok")
        except sqlite3.DatabaseError:
            return False


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder that was not there: what was moved aside before stays as it is."""
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise AssertionError("unreachable")


def _copy(source: Path, target: Path) -> None:
    with (
        contextlib.closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)
        ) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _measured(path: Path) -> _File:
    with path.open("rb") as file:
        return _File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def _write_archive(file: IO[bytes], manifest: _Manifest, copies: list[Path]) -> None:
    octets = msgspec.json.encode(manifest)
    with (
        igzip.IGzipFile(  # type: ignore[no-untyped-call]
            filename="", mode="wb", compresslevel=_LEVEL, fileobj=file
        ) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        entry = tarfile.TarInfo(f"{FORMAT_NAME}/{_MANIFEST}")
        entry.size, entry.mode = len(octets), 0o600
        archive.addfile(entry, io.BytesIO(octets))
        for copy in copies:
            archive.add(copy, f"{FORMAT_NAME}/{copy.name}")
            copy.unlink()  # the room that it took is for what follows
    with contextlib.suppress(OSError):  # a pipe
        os.fsync(file.fileno())


def _read(source: Path, folder: Path | None) -> BackupContents:
    """Check *source* and put its files into *folder*, if one is given.

    Files are taken by their names only: no path in an archive leads anywhere.
    """
    try:
        with tarfile.open(source, "r:*") as archive:
            first = archive.next()
            if first is None or first.name != f"{FORMAT_NAME}/{_MANIFEST}":
                return _read_first_format(source, archive, folder)
            manifest = _read_manifest(source, archive, first)
            if folder is not None:
                see_room(folder, sum(file.size for file in manifest.files.values()), "to restore it")
            found = set()
            for name, stream in _entries(archive, FORMAT_NAME, frozenset(manifest.files)):
                digest = hashlib.sha256()
                _save(stream, folder / name if folder is not None else None, digest.update)
                if digest.hexdigest() != manifest.files[name].sha256:
                    raise LevoError(f"{source}: {name} in it is damaged")
                found.add(name)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no archive, or a damaged one"
        raise LevoError(f"{source}: cannot be read as a backup: {reason}") from error
    missing = sorted(manifest.files.keys() - found)
    if missing or DATABASE_NAME not in found:
        raise LevoError(f"{source}: is damaged: {', '.join(missing) or DATABASE_NAME} is missing in it")
    return BackupContents(manifest.made_ns, manifest.version, frozenset(found))


def _read_manifest(source: Path, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> _Manifest:
    stream = archive.extractfile(entry) if entry.isreg() and entry.size <= _MAX_MANIFEST_BYTES else None
    try:
        manifest = msgspec.json.decode(stream.read() if stream else b"", type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise LevoError(f"{source}: its {_MANIFEST} is damaged") from None
    if not manifest.files.keys() <= set(_NAMES):
        raise LevoError(f"{source}: was made by a later version of levo; upgrade to restore it")
    return manifest


def _read_first_format(source: Path, archive: tarfile.TarFile, folder: Path | None) -> BackupContents:
    found = set()
    for name, stream in _entries(archive, FIRST_FORMAT_NAME, frozenset(_DATABASES)):
        present = _DATABASES[name]
        _save(stream, folder / present if folder is not None else None, lambda _piece: None)
        found.add(present)
    if DATABASE_NAME not in found:
        raise LevoError(f"{source}: is no backup of a Satellite")
    return BackupContents(0, "", frozenset(found))


def _entries(
    archive: tarfile.TarFile, format_name: str, names: frozenset[str]
) -> Iterator[tuple[str, IO[bytes]]]:
    for member in archive:
        name = member.name.removeprefix(f"{format_name}/")
        if name == member.name or name not in names or member.size > _MAX_BYTES:
            continue
        stream = archive.extractfile(member) if member.isreg() else None
        if stream is not None:
            yield name, stream


def _save(stream: IO[bytes], target: Path | None, digest: Callable[[bytes], None]) -> None:
    with contextlib.ExitStack() as stack:
        out = None if target is None else stack.enter_context(open(target, "xb"))
        if out is not None:
            os.fchmod(out.fileno(), 0o600)
        while piece := stream.read(_PIECE_BYTES):
            digest(piece)
            if out is not None:
                out.write(piece)
