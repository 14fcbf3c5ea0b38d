"""Forgetting the text of values. A name of a person in a path is needed until it is known to be a value."""

from __future__ import annotations

from collections.abc import Iterator

from levo.satellite.learn.paths.branch import Branch
from levo.satellite.learn.paths.segments import OVERFLOW, literal_suffix
from levo.satellite.learn.paths.trie import Node

LEAST_VALUES = 5
"""Values of one parameter that must be heard of, or requests with typed values, before any is forgotten."""
_LITERAL = frozenset({"text", "other"})


def forget_values(top: Branch, kept: frozenset[str] = frozenset()) -> int:
    """Fold the literals that *top* took for values, in its own trie, into ``{*}``; return how many.

    That cannot be undone, so the shape of paths is not enough. Where bodies speak of most of them as of
    somebody's or something's name, those that they speak of go; where they speak of none, all go if typed
    values stand beside them or the place was folded before. Literals in *kept* and those of a catch-all stay.
    """
    gone = 0
    for branch in _branches(top):
        for parameter in branch.parameters.values():
            if not parameter.catch_all:
                names = sorted(_certain(parameter) - kept)
                for _, node in branch.places:
                    gone += _fold(node, names)
    return gone


def _certain(parameter: Branch) -> set[str]:
    heard: dict[str, bool] = {}
    speaks = False
    for key, node in parameter.places:
        value = key.rpartition("/")[2]
        speaks = speaks or node.came_back > 0 or node.given_out
        if "{" not in value:
            heard[value] = heard.get(value, False) or node.given_out or 0 < node.looked <= 2 * node.came_back
    folded = parameter.kinds.get("other", 0) > 0
    typed = sum(requests for kind, requests in parameter.kinds.items() if kind not in _LITERAL)
    established = folded or typed >= LEAST_VALUES
    if speaks:
        certain = {value for value, is_heard in heard.items() if is_heard}
        return certain if established or len(certain) >= max(LEAST_VALUES, len(heard) / 2) else set()
    return set(heard) if established else set()


def _fold(node: Node, names: list[str]) -> int:
    gone = 0
    for name in names:
        kid = node.kids.pop(name, None)
        if kid is not None:
            folded = node.kids.setdefault(OVERFLOW + literal_suffix(name), Node())
            folded.absorb(kid)
            gone += 1
    return gone


def _branches(top: Branch) -> Iterator[Branch]:
    """Yield *top* and all below, deepest first, so that what is folded was looked at before."""
    for kid in (*top.literals.values(), *top.parameters.values()):
        yield from _branches(kid)
    yield top
