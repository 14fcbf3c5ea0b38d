"""The rule table."""

from levo.satellite.posture.model import Rule
from levo.satellite.posture.rules import authentication

RULES: tuple[Rule, ...] = (*authentication.RULES,)
"""All rules, by id."""
