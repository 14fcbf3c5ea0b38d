"""CPU time of learning: of a trace with all bodies, of a row that a commit touches, of whole commits.

Measures two checkouts in turns, each in processes of its own with the same deliveries, and prints the median
of the ratios of neighbors with the interval that holds it in 95 of 100 cases. Only what neither side can
help is outside of the figures: making the input, filling the catalog, starting Python.

    python -m bench.satellite.learner BEFORE AFTER [--rounds 9] [--traces 6000]

Both must be built. The interpreter of each is its ``.venv``'s, or this one if it has none.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEY = b"k" * 32
COMMITS, DELIVERIES = 12, 25
"""Commits onto the full catalog, and deliveries of each."""
ROUND_S = 0.7
"""CPU time that a figure is taken over, at least."""
FIGURES = {
    "trace": "µs per trace, learned with all bodies",
    "codec": "µs per touched row: decode, absorb, encode",
    "commit": "µs per touched row of a whole commit, deciding included",
}


def measure(path: Path) -> dict[str, float]:
    """Return each figure of the ``levo`` that is imported, in microseconds; *path* holds the deliveries."""
    from levo.satellite.learn import Detectors, LearnSettings, State
    from levo.satellite.learner import learn_record

    settings: Any = LearnSettings(Detectors(), KEY)
    if hasattr(settings, "names"):  # since names need a proof, which a Satellite asks for
        settings = settings._replace(names=_rule())
    records = _read(path)

    def learned(some: list[Any]) -> Any:
        state = State()
        for record in some:
            learn_record(state, record, settings)
        return state

    known = learned(records)  # and all caches are warm
    if hasattr(settings, "names"):
        proven = {
            application: {name for name, sightings in names.seen.items() if sightings.proven}
            for application, names in known.names.items()
        }
        settings = settings._replace(known_names=lambda application: proven.get(application, set()))
    parts = [records[start : start + DELIVERIES] for start in range(0, COMMITS * DELIVERIES, DELIVERIES)]
    deltas = [learned(part) for part in parts]
    found = {"trace": _per(known.traces, lambda: learned(records))}
    pack, unpack = _codec()
    rows = [
        (pack(known.endpoints[key].knowledge), facts.knowledge)
        for delta in deltas
        for key, facts in delta.endpoints.items()
    ]

    def absorb_rows() -> None:
        for octets, more in rows:
            row = unpack(octets)
            row.absorb(more)
            pack(row)

    found["codec"] = _per(len(rows), absorb_rows)
    found["commit"] = _commits(records, parts, settings) / len(rows) * 1e6
    found["rows"] = len(rows)
    found["octets"] = sum(len(octets) for octets, _ in rows) / len(rows)
    return found


def _rule() -> Any:
    from levo.satellite.learn import NameRule

    return NameRule()


def _read(path: Path) -> list[Any]:
    from levo.satellite.queue import Record, RecordKind

    records = []
    with path.open("rb") as file:
        while head := file.read(12):
            received_ns, size = struct.unpack("<QI", head)
            records.append(Record(RecordKind.TRACES, received_ns, "acme", file.read(size)))
    return records


def _per(number: int, run: Callable[[], object]) -> float:
    """Return the CPU time in microseconds of one of the *number* things that *run* does."""
    rounds = 0
    start = time.process_time()
    while (spent := time.process_time() - start) < ROUND_S:
        run()
        rounds += 1
    return spent / rounds / number * 1e6


def _codec() -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    from levo.satellite.store import endpoints

    try:
        from levo.satellite.learn.schema import pack_knowledge, unpack_knowledge
    except ImportError:  # before there were places
        return endpoints._encode, endpoints.unpack_knowledge  # type: ignore[attr-defined]
    return pack_knowledge, unpack_knowledge


class _Journal:
    """Gives a learner the deliveries that it is told to give."""

    def __init__(self) -> None:
        from levo.satellite.queue import Position

        self.position = Position(1, 0)
        self._next: list[Any] = []

    def give(self, records: list[Any]) -> None:
        self._next = records
        self.position = self.position._replace(offset=self.position.offset + 1)

    def read(self, _limit: int = 0) -> list[Any]:
        return self._next

    def statistics(self) -> Any:
        class Damage:
            torn_bytes = damaged_total = 0

        return Damage


def _commits(records: list[Any], parts: list[list[Any]], settings: Any) -> float:
    """Return the CPU time in seconds of committing *parts* to a catalog of *records*, by a real learner."""
    from levo.satellite.learner import Learner
    from levo.satellite.store import CatalogWriter

    spent = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite3"
        try:
            writer = CatalogWriter(
                path, key=KEY, **({"names": _rule()} if hasattr(settings, "names") else {})
            )
        except TypeError:  # when the paths were the learner's
            writer = CatalogWriter(path)
        with writer:
            journal: Any = _Journal()
            learner = Learner(journal, writer, settings=settings)
            learner._recent = None  # type: ignore[assignment]
            learner._recent = _Fresh()  # type: ignore[assignment]
            for second, part in enumerate([records, *parts]):
                journal.give(part)
                learner.step(second)
                start = time.process_time()
                learner.commit(second)
                spent += (time.process_time() - start) if second else 0.0
    return spent


class _Fresh:
    """Takes each delivery and each span for new: the same ones are learned from more than once."""

    fresh: tuple[bytes, ...] = ()

    def is_new_delivery(self, _identity: bytes) -> bool:
        return True

    def is_new(self, _trace: object) -> bool:
        return True

    def committed(self) -> None:
        pass


def write_deliveries(path: Path, traces: int) -> None:
    """Write the ordinary corpus of the tests, in its order."""
    from tests.satellite.corpora import Corpus

    with path.open("wb") as file:
        for record in Corpus(traces, 1, hard=False).records():
            file.write(struct.pack("<QI", record.received_ns, len(record.payload)) + record.payload)


def run(checkout: Path, deliveries: Path) -> dict[str, float]:
    """Return the figures of *checkout*, measured in a process of its own."""
    own = checkout / ".venv/bin/python"
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [str(own) if own.exists() else sys.executable, __file__, "--measure", str(deliveries)],
        cwd=checkout, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the ends of the interval that holds the true median in 95 of 100 cases (sign test)."""
    ordered = sorted(ratios)
    count = len(ordered)
    probability, cut, ways = 0.5**count, 0, 1
    tail = probability
    while cut + 1 <= (count - 1) // 2:
        ways = ways * (count - cut) // (cut + 1)
        if 2 * (tail + ways * probability) > 0.05:
            break
        tail += ways * probability
        cut += 1
    return ordered[cut], ordered[-1 - cut]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="*", metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--traces", type=int, default=6000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    if len(options.checkouts) != 2:
        parser.error("name two checkouts: before and after")
    before, after = (each.resolve() for each in options.checkouts)
    with tempfile.TemporaryDirectory() as folder:
        deliveries = Path(folder) / "deliveries"
        write_deliveries(deliveries, options.traces)
        pairs = []
        for number in range(options.rounds):
            order = (before, after) if number % 2 else (after, before)
            found = {each: run(each, deliveries) for each in order}
            pairs.append((found[before], found[after]))
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    print(f"{options.traces} traces, {COMMITS} commits of {DELIVERIES} deliveries, {options.rounds} rounds")
    for name, checkout, figures in (("before", before, pairs[0][0]), ("after", after, pairs[0][1])):
        print(f"{name}: {checkout}, {_revision(checkout)},"
              f" {figures['rows']:.0f} rows of {figures['octets']:.0f} octets")  # fmt: skip
    for figure, meaning in FIGURES.items():
        ratios = [after[figure] / before[figure] for before, after in pairs]
        low, high = interval(ratios)
        old, new = (statistics.median(pair[side][figure] for pair in pairs) for side in (0, 1))
        print(f"{meaning}: {old:.1f} -> {new:.1f}, ratio {statistics.median(ratios):.3f}"
              f" ({low:.3f} to {high:.3f})")  # fmt: skip


def _revision(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no commit"


if __name__ == "__main__":
    main()
