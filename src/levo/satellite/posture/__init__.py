"""What traffic says about weaknesses: rules over what was learned. The same state has the same findings."""

from levo.satellite.posture.evaluate import evaluate
from levo.satellite.posture.facts import Facts, read_facts
from levo.satellite.posture.model import (
    Authentication,
    Evidence,
    Finding,
    FindingClass,
    Place,
    Proof,
    Rule,
    Severity,
)
from levo.satellite.posture.rules import RULES
from levo.satellite.posture.settings import PostureSettings, RuleSettings
from levo.satellite.posture.settings_file import load_posture_settings

__all__ = [
    "RULES",
    "Authentication",
    "Evidence",
    "Facts",
    "Finding",
    "FindingClass",
    "Place",
    "PostureSettings",
    "Proof",
    "Rule",
    "RuleSettings",
    "Severity",
    "evaluate",
    "load_posture_settings",
    "read_facts",
]
