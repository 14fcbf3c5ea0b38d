# ruff: noqa: E402 - bench is put on the path first, for what bench/discovery imports
"""Templates and responses of eight public descriptions, learned from seeded traffic with bodies.

``python -m bench.comparison.held_out FOLDER [REQUESTS ...] [--words] [--only NAME ...] [--show]``. Path
parameters draw from pools, as in ``bench/discovery/traffic.py``; with ``--words``, strings without a declared
form are English words. Answers name what was asked for, as servers do. Templates are held against the
operations that succeeded. Responses of another seed are validated against the document, as they are and
mutated (``bench.learning.schemas``); one of an operation and status that was never learned from is not valid.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

from bench.comparison.corpus import FILES, read
from bench.comparison.traffic import Exchange, exchanges
from bench.learning.schemas import compare

from discovery.corpus import Operation, Parameter
from discovery.score import Score, called_operations, score
from discovery.traffic import KINDS, Pool, Request
from levo.satellite.learn import Detectors, LearnSettings, State, Trace, learn_all
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.openapi.comparison.description import Described
from levo.satellite.openapi.operation import anonymous

HELD_OUT = 2000
"""Exchanges of another seed that are held against the document."""
_BARE = frozenset({"id", "name", "key", "slug", "uuid", "guid", "code", "type"})


class Values:
    """Values of path parameters: one pool for each name, and for bare names each segment before."""

    def __init__(self, seed: int, *, words: bool) -> None:
        self._seed = seed
        self._kinds = ("word",) if words else tuple(kind for kind in KINDS if kind not in ("word", "name"))
        self._pools: dict[tuple[str, str], Pool] = {}

    def __call__(self, described: Described, name: str, schema: dict[str, Any]) -> str:
        """Return a value for the parameter *name* of *described*."""
        before = described.path.partition("{" + name + "}")[0].rstrip("/").rpartition("/")[2]
        key = (name.lower(), before if name.lower() in _BARE else "")
        pool = self._pools.get(key)
        if pool is None:
            kind = schema.get("type")
            kind = next((each for each in kind if each != "null"), "") if isinstance(kind, list) else kind
            listed = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
            parameter = Parameter(
                name, str(kind or "string"), str(schema.get("format", "")), tuple(map(str, listed))
            )
            rng = Random(f"{self._seed} {key}")
            pool = self._pools[key] = Pool(rng, parameter, self._kinds)
        return pool.draw()


def made(document: dict[str, Any], requests: int, seed: int, *, words: bool) -> Iterator[Exchange]:
    """Yield *requests* exchanges; pools are the same for every *seed*, as the things of one server are."""
    yield from exchanges(document, requests, seed, values=Values(1, words=words))


class Called:
    """The operations that succeeded in traffic that goes by: of an exchange, nothing else is kept."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], int] = {}
        self._operations: list[Operation] = []
        self._requests: list[Request] = []

    def noting(self, traffic: Iterable[Exchange]) -> Iterator[Trace]:
        """Yield the traces of *traffic*, and note what each called."""
        for described, trace in traffic:
            if 100 <= trace.status < 400:
                shape = (described.method, described.servers[0] + described.called)
                if shape not in self._keys:
                    self._keys[shape] = len(self._operations)
                    self._operations.append(Operation(*shape, ()))
                self._requests.append(Request(trace.method, trace.path, trace.status, self._keys[shape]))
            yield trace

    def score(self, state: State, *, show: bool) -> Score:
        """Return how well the templates of *state* match what was called."""
        found = [
            (each.method, tuple(anonymous(each.path.replace("+}", "}")).strip("/").split("/")))
            for each in operations_of(state)
        ]
        truth = called_operations(tuple(self._operations), self._requests)
        result, missed, invented = score(truth, found)
        if show:
            for each in missed:
                print("    missed  ", each.method, "/" + "/".join(each.segments), each.requests)
            for method, segments in invented:
                print("    invented", method, "/" + "/".join(segments))
        return result


def measure(
    document: dict[str, Any], requests: int, *, words: bool, show: bool = False
) -> tuple[Score, dict[str, float]]:
    """Return the figures of templates and of held-out responses after so many *requests*."""
    called, state = Called(), State()
    traces = called.noting(made(document, requests, 1, words=words))
    learn_all(state, traces, LearnSettings(Detectors(), b"key"))
    held_out = (trace for _, trace in made(document, HELD_OUT, 2, words=words))
    return called.score(state, show=show), compare((), held_out, 1, show, state=state)


def main() -> None:
    """Print the figures of each description."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("requests", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--words", action="store_true", help="ids are English words")
    parser.add_argument("--only", nargs="*", default=list(FILES), choices=list(FILES))
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    options = parser.parse_args()
    for count in options.requests:
        for name in options.only:
            found, figures = measure(
                read(options.folder, name), count, words=options.words, show=options.show
            )
            kinds = ("valid", "rejected type", "rejected unknown", "rejected removed")
            told = ", ".join(f"{kind} {100 * figures[kind]:.2f} %" for kind in kinds)
            print(
                f"{name:16} {count:6} requests: precision {found.precision:.3f}, recall {found.recall:.3f}, "
                f"F1 {found.f1:.3f}; responses {told}; not learned {figures['unlearned']:.0f} of "
                f"{figures['checked']:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
