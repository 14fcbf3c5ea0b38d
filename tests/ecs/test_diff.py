"""The difference that is shown: complete, and nothing beside it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from levo.ecs.definition import TaskDefinition
from levo.ecs.diff import differences, render
from levo.ecs.model import CONTAINER_NAME, Flag, Sidecar
from tests.ecs.definitions import definition, described
from tests.helpers.effort import scaled

SIDECAR = Sidecar(
    flags=(Flag("satellite-url", "https://s:9999"), Flag("filter", "port 80 or port 81")),
    region="eu-west-1",
    log_group="/ecs/web-pcap",
    template=False,
)


@settings(max_examples=scaled(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(before=described())
def test_adding_the_sensor_is_one_difference(before: TaskDefinition) -> None:
    changes = differences(before, before.with_sensor(SIDECAR))

    assert [(change.path, change.kind) for change in changes] == [(f"containers.{CONTAINER_NAME}", "added")]
    assert changes[0].after == SIDECAR.container()
    assert differences(before, before) == []


def test_an_installation_reads_like_this() -> None:
    before = definition()

    assert render(before, before.with_sensor(SIDECAR), "web:7 -> web:8") == [
        "web:7 -> web:8",
        "  + container levo-pcap-sensor",
        "  +   image             levoai/pcap-sensor:0.1.1",
        "  +   cpu               512",
        "  +   memory            512",
        "  +   essential         false",
        "  +   entryPoint        ./bin/init apidump",
        "  +                     --satellite-url https://s:9999",
        '  +                     --filter "port 80 or port 81"',
        "  +   environment       LEVO_AWS_REGION=eu-west-1",
        "  +   logConfiguration",
        "  +     logDriver  awslogs",
        "  +     options",
        "  +       awslogs-group          /ecs/web-pcap",
        "  +       awslogs-create-group   true",
        "  +       awslogs-region         eu-west-1",
        "  +       awslogs-stream-prefix  ecs-pcap",
        "  = unchanged: container app; 7 other fields; 1 tag",
    ]


def test_a_change_names_its_place_and_both_values() -> None:
    before = definition().with_sensor(SIDECAR)
    container = {
        **SIDECAR.container(),
        "image": "levoai/pcap-sensor:9",
        "environment": [{"name": "LEVO_AWS_REGION", "value": "us-east-1"}, {"name": "A", "value": "b"}],
    }
    after = TaskDefinition(
        {**before.body, "cpu": "2048", "containerDefinitions": [before.containers[0], container]}
    )

    assert render(before, after, "t")[1:] == [
        "  ~ cpu: 1024 -> 2048",
        "  ~ containers.levo-pcap-sensor.image: levoai/pcap-sensor:0.1.1 -> levoai/pcap-sensor:9",
        "  ~ containers.levo-pcap-sensor.environment.LEVO_AWS_REGION: eu-west-1 -> us-east-1",
        "  + containers.levo-pcap-sensor.environment.A: b",
        "  - tags.team: shop",
        "  = unchanged: container app; 7 other fields; 1 tag",
    ]


def test_values_of_other_containers_are_not_shown() -> None:
    app = {"name": "app", "image": "x", "environment": [{"name": "PASSWORD", "value": "hunter2"}]}
    before = definition(containers=[app])

    assert "hunter2" not in "\n".join(render(before, before.with_sensor(SIDECAR), "t"))
