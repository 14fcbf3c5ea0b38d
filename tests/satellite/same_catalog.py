"""Does the same traffic give the same catalog? Learns each corpus in many ways and compares what users get.

Compared octet for octet: the OpenAPI documents (3.0 and 3.1) and the list of endpoints with their counts. The
corpora: an ordinary one and a hard one, both made up; the traffic of ``levo demo``, recorded by the sensor;
recordings of other applications. Ends with status 1 if one corpus gave two catalogs, or reached a bound that
keeps something out. A last corpus is beyond the bounds on purpose: for it, the endpoints in common and the
bounds are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson

from levo.satellite.learn import BodyBudget, Detectors, LearnSettings, NameRule, State
from levo.satellite.learn.paths.state import PathState
from levo.satellite.learn.paths.statement import GivenOut
from levo.satellite.learn.schema import Knowledge, Node
from levo.satellite.learn.state import absorb
from levo.satellite.learner import learn_record
from levo.satellite.openapi import render_document
from levo.satellite.queue import Position, Record
from levo.satellite.store import DATABASE_NAME, CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.rotation import KEY_NAME
from tests.satellite.corpora import corpora, excessive
from tests.satellite.recorded import Recording, demo, prefect
from tests.satellite.running import RunningSatellite

KEY = b"k" * 32
NAMES = NameRule()
"""As a Satellite has it."""
CAPS = ("endpoint_limit_exchanges", "absent_limit_exchanges")
"""Counters of what was left out for lack of room."""
GIVEN_OUT, CROWDED = "values given out", "properties that are not proven"
"""The other bounds that are not a function of the set of exchanges (docs/decisions/0009)."""
SLOWER = 25
LEARNED_S = 1800.0
"""For learning all that was sent at full speed, on a busy machine."""


class Shown(NamedTuple):
    """What users get of a catalog."""

    documents: dict[str, bytes]
    endpoints: list[tuple[object, ...]]
    counters: dict[str, float]
    given_out: int
    """Values of responses that are remembered of a host, the greatest number."""
    crowded: bool
    """Whether an object had more unproven names than are kept apart."""

    @property
    def caps(self) -> list[str]:
        """Bounds that were reached and can make the order show."""
        reached = [name for name in CAPS if self.counters.get(name)]
        reached += [GIVEN_OUT] * (self.given_out >= GivenOut.MOST)
        return [*reached, CROWDED] if self.crowded else reached

    @property
    def names(self) -> set[tuple[object, ...]]:
        """The endpoints without their figures."""
        return {row[:6] for row in self.endpoints}

    def digest(self) -> str:
        octets = b"".join(v for _, v in sorted(self.documents.items())) + repr(self.endpoints).encode()
        return hashlib.sha256(octets).hexdigest()[:16]


def shown(path: Path) -> Shown:
    """Read the catalog at *path*."""
    reader = CatalogReader(path)
    documents = {}
    crowded = False
    for row in reader.applications()[1]:
        operations = reader.operations((row.organization, row.environment, row.application))
        crowded |= any(node.crowded for each in operations for node in nodes(each.knowledge))
        for version in ("3.0", "3.1"):
            document = render_document(row.application, operations, version=version)
            documents[f"{row.application} {version}"] = orjson.dumps(document)
    rows = list(reader.endpoints(EndpointFilter(), limit=100_000)[1])
    endpoints = sorted(
        (tuple(v for k, v in msgspec.structs.asdict(row).items() if k != "id") for row in rows), key=repr
    )
    counters = {name: value for name, value in reader.summary().counters.items() if value}
    reader.close()
    given_out = [0]
    with sqlite3.connect(path) as connection:
        for table in ("paths", "path_log"):
            for (octets,) in connection.execute(f"SELECT state FROM {table}"):
                given_out.append(len(PathState.from_bytes(octets, KEY).given_out.sorted()))
    return Shown(documents, endpoints, counters, max(given_out), crowded)


def nodes(known: Knowledge) -> Iterator[Node]:
    """Yield the nodes of the bodies of *known*."""
    for bodies in (known.bodies, *(each.bodies for each in known.responses.values())):
        for body in bodies.values():
            yield from body.schema.walk()


class Catalog:
    """A catalog on disk that states are committed to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "catalog.sqlite3"
        self._writer = CatalogWriter(self.path, key=KEY, names=NAMES)
        self.settings = LearnSettings(Detectors(), KEY, names=NAMES)
        (folder / KEY_NAME).write_bytes(KEY)
        self._commits = 0
        self._count()

    def sample(self) -> None:
        """Look into a part of the messages only, as a Satellite does."""
        self.settings = self.settings._replace(budget=BodyBudget())
        self._count()

    def _count(self) -> None:
        self.settings = self.settings._replace(known_names=self._writer.known_names)
        if self.settings.budget is not None:
            self.settings.budget.counted(self._writer.paths_of)

    def commit(self, state: State, *, decide: bool = True) -> None:
        self._commits += 1
        position = Position(1, self._commits)
        self._writer.commit(state, position, decide=None if decide else lambda pending, overrides: {})

    def restart(self) -> None:
        self._writer.close()
        self._writer = CatalogWriter(self.path, key=KEY, names=NAMES)
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


