"""Places to templates."""

from __future__ import annotations

from levo.satellite.learn.decisions import decide_templates, undecided
from levo.satellite.learn.paths.state import PathState


def test_every_place_of_a_template_is_assigned_to_it() -> None:
    paths = PathState()
    places = {paths.observe("GET", f"/users/{number}", 200) for number in range(20)}
    decision = decide_templates(paths)

    assigned = {decision.assign(place, paths) for place in places if place}
    assert {found.template for found in assigned if found} == {"/users/{}"}
    assert decision.assign("/never/seen", None) is None


def test_a_new_place_is_its_own_template_for_a_while() -> None:
    assert undecided("/a/{integer}", "GET").template == "/a/{}"
