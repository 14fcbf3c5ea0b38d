from __future__ import annotations

import json

import msgspec
import pytest

from levo.satellite.learn import Detectors, LearnSettings, State, learn_all
from levo.satellite.learn.schema import Knowledge
from levo.satellite.learn.signs import MAX_SIGNS, FoundField, Sign, pack_signs, signs_of, unpack_signs
from levo.satellite.learn.trace import Fields, Origin, Trace

ORIGIN = Origin("acme", "production", "shop", "s")
JSON = (("content-type", "application/json"),)


def known(*traces: Trace) -> Knowledge:
    (facts,) = learn_all(State(), traces, LearnSettings(Detectors(), b"k")).endpoints.values()
    return facts.knowledge


def trace(
    answer: object = None, body: object = None, *, headers: Fields = (), query: str = "", status: int = 200
) -> Trace:
    octets = [b"" if each is None else json.dumps(each).encode() for each in (body, answer)]
    return Trace(
        ORIGIN, "shop.example", "POST", "/things", status, 1.0, 10**18, 10**18 + 1, query, "",
        (*headers, *JSON),
        JSON, *octets,
    )  # fmt: skip


def signs(name: str, *traces: Trace, fields: tuple[FoundField, ...] = ()) -> list[Sign]:
    return [sign for sign in signs_of(known(*traces), fields) if sign.name == name]


def test_schemes_and_fields_that_may_be_credentials() -> None:
    headers = (
        ("authorization", "Bearer ***"),
        ("x-acme-ticket", "1"),
        ("x-request-id", "2"),
        ("cookie", "a=1"),
    )
    one = trace(headers=headers)

    assert signs("scheme", one, trace()) == [Sign("scheme", "bearer", 1, 2), Sign("scheme", "none", 1, 2)]
    assert signs("sent", one, trace()) == [
        Sign("sent", "cookie:a", 1, 2),
        Sign("sent", "x-acme-ticket", 1, 2),
    ]


def test_who_a_request_says_it_is_from_is_no_credential() -> None:
    one = trace(headers=(("x-user-id", "7"), ("x-role", "admin")))

    assert [sign.subject for sign in signs("identity", one)] == ["x-role", "x-user-id"]
    assert signs("sent", one) == []


def test_addresses_are_urls_in_a_field_that_is_named_so() -> None:
    made = [trace(body={"url": f"https://a.example/{n}", "site": f"https://b.example/{n}"}) for n in range(3)]
    queries = [trace(query="callback=https%3A%2F%2Fa.example%2Fx&uri=no")]

    assert signs("address", *made) == [Sign("address", "url", 3, 3)]
    assert [sign.subject for sign in signs("address", *queries)] == ["callback"]


def test_properties_that_give_rights_and_what_answers_show_of_them() -> None:
    made = [
        trace({"role": role}, {"name": "a", **({"role": role} if n else {})})
        for n, role in enumerate(("user", "admin"))
    ]

    assert signs("privilege", *made) == [Sign("privilege", "role", 1, 2)]
    assert signs("shown", *made) == [Sign("shown", "role", 2, 2)]


def test_a_long_list_counts_objects_in_successful_answers_only() -> None:
    long = [{"id": n} for n in range(120)]

    assert signs("array", trace({"items": long})) == [Sign("array", "", 120, 1)]
    assert signs("array", trace({"items": long}, status=400)) == []
    assert signs("array", trace({"items": list(range(120))})) == []
    assert signs("array", trace({"items": long[:99]})) == []


def test_a_stack_trace_is_a_long_text_in_an_answer_that_failed() -> None:
    text = "at shop.Web.get(Web.java:42) " * 4

    assert signs("trace", trace({"error": {"stackTrace": text}}, status=500)) == [
        Sign("trace", "stackTrace", 1, 1)
    ]
    assert signs("trace", trace({"trace": "4711"}, status=500)) == []
    assert signs("trace", trace({"trace": text})) == []


@pytest.mark.parametrize(
    ("answer", "describes"),
    [
        ({"openapi": "3.1.0", "paths": {}}, True),
        ({"swagger": "2.0", "paths": {}}, True),
        ({"data": {"__schema": {"types": []}}}, True),
        ({"paths": ["/a"]}, False),
        ({"openapi": True}, False),
    ],
)
def test_answers_that_describe_an_api(answer: object, describes: bool) -> None:
    assert bool(signs("description", trace(answer))) is describes


def test_sensitive_fields_have_how_many_objects_and_whether_they_are_masks() -> None:
    place = FoundField("response-body:200:people/*/password", "response-body", "200", "people/*/password")
    other = FoundField("response-body:200:gone", "response-body", "200", "gone")
    made = [trace({"people": [{"id": n, "password": "********"} for n in range(4)]})]

    assert signs("objects", *made, fields=(place, other)) == [Sign("objects", place.location, 4, 4)]
    assert signs("mask", *made, fields=(place,)) == [Sign("mask", place.location, 4, 4)]
    varied = [trace({"people": [{"id": n, "password": "*" * n} for n in range(3, 7)]})]
    assert signs("mask", *varied, fields=(place,)) == []


def test_names_that_callers_invent_do_not_crowd_out_other_signs() -> None:
    headers = tuple((f"x-invented-{n:03}", "1") for n in range(200))
    found = signs_of(known(trace(headers=headers), trace({"items": [{"id": n} for n in range(120)]})))

    assert len([sign for sign in found if sign.name == "sent"]) <= MAX_SIGNS
    assert {"array", "scheme", "gives"} <= {sign.name for sign in found}


def test_signs_are_stored_and_read() -> None:
    found = signs_of(known(trace({"a": 1}, {"b": 2})))

    assert found and unpack_signs(pack_signs(found)) == found
    assert unpack_signs(pack_signs(())) == ()
    with pytest.raises(msgspec.ValidationError):
        unpack_signs(b"\x01")
