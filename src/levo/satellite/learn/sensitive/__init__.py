"""Sensitive data: validated detectors for values, and the decision per field."""

from __future__ import annotations

from levo.satellite.learn.sensitive.decide import TAGGED_FROM, Detection, decide
from levo.satellite.learn.sensitive.detectors import Check, Detectors
from levo.satellite.learn.sensitive.kinds import KINDS, Category, Kind, Proof
from levo.satellite.learn.sensitive.rules import RULES_NAME, Rule, load_rules

__all__ = [
    "KINDS",
    "RULES_NAME",
    "TAGGED_FROM",
    "Category",
    "Check",
    "Detection",
    "Detectors",
    "Kind",
    "Proof",
    "Rule",
    "decide",
    "load_rules",
]
