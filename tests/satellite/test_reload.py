"""SIGHUP: what can change does, what cannot is named, and nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

from levo.config.satellite_settings import SATELLITE
from levo.satellite import app
from tests.satellite.receive.test_http_routes import PROTOBUF
from tests.satellite.requests import Call, traces
from tests.satellite.running import RunningSatellite, until
from tests.satellite.test_app import learners_of

RULES = "rules:\n  - kind: staff-number\n    field: '(?i)staff'\n"


def test_all_that_the_learner_is_told_can_change() -> None:
    asked: set[str] = set()

    class Asked:
        def __getattr__(self, field: str) -> int:
            asked.add(field)
            return 1

    app._bounds(Asked())  # type: ignore[arg-type]
    assert len(asked) > 10
    assert {option.field for option in SATELLITE.options if option.reloadable} >= asked


def test_a_signal_applies_what_can_change_and_names_the_rest(tmp_path: Path) -> None:
    config, rules = tmp_path / "satellite.yaml", tmp_path / "data" / "detectors.yaml"
    config.write_text("endpoint-retention: 300d\n")
    with RunningSatellite(tmp_path / "data", "--config", str(config)) as satellite:

        def signal_and_wait(text: str) -> None:
            satellite.process.send_signal(signal.SIGHUP)
            until(lambda: text in satellite.errors)

        def send(number: int) -> None:
            body = traces([Call(path=f"/orders/{number}")]).SerializeToString()
            assert satellite.post("/v1/traces", body, content_type=PROTOBUF).status == 200

        first = learners_of(satellite)
        signal_and_wait("SIGHUP: nothing has changed")
        assert learners_of(satellite) == first

        send(1)
        config.write_text("endpoint-retention: 200d\njournal-max-bytes: 2GiB\n")
        signal_and_wait("now in force: endpoint-retention; a restart is needed for journal-max-bytes")
        until(lambda: learners_of(satellite) not in ([], first))
        send(2)

        config.write_text("endpoint-retention: never\n")
        rules.write_text("rules: 7\n")
        signal_and_wait("detection rules stay as they are")
        assert "settings stay as they are" in satellite.errors
        second = learners_of(satellite)
        rules.write_text(RULES)
        signal_and_wait("now in force: detectors.yaml")
        until(lambda: learners_of(satellite) not in ([], second))
        send(3)

        posture = tmp_path / "data" / "posture.yaml"
        posture.write_text("rules: {AUTH-99: {enabled: false}}\n")
        signal_and_wait("the rules of posture stay as they are")
        posture.write_text("rules: {AUTH-04: {enabled: false}}\n")
        signal_and_wait("now in force: posture.yaml")

        satellite.until_learned(3)
        assert satellite.summary()["counters"]["learned_traces"] == 3
        assert satellite.metric("levo_satellite_learner_restarts_total") == 0
