"""The shipped list of standard names."""

from __future__ import annotations

from importlib.resources import files

from levo.satellite.learn.schema.standard import FILE, STANDARD_NAMES


def test_the_list_names_its_sources_and_nothing_that_could_be_a_person() -> None:
    lines = files("levo.satellite.learn.schema").joinpath(FILE).read_text(encoding="utf-8").splitlines()

    assert sum(line.startswith("[") for line in lines) >= 10
    assert {"access_token", "idempotency-key", "operationName", "application/json", "*/*"} <= STANDARD_NAMES
    assert not {"alice", "bob", "berlin", "diabetes", "password1"} & {name.lower() for name in STANDARD_NAMES}
    assert all(name.isascii() and len(name) < 90 and name[0] != "?" for name in STANDARD_NAMES)
