"""HAR documents as exporters write them, faults included: what can be used is, the rest is counted."""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.har import HarReport, Partly, Skipped, read_har
from levo.satellite.learn.trace import INVALID_STATUS, Origin
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of
from tests.helpers.effort import scaled

ORIGIN = Origin("o", "e", "a", "")
STARTED_NS = 1_715_938_200_000_000_000
SENT, RECEIVED = {"name": "x"}, {"id": 7}
BASE64 = base64.b64encode(json.dumps(RECEIVED).encode()).decode()


def entry(**parts: Any) -> dict[str, Any]:
    """One entry with all that HAR 1.2 asks for; *parts* replace members, None takes one away."""
    made = {
        "startedDateTime": "2024-05-17T09:30:00.000Z",
        "time": 12.5,
        "request": {
            "method": "POST",
            "url": "https://shop.example/items?page=1",
            "httpVersion": "HTTP/2",
            "headers": [
                {"name": ":authority", "value": "shop.example"},
                {"name": "Content-Type", "value": "application/json"},
            ],
            "queryString": [{"name": "page", "value": "1"}],
            "cookies": [],
            "postData": {"mimeType": "application/json", "text": json.dumps(SENT)},
            "headersSize": -1,
            "bodySize": 12,
        },
        "response": {
            "status": 201,
            "statusText": "Created",
            "headers": [{"name": "content-type", "value": "application/json"}],
            "content": {"size": 9, "mimeType": "application/json", "text": json.dumps(RECEIVED)},
        },
        "cache": {},
        "timings": {"send": 0, "wait": 12.5, "receive": 0},
    }
    for name, value in parts.items():
        place: Any = made
        *way, last = name.split("__")
        for step in way:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return made


EXPORTERS: dict[str, dict[str, Any]] = {
    "browser-with-types": entry(_resourceType="fetch", _initiator={"type": "script"}, pageref="page_1"),
    "browser-with-offset-times": entry(startedDateTime="2024-05-17T11:30:00.000+02:00"),
    "browser-that-packs-every-body": entry(
        response__content={"size": 9, "mimeType": "application/json", "encoding": "base64", "text": BASE64}
    ),
    "proxy-with-wrapped-base64": entry(
        response__content={
            "size": 9, "mimeType": "application/json", "encoding": "BASE64",
            "text": BASE64[:5] + "\r\n" + BASE64[5:].rstrip("="),
        }
    ),
    "proxy-with-numbers-as-text": entry(
        time="12.5",
        response__status="201",
        response__content={"size": "9", "mimeType": "application/json", "text": json.dumps(RECEIVED)},
    ),
    "test-tool-without-header-lists": entry(
        request__headers={"Content-Type": "application/json"}, response__headers=None, timings=None
    ),
    "test-tool-with-epoch-times": entry(startedDateTime=1_715_938_200_000),
    "generator-without-fields": entry(
        request__headers=[], request__queryString=None, request__cookies=None, response__headers=[]
    ),
    "this-sensor": entry(
        _weight=3,
        request__postData={
            "mimeType": "application/json", "params": [], "_encoding": "base64",
            "text": base64.b64encode(json.dumps(SENT).encode()).decode(),
        },
    ),
}  # fmt: skip


def read(*entries: Any, default_ns: int = 1) -> tuple[list[Trace], HarReport]:
    report = HarReport()
    return list(read_har({"log": {"entries": list(entries)}}, ORIGIN, report, default_ns)), report


def read_one(one: Any) -> tuple[Trace, HarReport]:
    (trace,), report = read(one)
    return trace, report


@pytest.mark.parametrize("written", EXPORTERS.values(), ids=EXPORTERS)
def test_an_entry_of_every_exporter_teaches_the_same(written: dict[str, Any]) -> None:
    trace, report = read_one(written)

    assert (trace.method, trace.host, trace.path, trace.query) == ("POST", "shop.example", "/items", "page=1")
    assert (trace.status, trace.scheme) == (201, "https")
    assert trace.request_whole and trace.response_whole
    assert (json.loads(trace.request_body), json.loads(trace.response_body)) == (SENT, RECEIVED)
    assert dict(trace.request_headers)["content-type"] == "application/json"
    assert dict(trace.response_headers)["content-type"] == "application/json"
    assert (trace.start_ns, trace.end_ns - trace.start_ns) == (STARTED_NS, 12_500_000)
    assert (report.used, list(report.lines())) == (1, [])


