from __future__ import annotations

from levo.satellite.posture.settings import DEFAULT_SETTINGS, RuleSettings


def test_by_default_each_rule_is_asked_and_weighs_what_it_says() -> None:
    assert DEFAULT_SETTINGS.rules == {}
    assert RuleSettings() == RuleSettings(enabled=True, least=1, severity=None)
