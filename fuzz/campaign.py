"""Runs the targets one after the other, and says what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuzz.build import BIN, BUILD, TARGETS, build
from fuzz.seeds import write_dictionary, write_seeds

DEFAULT_SECONDS = 600.0
LONGEST = 4_096
"""Octets of one input."""
CONVERSATIONS = {
    "tcp",
    "networks",
    "hops",
    "clocks",
    "cut",
    "fastcgi",
    "http1",
    "http2",
    "proxy",
    "websocket",
    "tls",
    "sealed",
}
LONGEST_CONVERSATION = 640
"""Octets of a conversation: short ones go through the engine several times as fast."""
EXECUTIONS = {
    "frame": 1_000_000,
    "tcp": 200_000,
    "networks": 250_000,
    "hops": 150_000,
    "clocks": 150_000,
    "cut": 150_000,
    "http1": 200_000,
    "fastcgi": 200_000,
    "http2": 150_000,
    "proxy": 200_000,
    "hpack": 800_000,
    "websocket": 120_000,
    "tls": 120_000,
    "sealed": 40_000,
    "coding": 700_000,
    "encode": 120_000,
    "redact": 300_000,
    "secrets": 60_000,
    "capture": 200_000,
    "spans": 120_000,
    "observe": 40_000,
    "stored": 40_000,
}
"""By target, what ``make test-long`` runs: five million together, most where one takes least."""
LIMITS = (
    "-timeout=10",
    "-rss_limit_mb=2048",
    "-malloc_limit_mb=512",
    "-len_control=50",
    "-entropic=0",
    "-detect_leaks=0",
)
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=0"
    ":malloc_context_size=8:quarantine_size_mb=16"
    # Where the thread-local storage of a loaded library ends is guessed from the octets in front of it; a
    # wrong guess is the end of LeakSanitizer ("Tracer caught signal 11", LLVM 14). Nothing of ours hangs on
    # such storage.
    ":intercept_tls_get_addr=0",
    "LSAN_OPTIONS": f"suppressions={Path(__file__).with_name('leaks.txt')}:print_suppressions=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "PYTHONMALLOC": "malloc",
}
"""Every Python object in a block of its own, so that the sanitizer sees what the interpreter holds."""

KINDS = ("crash-", "leak-", "timeout-", "oom-")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target did."""

    target: str
    executions: int
    seconds: float
    edges: int
    """Edges of the control flow that were reached, the harness included."""
    findings: tuple[Path, ...]
    """Inputs that broke an invariant."""
    status: int

    @property
    def failed(self) -> bool:
        return bool(self.findings) or self.status != 0

    def __str__(self) -> str:
        rate = self.executions / self.seconds if self.seconds else 0
        text = f"{self.target:<10} {self.executions:>12,} {rate:>10,.0f} {self.edges:>8,}  "
        if not self.failed:
            return text + "none"
        return text + (", ".join(str(path) for path in self.findings) or f"ended with status {self.status}")


HEADING = f"{'target':<10} {'executions':>12} {'a second':>10} {'edges':>8}  findings"


def run_target(target: str, seconds: float, *, executions: int = 0) -> Outcome:
    """Run one target for *seconds*, or *executions* where that is less; the tree is built.

    What it learns stays in ``build/fuzz/corpus``, its output in ``build/fuzz/NAME.log``, findings in
    ``build/fuzz/findings``.
    """
    corpus, seeds, found = BUILD / "corpus" / target, BUILD / "seeds" / target, BUILD / "findings" / target
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    write_seeds(seeds, target)
    dictionary = BUILD / f"{target}.dict"
    longest = LONGEST_CONVERSATION if target in CONVERSATIONS else LONGEST
    command = [str(BIN / target), f"-max_total_time={max(1, round(seconds))}", f"-max_len={longest}", *LIMITS]
    command += [f"-artifact_prefix={found}/", "-print_final_stats=1"]
    if executions:
        command.append(f"-runs={executions}")
    if write_dictionary(dictionary, target):
        command.append(f"-dict={dictionary}")
    before = set(findings(found))
    started = time.monotonic()
    log = BUILD / f"{target}.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [*command, str(corpus), str(seeds)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | SANITIZERS,
            check=False,
        )
    seconds = time.monotonic() - started
    ran, edges = read_log(log.read_text("utf-8", "replace"))
    return Outcome(
        target, ran, seconds, edges, tuple(p for p in findings(found) if p not in before), done.returncode
    )


def findings(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith(KINDS))


def read_log(text: str) -> tuple[int, int]:
    """(executions, edges reached) as libFuzzer's output last says."""
    numbers = re.findall(r"^(?:#(\d+)\s|stat::number_of_executed_units:\s+(\d+))", text, re.MULTILINE)
    edges = re.findall(r"\bcov: (\d+)", text)
    return max((int(a or b) for a, b in numbers), default=0), int(edges[-1]) if edges else 0


def chosen(names: str) -> Sequence[str]:
    """The targets of *names*; all when empty. Raises SystemExit for a name that is none."""
    wanted = names.split() or list(TARGETS)
    for name in wanted:
        if name not in TARGETS:
            raise SystemExit(f"fuzz: no target {name!r}; there are {', '.join(TARGETS)}")
    return wanted


def main(environment: Mapping[str, str]) -> int:
    """Build, run, print a table. 1 when something was found."""
    text = environment.get("FUZZ_SECONDS", "")
    try:
        seconds = float(text or DEFAULT_SECONDS)
    except ValueError:
        raise SystemExit(f"fuzz: FUZZ_SECONDS is not a number: {text!r}") from None
    targets = chosen(environment.get("FUZZ_TARGETS", ""))
    print("fuzz: building the instrumented modules", flush=True)
    build()
    print(HEADING, flush=True)
    outcomes = []
    for target in targets:
        outcomes.append(run_target(target, seconds / len(targets)))
        print(outcomes[-1], flush=True)
    total = sum(outcome.executions for outcome in outcomes)
    failed = [outcome.target for outcome in outcomes if outcome.failed]
    print(f"fuzz: {total:,} executions, " + (f"findings in {', '.join(failed)}" if failed else "no finding"))
    if failed:
        print(f"fuzz: reports are in {BUILD}/NAME.log; {BIN}/NAME FILE runs one input again")
    return 1 if failed else 0
