"""Decided trees from lists of requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from levo.satellite.learn.paths import PathState
from levo.satellite.learn.paths.branch import Branch
from levo.satellite.learn.paths.trie import Node


def learned(requests: Iterable[str], caller: int = 0) -> Node:
    """Return the trie of *requests*, each ``METHOD /path`` (status 200), all of one *caller* (0: unknown)."""
    state = PathState()
    for request in requests:
        method, path = request.split(" ", 1)
        assert state.observe(method, path, 200, caller=caller) is not None
    return state.root


def branches(top: Branch) -> Iterator[Branch]:
    """Yield *top* and all below."""
    yield top
    for kid in (*top.literals.values(), *top.parameters.values()):
        yield from branches(kid)


def ends(top: Branch) -> list[str]:
    """Return the patterns at which requests end."""
    return sorted(
        "/" + "/".join(branch.pattern)
        for branch in branches(top)
        if any(node.calls for _, node in branch.places)
    )
