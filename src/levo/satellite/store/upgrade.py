"""A copy of an installation, made before a new version changes its databases: the way back to the old one."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
from pathlib import Path

from levo.errors import LevoError
from levo.satellite.store import schema
from levo.satellite.store.backup import copy_installation, see_room, stored_bytes
from levo.satellite.store.userdata.database import EARLIER_NAME, USERDATA_NAME
from levo.satellite.store.userdata.schema import STEPS

_LOG = logging.getLogger(__name__)
COPIES = "before-upgrade-"
"""What the folders of copies begin with; the versions of both schemas follow."""
_KEPT = 2
_CURRENT = {schema.DATABASE_NAME: schema.VERSION, USERDATA_NAME: len(STEPS), EARLIER_NAME: len(STEPS)}


def copy_before_upgrade(data_dir: Path) -> Path | None:
    """Copy what is in *data_dir*, under the names that it has, if opening it would change its form.

    The last two copies are kept. One of the same versions is replaced: it is what an upgrade that was taken
    back, or did not end, began with.

    Returns:
        The folder of the copy; None if nothing has to change.

    Raises:
        LevoError: there is no room for it, or a database cannot be read. Nothing was changed.
    """
    found = {name: _version(data_dir / name) for name in _CURRENT if (data_dir / name).is_file()}
    if all(version >= _CURRENT[name] for name, version in found.items()) and EARLIER_NAME not in found:
        return None
    see_room(data_dir, stored_bytes(data_dir), "the copy before an upgrade")
    folder = data_dir / f"{COPIES}{'-'.join(str(version) for version in found.values())}"
    making = Path(tempfile.mkdtemp(prefix="copying-", dir=data_dir))
    try:
        copy_installation(data_dir, making, {name: name for name in found})
        shutil.rmtree(folder, ignore_errors=True)
        making.rename(folder)
    except (sqlite3.Error, OSError) as error:
        raise LevoError(f"{data_dir}: cannot be copied before the upgrade: {error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    kept = sorted(data_dir.glob(f"{COPIES}*"), key=lambda each: each.stat().st_mtime_ns)
    for old in kept[:-_KEPT]:
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    _LOG.warning("upgrade: %s has the data as the version before left it", folder)
    return folder


def _version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            raise LevoError(f"{path}: cannot be read: {error}") from error
