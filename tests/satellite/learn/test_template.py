from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn import path_template
from levo.satellite.learn.template import MAX_SEGMENTS


@pytest.mark.parametrize(
    ("path", "template"),
    [
        pytest.param("/users/17/orders/9", "/users/{id}/orders/{id}", id="integers"),
        pytest.param("/users/-3", "/users/{id}", id="negative"),
        pytest.param("/u/2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d", "/u/{id}", id="UUID"),
        pytest.param("/blobs/d41d8cd98f00b204e9800998ecf8427e", "/blobs/{id}", id="MD5"),
        pytest.param("/objects/507f1f77bcf86cd799439011", "/objects/{id}", id="object id"),
        pytest.param("/tx/0xDEADBEEF", "/tx/{id}", id="0x"),
        pytest.param("/ulid/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/ulid/{id}", id="ULID"),
        pytest.param("/s/dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1gFWFOEjXk", "/s/{id}", id="base64url"),
        pytest.param("/c/cus_NffrFeUfNV2Hib", "/c/{id}", id="prefixed id"),
        pytest.param("/p/SKU-00123", "/p/{id}", id="prefixed number"),
        pytest.param("/reports/2024-05-06", "/reports/{date}", id="date"),
        pytest.param("/reports/20240506", "/reports/{date}", id="compact date"),
        pytest.param("/at/2024-05-06T10:11:12.5Z", "/at/{date}", id="time"),
        pytest.param("/users/jane%40example.com", "/users/{email}", id="e-mail, encoded"),
        pytest.param("/hosts/10.1.2.3", "/hosts/{ip}", id="IPv4"),
        pytest.param("/hosts/fe80::1", "/hosts/{ip}", id="IPv6"),
        pytest.param("/tiles/3,4", "/tiles/{id}", id="numbers"),
        pytest.param("/users/me", "/users/me", id="literal sibling"),
        pytest.param("/api/v1/users", "/api/v1/users", id="version"),
        pytest.param("/2.0/users", "/2.0/users", id="bare version"),
        pytest.param("/oauth2/token", "/oauth2/token", id="digit in a word"),
        pytest.param(
            "/.well-known/openid-configuration", "/.well-known/openid-configuration", id="long words"
        ),
        pytest.param("/getCustomerAccountDetails", "/getCustomerAccountDetails", id="camel case"),
        pytest.param("/internationalization-settings", "/internationalization-settings", id="long name"),
        pytest.param("/feed", "/feed", id="hexadecimal letters that are a word"),
        pytest.param("/deadbeef", "/deadbeef", id="hexadecimal letters only"),
        pytest.param("/users;v=2/17;x", "/users/{id}", id="path parameters"),
        pytest.param("/caf%C3%A9", "/café", id="percent-encoding undone once"),
        pytest.param("", "/", id="empty"),
        pytest.param("/", "/", id="root"),
        pytest.param("/users/", "/users/", id="trailing slash"),
        pytest.param("*", "/*", id="asterisk form"),
        pytest.param("/a%2Fb", "/a\ufffdb", id="an encoded slash makes no segment"),
        pytest.param("/{id}", "/\ufffdid\ufffd", id="braces of the sender"),
        pytest.param("/a%0Ab", "/a\ufffdb", id="control character"),
        pytest.param("/%FF%FE", "/\ufffd\ufffd", id="not UTF-8"),
        pytest.param("/" + "x" * 65, "/{id}", id="longer than a name"),
        pytest.param("/a" * 30, "/a" * MAX_SEGMENTS + "/{rest}", id="deep"),
    ],
)
def test_templates(path: str, template: str) -> None:
    assert path_template(path) == template


@given(st.text(max_size=400))
def test_any_path_gives_a_bounded_printable_template(path: str) -> None:
    template = path_template(path)

    assert template.startswith("/") and template.isprintable()
    assert template.count("/") <= MAX_SEGMENTS + 1
    assert len(template) < (MAX_SEGMENTS + 1) * 70


@given(st.lists(st.sampled_from(["users", "17", "v1", "me", "2024-05-06", "a@b.co", "x y"]), max_size=30))
def test_a_template_does_not_depend_on_the_other_segments(segments: list[str]) -> None:
    expected = [path_template("/" + segment)[1:] for segment in segments[:MAX_SEGMENTS]]
    expected += ["{rest}"] * (len(segments) > MAX_SEGMENTS)

    assert path_template("/" + "/".join(segments)) == "/" + "/".join(expected)
