"""A backup is what was there; a restore takes a backup only, and loses nothing."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from levo.errors import ConfigError, LevoError
from levo.satellite.store import DATABASE_NAME, CatalogReader, EndpointFilter
from levo.satellite.store.backup import FORMAT_NAME, restore_backup, write_backup
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from tests.satellite.store.catalogs import catalog, trace
from tests.satellite.store.earlier import CATALOG, USERDATA, restore_earlier, rows_of


def paths(data_dir: Path) -> list[str]:
    reader = CatalogReader(data_dir / DATABASE_NAME)
    found = [row.path for row in reader.endpoints(EndpointFilter(), sort="path")[1]]
    reader.close()
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one endpoint and one setting."""
    made = tmp_path / "data"
    made.mkdir()
    catalog(made / DATABASE_NAME, [trace("/orders")]).close()
    userdata = UserData(made / USERDATA_NAME)
    userdata.settings.set("color", "green")
    userdata.close()
    return made


def archive(target: Path, **files: bytes) -> Path:
    with tarfile.open(target, "w") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return target


def test_a_restored_backup_holds_what_was_there_when_it_was_made(data: Path, tmp_path: Path) -> None:
    in_use = UserData(data / USERDATA_NAME)
    in_use.settings.set("color", "red")
    write_backup(data, tmp_path / "backup.tar")
    in_use.settings.set("color", "blue")
    in_use.close()
    restore_backup(tmp_path / "backup.tar", tmp_path / "new", replace=False)
    userdata = UserData(tmp_path / "new" / USERDATA_NAME)

    assert (paths(tmp_path / "new"), userdata.settings.get("color")) == (["/orders"], "red")
    assert sorted(path.name for path in data.glob("backup-*")) == []
    userdata.close()


def test_only_the_owner_can_read_it(data: Path, tmp_path: Path) -> None:
    write_backup(data, tmp_path / "backup.tar")
    restore_backup(tmp_path / "backup.tar", tmp_path / "new", replace=False)

    for path in (tmp_path / "backup.tar", *(tmp_path / "new").iterdir()):
        assert path.stat().st_mode & 0o077 == 0


def test_data_is_replaced_on_request_only_and_kept_aside(data: Path, tmp_path: Path) -> None:
    write_backup(data, tmp_path / "backup.tar")
    other = tmp_path / "other"
    other.mkdir()
    catalog(other / DATABASE_NAME, [trace("/mine")]).close()
    with pytest.raises(LevoError, match="holds data already"):
        restore_backup(tmp_path / "backup.tar", other, replace=False)
    assert paths(other) == ["/mine"]
    restore_backup(tmp_path / "backup.tar", other, replace=True)

    (aside,) = other.glob("replaced-*")
    assert (paths(other), paths(aside)) == (["/orders"], ["/mine"])


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"other": b"x"},
        {f"../{DATABASE_NAME}": b"x"},
        {f"{FORMAT_NAME}/../{DATABASE_NAME}": b"x"},
        {f"{FORMAT_NAME}/{DATABASE_NAME}": b"no database at all" * 100},
    ],
    ids=["empty", "foreign", "above", "around", "damaged"],
)
def test_what_is_no_backup_changes_nothing(data: Path, tmp_path: Path, files: dict[str, bytes]) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(LevoError):
        restore_backup(archive(tmp_path / "bad.tar", **files), data, replace=True)

    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([*before, "bad.tar"])
    assert paths(data) == ["/orders"]


def test_what_is_no_archive_is_one_line(data: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for source in (tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(LevoError, match="cannot be read as a backup"):
            restore_backup(source, data, replace=True)


def test_there_is_nothing_to_back_up_where_no_satellite_was(tmp_path: Path) -> None:
    with pytest.raises(LevoError, match="holds no data"):
        write_backup(tmp_path, tmp_path / "backup.tar")
    assert list(tmp_path.iterdir()) == []


def test_what_was_moved_aside_before_stays_as_it_is(data: Path, tmp_path: Path) -> None:
    write_backup(data, tmp_path / "backup.tar")
    for _ in range(3):
        restore_backup(tmp_path / "backup.tar", data, replace=True)

    assert [paths(folder) for folder in data.glob("replaced-*")] == [["/orders"]] * 3


def test_a_backup_of_the_version_before_is_restored(tmp_path: Path) -> None:
    earlier = restore_earlier(tmp_path / "earlier")
    files = {f"{FORMAT_NAME}/{name}": (earlier / name).read_bytes() for name in (CATALOG, USERDATA)}
    restore_backup(archive(tmp_path / "backup.tar", **files), tmp_path / "new", replace=False)
    userdata = UserData(tmp_path / "new" / USERDATA_NAME)

    assert [account.name for account in userdata.accounts.all()] == ["anna"]
    assert rows_of(tmp_path / "new" / CATALOG) == rows_of(earlier / CATALOG)
    userdata.close()


def test_a_directory_that_the_version_before_uses_is_backed_up_and_moved_aside_whole(tmp_path: Path) -> None:
    earlier = restore_earlier(tmp_path / "earlier")
    write_backup(earlier, tmp_path / "backup.tar")
    restore_backup(tmp_path / "backup.tar", earlier, replace=True)
    userdata = UserData(earlier / USERDATA_NAME)

    assert [account.name for account in userdata.accounts.all()] == ["anna"]
    assert {path.name for path in earlier.glob("replaced-*/*.sqlite3")} == {CATALOG, USERDATA}
    userdata.close()


def test_a_backup_is_not_written_through_a_second_name_in_a_shared_folder(data: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.link(tmp_path / "victim", shared / "backup.tar")
    with pytest.raises(ConfigError, match=r"backup\.tar: cannot be written: it has a second name"):
        write_backup(data, shared / "backup.tar")
    assert (tmp_path / "victim").read_bytes() == b"precious"


def test_a_backup_that_cannot_be_written_is_one_line(data: Path, tmp_path: Path) -> None:
    with pytest.raises(LevoError, match="cannot be written: No such file or directory"):
        write_backup(data, tmp_path / "absent" / "backup.tar")
