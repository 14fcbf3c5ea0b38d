from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.satellite.posture import Severity
from levo.satellite.posture.settings import DEFAULT_SETTINGS, RuleSettings
from levo.satellite.posture.settings_file import load_posture_settings


def test_rules_are_switched_off_weighted_and_given_a_least_sample(tmp_path: Path) -> None:
    path = tmp_path / "posture.yaml"
    path.write_text("rules: {AUTH-04: {enabled: false}, LIM-02: {least: 2000, severity: medium}}")

    assert load_posture_settings(path).rules == {
        "AUTH-04": RuleSettings(enabled=False, least=3),
        "LIM-02": RuleSettings(least=2000, severity=Severity.MEDIUM),
    }


def test_without_a_file_all_rules_are_as_they_say(tmp_path: Path) -> None:
    assert load_posture_settings(tmp_path / "posture.yaml") is DEFAULT_SETTINGS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: 3", "mapping from ids"),
        ("[]", "mapping from ids"),
        ("rules: {NO-99: {}}", "no such rule"),
        ("rules: {AUTH-01: 3}", "some of enabled, least, severity"),
        ("rules: {AUTH-01: {color: red}}", "some of enabled, least, severity"),
        ("rules: {AUTH-01: {enabled: 1}}", "true or false"),
        ("rules: {AUTH-01: {least: 0}}", "whole number"),
        ("rules: {AUTH-01: {least: true}}", "whole number"),
        ("rules: {AUTH-01: {severity: grave}}", "info, low, medium, high, critical"),
        ("rules: {AUTH-01", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "posture.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_posture_settings(path)
