"""Writes docs/http1.md from the state machine in the code: ``python docs/record/http1_states.py``."""

from __future__ import annotations

from pathlib import Path

from levo.engine.http1.states import events, states, transitions

PAGE = Path(__file__).resolve().parents[1] / "http1.md"

INTRODUCTION = """# How HTTP/1 is read

<!-- Made by docs/record/http1_states.py from src/levo/engine/http1/states.h. -->

Each direction of a connection is a state machine over the octets that TCP delivers in order (RFC 9112). A
hole inside a body of known length is counted and framing goes on; anywhere else the message that it hit is
reported with what was captured, and the direction looks for the next message that it can believe.
"""


def page() -> str:
    """Return the whole page."""
    lines = [INTRODUCTION, "```mermaid", "stateDiagram-v2", "    [*] --> START"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, event, target in transitions():
        if event != "LEFT":
            arrows.setdefault((state, target), []).append(event)
    lines += [f"    {state} --> {target}: {', '.join(names)}" for (state, target), names in arrows.items()]
    lines += ["```", "", "`LEFT` leads from every state to `START` and is left out of the picture.", ""]
    lines += ["| state | what is read |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in states().items()]
    lines += ["", "| event | what happened |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in events().items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
