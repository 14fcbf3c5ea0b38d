"""Templates that are given rather than learned: accepted or corrected by a user, or imported from a
description."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from levo.satellite.learn.paths.trie import OPERATIONS

_PARAMETER = re.compile(r"\{([^{}]*)\}")
Kind = Literal["accept", "rename", "split", "merge", "ignore", "import"]


@dataclass(frozen=True, slots=True)
class Override:
    """One decision of a user, or one path of an imported description. Kept for ever, in order; later names
    win.

    ``accept``, ``split``, ``merge`` and ``import`` all say "this template exists as written": a segment
    written
    out is a literal, a segment in braces takes every other value at that place. *Split* names a literal
    that had
    been taken for a value, *merge* a parameter where literals had been kept apart. ``rename`` gives names
    to the
    parameters, ``ignore`` hides the template (it is still counted). ``{path+}`` spans one or more segments.
    """

    kind: Kind
    template: str
    """As ``/users/{userId}/orders``."""


@dataclass(slots=True)
class KnownNode:
    """A place in the trie of given templates."""

    affix: tuple[str, str] = ("", "")
    """Fixed text around the parameter that leads here."""
    name: str = ""
    """Of the parameter that leads here."""
    literals: dict[str, KnownNode] = field(default_factory=dict)
    parameters: list[KnownNode] = field(default_factory=list)
    catch_all: bool = False


def anonymous_pattern(template: str) -> tuple[str, ...]:
    """Return the segments of *template* with parameter names taken away (``{}``; ``{+}`` for a catch-all)."""
    return tuple(
        _PARAMETER.sub(lambda m: "{+}" if m[1].endswith(("+", "*")) else "{}", s)
        for s in template.split("/")
        if s
    )


def compile_known(overrides: Iterable[Override]) -> KnownNode:
    """Return the trie of the templates that *overrides* say exist."""
    root = KnownNode()
    for override in overrides:
        if override.kind in ("rename", "ignore"):
            continue
        node = root
        path, marker, operation = override.template.partition("#")
        for segment in path.split("/"):
            if segment:
                node = _child(node, segment)
        if marker:
            _child(_child(node, OPERATIONS), operation)
    return root


def _child(node: KnownNode, segment: str) -> KnownNode:
    found = list(_PARAMETER.finditer(segment))
    if not found:
        return node.literals.setdefault(segment, KnownNode())
    affix = (segment[: found[0].start()], segment[found[-1].end() :])
    name = found[0][1]
    for kid in node.parameters:
        if kid.affix == affix and kid.catch_all == name.endswith(("+", "*")):
            return kid
    kid = KnownNode(affix, name.rstrip("+*"), catch_all=name.endswith(("+", "*")))
    node.parameters.append(kid)
    return kid


def parameter_names(overrides: Iterable[Override]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the parameter names given for each anonymous pattern, prefixes included; the last one wins."""
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for override in overrides:
        if override.kind == "ignore":
            continue
        segments = [s for s in override.template.split("/") if s]
        given: list[str] = []
        for end, segment in enumerate(segments, 1):
            found = _PARAMETER.findall(segment)
            if found:
                given.append(found[0].rstrip("+*"))
                names[anonymous_pattern("/".join(segments[:end]))] = tuple(given)
    return names
