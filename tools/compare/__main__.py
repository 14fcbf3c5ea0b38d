"""``tools/compare-commits OLD NEW``: two commits get the same traffic; must they answer the same?

A commit may be ``.``, the working tree as it is built. The traffic: all captures and HAR files of
``../shared/captures`` (or ``LEVO_CAPTURES``), of ``cases`` beside it and of ``tests/cases``, and what
``traffic.py`` generates by seed.

Parts:
    jsonl      ``apidump --read … --output jsonl``, masked and with ``--no-redact``, octet for octet
    otlp       what the same run sends to a collector, each span octet for octet
    ledger     exit status and the last report of both runs: ports, TLS endpoints, every counter
    openapi    ``levo learn`` in both versions; ``/api/openapi`` of a Satellite
    endpoints  ``/api/endpoints`` and each endpoint
    rest       every other GET route that the Satellite describes in ``/api``

Only outside interfaces are used, so modules may move. Both Satellites learn what the sensor of OLD sent. What
is meant to differ stands in ``exceptions.py``. All answers stay in ``build/compare/answers``.

Exit status: 0 when nothing differs but exceptions, 1 when something does, 2 when it cannot be compared.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.compare.commits import Tree, tree_of
from tools.compare.differences import Comparison, Difference, compare_folders
from tools.compare.exceptions import EXEMPT, PARTS, RENAMED, Exempt, Renamed
from tools.compare.inputs import Input, all_inputs
from tools.compare.satellite import ask_all, deliveries_of
from tools.compare.sensor import collect

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/compare"
_OF_SATELLITE = frozenset({"openapi", "endpoints", "rest"})
_OF_SENSOR = frozenset({"jsonl", "otlp", "ledger"})


def compare(
    trees: Sequence[Tree],
    inputs: Sequence[Input],
    parts: Sequence[str],
    answers: Path,
    *,
    exempt: Sequence[Exempt] = EXEMPT,
    renamed: Sequence[Renamed] = RENAMED,
) -> Comparison:
    """Run both trees, the old one first, over *inputs*; compare the answers, which go to *answers*."""
    shutil.rmtree(answers, ignore_errors=True)
    old, new = answers / "old", answers / "new"
    sides = list(zip(trees, (old, new), strict=True))
    wanted = set(parts)
    # The deliveries of the old sensor are needed for the Satellites, whatever else is.
    observing = 2 if wanted & _OF_SENSOR or "openapi" in wanted else 1
    _both(
        lambda tree, folder: collect(tree, inputs, folder, learns="openapi" in wanted),
        sides[:observing],
    )
    if wanted & _OF_SATELLITE:
        deliveries = deliveries_of(inputs, old / "sent")
        _both(lambda tree, folder: ask_all(tree, deliveries, folder), sides)
    return compare_folders(old, new, parts, exempt, renamed)


def _both(work: Callable[[Tree, Path], None], sides: list[tuple[Tree, Path]]) -> None:
    with ThreadPoolExecutor(len(sides)) as pool:
        for each in [pool.submit(work, tree, folder) for tree, folder in sides]:
            each.result()


def report(result: Comparison, inputs: Sequence[Input], most: int) -> str:
    """Return the result for people: differences by kind, exceptions that were used, counts."""
    kinds: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for found in result.found:
        kinds[found.part, found.kind].append(found)
    lines = []
    for (part, kind), alike in list(kinds.items())[:most]:
        answers = len({each.name for each in alike})
        lines += [f"{part}: {kind}: {len(alike)} in {answers} answers, the first:", f"    {alike[0].text}"]
    if len(kinds) > most:
        lines.append(f"… and {len(kinds) - most} more kinds; --most shows more")
    for each in EXEMPT:
        count = result.exempt.get(each, 0)
        lines.append(f"exception {each.part} {each.pattern!r}: {count} differences ({each.reason})")
    lines += [f"renamed {each.part} {each.old!r} to {each.new!r} ({each.reason})" for each in RENAMED]
    corpora = Counter(each.corpus for each in inputs)
    lines.append("inputs: " + ", ".join(f"{count} {name}" for name, count in corpora.items()))
    differing = Counter(part for part, _ in {(each.part, each.name) for each in result.found})
    lines += [
        f"{part}: {count} answers compared, {differing[part]} differ"
        for part, count in result.compared.items()
    ]
    return "\n".join(lines)


def _amount(answers: Path) -> str:
    """Say how much there was to compare: equal answers prove nothing where nothing was read."""
    exchanges = sum(path.read_bytes().count(b"\n") for path in (answers / "jsonl").rglob("*.plain"))
    ends = [json.loads(path.read_bytes())["status"] for path in (answers / "ledger").rglob("*.plain")]
    return f"{exchanges} exchanges in {ends.count(0)} captures, {len(ends) - ends.count(0)} not readable"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/compare-commits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; repeatable")
    parser.add_argument("--inputs", default="", metavar="TEXT", help="only inputs whose name contains it")
    parser.add_argument("--seeds", type=int, default=6, help="of generated traffic (default 6)")
    parser.add_argument("--most", type=int, default=40, help="kinds of differences shown (default 40)")
    given = parser.parse_args()
    started = time.monotonic()
    try:
        trees = [tree_of(ROOT, BUILD, commit) for commit in (given.old, given.new)]
        inputs = [each for each in all_inputs(ROOT, BUILD, given.seeds) if given.inputs in each.name]
        result = compare(trees, inputs, given.only or PARTS, BUILD / "answers")
    except (LookupError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"compare-commits: {error}", file=sys.stderr)
        return 2
    print(f"old: {trees[0].name}; new: {trees[1].name}")
    print(report(result, inputs, given.most))
    print(f"{_amount(BUILD / 'answers/old')}; {time.monotonic() - started:.0f} s")
    if not result.compared:
        print("compare-commits: there was nothing to compare", file=sys.stderr)
        return 2
    return 1 if result.found else 0


if __name__ == "__main__":
    sys.exit(main())
