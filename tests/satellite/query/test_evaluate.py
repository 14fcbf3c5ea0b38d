"""Filters, applied to one thing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.query import ENDPOINTS, parse, passes
from levo.satellite.query.evaluate import fits

ENDPOINT: dict[str, tuple[str | float, ...]] = {
    "application": ("shop",),
    "host": ("api.example.com",),
    "method": ("POST",),
    "path": ("/v1/users/{userId}",),
    "status": (201, 503, 0),
    "sensitive": ("email", "contact"),
    "callers": (12,),
    "p95": (250.0,),
    "first-seen": (3600.0,),
    "errors": (0.1,),
    "severity": (3,),
}


@pytest.mark.parametrize(
    "text",
    [
        "", "users", "USERS", "v1 shop", "method:post", "method:get,post", "-method:get", "path:/v1/*",
        "path:/v1/*/{userid}", "host:*.example.com", "status:5xx", "status:201", "status:none", "status>=503",
        "status<202", "sensitive:email", "sensitive:contact", "callers>10", "callers:12", "p95>200ms",
        "first-seen<7d", "first-seen<=1h", "errors>5%", "severity>=high", "method:get or users",
        "(method:get or method:post) shop", "-(method:get shop)",
    ],
)  # fmt: skip
def test_what_passes(text: str) -> None:
    assert passes(parse(text, ENDPOINTS), ENDPOINTS, lambda name: ENDPOINT.get(name, ()))
    assert not passes(
        parse(f"-({text or 'method:*'})", ENDPOINTS), ENDPOINTS, lambda name: ENDPOINT.get(name, ())
    )


def test_of_what_is_not_known_no_comparison_is_true() -> None:
    for text in ("p50>0", "p50<1s", "p50:0", "review:open", "environment:*"):
        assert not passes(parse(text, ENDPOINTS), ENDPOINTS, lambda name: ENDPOINT.get(name, ()))


def test_what_has_no_code_is_less_than_none() -> None:
    assert not passes(parse("status<200", ENDPOINTS), ENDPOINTS, lambda name: ENDPOINT.get(name, ()))


@settings(max_examples=60)
@given(st.text("aAb*.", max_size=8), st.text("aAb.", max_size=10))
def test_wildcards_are_as_those_of_an_oracle(pattern: str, text: str) -> None:
    oracle = ".*".join(map(re.escape, pattern.split("*")))
    assert fits(pattern, text) == bool(re.fullmatch(oracle, text, re.IGNORECASE | re.DOTALL))
