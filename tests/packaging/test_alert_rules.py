"""The rules for Prometheus speak of metrics that there are."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from levo.ledger import STAGES
from levo.satellite.backups import BackupPlan, ScheduledBackups
from levo.satellite.certificate import PemFiles
from levo.satellite.connections import Connections
from levo.satellite.queue import Journal
from levo.satellite.receive import Ingester
from levo.satellite.store import DATABASE_NAME
from levo.satellite.supervisor import LearnerSupervisor
from levo.satellite.tls import Tls
from levo.satellite.upkeep import Upkeep
from levo.satellite.web.metrics import render
from tests.satellite.store.catalogs import catalog
from tests.sensor.export.certificates import make_authority

ROOT = Path(__file__).parents[2]
RULES = ROOT / "packaging" / "prometheus" / "levo-alerts.yaml"
SENSOR = ROOT / "docs" / "reference" / "metrics.md"
"""Held to the sensor's code by a test of its own."""
WORDS = {"and", "or", "by", "sum", "time", "rate", "increase", "deriv", "histogram_quantile"}
WORDS |= {"instance", "reason", "state", "le"}
"""Functions, operators and labels that the rules use beside names of metrics."""


def satellite_page(folder: Path) -> str:
    """Everything that a Satellite can show."""
    own, _ = make_authority(folder)
    supervisor = LearnerSupervisor(folder, lambda _: None)
    upkeep = Upkeep(
        supervisor=supervisor,
        tls=Tls(PemFiles(own.cert, own.key)),
        backups=ScheduledBackups(folder, BackupPlan(folder / "backups", 60.0, 1)),
        alerts_waiting=lambda: (1, 1),
    )
    reader = catalog(folder / DATABASE_NAME, [])
    with Journal(folder / "journal", max_bytes=1 << 20) as journal:
        ingester = Ingester(journal, max_request_bytes=1, max_in_flight_bytes=1, on_accepted=lambda: None)
        page = render(
            ingester.statistics(),
            journal.statistics(),
            supervisor.statistics(),
            reader.summary(),
            {},
            {"web": Connections(1).statistics()},
            reader.storage(),
            upkeep.statistics(),
        )
    reader.close()
    return page


def rules() -> list[dict[str, object]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_rule_uses_metrics_that_are_there(tmp_path: Path) -> None:
    async def page() -> str:
        return satellite_page(tmp_path)

    families = text_string_to_metric_families(asyncio.run(page()))
    known = {sample.name for family in families for sample in family.samples}
    known |= {f"{name}_bucket" for name in ("levo_satellite_commit_duration_seconds",)}
    sensors = SENSOR.read_text(encoding="utf-8")
    known |= set(re.findall(r"^\| `[^`]+` \| `([^`]+)` \|", sensors, re.MULTILINE))
    for rule in rules():
        expression = re.sub(r'"[^"]*"|\d+[mhd]\b|\d+e\d+', "", str(rule["expr"]))
        labels = set(re.findall(r"(\w+)=(?!=)", expression))
        named = set(re.findall(r"[A-Za-z_]\w+", expression)) - WORDS - labels

        assert named and named <= known, (rule["alert"], named - known)


def test_every_value_of_a_label_is_one_that_comes() -> None:
    stages = {stage.name: {state.fate.value for state in stage.states} for stage in STAGES}
    text = RULES.read_text(encoding="utf-8")
    for stage, fate in re.findall(r'stage="(\w+)",fate="(\w+)"', text):
        assert fate in stages[stage]
    assert set(re.findall(r'process=~"([^"]+)"', text)) == {"web|learner"}


def test_every_alert_is_named_once_and_says_what_it_means() -> None:
    names = [str(rule["alert"]) for rule in rules()]

    assert len(names) == len(set(names)) > 10
    assert all("summary" in rule["annotations"] for rule in rules())  # type: ignore[operator]


def test_promtool_accepts_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (package prometheus) is not here")
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
