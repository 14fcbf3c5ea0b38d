"""Which rules are asked, and how: the user's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from levo.satellite.posture.model import Severity


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Of one rule."""

    enabled: bool = True
    least: int = 1
    """Exchanges that must have shown it."""
    severity: Severity | None = None
    """Replaces the rule's own, if set; what the rule gives as a hint stays info."""


@dataclass(frozen=True, slots=True)
class PostureSettings:
    """Of all rules, by id; those that are missing are as their rule says."""

    rules: Mapping[str, RuleSettings] = field(default_factory=dict)


DEFAULT_SETTINGS = PostureSettings()
