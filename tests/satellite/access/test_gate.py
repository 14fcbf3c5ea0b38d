from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from levo.satellite.access.gate import bearer_token, from_this_site, local_target, session_cookie


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/catalog?q=1", "/catalog?q=1"),
        ("//x", "/"),
        ("/\\x", "/"),
        ("https://x", "/"),
        ("", "/"),
        ("/a\nb", "/"),
    ],
)
def test_targets_stay_here(target: str, safe: str) -> None:
    assert local_target(target) == safe


def test_requests_of_other_sites_are_known() -> None:
    assert from_this_site(Headers({"host": "a:1"}))
    assert from_this_site(Headers({"host": "a:1", "origin": "http://a:1", "sec-fetch-site": "same-origin"}))
    assert not from_this_site(Headers({"host": "a:1", "origin": "http://b:1"}))
    assert not from_this_site(Headers({"host": "a:1", "origin": "null"}))
    assert not from_this_site(Headers({"host": "a:1", "sec-fetch-site": "cross-site"}))


def test_credentials_are_found() -> None:
    assert bearer_token("bearer abc ") == "abc" and bearer_token("Basic abc") == ""
    assert session_cookie(["x=1; levo_session=abc"], "http") == "abc"
    assert session_cookie(["levo_session=abc"], "https") == ""
