"""One endpoint as documents and comparisons take it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from levo.satellite.learn.schema import Knowledge

VARIABLE = re.compile(r"\{([^{}]*)\}")
"""A parameter in a path, and its name."""


@dataclass(slots=True)
class Operation:
    """One endpoint, as the catalog knows it."""

    method: str
    path: str
    """With named parameters, ``/users/{userId}``."""
    host: str = ""
    knowledge: Knowledge = field(default_factory=Knowledge)
    exchanges: float = 0.0
    statuses: Mapping[str, float] = field(default_factory=dict)
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    confidence: float = 1.0
    schemes: tuple[str, ...] = ()
    """``http``, ``https`` or both; empty when unknown."""
    unnamed: int = 0
    """Names in its messages that are not proven, so that they are not in ``knowledge``."""


def anonymous(path: str) -> str:
    """Return *path* without the names of its parameters."""
    return VARIABLE.sub("{}", path)


def comparable(path: str) -> str:
    """Return what paths are compared by: the names of parameters and a slash at the end say nothing."""
    return anonymous(path).rstrip("/") or "/"
