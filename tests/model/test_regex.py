"""What is asked of a compiled expression is what RE2's has."""

from __future__ import annotations

import re2

from levo.model.regex import Match, Regex


def test_a_compiled_re2_expression_is_one() -> None:
    expression: Regex = re2.compile("b+")

    found: Match | None = expression.search("abb")
    assert found is not None and found.span() == (1, 3)
    assert [match.span() for match in expression.finditer(b"bab")] == [(0, 1), (2, 3)]
    assert expression.search(b"") is None
