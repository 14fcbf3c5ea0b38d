"""Findings as SARIF 2.1.0 (OASIS Standard), for services and viewers of code scanning.

They place results by file. There is none here: each result names the exported OpenAPI document, and says
where it really is in a logical location, *GET host/path*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from levo import __version__
from levo.satellite.posture import RULES
from levo.satellite.query.fields import PROOFS, SEVERITIES
from levo.satellite.store.userdata import FindingDecision, KeptFinding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = ("note", "note", "warning", "error", "error")
_SECURITY_SEVERITIES = ("0.0", "3.0", "5.5", "8.0", "9.5")
_BASELINES = {"fixed": "absent", "reopened": "updated"}
_DOCUMENT = "openapi.json"


def sarif_log(findings: Iterable[tuple[KeptFinding, FindingDecision | None]], now_ns: int) -> dict[str, Any]:
    """Return *findings*, each with the decision that is in force about it, as one SARIF log."""
    rules = [_descriptor(rule) for rule in RULES]
    numbers = {rule["id"]: number for number, rule in enumerate(rules)}
    results = []
    for finding, decision in findings:
        if finding.rule not in numbers:  # of a release that had other rules
            numbers[finding.rule] = len(rules)
            rules.append({"id": finding.rule, "shortDescription": {"text": finding.title}})
        results.append(_result(finding, decision, numbers[finding.rule], now_ns))
    driver = {"name": "levo", "version": __version__, "semanticVersion": __version__, "rules": rules}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _descriptor(rule: Any) -> dict[str, Any]:
    help_text = rule.remediation or rule.title
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.title.split() if word.isalnum()) or rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity.rank]},
        "properties": {
            "tags": [str(rule.kind), *rule.owasp, *(f"CWE-{each}" for each in rule.cwe)],
            "security-severity": _SECURITY_SEVERITIES[rule.severity.rank],
        },
    }


def _result(
    finding: KeptFinding, decision: FindingDecision | None, number: int, now_ns: int
) -> dict[str, Any]:
    said = orjson.loads(finding.document)
    where = f"{finding.method} {finding.host}{finding.path}".strip()
    subject = f" ({finding.subject})" if finding.subject else ""
    state = finding.shown_state(now_ns)
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": _LEVELS[finding.rank],
        "message": {"text": f"{where}{subject}: {said.get('text') or finding.title}"},
        "partialFingerprints": {"postureId": finding.id},
        "baselineState": _BASELINES.get(state, "unchanged"),
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _DOCUMENT},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [
                    {"fullyQualifiedName": where or finding.application, "kind": "resource"}
                ],
            }
        ],
        "properties": {
            "severity": SEVERITIES[finding.rank],
            "security-severity": _SECURITY_SEVERITIES[finding.rank],
            "proof": PROOFS[finding.proof],
            "state": state,
            "environment": finding.environment,
            "application": finding.application,
        },
    }
    if decision is not None and state in ("accepted", "false-positive"):
        justification = ": ".join(filter(None, (decision.reason, decision.note)))
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    return result
