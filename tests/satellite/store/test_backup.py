"""A backup is what was there; a restore takes a backup only, and loses nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import sqlite3
import tarfile
from pathlib import Path

import pytest

from levo.errors import ConfigError, LevoError
from levo.satellite.learn import Callers
from levo.satellite.learner import Bounds, Mode, load_settings, run
from levo.satellite.queue import Journal, Record, RecordKind
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.backup import (
    FIRST_FORMAT_NAME,
    FORMAT_NAME,
    restore_backup,
    verify_backup,
    write_backup,
)
from levo.satellite.store.rotation import settle_key
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from tests.satellite.requests import Call, traces
from tests.satellite.same_catalog import KEY, shown
from tests.satellite.small_disk import mounted_disk
from tests.satellite.store.catalogs import NOW, catalog, trace
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


def archive_of(target: Path, **files: bytes) -> Path:
    with tarfile.open(target, "w:gz" if target.suffix == ".gz" else "w") as made:
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


STAFF = "rules:\n  - kind: staff-number\n    field: '(?i)staff'\n"


def learn(data_dir: Path, callers: int) -> int:
    """Have as many callers call, learn it as a Satellite does, and return how many callers are known."""
    with Journal(data_dir / "journal", max_bytes=1 << 20) as journal:
        calls = [Call(path="/users/me", more={"client.address": f"10.0.0.{each}"}) for each in range(callers)]
        journal.append(Record(RecordKind.TRACES, NOW, "acme", traces(calls).SerializeToString())).result(60)
    CatalogWriter(data_dir / DATABASE_NAME).close()
    settle_key(data_dir)
    commands, told = os.pipe()
    with open(os.devnull, "wb") as answers:
        os.write(told, b"d")
        run(data_dir, Mode.NORMAL, Bounds(), commands, answers.fileno())
    os.close(told)
    os.close(commands)
    with sqlite3.connect(data_dir / DATABASE_NAME) as connection:
        ((octets,),) = connection.execute("SELECT callers FROM endpoint").fetchall()
    return Callers(octets).estimate()


def test_another_machine_goes_on_as_this_one_would(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "learner.key").write_bytes(KEY)
    (here / "detectors.yaml").write_text(STAFF)
    before = learn(here, 50)
    write_backup(here, tmp_path / "backup.tar.gz")
    contents = restore_backup(tmp_path / "backup.tar.gz", there, replace=False)

    assert contents.has_key and "detectors.yaml" in contents.names
    assert shown(there / DATABASE_NAME).documents == shown(here / DATABASE_NAME).documents
    assert [rule.kind.name for rule in load_settings(there).detectors.rules] == ["staff-number"]
    assert learn(there, 50) == before
    assert learn(there, 60) == learn(here, 60) > before


def test_a_key_of_another_catalog_is_refused_at_backup_at_restore_and_at_the_start(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    learn(here, 1)
    write_backup(here, tmp_path / "backup.tar.gz")
    foreign = repacked(tmp_path / "backup.tar.gz", tmp_path / "foreign.tar.gz", "learner.key", bytes(32))
    with pytest.raises(LevoError, match=r"^[^\n]*learner\.key is not the key of its catalog$"):
        restore_backup(foreign, tmp_path / "there", replace=False)
    assert list((tmp_path / "there").iterdir()) == []

    (here / "learner.key").write_bytes(bytes(32))
    with pytest.raises(LevoError, match=r"^[^\n]*learner\.key: is not the key of this catalog; put back"):
        settle_key(here)
    with pytest.raises(LevoError, match=r"^[^\n]*learner\.key: is not the key of this catalog"):
        write_backup(here, tmp_path / "again.tar.gz")


def repacked(source: Path, target: Path, name: str, octets: bytes) -> Path:
    """*source* with other contents of one file, about which its manifest tells the truth."""
    with tarfile.open(source) as archive:
        files = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    manifest = json.loads(files[f"{FORMAT_NAME}/manifest.json"])
    manifest["files"][name] = {"size": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    files |= {
        f"{FORMAT_NAME}/manifest.json": json.dumps(manifest).encode(),
        f"{FORMAT_NAME}/{name}": octets,
    }
    return archive_of(target, **files)


def test_a_damaged_archive_is_refused_in_one_line_and_changes_nothing(data: Path, tmp_path: Path) -> None:
    write_backup(data, tmp_path / "backup.tar.gz")
    octets = (tmp_path / "backup.tar.gz").read_bytes()
    damaged, before = tmp_path / "damaged.tar.gz", paths(data)
    rng = random.Random(19)
    refused = 0
    for number in range(40):
        at = rng.randrange(len(octets))
        flipped = octets[:at] + bytes([octets[at] ^ 1 << rng.randrange(8)]) + octets[at + 1 :]
        damaged.write_bytes(flipped if number % 2 else octets[:at])
        try:
            verify_backup(damaged)
        except LevoError as error:
            assert "\n" not in str(error) and str(damaged) in str(error)
            refused += 1
        else:  # an octet that means nothing, such as the time in gzip's header
            restore_backup(damaged, tmp_path / f"restored-{number}", replace=False)
            assert rows_of(tmp_path / f"restored-{number}" / DATABASE_NAME) == rows_of(data / DATABASE_NAME)
            continue
        with pytest.raises(LevoError):
            restore_backup(damaged, data, replace=True)
    assert refused > 30
    assert paths(data) == before and not list(data.glob("re*-*"))


def test_an_archive_of_a_later_version_is_refused(data: Path, tmp_path: Path) -> None:
    write_backup(data, tmp_path / "backup.tar.gz")
    later = repacked(tmp_path / "backup.tar.gz", tmp_path / "later.tar.gz", "more.sqlite3", b"x")
    with pytest.raises(LevoError, match="later version"):
        restore_backup(later, tmp_path / "new", replace=False)


def test_a_backup_is_refused_before_it_fills_the_disk(data: Path, tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "small", 80) as small:
        (small / "ballast").write_bytes(bytes(16 << 20))
        with pytest.raises(LevoError, match=r"small: a backup needs \d+ MiB free, there are \d+$"):
            write_backup(data, small / "backup.tar.gz")
        assert [path.name for path in small.iterdir()] == ["ballast"]
        (small / "ballast").unlink()
        write_backup(data, small / "backup.tar.gz")
        with pytest.raises(LevoError, match="to restore it needs"):
            (small / "ballast").write_bytes(bytes(16 << 20))
            restore_backup(small / "backup.tar.gz", small / "data", replace=False)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"other": b"x"},
        {f"../{DATABASE_NAME}": b"x"},
        {f"{FIRST_FORMAT_NAME}/../{DATABASE_NAME}": b"x"},
        {f"{FIRST_FORMAT_NAME}/{DATABASE_NAME}": b"no database at all" * 100},
        {f"{FORMAT_NAME}/{DATABASE_NAME}": b"x"},
        {f"{FORMAT_NAME}/manifest.json": b"{}"},
        {f"{FORMAT_NAME}/manifest.json": b'{"made_ns":0,"version":"","files":{}}'},
    ],
    ids=["empty", "foreign", "above", "around", "damaged", "no manifest", "bad manifest", "nothing"],
)
def test_what_is_no_backup_changes_nothing(data: Path, tmp_path: Path, files: dict[str, bytes]) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(LevoError):
        restore_backup(archive_of(tmp_path / "bad.tar", **files), data, replace=True)

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
    files = {f"{FIRST_FORMAT_NAME}/{name}": (earlier / name).read_bytes() for name in (CATALOG, USERDATA)}
    restore_backup(archive_of(tmp_path / "backup.tar", **files), tmp_path / "new", replace=False)
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
