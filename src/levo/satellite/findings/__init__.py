"""Findings with a life: what the rules find is kept, decided about, and seen to be fixed or to come back."""

from __future__ import annotations

from levo.satellite.findings.keeper import FindingKeeper, kept_finding

__all__ = ["FindingKeeper", "kept_finding"]
