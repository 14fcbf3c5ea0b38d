"""``levo.engine.exchange.headers``: masking of header fields, and of the users in URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config import credentials
from levo.engine.exchange.batch import Batch
from levo.engine.exchange.redact import Redactor
from levo.model.exchange import Exchange, Request, Response
from tests.helpers.exchanges import examples, exchanges, simple_exchange

SECRET = "s3cr3t-v4lue"


def processed(batch: Batch, *more: str) -> Batch:
    """*batch*, of which the default credentials and *more* are masked as it is processed."""
    redactor = Redactor(headers=[*credentials.HEADERS, *more], urls=credentials.URL_HEADERS)
    batch.attach(lambda batch, start, stop: redactor.redact(batch, start, stop))  # type: ignore[func-returns-value,arg-type,return-value]
    batch.process()
    return batch


def masked(name: str, value: str, *more: str) -> str:
    """The value of one response header field after masking."""
    response = Response(headers=((name, value),))
    batch = Batch.build([simple_exchange(response=response)])
    exchange = processed(batch, *more).exchanges()[0]
    assert exchange.response is not None
    return exchange.response.headers[0][1]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("Authorization", "Bearer abc.def", "Bearer *******", id="scheme"),
        pytest.param("authorization", "Basic  dXNlcjpw", "Basic  ********", id="two spaces"),
        pytest.param("AUTHORIZATION", "abcdef", "******", id="no scheme"),
        pytest.param("Authorization", "Bearer ", "*******", id="scheme without a value"),
        pytest.param("Authorization", "ab=cd ef", "********", id="first word is no scheme"),
        pytest.param(
            "Authorization", "AWS4-HMAC-SHA256 Cred", "AWS4-HMAC-SHA256 ****", id="digits in the scheme"
        ),
        pytest.param("Proxy-Authorization", "Digest a=b, c", "Digest ******", id="proxy"),
        pytest.param("Cookie", "a=1; bc=22;d=", "a=*; bc=**;d=", id="cookies"),
        pytest.param("Cookie", 'a="x=y"; tok', "a=*****; ***", id="equals in a value, and no name"),
        pytest.param("Cookie", ";;a=b", ";;a=*", id="empty cookies"),
        pytest.param("Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly", id="set-cookie"),
        pytest.param(
            "set-cookie",
            "a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; SameSite=Lax",
            "a=*; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; SameSite=Lax",
            id="dates hold a comma",
        ),
        pytest.param(
            "Set-Cookie", "a=b; Path=/, c=dd", "a=*; Path=/******", id="two cookies joined by a comma"
        ),
        pytest.param("Set-Cookie", "a=b; other=xyz; word", "a=*; other=***; ****", id="unknown attributes"),
        pytest.param("X-API-Key", "k-123", "*****", id="api key"),
        pytest.param("x-session", "k 1=2", "*****", id="name from the configuration"),
        pytest.param("x-other", "kept", "kept", id="any other"),
    ],
)
def test_credentials_are_hidden_and_their_form_is_kept(name, value, kept):
    assert masked(name, value, "X-Session", "x-none") == kept
    assert len(kept) == len(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {SECRET}"),
        ("authorization", f"Digest username={SECRET}, response={SECRET}"),
        ("authorization", SECRET),
        ("proxy-authorization", f"Basic {SECRET}"),
        ("cookie", f"a={SECRET}; b={SECRET};{SECRET}"),
        ("set-cookie", f"a={SECRET}; Path=/; x={SECRET}, y={SECRET}"),
        ("set-cookie", f"{SECRET}"),
        ("x-api-key", SECRET),
        ("x-mine", f"{SECRET} {SECRET}"),
        ("authorization ", f"Bearer {SECRET}"),
    ],
)
def test_secrets_are_in_no_output(name, value):
    lines = ((name, value),)
    message = {"headers": lines, "trailers": lines}
    batch = Batch.build([simple_exchange(request=Request(**message), response=Response(**message))])

    processed(batch, "x-mine")

    for output in (bytes(batch.otlp(b"")), batch.jsonl(), repr(batch.exchanges()).encode()):
        assert SECRET.encode() not in output
    assert SECRET not in str([exchange.to_json() for exchange in batch.exchanges()])


@pytest.mark.parametrize("target", [f"http://me:{SECRET}@e.com/p@q", f"me:{SECRET}@e.com:443"])
def test_user_information_in_a_target_is_hidden(target):
    method = "GET" if "/" in target else "CONNECT"
    batch = Batch.build([simple_exchange(request=Request(method=method, target=target))])

    processed(batch)

    assert SECRET.encode() not in batch.jsonl()
    assert batch.exchanges()[0].request.target.endswith("@e.com/p@q" if method == "GET" else "@e.com:443")


def test_an_at_sign_in_a_path_is_no_user():
    batch = Batch.build([simple_exchange(request=Request(target="/users/a:b@example.com"))])

    processed(batch)

    assert batch.exchanges()[0].request.target == "/users/a:b@example.com"


CREDENTIAL_FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["authorization", "cookie", "set-cookie", "Proxy-Authorization", "x-api-key", "x-n"]),
        st.text(st.sampled_from('ab=;, \t*"\x00é'), max_size=30),
    ),
    max_size=6,
).map(tuple)


@examples(200)
@given(CREDENTIAL_FIELDS)
def test_masking_keeps_lengths_and_doing_it_twice_changes_nothing(headers):
    batch = Batch.build([simple_exchange(request=Request(headers=headers))])

    once = processed(batch, "x-n").exchanges()

    assert processed(Batch.build(once), "x-n").exchanges() == once
    for (name, value), (kept_name, kept) in zip(headers, once[0].request.headers, strict=True):
        assert kept_name == name
        assert len(kept.encode("latin-1", "replace")) <= len(value.encode())
        if name in ("x-api-key", "x-n"):
            assert kept == "*" * len(value.encode())


@examples(40)
@given(exchanges())
def test_masking_leaves_bodies_names_and_order(value):
    (before,) = Batch.build([value]).exchanges()

    (after,) = processed(Batch.build([value])).exchanges()
    for old, new in ((before.request, after.request), (before.response, after.response)):
        assert (old is None) == (new is None)
        if old is not None and new is not None:
            assert (new.body, [n for n, _ in new.headers]) == (old.body, [n for n, _ in old.headers])


def test_nothing_is_masked_unless_asked():
    value: Exchange = simple_exchange(request=Request(headers=(("authorization", "Bearer x"),)))

    assert Batch.build([value]).exchanges()[0].request.headers == (("authorization", "Bearer x"),)


@pytest.mark.parametrize("name", [*credentials.HEADERS, "x", "xy", "a" * 62, "b" * 63, "c" * 64, "d" * 300])
@pytest.mark.parametrize("spell", [str.upper, str.title, "{} ".format, "{}\t".format])
def test_a_name_is_found_however_it_is_spelled(name, spell):
    headers = ((spell(name), "secret" * 6), (f"{name}-not", "kept"), (f"q{name[1:]}", "kept"))
    batch = Batch.build([simple_exchange(request=Request(headers=headers))])

    (seen,) = processed(batch, "x", "xy", "a" * 62, "b" * 63, "c" * 64, "d" * 300).exchanges()

    values = [value for _, value in seen.request.headers]
    assert set(values[0]) == {"*"} and len(values[0]) == 36
    assert values[1] == "kept"


def test_a_name_of_both_kinds_hides_the_whole_value():
    batch = Batch.build([simple_exchange(request=Request(headers=(("Location", "http://a:b@c/"),)))])

    (seen,) = processed(batch, "location").exchanges()

    assert seen.request.headers == (("Location", "*" * 13),)
