"""Simple rules to compare with, each a function of one segment."""

from __future__ import annotations

import re
from collections.abc import Callable

from levo.satellite.learn.paths.segments import segment_key, split_key


def nothing(segment: str) -> str:
    """Every path is its own template."""
    return segment


def digits(segment: str) -> str:
    """Digits only are a parameter."""
    return "{}" if segment.isdigit() else segment


def many_digits(segment: str) -> str:
    """A number, a UUID, or eight or more characters with more than two digits."""
    if segment.isdigit() or re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", segment):
        return "{}"
    return "{}" if len(segment) >= 8 and sum(map(str.isdigit, segment)) > 2 else segment


def typed(segment: str) -> str:
    """The product's classifier of single segments, without evidence from other paths."""
    prefix, kind, suffix = split_key(segment_key(segment, False))
    return f"{prefix}{{}}{suffix}" if kind else segment


RULES: dict[str, Callable[[str], str]] = {
    "none": nothing,
    "digits": digits,
    "many digits": many_digits,
    "typed alone": typed,
}