FAULTS: dict[str, tuple[dict[str, Any], Partly]] = {
    "response-absent": ({"response": None}, Partly.NO_RESPONSE),
    "response-null": ({"response": 0}, Partly.NO_RESPONSE),
    "response-aborted": ({"response__status": 0}, Partly.NO_RESPONSE),
    "response-empty": ({"response": {}}, Partly.NO_RESPONSE),
    "time-absent": ({"startedDateTime": None}, Partly.NO_TIME),
    "time-in-words": ({"startedDateTime": "Fri, 17 May"}, Partly.NO_TIME),
    "time-before-time": ({"startedDateTime": "0001-01-01T00:00:00+14:00"}, Partly.NO_TIME),
    "time-infinite": ({"startedDateTime": math.inf}, Partly.NO_TIME),
    "status-in-words": ({"response__status": "Created"}, Partly.BAD_STATUS),
    "status-999": ({"response__status": 999}, Partly.BAD_STATUS),
    "body-absent": ({"response__content": {"size": 9}}, Partly.NO_BODY),
    "field-null": ({"request__headers": [None, {"name": "A"}, {"value": "b"}]}, Partly.BAD_FIELD),
}


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_no_entry_and_is_counted(fault: str, exporter: str) -> None:
    parts, expected = FAULTS[fault]
    written = copy.deepcopy(EXPORTERS[exporter])
    for name, value in parts.items():
        place: Any = written
        *way, last = name.split("__")
        for step in way:
            place = place[step]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    (trace,), report = read(written, default_ns=STARTED_NS - 5)

    assert (trace.method, trace.host, trace.path) == ("POST", "shop.example", "/items")
    assert json.loads(trace.request_body) == SENT
    assert (report.used, report.partly, report.skipped.total()) == (1, {expected: 1}, 0)
    assert list(report.lines()) == [f"1 entry with {expected}"]
    if expected is Partly.NO_RESPONSE:
        assert (trace.status, trace.response_body, trace.response_headers) == (0, b"", ())
    elif expected is Partly.BAD_STATUS:
        assert trace.status == INVALID_STATUS
    elif expected is Partly.NO_TIME:
        assert trace.start_ns == STARTED_NS - 5


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (None, Skipped.NO_OBJECT),
        ([], Skipped.NO_OBJECT),
        ("x", Skipped.NO_OBJECT),
        ({}, Skipped.NO_REQUEST),
        ({"request": None}, Skipped.NO_REQUEST),
        ({"request": []}, Skipped.NO_REQUEST),
        (entry(request__method=None), Skipped.NO_METHOD),
        (entry(request__method=""), Skipped.NO_METHOD),
        (entry(request__url=None), Skipped.BAD_URL),
        (entry(request__url=""), Skipped.BAD_URL),
        (entry(request__url=7), Skipped.BAD_URL),
        (entry(request__url="/items"), Skipped.BAD_URL),
        (entry(request__url="//shop.example/items"), Skipped.BAD_URL),
        (entry(request__url="https:///items"), Skipped.BAD_URL),
        (entry(request__url="https://[::1/items"), Skipped.BAD_URL),
        (entry(request__url="https://shop.example:99999/"), Skipped.BAD_URL),
        (entry(request__url="data:text/plain,hello"), Skipped.OTHER_SCHEME),
        (entry(request__url="blob:https://shop.example/0a-1b"), Skipped.OTHER_SCHEME),
        (entry(request__url="chrome-extension://abc/script.js"), Skipped.OTHER_SCHEME),
        (entry(request__url="about:blank"), Skipped.OTHER_SCHEME),
        (entry(request__url="file:///etc/hosts"), Skipped.OTHER_SCHEME),
    ],
)
def test_what_is_no_request_is_skipped_for_one_reason(one: Any, reason: Skipped) -> None:
    traces, report = read(one, entry(), one)

    assert (len(traces), report.used, report.skipped) == (1, 1, {reason: 2})
    assert list(report.lines()) == [f"2 entries skipped: {reason}"]


@pytest.mark.parametrize(
    "document",
    [None, [], 3, "x", {}, {"log": None}, {"log": []}, {"log": {}}]
    + [{"log": {"entries": entries}} for entries in (None, {}, "x", 3)],
)
def test_a_document_without_entries_is_not_a_har(document: Any) -> None:
    with pytest.raises(ValueError, match="not a HAR"):
        list(read_har(document, ORIGIN))


