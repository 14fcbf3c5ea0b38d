"""What the sensor says about itself: one JSON object a line on its standard error (``--log-format json``)."""

import json
from dataclasses import dataclass

from levo.ledger import OUTPUT, STAGES, Fate


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


def is_capturing(log: str) -> bool:
    """Whether the sensor has opened its interfaces."""
    return any("capturing on" in str(entry.get("message")) for entry in _entries(log))


def read_losses(log: str) -> Losses:
    """Add up the ledgers in *log*."""
    stages = {stage.name: stage for stage in STAGES}
    lost: dict[tuple[str, str], int] = {}
    seen, balanced = False, True
    for entry in _entries(log):
        if entry.get("event") != "ledger" or "states" not in entry:
            continue
        seen = True
        balanced = balanced and bool(entry["balanced"])
        stage = stages.get(str(entry["stage"]), OUTPUT)  # an output's entry carries the output's own name
        states = entry["states"]
        for name, count in states.items() if isinstance(states, dict) else ():
            state = stage.state(name)
            if state.fate is Fate.LOST and count:
                key = (stage.unit, state.text)
                lost[key] = lost.get(key, 0) + count
    phrases = tuple(f"{count:,} {unit} ({text})" for (unit, text), count in lost.items())
    return Losses(phrases, seen and balanced)


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
