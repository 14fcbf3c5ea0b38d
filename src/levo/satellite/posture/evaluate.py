"""Asks the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from levo.satellite.posture.facts import Facts
from levo.satellite.posture.model import Finding, Proof, Rule, Severity
from levo.satellite.posture.rules import RULES
from levo.satellite.posture.seen import finding_of
from levo.satellite.posture.settings import DEFAULT_SETTINGS, PostureSettings, RuleSettings


def evaluate(
    facts: Facts, settings: PostureSettings = DEFAULT_SETTINGS, rules: Sequence[Rule] = RULES
) -> list[Finding]:
    """Return what *rules* find in *facts*: most severe first, then by rule and place.

    Pure: a function of the arguments, whatever order the facts were learned in.
    """
    found: list[Finding] = []
    for rule in rules:
        chosen = settings.rules.get(rule.id) or RuleSettings(least=rule.least)
        if not chosen.enabled:
            continue
        for application in facts.applications:
            found += [_weighted(finding_of(rule, seen), chosen) for seen in rule.check(application, chosen)]
    return sorted(found, key=_order)


def _weighted(finding: Finding, chosen: RuleSettings) -> Finding:
    if finding.proof is Proof.HINT:
        return replace(finding, severity=Severity.INFO)
    return finding if chosen.severity is None else replace(finding, severity=chosen.severity)


def _order(finding: Finding) -> tuple[object, ...]:
    place = finding.place
    return (
        -finding.severity.rank,
        finding.rule,
        place.organization,
        place.application,
        place.environment,
        place.host,
        place.path,
        place.method,
        finding.subject,
    )
