"""``levo.engine.core.exchange``: facts derived from a request."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Request
from tests.helpers.exchanges import examples, simple_exchange


def request_of(**fields: object) -> Request:
    request = Batch.build([simple_exchange(request=Request(**fields))]).exchanges()[0].request  # type: ignore[arg-type]
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("target", "method", "parts"),
    [
        pytest.param("/a/b?c=d&e", "GET", ("http", "h:81", "/a/b", "c=d&e"), id="origin form"),
        pytest.param("/a?", "GET", ("http", "h:81", "/a", ""), id="empty query"),
        pytest.param("/a?b?c", "GET", ("http", "h:81", "/a", "b?c"), id="second question mark"),
        pytest.param("//a/b", "GET", ("http", "h:81", "//a/b", ""), id="two slashes are a path"),
        pytest.param("/x?u=http://a/b", "GET", ("http", "h:81", "/x", "u=http://a/b"), id="URL in the query"),
        pytest.param("https://e.com:8/p?q", "GET", ("https", "e.com:8", "/p", "q"), id="absolute form"),
        pytest.param("http://e.com?q", "GET", ("http", "e.com", "", "q"), id="absolute form without path"),
        pytest.param("http://u:p@e.com/", "GET", ("http", "e.com", "/", ""), id="user information"),
        pytest.param("*", "OPTIONS", ("http", "h:81", "*", ""), id="asterisk form"),
        pytest.param("e.com:443", "CONNECT", ("http", "e.com:443", "", ""), id="authority form"),
        pytest.param("", "GET", ("http", "h:81", "", ""), id="empty"),
        pytest.param("://", "GET", ("http", "h:81", "://", ""), id="no scheme"),
    ],
)
def test_targets_are_taken_apart(target, method, parts):
    """RFC 9112 section 3.2; an absolute target overrides the Host field (section 3.2.2)."""
    request = request_of(target=target, method=method, headers=(("HOST", "h:81"),))

    assert (request.scheme, request.host, request.path, request.query) == parts


@examples(100)
@given(
    st.from_regex(
        r"\A(https?|[a-z][a-z0-9+.-]{0,5})://[a-z0-9.:\[\]]{0,12}(/[a-z0-9%/@:]{0,12})?(\?[a-z0-9=?/]{0,9})?\Z"
    )
)
def test_absolute_targets_are_taken_apart_as_urllib_does(target):
    try:
        expected = urlsplit(target)
    except ValueError:
        return
    request = request_of(target=target)

    assert (request.scheme, request.host) == (expected.scheme, expected.netloc)
    assert (request.path, request.query) == (expected.path, expected.query)


def test_http2_has_scheme_and_authority_of_its_own():
    request = Request(target="/p?q", version="2", scheme="https", host="e.com", headers=(("host", "other"),))

    (seen,) = Batch.build([simple_exchange(request=request, response=None, protocol="http/2")]).exchanges()

    assert (seen.request.scheme, seen.request.host, seen.request.path) == ("https", "e.com", "/p")
