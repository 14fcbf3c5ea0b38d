"""The page about filters says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from levo.satellite.query import ENDPOINTS, parse
from levo.satellite.query.page import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "filters.md"


def test_the_page_is_not_stale() -> None:
    """Renew with: python -m levo.satellite.query.page > docs/reference/filters.md"""
    assert PAGE.read_text() == page()


def test_the_examples_of_the_page_are_filters() -> None:
    (block,) = re.findall(r"```text\n(.*?)```", page(), re.DOTALL)
    for line in block.splitlines():
        parse(line, ENDPOINTS)
