"""Authentication from masked and unmasked credentials."""

from __future__ import annotations

import pytest

from levo.satellite.learn.auth import carries_key, schemes

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3guYXV0aDAuY29tLyJ9.c2ln"


@pytest.mark.parametrize(
    ("headers", "query", "scheme"),
    [
        ([], [], "none"),
        ([("authorization", "Bearer ****")], [], "bearer"),
        ([("authorization", "Basic ****")], [], "basic"),
        ([("authorization", f"Bearer {JWT}")], [], "bearer:jwt:RS256:auth0"),
        ([("authorization", "whatisthis")], [], "header:authorization"),
        ([("x-api-key", "***")], [], "header:x-api-key"),
        ([("cookie", "theme=dark; sessionid=***")], [], "cookie:sessionid"),
        ([], ["api_key", "page"], "query:api_key"),
        ([("cookie", "sid=*"), ("authorization", "Bearer *")], [], "bearer+cookie:sid"),
    ],
)
def test_schemes(headers: list[tuple[str, str]], query: list[str], scheme: str) -> None:
    assert schemes(headers, query) == scheme


def test_no_credential_is_in_the_result() -> None:
    assert JWT not in schemes([("authorization", f"Bearer {JWT}"), ("cookie", f"auth{JWT}=1")], [])
    assert carries_key("x-api-key") and not carries_key("x-request-id")
