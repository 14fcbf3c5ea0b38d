"""Places to templates."""

from __future__ import annotations

import pytest

from levo.satellite.learn.decisions import TemplateDecision, decide_templates, undecided
from levo.satellite.learn.paths.state import PathState


def test_every_place_of_a_template_is_assigned_to_it() -> None:
    paths = PathState()
    places = {paths.observe("GET", f"/users/{number}", 200) for number in range(20)}
    decision = decide_templates(paths)

    assigned = {decision.assign(place, "GET", paths) for place in places if place}
    assert {found.template for found in assigned if found} == {"/users/{}"}
    assert decision.assign("/never/seen", "GET", paths) is None


def test_a_new_place_is_its_own_template_for_a_while() -> None:
    assert undecided("/a/{integer}", "GET").template == "/a/{}"


NAMES = ("anna", "bertram", "cyrano", "dagobert", "eulalia", "fridolin", "gwendolin", "hildebert")


@pytest.fixture(scope="module")
def named() -> tuple[TemplateDecision, PathState]:
    """Names that are kept apart, and words beside and below them of which nothing but the hash is told."""
    paths = PathState()
    for name in NAMES:
        paths.observe("GET", f"/users/{name}", 200)
        for word in ("orders", "frobnications"):
            paths.observe("GET", f"/users/{name}/{word}", 200)
    paths.observe("POST", "/users/quuxify", 200)
    for number in range(9):
        paths.observe("GET", f"/numbers/{number}", 200)
        paths.observe("GET", f"/numbers/{number}/orders", 200)
    return decide_templates(paths), paths


@pytest.mark.parametrize(
    ("place", "template"),
    [
        ("/users/zebulon", "/users/{}"),
        ("/users/{integer}", "/users/{}"),
        ("/users/admin", "/users/{}"),
        ("/numbers/zebulon", "/numbers/{}"),
        ("/users/zebulon/orders", "/users/{}/orders"),
        ("/users/zebulon/frobnications", "/users/{}/frobnications"),
        ("/users/quuxify/orders", "/users/{}/orders"),
    ],
)
def test_a_refused_value_that_never_succeeded_belongs_to_the_template_that_it_fits(
    named: tuple[TemplateDecision, PathState], place: str, template: str
) -> None:
    decision, paths = named

    assert not paths.locate(place).there
    for each in (place, paths.locate(place).key):  # as it is asked for, and as it is kept
        found = decision.assign(each, "GET", paths)
        assert found is not None and found.template == template


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("DELETE", "/users/zebulon"),
        ("GET", "/users/zebulon/secrets"),
        ("GET", "/members/zebulon"),
        ("GET", "/users/zebulon/orders/zebulon"),
        ("DELETE", "/users/quuxify"),
        ("GET", "/numbers/admin"),
        ("GET", "/numbers/admin/orders"),
    ],
)
def test_what_was_refused_makes_no_endpoint(
    named: tuple[TemplateDecision, PathState], method: str, place: str
) -> None:
    decision, paths = named

    assert decision.assign(place, method, paths) is None