def test_entries_without_a_time_take_that_of_the_one_before() -> None:
    traces, _ = read(entry(startedDateTime=None), entry(), entry(startedDateTime="soon"), default_ns=9)

    assert [trace.start_ns for trace in traces] == [9, STARTED_NS, STARTED_NS]


@pytest.mark.parametrize("text", ['{"id": 7}', "plain, not packed", "abc=def", "ab\u00e4", "A"])
def test_text_that_is_not_base64_is_taken_as_it_is(text: str) -> None:
    content = {"size": 9, "mimeType": "application/json", "encoding": "base64", "text": text}
    trace, report = read_one(entry(response__content=content))

    assert trace.response_body.decode() == text
    assert report.partly == {Partly.NOT_BASE64: 1}


@pytest.mark.parametrize(
    ("url", "scheme", "host"),
    [
        ("wss://shop.example/feed", "https", "shop.example"),
        ("ws://shop.example:8080/feed", "http", "shop.example:8080"),
        ("HTTPS://Shop.example:443/feed", "https", "shop.example"),
        ("http://shop.example:443/feed", "http", "shop.example:443"),
        ("https://me:secret@shop.example/feed", "https", "shop.example"),
        ("http://[2001:db8::1]:8080/feed", "http", "[2001:db8::1]:8080"),
    ],
)
def test_urls(url: str, scheme: str, host: str) -> None:
    """A WebSocket begins as a request; a password in a URL is not kept."""
    trace, report = read_one(entry(request__url=url, response__status=101))

    assert (trace.scheme, trace.host, trace.path, trace.status) == (scheme, host, "/feed", 101)
    assert list(report.lines()) == []


PARAMETERS = [{"name": "user", "value": "a b&c"}, {"name": "age", "value": 7}, {"name": "no"}, None, {}]


@pytest.mark.parametrize(
    ("media", "headers"),
    [
        ("application/x-www-form-urlencoded", []),
        ("", []),
        ("multipart/form-data", []),
        ("", [{"name": "Content-Type", "value": "multipart/form-data; boundary=gone"}]),
        ("application/x-www-form-urlencoded; charset=UTF-8", []),
    ],
)
def test_the_parameters_of_a_form_teach_its_body(media: str, headers: list[dict[str, str]]) -> None:
    posted = {"mimeType": media, "params": PARAMETERS}
    traces, _ = read(*[entry(request__postData=posted, request__headers=headers)] * 6)
    document = render_document("a", operations_of(learn_all(State(), traces)), shared=False)
    ((kind, content),) = document["paths"]["/items"]["post"]["requestBody"]["content"].items()

    assert kind == ("multipart/form-data" if "multipart" in str((media, headers)) else FORM)
    assert content["schema"]["properties"].keys() == {"user", "age", "no"}
    assert content["schema"]["properties"]["age"]["type"] == "integer"


FORM = "application/x-www-form-urlencoded"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PLACES: list[Callable[[dict[str, Any]], tuple[dict[str, Any], str]]] = [
    *(lambda e, n=n: (e, n) for n in ("startedDateTime", "time", "request", "response")),
    *(lambda e, n=n: (e["request"], n) for n in ("method", "url", "headers", "postData")),
    *(lambda e, n=n: (e["response"], n) for n in ("status", "headers", "content")),
    *(lambda e, n=n: (e["response"]["content"], n) for n in ("size", "text", "encoding", "mimeType")),
    *(lambda e, n=n: (e["request"]["postData"], n) for n in ("text", "params", "mimeType")),
    lambda e: (e["request"]["headers"][1], "name"),
    lambda e: (e["request"]["headers"][1], "value"),
]  # fmt: skip


@given(place=st.sampled_from(PLACES), value=JSON_VALUES)
@settings(max_examples=scaled(400), deadline=None)
def test_anything_anywhere_is_used_or_counted_and_can_be_written(place: Any, value: Any) -> None:
    odd = entry()
    holder, name = place(odd)
    holder[name] = value
    traces, report = read(odd)
    document = render_document("a", operations_of(learn_all(State(), traces)), shared=False)

    assert report.used + report.skipped.total() == 1 == len(traces) + report.skipped.total()
    json.dumps(document, ensure_ascii=False).encode()
