"""The benches of learning, in short form: their figures keep above what is promised."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from bench.learning import independent, real, schemas, sensitive


def test_schemas_of_the_sample_api_hold_and_reject() -> None:
    figures = schemas.measure(1, learned=2000, held_out=500)

    assert figures["valid"] >= 0.995
    assert figures["rejected"] >= 0.9


@pytest.mark.skipif(
    shutil.which("pdns_server") is None or not Path("/usr/share/dict/words").exists(),
    reason="needs Debian's pdns-server, pdns-backend-sqlite3 and wamerican",
)
def test_schemas_of_a_real_server_hold_and_reject() -> None:
    figures = real.measure("powerdns", seeds=1, held_out=1)

    assert figures["checked"] > 300
    assert figures["valid"] >= 0.995
    assert figures["rejected"] >= 0.9


@pytest.mark.parametrize("server", ["jupyter", "prefect"])
def test_schemas_of_servers_from_pypi_hold_and_reject(server: str) -> None:
    """The long form: minutes, and an environment with the server (``bench/discovery/real_SERVER.py``)."""
    environment = os.environ.get(f"LEVO_{server.upper()}")
    if environment is None or not Path("/usr/share/dict/words").exists():
        pytest.skip(f"LEVO_{server.upper()} names no environment with it, or there is no word list")
    figures = real.measure(server, [environment], seeds=3, held_out=1)

    assert figures["checked"] > 300
    assert figures["valid"] >= 0.995
    assert figures["rejected"] >= 0.9


@pytest.mark.slow
def test_sensitive_data_of_both_sources_is_told_apart() -> None:
    for figures in (sensitive.measure(7, bodies=40), independent.measure(7, bodies=40)):
        for kind, (precision, recall, fields) in figures.items():
            assert precision >= 0.98 and recall >= 0.95, (kind, precision, recall, fields)


def test_documented_national_numbers_are_recognized() -> None:
    kinds, missed = independent.documented()

    # The others are of companies, or too old or too plain for a check digit.
    assert kinds > 30
    assert set(missed) <= {f"national-id.{kind}" for kind in ("ar.dni", "cz.rc", "it.codicefiscale")}
