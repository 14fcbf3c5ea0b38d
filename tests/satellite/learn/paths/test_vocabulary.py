"""The words of APIs as package data."""

from __future__ import annotations

from importlib.resources import files

from levo.satellite.learn import paths
from levo.satellite.learn.paths.segments import words
from levo.satellite.learn.paths.vocabulary import FILE, Word, encode_vocabulary, vocabulary


def test_the_file_is_what_the_miner_writes_of_it() -> None:
    assert encode_vocabulary(vocabulary()) == files(paths).joinpath(FILE).read_text(encoding="utf-8")


def test_each_entry_is_one_word_with_a_rank_and_what_follows() -> None:
    for word, (rank, follow) in vocabulary().items():
        assert words(word) == (word,) and 0 <= rank <= 9 and follow in "pl-"


def test_common_words_have_a_high_rank() -> None:
    assert vocabulary()["api"] == Word(6, "l")
    assert vocabulary()["users"].rank > vocabulary()["zebra"].rank
