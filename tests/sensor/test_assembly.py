"""From a configuration to stages: what is opened, in which order, with which share of the memory."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from levo.config import Merged, SensorConfig, Surroundings, load
from levo.engine.exchange.batch import Batch
from levo.errors import CaptureFileError, ConfigError
from levo.sensor.assembly import Finisher, Shares, open_sensor, own_endpoints
from tests.cli.capture import write_capture
from tests.engine.exchange.test_redact import exchange


def merge(environ: dict[str, str] | None = None, **flags: Any) -> Merged:
    given = {name.replace("_", "-"): flag for name, flag in flags.items()}
    return load(given, environ or {}, default_path="/nonexistent", surroundings=Surroundings())


def endpoints(config: SensorConfig, environ: dict[str, str] | None = None) -> list[str]:
    return [f"{end.host}:{end.port}" for end in own_endpoints(config, environ or {})]


@pytest.mark.parametrize("budget", [4 << 20, 64 << 20, 256 << 20, 64 << 30])
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_shares_fit_into_the_budget(budget: int, outputs: int) -> None:
    shares = Shares.of(budget, outputs)

    assert shares.handover_bytes + outputs * shares.output_bytes <= budget
    assert 2 << 20 <= shares.ring_bytes <= 32 << 20


def test_a_replay_runs_from_configuration_to_ledger(tmp_path: Path) -> None:
    capture, out = write_capture(tmp_path / "two.pcap"), tmp_path / "out.jsonl"
    sensor = open_sensor(merge(read=str(capture), output=(f"jsonl:{out}", "null")), {})

    sensor.pipeline.run()
    sensor.source.close()

    assert len(out.read_text().splitlines()) == 2
    assert sensor.ledger().balanced, sensor.ledger().render()
    assert [balance.label for balance in sensor.ledger().stages][-2:] == [
        "output jsonl:out.jsonl",
        "output null",
    ]
    assert sensor.not_ready(0) == ["capture has ended"]


def test_two_sensors_run_in_one_process(tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "two.pcap")
    sensors = [
        open_sensor(merge(read=str(capture), output=(f"jsonl:{tmp_path / name}",)), {}) for name in "ab"
    ]

    for sensor in sensors:
        sensor.pipeline.run()
        sensor.source.close()

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != b""


def test_the_source_is_opened_before_an_output_is_truncated(tmp_path: Path) -> None:
    out = tmp_path / "precious"
    out.write_text("precious")

    with pytest.raises(CaptureFileError):
        open_sensor(merge(read="/nonexistent", output=(f"jsonl:{out}",)), {})

    assert out.read_text() == "precious"


def test_own_traffic_is_the_satellite_its_proxy_and_the_task_metadata() -> None:
    ecs = {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}
    proxied = merge({"LEVO_HTTP_PROXY": "http://proxy:3128"}, satellite_url="http://sat:9999").config

    assert endpoints(merge(satellite_url="http://sat:9999").config) == ["sat:9999"]
    assert endpoints(proxied) == ["sat:9999", "proxy:3128"]
    assert endpoints(merge().config, ecs) == ["localhost:4317", "169.254.170.2:80"]
    assert endpoints(merge(output=("null",)).config) == []


def test_questions_about_our_health_are_own_traffic() -> None:
    one = merge(output=("null",), listen="192.0.2.1:9464").config
    every = merge(output=("null",), listen=":9464").config

    assert endpoints(one) == ["192.0.2.1:9464"]
    assert "127.0.0.1:9464" in endpoints(every)


def test_finishing_decodes_before_it_masks() -> None:
    """Decoding first: what is masked must be what leaves."""
    body = gzip.compress(b'{"pin":"1234"}')
    coded = exchange(body, headers=(("Content-Encoding", "gzip"), ("X-Session", "s")))
    config = merge({"LEVO_REDACT": "{headers: [X-Session], fields: [pin]}"}, output=("null",)).config
    masked, plain = Batch.build([coded]), Batch.build([coded])

    finisher = Finisher(config)
    finisher(masked)
    Finisher(merge(no_redact=True, output=("null",)).config)(plain)

    (hidden,), (shown,) = masked.exchanges(), plain.exchanges()
    assert hidden.request is not None and shown.request is not None
    assert (hidden.request.body, shown.request.body) == (b'{"pin":"****"}', b'{"pin":"1234"}')
    assert (dict(hidden.request.headers)["X-Session"], dict(shown.request.headers)["X-Session"]) == ("*", "s")
    assert (finisher.statistics()["fields_masked"], finisher.statistics()["credentials_masked"]) == (1, 1)


def test_redaction_that_cannot_be_done_is_refused_rather_than_left_out() -> None:
    rules = merge({"LEVO_REDACT": f"{{fields: [{'x' * 300}]}}"}, output=("null",))

    with pytest.raises(ConfigError, match="redact"):
        Finisher(rules.config)
