"""How long what was learned is kept, and why one wrong clock erases nothing.

Time that passes without anything to learn does not count: a retention of 400 days keeps at least the 400
latest days on which something was learned. A clock that is wrong for an hour, however far, adds one step to
those that are counted, so it can make go what that step displaces, and no more. Steps beyond now do not
count, so nothing that a wrong clock left behind makes what is kept shorter than it is set.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from levo.satellite.learn import State
from levo.satellite.learn.traffic import MINUTE_S

HOUR_S, DAY_S = 3600, 86_400
SIZES = (MINUTE_S, HOUR_S, DAY_S)
"""Seconds that one rollup of traffic sums up."""
SECOND_NS = 10**9
DAY_NS = DAY_S * SECOND_NS

SCHEMA = """
    CREATE TABLE learned_step (
        size_s INTEGER NOT NULL, start_s INTEGER NOT NULL, PRIMARY KEY (size_s, start_s)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO learned_step SELECT DISTINCT size_s, start_s FROM rollup WHERE place <= 0;
    INSERT OR IGNORE INTO learned_step
        SELECT DISTINCT 86400, last_seen_ns / 86400000000000 * 86400 FROM place;
    INSERT OR IGNORE INTO learned_step
        SELECT DISTINCT 86400, last_seen_ns / 86400000000000 * 86400 FROM sensor;
"""


class Retention(NamedTuple):
    """How long after it was seen last something is kept."""

    endpoints_ns: int = 400 * DAY_NS
    unproven_ns: int = 30 * DAY_NS
    """Of places that no endpoint has: they were only refused, or answered as absent."""
    minutes_ns: int = 3 * HOUR_S * SECOND_NS
    """Of traffic by the minute: an hour at least, which the pages show."""
    hours_ns: int = 8 * DAY_NS
    days_ns: int = 400 * DAY_NS
    sensors_ns: int = 30 * DAY_NS
    """Of sensors that fell silent."""
    stopped_sensors_ns: int = DAY_NS
    """Of sensors that said that they stop."""
    changes_ns: int = 400 * DAY_NS
    catalog_bytes: int = 0
    """How much room the catalog may take; 0: as much as it needs."""

    def rollups_s(self) -> dict[int, int]:
        """Return how many seconds rollups are kept, by their size."""
        kept = (max(HOUR_S * SECOND_NS, self.minutes_ns), self.hours_ns, self.days_ns)
        return {size: each // SECOND_NS for size, each in zip(SIZES, kept, strict=True)}


def note_steps(connection: sqlite3.Connection, delta: State) -> None:
    """Note of which times *delta* teaches something, and on which days sensors were heard."""
    minutes = {minute for facts in delta.endpoints.values() for minute in facts.traffic}
    steps = {(size, minute // size * size) for minute in minutes for size in SIZES}
    steps |= {(DAY_S, report.last_seen_ns // DAY_NS * DAY_S) for report in delta.sensors.values()}
    connection.executemany("INSERT OR IGNORE INTO learned_step VALUES (?, ?)", sorted(steps))


def forget_steps(connection: sqlite3.Connection, size_s: int, before_s: int) -> None:
    """Forget steps of less than a day that are past."""
    if size_s < DAY_S:
        connection.execute("DELETE FROM learned_step WHERE size_s = ? AND start_s < ?", (size_s, before_s))


def kept_since_s(connection: sqlite3.Connection, size_s: int, kept_s: int, now_s: int) -> int | None:
    """Return the second before which what is kept for *kept_s* goes; None if nothing goes.

    It is counted in steps of *size_s*, of which those up to *now_s* count on which something was learned.
    """
    row = connection.execute(
        "SELECT start_s FROM learned_step WHERE size_s = ? AND start_s <= ?"
        " ORDER BY start_s DESC LIMIT 1 OFFSET ?",
        (size_s, now_s, max(1, kept_s // size_s)),
    ).fetchone()
    return None if row is None else min(now_s - kept_s, int(row[0]) + size_s)


def kept_since_ns(connection: sqlite3.Connection, kept_ns: int, now_ns: int) -> int | None:
    """Return the time before which what is kept for so many days goes; None if nothing goes."""
    since_s = kept_since_s(connection, DAY_S, kept_ns // SECOND_NS, now_ns // SECOND_NS)
    return None if since_s is None else min(since_s * SECOND_NS, now_ns - kept_ns)
