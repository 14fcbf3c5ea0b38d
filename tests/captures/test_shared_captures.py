"""Real captures of public suites against what independent tools read in them.

The captures are read in place (``LEVO_CAPTURES``) and never copied. Where tools disagree, the packets and the
RFC decide; the verdicts are in ``disagreements.py`` and ``docs/captures.md``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from levo.engine.engine import Engine
from levo.sensor.capture.file import FileSource
from tests.captures import voters
from tests.captures.disagreements import DISAGREEMENTS
from tests.helpers.engine_runs import Run, run_file
from tests.helpers.lines import body
from tests.helpers.pcap import shared_captures

FOLDER = shared_captures()
NAMES = sorted(p.parent.name for p in FOLDER.glob("*/expected.json")) if FOLDER else []
ENCRYPTED = {
    "suricata-verify__tls-alpn-log-detect-02": {"alpn": "http/1.1", "version": "1.2"},
    "zeek__tls__tls12-decryption": {"server_name": "heise.de", "version": "1.2"},
}
"""Captures that come without their keys, and what is seen of their one TLS connection."""

pytestmark = pytest.mark.skipif(FOLDER is None, reason="shared captures are absent (LEVO_CAPTURES)")


def path_of(name: str) -> Path:
    assert FOLDER is not None
    return next(p for p in sorted((FOLDER / name).glob("input.pcap*")))


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """One run a capture, shared by the voters."""
    return {}


def run_of(runs: dict[str, Run], name: str, *, decode: bool = True) -> Run:
    key = f"{name}/{decode}"
    if key not in runs:
        runs[key] = run_file(path_of(name), decode=decode)
    return runs[key]


def votes() -> list[tuple[str, str]]:
    """(capture, voter) for everything an oracle says something about."""
    found = []
    for name in NAMES:
        assert FOLDER is not None
        expected = json.loads((FOLDER / name / "expected.json").read_text())
        keys = {"tshark_messages": "tshark", "exchanges": "zeek", "suricata_checks": "suricata"}
        found += [(name, voter) for key, voter in keys.items() if key in expected]
        if (FOLDER / name / "arkime.json").exists():
            found.append((name, "arkime"))
    return found


@pytest.mark.parametrize(("name", "voter"), votes())
def test_capture_is_read_as_the_voter_reads_it(runs, name, voter):
    assert FOLDER is not None
    expected = json.loads((FOLDER / name / "expected.json").read_text())
    run = run_of(runs, name)

    if voter == "arkime":
        found = voters.arkime(FOLDER / name, run, run_of(runs, name, decode=False))
    else:
        found = getattr(voters, voter)(expected, run)

    assert found == DISAGREEMENTS.get((name, voter), [])


@pytest.mark.parametrize("name", ENCRYPTED)
def test_tls_without_keys_is_an_encrypted_endpoint(name):
    engine = Engine()
    with FileSource(str(path_of(name))) as source:
        while engine.pump(source) >= 0:
            pass
    engine.finish()

    (endpoint,) = engine.encrypted()

    assert {key: endpoint[key] for key in ENCRYPTED[name]} == ENCRYPTED[name]
    assert (endpoint["connections"], endpoint["decrypted_connections"]) == (1, 0)


def test_http_0_9_in_ipv6_atomic_fragments(runs):
    """No tool's reading comes with this capture; the packets show four requests without a version."""
    run = run_of(runs, "zeek__ipv6-http-atomic-frag")

    assert [(x["request"]["method"], x["request"]["target"]) for x in run.exchanges] == [
        ("GET", "/bad.html")
    ] * 4
    assert {body(x["response"])[-8:] for x in run.exchanges} == {b"</html>\n"}
    assert {x["response"]["body_size"] for x in run.exchanges} == {88}


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_balances(runs, name):
    """Whatever the protocol: nothing raises, and every frame, octet and exchange is counted once."""
    run_of(runs, name)


def test_every_disagreement_is_explained_in_the_documentation():
    page = (Path(__file__).resolve().parents[2] / "docs" / "captures.md").read_text()
    unexplained = [name for name, _ in DISAGREEMENTS if name not in page]
    assert unexplained == []


def test_every_disagreement_names_a_vote_that_is_held():
    assert sorted(set(DISAGREEMENTS) - set(votes())) == []
