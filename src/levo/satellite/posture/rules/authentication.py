"""Rules on who is let in."""

from __future__ import annotations

from collections.abc import Iterator

from levo.satellite.learn.sensitive.kinds import Category
from levo.satellite.posture.facts import Application, Endpoint, SensitiveData
from levo.satellite.posture.grades import grade_of
from levo.satellite.posture.model import (
    Authentication,
    Evidence,
    Finding,
    FindingClass,
    Proof,
    Rule,
    Severity,
)
from levo.satellite.posture.rules.common import FEWEST, NO_START, Seen, count, finding_at, worst
from levo.satellite.posture.settings import RuleSettings

_BY_GRADE = {4: Severity.CRITICAL, 3: Severity.HIGH, 2: Severity.HIGH, 1: Severity.INFO}


def _exposed(endpoint: Endpoint) -> list[SensitiveData]:
    return [
        each
        for each in endpoint.sensitive
        if each.in_success and not each.contained and grade_of(each.kind, each.category)
    ]


def _sensitive_without(application: Application, settings: RuleSettings) -> Iterator[Finding]:
    for endpoint in application.endpoints:
        field = worst(_exposed(endpoint))
        if field is None or endpoint.place.method in NO_START:
            continue
        if endpoint.authentication is not Authentication.NONE_SEEN:
            continue
        least = 1 if field.category == Category.CREDENTIALS else settings.least
        anonymous = endpoint.anonymous
        if anonymous < least:
            continue
        kinds = sorted({each.kind for each in _exposed(endpoint)})
        yield finding_at(
            AUTH_01,
            endpoint,
            Seen(
                _BY_GRADE[grade_of(field.kind, field.category)],
                Proof.PROVEN,
                f"All {count(anonymous)} successful answers went to requests without a credential and hold"
                f" {', '.join(kinds)}.",
                evidence=(Evidence("successes without a credential", anonymous, endpoint.successes),),
                why_not=("The data may be public by design: then accept the finding.",),
                last_s=endpoint.access.let_in_s,
            ),
        )


AUTH_01 = Rule(
    "AUTH-01",
    "Sensitive data without authentication",
    Severity.CRITICAL,
    FindingClass.SECURITY,
    ("API2", "API3"),
    (306,),
    condition="",
    evidence="",
    false_alarms="",
    remediation="",
    verify="",
    check=_sensitive_without,
    least=FEWEST,
)
RULES = (AUTH_01,)
