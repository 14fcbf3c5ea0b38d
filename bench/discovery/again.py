# ruff: noqa: E402 - bench and the src of the checkout are put on the path first
"""Learn once more what a driver of a real server kept (``BENCH_KEEP``), with any checkout, and score it.

Usage: ``python bench/discovery/again.py FOLDER [CHECKOUT]``. The same traffic before and after a change tells
what the change did; a driver's own runs differ by more than that. The checkout must be built, for the Python
that runs this.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_FOLDER = Path(sys.argv[1])
_CHECKOUT = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parents[1]), str(_CHECKOUT / "src")]

import levo.satellite.learn  # from the checkout, before anything else puts another one on the path
from discovery.corpus import Operation
from discovery.real import CALLS_NAME, compare
from discovery.watch import EXCHANGES_NAME
from levo.cli.learn import read_file


def main() -> None:
    """Read, learn, score."""
    assert Path(levo.satellite.learn.__file__).is_relative_to(_CHECKOUT.resolve())
    kept = json.loads((_FOLDER / CALLS_NAME).read_text())
    compare(
        kept["name"],
        tuple(Operation(method, template, ()) for method, template in kept["operations"]),
        [(method, path, status) for method, path, status in kept["calls"]],
        frozenset(kept["catch_all"]),
        list(read_file(_FOLDER / EXCHANGES_NAME)),
    )


if __name__ == "__main__":
    main()
