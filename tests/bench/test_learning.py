"""The benches of learning, in short form: their figures keep above what is promised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench.learning import real, schemas


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
