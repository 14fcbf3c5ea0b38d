"""Does the same traffic give the same catalog? ``python -m tests.satellite.same_catalog [TRACES]``.

Learns each corpus in many ways and compares, octet for octet, the OpenAPI documents and the list of endpoints
with their counts. Ends with status 1 if any differ.
"""

from __future__ import annotations

import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson

from levo.satellite.learn import BodyBudget, Detectors, LearnSettings, State
from levo.satellite.learn.state import absorb
from levo.satellite.learner import learn_record
from levo.satellite.openapi import render_document
from levo.satellite.queue import Position, Record
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from tests.satellite.corpora import corpora

KEY = b"k" * 32
CAPS = ("endpoint_limit_exchanges", "absent_limit_exchanges")
"""Counters of what was left out for lack of room."""


class Shown(NamedTuple):
    """What users get of a catalog."""

    documents: dict[str, bytes]
    endpoints: list[tuple[object, ...]]
    counters: dict[str, float]

    def digest(self) -> str:
        octets = b"".join(v for _, v in sorted(self.documents.items())) + repr(self.endpoints).encode()
        return hashlib.sha256(octets).hexdigest()[:16]


def shown(path: Path) -> Shown:
    """Read the catalog at *path*."""
    reader = CatalogReader(path)
    documents = {}
    for row in reader.applications()[1]:
        operations = reader.operations((row.organization, row.environment, row.application))
        for version in ("3.0", "3.1"):
            document = render_document(row.application, operations, version=version)
            documents[f"{row.application} {version}"] = orjson.dumps(document)
    rows = list(reader.endpoints(EndpointFilter(), limit=100_000)[1])
    endpoints = sorted(
        (tuple(v for k, v in msgspec.structs.asdict(row).items() if k != "id") for row in rows), key=repr
    )
    counters = {name: value for name, value in reader.summary().counters.items() if value}
    reader.close()
    return Shown(documents, endpoints, counters)


class Catalog:
    """A catalog on disk that states are committed to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "catalog.sqlite3"
        self._writer = CatalogWriter(self.path, key=KEY)
        self.settings = LearnSettings(Detectors(), KEY)
        self._commits = 0

    def sample(self) -> None:
        """Look into a part of the messages only, as a Satellite does."""
        self.settings = self.settings._replace(budget=BodyBudget())
        self._count()

    def _count(self) -> None:
        if self.settings.budget is not None:
            self.settings.budget.counted(self._writer.paths)

    def commit(self, state: State, *, decide: bool = True) -> None:
        self._commits += 1
        position = Position(1, self._commits)
        self._writer.commit(state, position, decide=None if decide else lambda pending, overrides: {})

    def restart(self) -> None:
        self._writer.close()
        self._writer = CatalogWriter(self.path, key=KEY)
        self._count()

    def finish(self) -> Shown:
        self.commit(State())
        self._writer.close()
        return shown(self.path)


def learned(records: Iterable[Record], settings: LearnSettings) -> State:
    state = State()
    for record in records:
        learn_record(state, record, settings)
    return state


def in_commits(
    size: int, *, restart_every: int = 0, decide_every: int = 1, sample: bool = False
) -> Callable[[Catalog, Sequence[Record]], None]:
    """Learn in order, *size* deliveries a commit; 0 is everything in one."""

    def run(catalog: Catalog, records: Sequence[Record]) -> None:
        if sample:
            catalog.sample()
        for number, at in enumerate(range(0, len(records), size or len(records)), start=1):
            state = learned(records[at : at + (size or len(records))], catalog.settings)
            catalog.commit(state, decide=number % decide_every == 0)
            if restart_every and number % restart_every == 0:
                catalog.restart()

    return run


def shuffled(seed: int, size: int) -> Callable[[Catalog, Sequence[Record]], None]:
    def run(catalog: Catalog, records: Sequence[Record]) -> None:
        mixed = list(records)
        random.Random(seed).shuffle(mixed)
        in_commits(size)(catalog, mixed)

    return run


def merged(seed: int, parts: int = 8) -> Callable[[Catalog, Sequence[Record]], None]:
    """Learn *parts* of the deliveries apart from each other, merge in random order, commit once."""

    def run(catalog: Catalog, records: Sequence[Record]) -> None:
        rng = random.Random(seed)
        mixed = list(records)
        rng.shuffle(mixed)
        states = [learned(mixed[at::parts], catalog.settings) for at in range(parts)]
        while len(states) > 1:
            one, other = (states.pop(rng.randrange(len(states))) for _ in range(2))
            states.append(absorb(one, other))
        catalog.commit(states[0])

    return run


Way = Callable[[Catalog, Sequence[Record]], None]


def ways(long: bool) -> dict[str, Way]:
    """Return the ways to learn the same, by name. The first is what the others are compared with."""
    found: dict[str, Way] = {
        "everything at once": in_commits(0),
        "50 a commit": in_commits(50, decide_every=3),
        "7 a commit, restarts": in_commits(7, restart_every=4),
        "shuffled, 25 a commit": shuffled(1, 25),
        "8 parts merged": merged(2),
    }
    if long:
        found |= {
            "1 a commit": in_commits(1),
            "1 a commit, restarts": in_commits(1, restart_every=10),
            "500 a commit": in_commits(500),
            "shuffled again": shuffled(3, 60),
            "shuffled, all at once": shuffled(4, 0),
            "8 parts merged otherwise": merged(5),
        }
    return found


def learn(records: Sequence[Record], way: Way) -> Shown:
    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog(Path(folder))
        way(catalog, records)
        return catalog.finish()


def main(traces: int) -> int:
    """Compare, and print a line for each way."""
    different = 0
    for name, corpus in corpora(traces):
        records = corpus.records()
        expected: Shown | None = None
        for how, way in ways(long=True).items():
            start = time.process_time()
            found = learn(records, way)
            took = time.process_time() - start
            expected = expected or found
            same = found[:2] == expected[:2]
            different += not same
            caps = [cap for cap in CAPS if found.counters.get(cap)]
            print(
                f"{name}: {how}: {len(found.endpoints)} endpoints, {found.digest()},"
                f" {'same' if same else 'DIFFERENT'}, caps {caps or 'none'},"
                f" {took / traces * 1e6:.0f} us a trace",
                flush=True,
            )
        first, second = (learn(records, in_commits(size, sample=True)) for size in (1, 100))
        same = first[:2] == second[:2]
        different += not same
        print(f"{name}: sampled messages, 1 and 100 a commit: {'same' if same else 'DIFFERENT'}", flush=True)
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 12_000))
