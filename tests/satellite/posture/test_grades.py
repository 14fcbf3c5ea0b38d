from __future__ import annotations

import pytest

from levo.satellite.learn.sensitive.kinds import KINDS
from levo.satellite.posture.grades import grade_of


@pytest.mark.parametrize(
    ("kind", "category", "grade"),
    [
        ("iban", "financial", 4),
        ("diagnosis", "health", 4),
        ("password", "credentials", 4),
        ("national-id.us.ssn", "personal", 3),
        ("date-of-birth", "personal", 3),
        ("staff-number", "custom", 3),
        ("email", "personal", 2),
        ("city", "personal", 1),
        ("bic", "financial", 1),
        ("of another release", "unheard of", 1),
    ],
)
def test_what_does_more_harm_has_a_higher_grade(kind: str, category: str, grade: int) -> None:
    assert grade_of(kind, category) == grade


def test_each_kind_has_a_grade() -> None:
    assert {grade_of(kind.name, kind.category) for kind in KINDS.values()} == {1, 2, 3, 4}
