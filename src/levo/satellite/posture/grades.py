"""How much harm a kind of sensitive data does where it gets out: 4 to 1."""

from __future__ import annotations

from levo.satellite.learn.sensitive.kinds import Category

_GREATEST = 4
_BY_CATEGORY = {Category.CREDENTIALS: 4, Category.FINANCIAL: 4, Category.HEALTH: 4, Category.CUSTOM: 3}
_BY_KIND = {
    "bic": 1,
    "card-expiry": 1,
    "crypto-address": 2,
    "bank-routing": 1,
    "br.cnpj": 1,
    "date-of-birth": 3,
    "passport-number": 3,
    "driving-license": 3,
    "religion": 3,
    "ethnicity": 3,
    "email": 2,
    "phone": 2,
    "postal-address": 2,
}


def grade_of(kind: str, category: str) -> int:
    """Return the grade of a kind of sensitive data: 4 the worst, 1 what is often public."""
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    if kind.startswith("national-id."):
        return 3
    try:
        return _BY_CATEGORY.get(Category(category), 1)
    except ValueError:
        return 1
