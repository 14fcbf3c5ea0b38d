"""What is news."""

from __future__ import annotations

import orjson

from levo.satellite.learn import Detectors, Knowledge
from levo.satellite.learn.knowledge import learn_messages
from levo.satellite.learn.trace import Origin, Trace
from levo.satellite.store.changes import SETTLED, changes

DETECTORS = Detectors()


def known(body: object, times: int, status: int = 200) -> Knowledge:
    knowledge = Knowledge()
    octets = orjson.dumps(body)
    for _ in range(times):
        trace = Trace(Origin("", "", "", ""), "h", "GET", "/", status, 1.0, 1, 2, response_body=octets)
        learn_messages(knowledge, trace, "/", DETECTORS)
    return knowledge


def test_a_new_property_and_a_new_status_are_news_once_things_have_settled() -> None:
    old = known({"a": {"b": 1}}, SETTLED)

    assert list(changes(old, known({"a": {"b": 1, "c": 2}}, 1))) == [("property", "response 200 /a/c")]
    assert list(changes(old, known({}, 1, 500))) == [("status", "500")]
    assert not list(changes(old, known({"a": {"b": 2}}, 1)))
    assert not list(changes(known({"a": 1}, 2), known({"z": 2}, 1)))
