"""Public words: the only strings of the traffic that may be kept, as members of an enum.

A string is a label when every part of it is a word of ``labels.txt``, a list which is the same for every
installation and came from no traffic: states, roles, units, codes of currencies, countries and languages. So
an enum in a document can only say what its reader could have read there, and a name, a key or a password
(other than one of these words) is never stored. Fields whose name says that they are personal or secret have
no labels.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

FILE = "labels.txt"
MAX_CHARACTERS = 40
MAX_PARTS = 4

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_\-.:/ ][A-Za-z][A-Za-z0-9]*)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WITHOUT_LABELS = re.compile(
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|pin|cvv|cvc|otp|credential|api_?key|private|answer"
    r"|(?:first|last|middle|full|given|family|sur|user|nick|maiden|birth|display|login)_?name"
    r"|address|street|city|gender|sex|religion|ethnic|diagnos|blood|race|marital|nationality|salary",
    re.IGNORECASE,
)


class PublicWords(NamedTuple):
    """The list, by section."""

    words: frozenset[str]
    """Lower case, matched in any case."""
    codes: frozenset[str]
    """Currencies, countries, sizes; matched as they are."""
    languages: frozenset[str]


@cache
def public_words() -> PublicWords:
    """Return the list of this release, read once."""
    sections: dict[str, list[str]] = {name: [] for name in PublicWords._fields}
    section: list[str] = []
    for line in files(__package__).joinpath(FILE).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = sections[line.strip("[]")]
        elif not line.startswith("#"):
            section += line.split()
    return PublicWords(**{name: frozenset(found) for name, found in sections.items()})


@lru_cache(maxsize=1 << 13)
def is_label(value: str) -> bool:
    """Whether *value* consists of public words and may be kept."""
    if not value or len(value) > MAX_CHARACTERS:
        return False
    words, codes, languages = public_words()
    if value in codes or value in languages:
        return True
    if not _LABEL.fullmatch(value):
        return False
    lowered = value.lower()
    if lowered in words:
        return True
    if len(value) == 5 and value[2] in "-_" and value[:2].lower() in languages and value[3:] in codes:
        return True
    parts = _PARTS.findall(value)
    return len(parts) <= MAX_PARTS and all(len(p) > 1 and p.lower() in words for p in parts)


@lru_cache(maxsize=1 << 13)
def may_have_labels(name: str) -> bool:
    """Whether a property of this name may have an enum: its name does not say personal or secret."""
    return _WITHOUT_LABELS.search(name) is None
