"""The user's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from levo.errors import ConfigError
from levo.satellite.learn.sensitive.rules import load_rules


def test_a_rule_with_all_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules: [{kind: loyalty, category: personal, pattern: 'L-\\d{8}', field: card, validator: luhn}]"
    )
    (rule,) = load_rules(path)

    assert list(rule.check("L-79927395")) == [] and list(rule.check("L-00000018")) == ["loyalty"]
    assert rule.wants_name("loyaltycard") and not rule.wants_name("id")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{kind: x, pattern: '(?=a)'}]", "cannot be compiled"),
        ("rules: [{kind: x}]", "needs kind, and pattern or field"),
        ("rules: [{kind: email, field: x}]", "built in"),
        ("rules: [{kind: x, field: y, color: z}]", "unknown key 'color'"),
        ("rules: [{kind: x, pattern: y, validator: nonsense}]", "validator"),
        ("rules: 3", "must be a list"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        load_rules(path)
