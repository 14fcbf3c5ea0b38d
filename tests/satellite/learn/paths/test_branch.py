"""The tree that a decision leaves."""

from __future__ import annotations

from levo.satellite.learn.paths.branch import Affix, Branch, Reason
from levo.satellite.learn.paths.decide import decide
from tests.satellite.learn.paths.trees import branches, learned

REQUESTS = ("GET /users/1", "GET /users/2/orders", "GET /users/me", "PUT /jobs/7:cancel", "GET /a.json")


def test_branches_share_nothing_that_can_change() -> None:
    one, other = Branch((), []), Branch((), [])
    one.literals["a"] = one.parameters[Affix("", "")] = other
    one.kinds["text"] = 1

    assert (other.literals, other.parameters, other.kinds) == ({}, {}, {})


def test_a_pattern_grows_by_one_segment_with_each_child() -> None:
    for branch in branches(decide(learned(REQUESTS))):
        for text, kid in branch.literals.items():
            assert kid.pattern == (*branch.pattern, text)
        for affix, kid in branch.parameters.items():
            assert kid.pattern == (*branch.pattern, f"{affix.prefix}{{}}{affix.suffix}")


def test_a_place_has_the_keys_that_lead_to_its_node() -> None:
    root = learned(REQUESTS)
    for branch in branches(decide(root)):
        for key, node in branch.places:
            found = root
            for part in key.split("/")[1:]:
                found = found.kids[part]
            assert found is node


def test_every_child_says_why_and_a_parameter_what_it_was_seen_with() -> None:
    for branch in branches(decide(learned(REQUESTS))):
        for kid in branch.literals.values():
            assert isinstance(kid.reason, Reason) and kid.reason.evidence
        for kid in branch.parameters.values():
            assert isinstance(kid.reason, Reason) and kid.reason.value_probability == 1.0
            assert sum(kid.kinds.values()) > 0
