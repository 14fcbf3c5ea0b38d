from __future__ import annotations

from pathlib import Path

import pytest

from levo.satellite.posture import RULES, Rule
from levo.satellite.posture.model import Authentication
from levo.satellite.posture.pages import index_page, page_of

PAGES = Path(__file__).resolve().parents[3] / "docs" / "rules"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_of_each_rule_is_up_to_date(rule: Rule) -> None:
    """Renew with: levo satellite rules --write docs/rules"""
    assert (PAGES / f"{rule.id}.md").read_text(encoding="utf-8") == page_of(rule)


def test_the_page_of_all_rules_is_up_to_date_and_no_other_page_is_there() -> None:
    """Renew with: levo satellite rules --write docs/rules"""
    assert (PAGES / "index.md").read_text(encoding="utf-8") == index_page()
    assert {path.stem for path in PAGES.glob("*.md")} == {"index", *(rule.id for rule in RULES)}


def test_each_value_of_authentication_is_explained() -> None:
    assert all(f"| {value} |" in index_page() for value in Authentication)
