"""Hand-over between receivers and learners.

What :meth:`~levo.satellite.queue.journal.Journal.append` has confirmed survives a crash. In process that is
an append-only journal on disk; a broker can take its place behind the same verbs: append, read, release.
"""

from __future__ import annotations

from levo.satellite.queue.journal import Journal, JournalFull, JournalStatistics, JournalUnavailable
from levo.satellite.queue.reader import JournalReader, ReadStatistics
from levo.satellite.queue.record import Position, Record, RecordKind

__all__ = [
    "Journal",
    "JournalFull",
    "JournalReader",
    "JournalStatistics",
    "JournalUnavailable",
    "Position",
    "ReadStatistics",
    "Record",
    "RecordKind",
]
