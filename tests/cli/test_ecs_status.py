"""``levo ecs status``: where the sensor runs, at which version, over clusters and regions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from levo.cli.group import invoke
from tests.ecs.fake_ecs import FakeEcs, denied, serving

Capture = pytest.CaptureFixture[str]
APP = {"name": "app", "image": "nginx", "memory": 512}


def sensor(version: str, name: str = "levo-pcap-sensor") -> dict[str, object]:
    return {"name": name, "image": f"levoai/pcap-sensor:{version}", "memory": 512, "essential": False}


def fill(fake: FakeEcs) -> None:
    fake.add_definition("web")
    fake.add_definition("web", containerDefinitions=[APP, sensor("0.1.1")])
    fake.add_definition("old", containerDefinitions=[APP, sensor("0.0.20", "tap")])
    fake.add_service("plain", definition="web:1", cluster="blue")
    fake.add_service("web", definition="web:2", tags={"levo:sensor": "0.1.1"})
    fake.add_service("old", definition="old:1")
    fake.add_service("lost", definition="web:1", tags={"levo:sensor": "0.1.1"})


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    status = invoke(["ecs", "status", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_table_lists_the_services_with_the_sensor_over_all_clusters(
    fake: FakeEcs, capsys: Capture
) -> None:
    fill(fake)
    status, out, err = run(capsys)

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "REGION     CLUSTER  SERVICE  TASK DEFINITION  SENSOR  TASKS  STATE",
        "eu-west-1  prod     old      old:1            0.0.20  2/2    steady, container tap, "
        "not put there by levo ecs add",
        "eu-west-1  prod     web      web:2            0.1.1   2/2    steady",
        "2 of 4 services in eu-west-1 with the sensor; 1 not at this release's 0.1.1: "
        "levo ecs add updates them",
    ]


def test_all_lists_the_others_too_and_what_was_lost(fake: FakeEcs, capsys: Capture) -> None:
    fill(fake)
    status, out, _ = run(capsys, "--all")

    assert status == 0
    lines = {line.split()[2]: line for line in out.splitlines()[1:5]}
    assert lines["plain"].split()[3:6] == ["web:1", "-", "2/2"]
    assert lines["lost"].endswith("steady, was marked with 0.1.1, gone since")


def test_one_cluster_and_json(fake: FakeEcs, capsys: Capture) -> None:
    fill(fake)
    status, out, _ = run(capsys, "--cluster", "blue", "--json")

    assert status == 0
    (record,) = json.loads(out)
    assert (record["cluster"], record["service"], record["sensor"], record["version"]) == (
        *("blue", "plain"),
        False,
        None,
    )
    assert "ListClusters" not in {operation for operation, _ in fake.requests}


def test_a_failed_rollout_is_seen(fake: FakeEcs, capsys: Capture) -> None:
    fill(fake)
    service = fake.services[1]
    service.before, service.looks, service.outcome = fake.services[0].definition, 9, "failure"

    assert "rollout failed" in run(capsys)[1]


def test_regions_that_refuse_are_named_and_the_others_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    near = FakeEcs("eu-west-1")
    fill(near)
    near.regions = ["eu-west-1", "me-south-1"]
    with serving(near) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        status, out, err = run(capsys, "--all-regions")

    assert status == 0
    assert "2 of 4 services in 2 regions with the sensor" in out
    assert err.startswith("levo: me-south-1 was not looked at: permission ecs:ListClusters is missing")


def test_a_single_region_that_refuses_is_an_error(fake: FakeEcs, capsys: Capture) -> None:
    fake.always["ListClusters"] = denied("ecs:ListClusters")
    status, out, err = run(capsys)

    assert (status, out) == (1, "")
    assert err.startswith("levo: permission ecs:ListClusters is missing")


def test_an_account_without_clusters(fake: FakeEcs, capsys: Capture) -> None:
    assert run(capsys) == (0, "0 of 0 services in eu-west-1 with the sensor\n", "")


def test_without_a_region_it_says_how_to_name_one(fake: FakeEcs, home: Path, capsys: Capture) -> None:
    (home / ".aws" / "config").unlink()

    status, _, err = run(capsys)
    assert status == 2 and err.startswith("levo: --region is missing")
