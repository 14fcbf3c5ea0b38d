"""A learner that is killed anywhere in a commit loses nothing and counts nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from levo.satellite.learner import JOURNAL_NAME, Learner, Mode, load_settings
from levo.satellite.queue import Journal, JournalReader, Record
from levo.satellite.scheduler import DecisionScheduler
from levo.satellite.store import DATABASE_NAME, CatalogWriter
from levo.satellite.store.endpoints import EndpointTable
from levo.satellite.store.paths import PathTable
from levo.satellite.store.places import PlaceTable
from levo.satellite.store.rotation import KEY_NAME
from tests.helpers.effort import long
from tests.satellite.corpora import Corpus
from tests.satellite.same_catalog import KEY, shown

POINTS: tuple[tuple[type, str], ...] = (
    (PathTable, "learn"),
    (DecisionScheduler, "decide"),
    (EndpointTable, "follow"),
    (PlaceTable, "insert"),
    (PlaceTable, "add"),
    (EndpointTable, "add"),
    (PathTable, "save"),
    (CatalogWriter, "_add_counters"),
    (CatalogWriter, "_tell_organizations"),
    (CatalogWriter, "commit"),
)
"""A process dies right after one of them; the last is the moment between the commit and the word of it."""


def dying(function: Callable[..., Any], after: int) -> Callable[..., Any]:
    left = [after]

    def wrapped(*given: Any, **named: Any) -> Any:
        result = function(*given, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def learn(data_dir: Path, mode: Mode) -> None:
    settings = load_settings(data_dir)
    with CatalogWriter(data_dir / DATABASE_NAME, key=settings.caller_key) as writer:
        reader = JournalReader(data_dir / JOURNAL_NAME, writer.checkpoint().position)
        learner = Learner(reader, writer, mode, settings)
        while learner.step(0.0):
            if mode is Mode.CAREFUL:
                learner.commit(0.0)
        learner.commit(0.0, decide_all=True)


def life(data_dir: Path, point: int, after: int) -> int:
    """Learn in a process that dies the *after*-th time it passes *point*; return the signal, 0 if none."""
    child = os.fork()
    if not child:
        try:
            where, name = POINTS[point]
            setattr(where, name, dying(getattr(where, name), after))
            learn(data_dir, Mode.CAREFUL)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def stored(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that was learned, octet for octet, but for the numbers of rows."""
    with sqlite3.connect(data_dir / DATABASE_NAME) as connection:
        return {
            "places": connection.execute(
                "SELECT host, method, path_key, traces, exchanges, schemes, first_seen_ns, last_seen_ns,"
                " statuses, callers, knowledge FROM place ORDER BY host, method, path_key"
            ).fetchall(),
            "paths": connection.execute("SELECT * FROM paths ORDER BY application, host").fetchall(),
            "traffic": connection.execute(
                "SELECT host, method, path_key, start_s, rollup.exchanges, latency"
                " FROM rollup JOIN place ON place.id = rollup.place WHERE size_s = 86400 ORDER BY 1, 2, 3, 4"
            ).fetchall(),
            "whole": connection.execute(
                "SELECT start_s, exchanges, latency FROM rollup WHERE place = 0 AND size_s = 86400 ORDER BY 1"
            ).fetchall(),
            "deliveries": connection.execute("SELECT digest FROM delivery ORDER BY digest").fetchall(),
        }


def journal_of(data_dir: Path, records: list[Record]) -> Path:
    data_dir.mkdir()
    (data_dir / KEY_NAME).write_bytes(KEY)
    with Journal(data_dir / JOURNAL_NAME, max_bytes=1 << 30) as journal:
        for record in records:
            journal.append(record).result(60)
    return data_dir


@pytest.mark.parametrize("kills", [20, long(200)])
def test_a_learner_that_is_killed_anywhere_loses_nothing_and_doubles_nothing(
    tmp_path: Path, kills: int
) -> None:
    rng = Random(kills)
    records = Corpus(40 * kills, 5, hard=True).records()
    calm, hunted = (journal_of(tmp_path / name, records) for name in ("calm", "hunted"))
    learn(calm, Mode.NORMAL)
    for kill in range(kills):
        assert life(hunted, kill % len(POINTS), rng.randint(1, 3)) == signal.SIGKILL
    learn(hunted, Mode.CAREFUL)

    for name, rows in stored(calm).items():
        assert stored(hunted)[name] == rows, name
    assert shown(hunted / DATABASE_NAME) == shown(calm / DATABASE_NAME)
