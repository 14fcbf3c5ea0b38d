"""``levo.engine.encode.jsonl``: Python's JSON reader agrees with the values of the same batch."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from levo.engine.exchange.batch import Batch
from levo.model.exchange import Exchange, Request
from tests.helpers.exchanges import examples, exchanges, simple_exchange


@examples(50)
@given(st.lists(exchanges(), max_size=4))
def test_each_line_is_the_json_form_of_its_exchange(values):
    batch = Batch.build(values)

    lines = batch.jsonl().split(b"\n")

    assert lines.pop() == b""
    assert [json.loads(line) for line in lines] == [exchange.to_json() for exchange in batch.exchanges()]


@examples(50)
@given(st.lists(exchanges(), max_size=3))
def test_members_come_in_the_documented_order(values):
    batch = Batch.build(values)

    for line, exchange in zip(batch.jsonl().splitlines(), batch.exchanges(), strict=True):
        ours, form = json.loads(line), exchange.to_json()
        assert list(ours) == list(form)
        for side in ("request", "response"):
            assert list(ours[side] or {}) == list(form[side] or {})


@examples(50)
@given(exchanges())
def test_a_line_reads_back_as_the_exchange_it_stands_for(value):
    (line,) = Batch.build([value]).jsonl().split(b"\n")[:-1]

    assert Exchange.from_json(json.loads(line)).to_json() == json.loads(line)


@examples(100)
@given(st.text())
def test_any_text_survives_as_a_body(text):
    """Control octets make a body binary; all other text is text."""
    value = simple_exchange(request=Request(body=text.encode()))

    request = json.loads(Batch.build([value]).jsonl())["request"]

    if "body_encoding" not in request:
        assert request["body"] == text


@examples(100)
@given(st.floats())
def test_weights_are_numbers_json_knows(weight):
    line = Batch.build([simple_exchange(weight=weight)]).jsonl()

    assert json.loads(line)["weight"] == (weight if math.isfinite(weight) else None)


def test_one_line_each_whatever_the_body_holds():
    value = simple_exchange(request=Request(body=b"a\nb\r\n\xe2\x80\xa8c"))

    batch = Batch.build([value] * 3)
    assert batch.jsonl().count(b"\n") == 3
    assert batch.jsonl(0, 1) + batch.jsonl(1, 3) + batch.jsonl(3, 9) + batch.jsonl(2, 1) == batch.jsonl()
