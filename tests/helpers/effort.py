"""How much a test does in `make check`, `make test` and `make test-long`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings


def scaled(count: int) -> int:
    """Half of *count* in `make test`, a fifth in `make check`, ten times as many in `make test-long`."""
    return max(5, count * settings.default.max_examples // 100)


def long(*values: Any) -> Any:
    """A parameter of ``pytest.mark.parametrize`` that only `make test-long` tries."""
    return pytest.param(*values, marks=[pytest.mark.long, pytest.mark.timeout(3600)])
