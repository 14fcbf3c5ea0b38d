"""The rule table."""

from levo.satellite.posture.model import Rule
from levo.satellite.posture.rules import answers, authentication, data, surface

RULES: tuple[Rule, ...] = tuple(
    sorted((*answers.RULES, *authentication.RULES, *data.RULES, *surface.RULES), key=lambda rule: rule.id)
)
"""All rules, by id."""
