"""What may be an enum's member."""

from __future__ import annotations

import pytest

from levo.satellite.learn.schema.labels import is_label, may_have_labels, public_words


@pytest.mark.parametrize(
    "value", ["pending", "IN_TRANSIT", "paymentFailed", "EUR", "de-DE", "credit_card", "XL"]
)
def test_public_words(value: str) -> None:
    assert is_label(value)


@pytest.mark.parametrize("value", ["", "Ottilie", "hunter2", "correct horse", "a1b2", "x" * 50, "pending\n"])
def test_all_else_is_not_kept(value: str) -> None:
    assert not is_label(value)


def test_names_that_say_private_have_no_labels() -> None:
    assert may_have_labels("status") and not may_have_labels("password") and not may_have_labels("firstName")


def test_the_list_holds_words_codes_and_languages() -> None:
    words, codes, languages = public_words()
    assert len(words) > 1400 and all(word == word.lower() and word.isalnum() for word in words)
    assert codes >= {"EUR", "DE", "XL"} and all(code.isupper() for code in codes)
    assert languages >= {"de", "en"} and all(len(language) == 2 for language in languages)
