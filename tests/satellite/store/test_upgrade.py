"""Before a database changes its form, what was there is kept, and leads back."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.store import DATABASE_NAME, CatalogWriter
from levo.satellite.store.rotation import settle_key
from levo.satellite.store.upgrade import copy_before_upgrade
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from tests.satellite.small_disk import mounted_disk
from tests.satellite.store.catalogs import catalog, older_catalog, trace
from tests.satellite.store.earlier import CATALOG, USERDATA, restore_earlier, rows_of


def upgrade(data_dir: Path) -> Path | None:
    """As a start does it."""
    folder = copy_before_upgrade(data_dir)
    CatalogWriter(data_dir / DATABASE_NAME).close()
    settle_key(data_dir)
    UserData(data_dir / USERDATA_NAME).close()
    return folder


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_the_copy_is_what_the_earlier_version_left(tmp_path: Path, killed: bool) -> None:
    before = {name: rows_of(restore_earlier(tmp_path / "as-it-was") / name) for name in (CATALOG, USERDATA)}
    data_dir = restore_earlier(tmp_path / "data", killed=killed)
    (data_dir / "learner.key").write_bytes(bytes(32))
    (data_dir / "detectors.yaml").write_text("rules: []\n")
    folder = upgrade(data_dir)

    assert folder is not None
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        [CATALOG, USERDATA, "detectors.yaml", "learner.key"]
    )
    assert all(each.stat().st_mode & 0o077 == 0 for each in (folder, *folder.iterdir()))
    assert {name: rows_of(folder / name) for name in before} == before
    assert (folder / "learner.key").read_bytes() == bytes(32)


def test_the_way_back_and_forth_again_by_the_copy(tmp_path: Path) -> None:
    data_dir = restore_earlier(tmp_path / "data")
    before = {name: rows_of(data_dir / name) for name in (CATALOG, USERDATA)}
    folder = upgrade(data_dir)
    upgraded = rows_of(data_dir / DATABASE_NAME)
    for path in (*data_dir.glob("catalog.sqlite3*"), *data_dir.glob("userdata.sqlite3*")):
        path.unlink()
    shutil.copytree(str(folder), data_dir, dirs_exist_ok=True)

    assert {name: rows_of(data_dir / name) for name in before} == before
    assert upgrade(data_dir) == folder
    assert rows_of(data_dir / DATABASE_NAME) == upgraded
    assert upgrade(data_dir) is None


def test_an_installation_of_this_version_is_not_copied(tmp_path: Path) -> None:
    assert upgrade(tmp_path) is None
    catalog(tmp_path / DATABASE_NAME, [trace("/orders")]).close()
    assert upgrade(tmp_path) is None
    assert not list(tmp_path.glob("before-*"))


def test_the_last_two_copies_are_kept(tmp_path: Path) -> None:
    folders = []
    for version in (3, 4, 5):
        (tmp_path / DATABASE_NAME).unlink(missing_ok=True)
        older_catalog(tmp_path / DATABASE_NAME, version).close()
        folders.append(copy_before_upgrade(tmp_path))

    assert sorted(tmp_path.glob("before-*")) == sorted(each for each in folders[1:] if each)


def test_without_room_for_the_copy_nothing_changes(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "small", 66) as small:
        older_catalog(small / DATABASE_NAME, 3).close()
        (small / "ballast").write_bytes(bytes(4 << 20))
        with pytest.raises(LevoError, match=r"the copy before an upgrade needs \d+ MiB free"):
            copy_before_upgrade(small)
        assert sorted(each.name for each in small.iterdir()) == ["ballast", DATABASE_NAME]
        with sqlite3.connect(small / DATABASE_NAME) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (3,)
