"""A new key: what was hashed with the old one is gone, what was counted stays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from levo.errors import LevoError
from levo.satellite.learn.paths import PathState
from levo.satellite.learn.schema import unpack_knowledge
from levo.satellite.queue import Position
from levo.satellite.store import DATABASE_NAME, CatalogWriter
from levo.satellite.store.rotation import KEY_NAME, rotate_key, settle_key
from tests.cli.levo_command import levo
from tests.satellite.corpora import Corpus
from tests.satellite.same_catalog import KEY, Catalog, in_commits, shown


def learned(folder: Path) -> Path:
    catalog = Catalog(folder)
    in_commits(0)(catalog, Corpus(400, 1, hard=True).records())
    catalog.finish()
    (folder / KEY_NAME).write_bytes(KEY)
    return folder / DATABASE_NAME


def test_every_hash_is_gone_and_every_count_stays(tmp_path: Path) -> None:
    path = learned(tmp_path)
    before = shown(path)
    rotation = rotate_key(tmp_path)
    after = shown(path)
    with sqlite3.connect(path) as connection:
        places = connection.execute("SELECT callers, knowledge FROM place").fetchall()
        paths = connection.execute("SELECT state FROM paths").fetchall()

    assert (tmp_path / KEY_NAME).read_bytes() != KEY and (tmp_path / KEY_NAME).stat().st_mode & 0o077 == 0
    assert min(rotation.callers, rotation.objects, rotation.hosts) > 0
    assert {callers for callers, _ in places} == {b""}
    for _, octets in places:
        for response in unpack_knowledge(octets).responses.values():
            assert not any(n.distinct for body in response.bodies.values() for n in body.schema.walk())
    for (octets,) in paths:
        state = PathState.from_bytes(octets, KEY)
        assert not state.given_out and not state.root.gone
    assert before.endpoints == after.endpoints


def test_learning_goes_on_with_the_new_key(tmp_path: Path) -> None:
    path = learned(tmp_path)
    endpoints = {row[5:7] for row in shown(path).endpoints}
    rotate_key(tmp_path)
    key = (tmp_path / KEY_NAME).read_bytes()
    with CatalogWriter(path, key=key) as writer:
        assert writer.pending, "templates are decided anew"
        from levo.satellite.learn import State

        writer.commit(State(), Position(9, 9))

    assert {row[5:7] for row in shown(path).endpoints} == endpoints


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LevoError, match="has no data of a Satellite"):
        rotate_key(tmp_path)


def test_the_command_says_what_is_lost(tmp_path: Path) -> None:
    learned(tmp_path)
    done = levo("satellite", "--data-dir", str(tmp_path), "rotate-key")

    assert done.returncode == 0, done.stderr
    assert "New key" in done.stdout and done.stdout.count("Lost:") == 5
    assert levo("satellite", "--data-dir", str(tmp_path / "none"), "rotate-key").returncode != 0


def test_a_catalog_without_its_key_is_refused_until_the_key_is_back_or_a_new_one_is_made(
    tmp_path: Path,
) -> None:
    learned(tmp_path)
    settle_key(tmp_path)
    settle_key(tmp_path)
    (tmp_path / KEY_NAME).rename(tmp_path / "away")
    with pytest.raises(LevoError, match=r"learner\.key: is missing; put back .*or let rotate-key make a new"):
        settle_key(tmp_path)
    (tmp_path / "away").rename(tmp_path / KEY_NAME)
    settle_key(tmp_path)
    (tmp_path / KEY_NAME).unlink()
    rotate_key(tmp_path)
    settle_key(tmp_path)


def test_a_rotation_that_was_interrupted_in_its_last_step_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned(tmp_path)
    settle_key(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", interrupt)
        rotate_key(tmp_path)
    assert (tmp_path / KEY_NAME).read_bytes() == KEY
    settle_key(tmp_path)
    assert (tmp_path / KEY_NAME).read_bytes() != KEY and not (tmp_path / "learner.new").exists()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
