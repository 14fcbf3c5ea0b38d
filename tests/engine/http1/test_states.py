"""The table of HTTP/1's states: whole, reachable, and what the documentation shows."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path

from levo.engine.http1.states import events, states, transitions

ROOT = Path(__file__).resolve().parents[3]


def test_every_name_in_a_transition_is_declared():
    for state, event, target in transitions():
        assert {state, target} <= set(states())
        assert event in events()


def test_a_state_and_an_event_lead_to_one_state():
    assert max(Counter((state, event) for state, event, _ in transitions()).values()) == 1


def test_every_state_is_reached_from_the_start_and_leads_back():
    def reached(edges: set[tuple[str, str]]) -> set[str]:
        found = {"START"}
        while more := {target for state, target in edges if state in found} - found:
            found |= more
        return found

    edges = {(state, target) for state, _, target in transitions()}

    assert reached(edges) == set(states())
    assert reached({(target, state) for state, target in edges}) == set(states())


def test_every_event_moves_something():
    assert {event for _, event, _ in transitions()} == set(events())


def test_a_direction_can_be_left_in_every_state():
    assert {state for state, event, _ in transitions() if event == "LEFT"} == set(states())


def test_the_page_shows_the_table_of_the_code():
    made = runpy.run_path(str(ROOT / "docs" / "record" / "http1_states.py"))["page"]()

    assert (ROOT / "docs" / "http1.md").read_text(encoding="utf-8") == made, (
        "run: .venv/bin/python docs/record/http1_states.py"
    )
