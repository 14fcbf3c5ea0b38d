"""What the sensor says about itself: metrics while it runs, the ledger in its log (``--log-format json``)."""

import json
import re
from collections import Counter
from dataclasses import dataclass

from levo.ledger import OUTPUT, STAGES, Fate

_STAGES = {stage.name: stage for stage in STAGES}
_UNITS_LOST = re.compile(
    r'^levo_sensor_ledger_units_total\{stage="(\w+)",.*?state="(\w+)",fate="lost"\} (\d+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Losses:
    """The ledger of one or more finished runs of the sensor."""

    lost: tuple[str, ...]
    """One phrase for each state that lost something; empty when nothing was lost."""
    balanced: bool
    """Every stage accounts for all that it received; False also when no ledger was printed."""

    def __str__(self) -> str:
        if not self.balanced:
            return "the ledger does not balance"
        return f"lost {', '.join(self.lost)}" if self.lost else "nothing lost"


def read_metrics(page: str) -> Losses:
    """The ledger so far of a running sensor, from its /metrics. A balance is only struck at the end."""
    lost: Counter[tuple[str, str]] = Counter()
    for name, state, count in _UNITS_LOST.findall(page):
        stage = _STAGES.get(name, OUTPUT)
        lost[stage.unit, stage.state(state).text] += int(count)
    return Losses(_phrases(lost), balanced=True)


def read_losses(log: str) -> Losses:
    """Add up the ledgers in *log*."""
    lost: Counter[tuple[str, str]] = Counter()
    seen, balanced = False, True
    for entry in _entries(log):
        if entry.get("event") != "ledger" or "states" not in entry:
            continue
        seen = True
        balanced = balanced and bool(entry["balanced"])
        stage = _STAGES.get(str(entry["stage"]), OUTPUT)  # an output's entry carries the output's own name
        states = entry["states"]
        for name, count in states.items() if isinstance(states, dict) else ():
            state = stage.state(name)
            if state.fate is Fate.LOST:
                lost[stage.unit, state.text] += count
    return Losses(_phrases(lost), seen and balanced)


def _phrases(lost: Counter[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{count:,} {unit} ({text})" for (unit, text), count in lost.items() if count)


def _entries(log: str) -> list[dict[str, object]]:
    found = []
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a warning of an interpreter or a library
        if isinstance(entry, dict):
            found.append(entry)
    return found
