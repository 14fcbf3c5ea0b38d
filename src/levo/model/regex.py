"""A compiled regular expression as it is handed to what searches captured content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Match(Protocol):
    """One place where an expression was found."""

    def span(self, group: int = 0, /) -> tuple[int, int]:
        """Begin and end in the searched text."""
        ...


class Regex(Protocol):
    """A compiled ``re2`` expression: linear time, safe for several threads."""

    def search(self, text: str | bytes, /) -> Match | None: ...
    def finditer(self, text: bytes, /) -> Iterator[Match]: ...
