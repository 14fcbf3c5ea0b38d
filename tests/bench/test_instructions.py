"""Instructions per exchange stay within the committed budget.

Instruction counts hardly depend on what else the machine does, so a change of some percent is a change of the
program. The budget is in ``instructions.json``; after work on a hot path, or with another compiler, measure
again: ``PYTHONPATH=src:. python -m tests.bench.test_instructions``.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import inputs

BUDGET = Path(__file__).with_name("instructions.json")
ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 2000, 6000
"""Several batches of 512 each. The first exchanges take their memory from what imports left of the heap, so
one more module, nowhere near them, changed their cost by 2 %; later ones take what earlier ones gave back."""
ALLOWED = 1.02
"""Two runs of the same program differ by less than 0.1 %; a regression of some percent must not hide."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the budget is for x86-64"),
]


def instructions(path: Path, mode: str, rate: float) -> int:
    """Instructions of a whole process that reads *path*."""
    reader = [sys.executable, "-c", _READ, str(ROOT), str(ROOT / "src"), str(path), mode, str(rate)]
    counter = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=2"]
    environment = {"PYTHONHASHSEED": "0"}
    # Once without counting: modules that changed are compiled, which is no cost of an exchange.
    subprocess.run(reader, check=True, env=environment)
    done = subprocess.run([*counter, *reader], check=True, capture_output=True, text=True, env=environment)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found, done.stderr[-500:]
    return int(found[1])


_READ = (
    "import sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; from bench.offline import read; "
    "read(Path(sys.argv[3]), sys.argv[4], float(sys.argv[5]))"
)


def per_exchange(folder: Path, mode: str, rate: float) -> float:
    """What one more exchange costs: start-up, imports and table set-up cancel out."""
    counts = [
        instructions(inputs.http1(folder / f"{count}.pcap", exchanges=count), mode, rate)
        for count in (FEW, MANY)
    ]
    return (counts[1] - counts[0]) / (MANY - FEW)


CASES = {"otlp": ("otlp", 0.0), "frames to exchanges": ("null", 0.0)}


@pytest.mark.parametrize("case", CASES)
def test_an_exchange_costs_no_more_instructions_than_its_budget(case: str, tmp_path: Path):
    budget = json.loads(BUDGET.read_text())[case]

    cost = per_exchange(tmp_path, *CASES[case])

    assert cost <= budget * ALLOWED, f"{cost:,.0f} instructions per exchange, the budget is {budget:,}"
    # A budget far above the cost would not notice the next regression.
    assert cost >= budget * 0.6, f"{cost:,.0f} instructions per exchange: lower the budget of {budget:,}"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        measured = {name: round(per_exchange(Path(made), *case)) for name, case in CASES.items()}
    BUDGET.write_text(json.dumps(measured, indent=1) + "\n")
    print(measured)
