from __future__ import annotations

from levo.satellite.posture import RULES, Severity


def test_severities_have_an_order_with_ends() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]
    assert Severity.HIGH.step(-1) is Severity.MEDIUM
    assert Severity.INFO.step(-1) is Severity.INFO
    assert Severity.HIGH.step(9) is Severity.CRITICAL


def test_each_rule_has_its_own_id_and_all_its_texts() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        texts = (rule.title, rule.condition, rule.evidence, rule.false_alarms, rule.remediation, rule.verify)
        assert all(texts), rule.id
        assert rule.least >= 1
        assert all(name.startswith("API") for name in rule.owasp)
