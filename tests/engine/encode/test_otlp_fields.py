"""``encode.otlp_fields``: field lines become what a dictionary of lists would say, at every length."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.model.exchange import Response
from tests.engine.encode.test_otlp import expected_fields, only
from tests.helpers.exchanges import examples, raw, simple_exchange

PREFIX = "http.response.header."
LETTERS = string.ascii_letters + string.digits + "-_"


def written(*lines: tuple[str, str]) -> dict[str, object]:
    _, attributes = only(simple_exchange(response=Response(headers=lines)))
    return {key: value for key, value in attributes.items() if key.startswith(PREFIX)}


@pytest.mark.parametrize("length", [*range(1, 41), 96, 97, 105, 106, 107, 108, 127, 128, 16_384])
def test_names_of_every_length_are_lowered(length: int) -> None:
    name = (LETTERS * (length // len(LETTERS) + 1))[:length]

    assert written((name, "v"), ("Other", "w")) == expected_fields(PREFIX, ((name, "v"), ("Other", "w")))


@pytest.mark.parametrize("name", ["Age", "Date", "Content-Type"])
def test_values_of_every_length_are_whole(name: str) -> None:
    for length in [*range(140), 16_370, 16_384, 70_000]:
        value = "".join(LETTERS[(7 * i) % len(LETTERS)] for i in range(length))

        assert written((name, value)) == {PREFIX + name.lower(): [value]}, length


def test_repeated_fields_keep_their_order_under_one_name() -> None:
    headers = (("Set-Cookie", "a=1"), ("Via", "x"), ("set-cookie", "b=2"), ("SET-COOKIE", "a=1"))

    assert written(*headers) == {PREFIX + "set-cookie": ["a=1", "b=2", "a=1"], PREFIX + "via": ["x"]}


def test_thousands_of_fields_are_grouped() -> None:
    found = written(*((f"x-{number % 3000}", str(number)) for number in range(9000)))

    assert found == {
        f"{PREFIX}x-{number}": [str(number), str(number + 3000), str(number + 6000)] for number in range(3000)
    }


@pytest.mark.parametrize(
    "value", [b"gr\xfcn", b"\xff", b"\xc3\xa4\xc3", b"long enough for more than a block of 32 \xe9"]
)
def test_octets_that_are_no_utf8_are_still_strings(value: bytes) -> None:
    found = written(("X-Name", raw(value)), ("Date", "today"))

    assert found == {PREFIX + "x-name": [value.decode("latin-1")], PREFIX + "date": ["today"]}


@examples(200)
@given(
    st.lists(
        st.tuples(
            st.text(LETTERS, min_size=1, max_size=12)
            | st.sampled_from(["aXb", "axb", "ayb", "a-b", "Date", "dAte"]),
            st.text("ab\u00e4\u20ac\U0001f600 ", max_size=40) | st.text("ab", max_size=140),
        ),
        max_size=40,
    )
)
def test_lines_are_grouped_as_a_dictionary_would(lines: list[tuple[str, str]]) -> None:
    assert written(*lines) == expected_fields(PREFIX, tuple(lines))
