"""From the settings to masked batches: what is hidden, what is counted, what a change does."""

from __future__ import annotations

import pytest

from levo.config import Redaction
from levo.config.values import pattern
from levo.engine.exchange.batch import Batch
from levo.sensor.redact.masking import Masking, first_look
from tests.engine.exchange.test_redact import exchange


def batch() -> Batch:
    return Batch.build(
        [
            exchange(
                b'{"pin":"1234","note":"zebra"}',
                headers=(("Authorization", "Bearer abc"), ("X-Session", "s"), ("X-A", "zebra")),
            )
        ]
    )


def rules(*patterns: str, fields: tuple[str, ...] = (), headers: tuple[str, ...] = ()) -> Redaction:
    return Redaction(headers, fields, tuple(pattern(text) for text in patterns))


def test_everything_is_masked_and_counted() -> None:
    masking = Masking(rules("zeb.a", fields=("pin",), headers=("x-session",)))
    one = batch()

    masking(one)

    assert b'{"pin":"****","note":"*****"}' in [each.request.body for each in one.exchanges() if each.request]
    assert masking.statistics() == {
        "credentials_masked": 2,
        "fields_masked": 1,
        "patterns_masked": 2,
        "bodies_withheld": 0,
    }


def test_a_change_applies_from_the_next_batch_and_keeps_the_counts() -> None:
    masking = Masking(Redaction(keep=("pin",)))
    masking(batch())
    before = masking.statistics()

    masking.change(rules(fields=("pin",)))
    masking(batch())

    assert before["fields_masked"] == 0
    assert masking.statistics() == {**before, "credentials_masked": 2, "fields_masked": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [("^zebra$", "zebra"), (r"\bzebra\b", "zebra"), ("(?i)ZEBRA", "zebra"), ("a|^b$", "b"), ("(?:x)?$", "")],
)
def test_the_first_look_finds_what_a_pattern_finds_in_one_of_the_values(text: str, value: str) -> None:
    look = first_look(rules(text, "other"))

    assert look is not None
    assert look.search(f"x\n{value}\ny".encode()) is not None


@pytest.mark.parametrize("text", [r"\Azebra", r"zebra\z", "(?-m:^zebra)", "(?i-m)^zebra"])
def test_a_pattern_about_the_ends_of_a_value_gets_no_first_look(text: str) -> None:
    assert first_look(rules(text)) is None
    masking = Masking(rules(text))
    masking(batch())
    assert masking.statistics()["patterns_masked"] == 1


def test_groups_of_the_same_name_are_no_trouble() -> None:
    masking = Masking(rules("(?P<a>zebra)", "(?P<a>pin)"))
    masking(batch())
    assert masking.statistics()["patterns_masked"] == 3
