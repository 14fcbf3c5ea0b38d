"""The Satellite's own numbers."""

from __future__ import annotations

import re

from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite

SAMPLE = re.compile(r'([a-z_]+)(?:\{[a-z]+="[a-z_]+"\})? (-?[0-9.e+-]+)')


def test_every_sample_belongs_to_a_described_family(satellite: RunningSatellite) -> None:
    answer = satellite.get("/metrics")
    lines = answer.body.decode().splitlines()
    described = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE ")}
    helped = {line.split()[2] for line in lines if line.startswith("# HELP ")}

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert helped == set(described)
    for line in lines:
        if not line.startswith("#"):
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert (described[found[1]] == "counter") == found[1].endswith("_total")


def test_the_ledger_balances(satellite: RunningSatellite) -> None:
    satellite.post("/v1/traces", b"\xff", content_type=PROTOBUF)
    satellite.post("/v1/traces", traces([Call()] * 5).SerializeToString(), content_type=PROTOBUF)
    satellite.until_idle()
    page = satellite.get("/metrics").body.decode()

    def total(name: str) -> float:
        return sum(float(line.split()[-1]) for line in page.splitlines() if re.match(name + r"[ {]", line))

    prefix = "levo_satellite_"
    assert total(prefix + "requests_total") == (
        total(prefix + "requests_accepted_total")
        + total(prefix + "requests_refused_total")
        + total(prefix + "requests_in_flight")
    )
    spans = float(re.search(r'accepted_items_total\{kind="traces"\} (\S+)', page)[1])  # type: ignore[index]
    assert spans == total(prefix + "learned_traces_total") + total(prefix + "ignored_spans_total")
    assert total(prefix + "journal_bytes") == 0
