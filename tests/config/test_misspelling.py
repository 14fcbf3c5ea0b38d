"""The rule itself; tests/config/test_table.py tries it on both halves."""

from levo.config.misspelling import misspelled


def test_a_name_close_to_one_that_exists_is_probably_that_one() -> None:
    assert misspelled(["LEVO_RATELIMIT", "LEVO_CONFG"]) == [
        "environment variable 'LEVO_CONFG' is not known; did you mean LEVO_CONFIG?",
        "environment variable 'LEVO_RATELIMIT' is not known; did you mean LEVO_RATE_LIMIT?",
    ]


def test_names_of_others_are_theirs() -> None:
    assert misspelled(["LEVO_SOMETHING_ELSE", "LEVO_SATELLITE_PORT_4317_TCP", "LEVO_SATELLITE_LISTEN"]) == []


def test_a_satellite_variable_that_nothing_reads_is_reported_even_if_it_looks_like_nothing() -> None:
    assert misspelled(["LEVO_SATELLITE_NONSENSE"]) == [
        "environment variable 'LEVO_SATELLITE_NONSENSE' is not known; nothing reads it"
    ]