KEPT = ("--endpoint-retention=36500d", "--refused-retention=36500d")
"""The corpora have the times that they were made with: nothing in them is too old to be kept."""


def sent(records: Sequence[Record], *, seconds: float = 0.0, kills: int = 0) -> tuple[Shown, float]:
    """Send *records* to a real Satellite within *seconds* or more, ended by SIGKILL *kills* times on the way.

    Return the catalog and how long sending took.
    """
    parts = [records[at * len(records) // (kills + 1) :] for at in range(kills + 1)]
    parts = [part[: len(part) - len(after)] for part, after in zip(parts, [*parts[1:], ()], strict=True)]
    start = time.monotonic()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        (data_dir / KEY_NAME).write_bytes(KEY)
        for number, part in enumerate(parts):
            with RunningSatellite(data_dir, *KEPT, proof=True) as satellite:
                for record in part:
                    answer = satellite.post(
                        "/v1/traces",
                        record.payload,
                        content_type="application/x-protobuf",
                        x_levo_organization_id=record.organization,
                    )
                    if answer.status != 200:
                        raise AssertionError(f"answered {answer.status}")
                    done += 1
                    time.sleep(max(0.0, start + seconds * done / len(records) - time.monotonic()))
                took = time.monotonic() - start
                if number < kills:
                    satellite.kill()
                else:
                    satellite.until_idle(LEARNED_S)
                    if satellite.terminate() != 0:
                        raise AssertionError(satellite.errors)
        return shown(data_dir / DATABASE_NAME), took


def in_satellites(records: Sequence[Record]) -> Iterator[tuple[str, Shown]]:
    """Learn with sampled messages, as Satellites do: in their processes and as in them."""
    yield "sampled, everything at once", learn(records, in_commits(0, sample=True))
    yield "sampled, 1 a commit, restarts", learn(records, in_commits(1, restart_every=40, sample=True))
    fast, took = sent(records)
    yield f"Satellite, full speed ({took:.1f} s)", fast
    killed, _ = sent(records, kills=4)
    yield "Satellite, killed four times", killed
    slow, took = sent(records, seconds=took * SLOWER)
    yield f"Satellite, 1/{SLOWER} of it ({took:.1f} s)", slow


def in_process(records: Sequence[Record]) -> Iterator[tuple[str, Shown]]:
    """Learn from all messages."""
    for how, way in ways(long=True).items():
        yield how, learn(records, way)


def compare(name: str, found: Iterable[tuple[str, Shown]], *, capped: bool = False) -> bool:
    """Print a line for each catalog; return whether they are one within the bounds, or *capped*."""
    first: Shown | None = None
    digests: Counter[str] = Counter()
    caps: set[str] = set()
    for how, each in found:
        first = first or each
        digests[each.digest()] += 1
        caps.update(each.caps)
        common = len(first.names & each.names)
        print(
            f"{name}: {how}: {len(each.endpoints)} endpoints, {common} in common, {each.digest()},"
            f" bounds reached: {', '.join(each.caps) or 'none'}",
            flush=True,
        )
    print(f"{name}: {digests.total()} learnings, {len(digests)} distinct\n", flush=True)
    return capped or (len(digests) == 1 and not caps)


def main() -> int:
    """Compare all that the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.satellite.same_catalog",
        description=(__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("traces", type=int, nargs="?", default=12_000, help="of each corpus (%(default)s)")
    parser.add_argument(
        "--recording", type=Path, action="append", default=[], metavar="FILE",
        help="of python -m tests.satellite.recorded, all of it; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--prefect", type=Path, metavar="VENV", help="record a Prefect server now, which VENV holds (root)"
    )
    parser.add_argument("--only", metavar="NAME", help="only the corpus of this name")
    parser.add_argument("--no-satellite", action="store_true", help="leave out the real Satellites")
    options = parser.parse_args()
    found: dict[str, Callable[[], list[Record]]] = {
        name: corpus.records for name, corpus in corpora(options.traces)
    }
    found["demo"] = lambda: demo(options.traces).records()
    for path in options.recording:
        found[path.stem] = Recording.read(path).records
    if options.prefect:
        found["Prefect"] = lambda: prefect(options.prefect).records()
    same = True
    for name, records_of in found.items():
        if options.only in (None, name):
            records = records_of()
            same &= compare(name, in_process(records))
            if not options.no_satellite:
                same &= compare(name, in_satellites(records))
    if options.only in (None, "excessive"):
        records = excessive(max(options.traces, 12_000)).records()
        compare("excessive", in_process(records), capped=True)
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
