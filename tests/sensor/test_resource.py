"""Resource attributes: host, and ECS task metadata of the documented shape, or of any shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config import SensorConfig, Surroundings, load
from levo.sensor.identity import Run
from levo.sensor.resource import (
    TaskMetadata,
    deployment_key,
    metadata_host,
    read_task_metadata,
    resource_attributes,
)

TASK = {
    "Cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/shop",
    "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/shop/158d1c8083dd49d6b527399fd6414f5c",
    "Family": "orders",
    "Revision": "26",
    "ServiceName": "orders-service",
    "DesiredStatus": "RUNNING",
    "Limits": {"CPU": 0.5, "Memory": 1024},
    "AvailabilityZone": "us-west-2d",
    "LaunchType": "FARGATE",
    "SomethingNew": [{"a": None}],
    "Containers": [],
}
OWN = {
    "DockerId": "158d1c8083dd49d6b527399fd6414f5c-2495160603",
    "Name": "levo-pcap-sensor",
    "Image": "levoai/pcap-sensor:0.0.20",
    "Labels": {"com.amazonaws.ecs.task-definition-family": "from-labels"},
    "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/05281997",
}
RUN = Run("0123456789abcdef", "6d1b", 1_700_000_000_000_000_005)
ENDPOINT = {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/158d1c80"}


def config(**flags: str) -> SensorConfig:
    given = {name.replace("_", "-"): flag for name, flag in flags.items() if name != "aws_region"}
    env = {"LEVO_AWS_REGION": flags["aws_region"]} if "aws_region" in flags else {}
    return load(given, env, default_path="/nonexistent", surroundings=Surroundings()).config


def fetch(url: str) -> bytes:
    return json.dumps(TASK if url.endswith("/task") else OWN).encode()


def attributes(
    task: TaskMetadata | None = None, environ: dict[str, str] | None = None, **flags: str
) -> dict[str, str]:
    return resource_attributes(config(**flags), environ or {}, task, run=RUN, host_name="h")


def test_outside_ecs_nothing_is_asked() -> None:
    assert read_task_metadata({}, fetch=lambda url: pytest.fail("asked")) == (None, None)
    found = attributes(levo_env="staging", levoai_org_id="acme")
    assert {name: found[name] for name in sorted(found) if not name.startswith("levo.sensor")} == {
        "deployment.environment.name": "staging",
        "host.name": "h",
        "levo.organization.id": "acme",
        "process.creation.time": "2023-11-14T22:13:20.000000005Z",
        "service.instance.id": "6d1b",
        "service.name": "default",
    }


def test_every_attribute_of_the_specification_in_a_fargate_task() -> None:
    task, warning = read_task_metadata(ENDPOINT, fetch)

    found = attributes(task)

    assert warning is None
    assert found["service.name"] == "orders-service"
    assert {name: value for name, value in found.items() if name.startswith(("cloud.", "aws."))} == {
        "cloud.provider": "aws",
        "cloud.platform": "aws_ecs",
        "cloud.region": "us-west-2",
        "cloud.account.id": "111122223333",
        "cloud.availability_zone": "us-west-2d",
        "aws.ecs.cluster.arn": "arn:aws:ecs:us-west-2:111122223333:cluster/shop",
        "aws.ecs.task.arn": TASK["TaskARN"],
        "aws.ecs.task.id": "158d1c8083dd49d6b527399fd6414f5c",
        "aws.ecs.task.family": "orders",
        "aws.ecs.task.revision": "26",
        "aws.ecs.launchtype": "fargate",
        "aws.ecs.container.arn": OWN["ContainerARN"],
    }


def test_the_name_of_the_service_is_the_flag_the_service_the_family_the_default() -> None:
    no_service = TaskMetadata.parse(json.dumps({**TASK, "ServiceName": None}).encode())
    full = TaskMetadata.parse(json.dumps(TASK).encode())

    assert attributes(full, service_name="mine")["service.name"] == "mine"
    assert attributes(full)["service.name"] == "orders-service"
    assert attributes(no_service)["service.name"] == "orders"
    assert attributes(TaskMetadata())["service.name"] == "default"


def test_the_region_of_the_user_comes_first_then_the_tasks_then_the_platforms() -> None:
    full = TaskMetadata.parse(json.dumps(TASK).encode())

    assert attributes(full, aws_region="eu-west-1")["cloud.region"] == "eu-west-1"
    assert attributes(full, {"AWS_REGION": "x"})["cloud.region"] == "us-west-2"
    assert attributes(TaskMetadata(), {"AWS_REGION": "x"})["cloud.region"] == "x"
    assert "cloud.region" not in attributes(None, {"AWS_REGION": "x"})


def test_a_short_cluster_name_becomes_an_arn() -> None:
    assert TaskMetadata.parse(json.dumps({**TASK, "Cluster": "shop"}).encode()).cluster == TASK["Cluster"]


def test_labels_stand_in_for_a_task_document_that_is_missing() -> None:
    assert TaskMetadata.parse(b"not json", json.dumps(OWN).encode()).family == "from-labels"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*TASK, *OWN, "x"]), inner),
    max_leaves=20,
)


@given(task=JSON, own=JSON)
def test_any_document_is_read_leniently(task: Any, own: Any) -> None:
    found = TaskMetadata.parse(json.dumps(task).encode(), json.dumps(own).encode())

    assert all(isinstance(value, str) and value for value in found.attributes().values())


@given(octets=st.binary())
def test_any_octets_are_read_leniently(octets: bytes) -> None:
    TaskMetadata.parse(octets, octets)


def test_an_endpoint_that_does_not_answer_is_a_warning() -> None:
    def refuse(url: str) -> bytes:
        raise OSError("connection refused")

    task, warning = read_task_metadata(ENDPOINT, refuse)

    assert task == TaskMetadata()
    assert warning and "connection refused" in warning


def test_the_endpoint_is_left_out_of_the_capture() -> None:
    assert metadata_host(ENDPOINT) == ("169.254.170.2", 80)
    assert metadata_host({}) is None
    assert metadata_host({"ECS_CONTAINER_METADATA_URI_V4": "http://["}) is None


def test_a_restart_with_the_same_settings_has_the_same_key_and_other_settings_another(tmp_path: Path) -> None:
    def key(host: str = "a", task: TaskMetadata | None = None, **flags: str) -> str:
        return deployment_key(config(**flags), task, host_name=host, root=tmp_path)

    task = TaskMetadata(container_arn="arn:1")
    keys = [
        key(),
        key("b"),
        key(levo_env="staging"),
        key(service_name="orders"),
        key(levoai_org_id="acme"),
        key(interfaces="eth0"),
        key(filter="port 80"),
        key(satellite_url="http://other:1"),
        key(read="x.pcap"),
        key(task=task),
    ]

    assert len(set(keys)) == len(keys)
    assert key() == key() and key("b", task) == key(task=task)
    assert key(read="x.pcap") == key(read="y.pcap")
    assert key(interfaces="eth0,lo") == key(interfaces="lo,eth0")
    assert key(path_exclusions="a", rate_limit="5") == key(), "a reload changes these"


def test_the_attributes_say_which_run_of_which_sensor_this_is() -> None:
    found = attributes()

    assert found["levo.sensor.id"] == RUN.sensor and found["service.instance.id"] == RUN.instance
    assert found["process.creation.time"] == "2023-11-14T22:13:20.000000005Z"
