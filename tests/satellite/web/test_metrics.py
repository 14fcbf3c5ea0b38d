"""The Satellite's own numbers."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from levo import __version__
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite


def test_every_sample_belongs_to_a_described_family(satellite: RunningSatellite) -> None:
    answer = satellite.get("/metrics")
    families = list(text_string_to_metric_families(answer.body.decode()))

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 20
    for family in families:
        assert family.documentation
        suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
        assert {sample.name for sample in family.samples} <= {
            family.name + suffix for suffix in suffixes[family.type]
        }
    assert {"levo_satellite_requests_in_flight_bytes", "levo_satellite_journal_bytes"} <= set(names)


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
    assert total(prefix + "journal_bytes") == total(prefix + "oldest_unlearned_record_age_seconds") == 0
    assert total(prefix + "commit_duration_seconds_count") > 0
    assert total(prefix + "commit_duration_seconds_sum") > 0


def test_both_processes_show_what_they_take(satellite: RunningSatellite) -> None:
    families = {
        family.name: family
        for family in text_string_to_metric_families(satellite.get("/metrics").body.decode())
    }
    for name in (
        "cpu_seconds",
        "resident_memory_bytes",
        "open_fds",
        "max_fds",
        "threads",
        "start_time_seconds",
    ):
        samples = families[f"process_{name}"].samples
        assert {sample.labels["process"] for sample in samples} == {"web", "learner"}
        assert all(sample.value > 0 for sample in samples), name
    (built,) = families["levo_satellite_build_info"].samples
    assert built.value == 1 and built.labels["version"] == __version__
