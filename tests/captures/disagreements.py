"""Where the engine and another tool differ, and the engine is right. ``docs/captures.md`` tells why.

Keys are (capture, voter); a value holds the differences, to the letter, that the voter must report. An entry
that is no longer true fails its test.
"""

from __future__ import annotations

DISAGREEMENTS: dict[tuple[str, str], list[str]] = {}
