"""The plan: what is done in each special case, without AWS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from levo.ecs.definition import TaskDefinition
from levo.ecs.model import CONTAINER_NAME, EcsInputError, Flag, Sidecar
from levo.ecs.plan import (
    Plan,
    Request,
    Target,
    plan_add,
    plan_remove,
    preset_sizes,
    service_problem,
    size_problems,
    tags_for,
)
from levo.ecs.state import REMOVED, TAG_PREVIOUS, TAG_VERSION, Deployment
from tests.ecs.definitions import definition, described, service
from tests.helpers.effort import scaled

FLAGS = (Flag("satellite-url", "https://s:9999"), Flag("levoai-org-id", "org"))
REQUEST = Request(flags=FLAGS, region="eu-west-1")


def add(before: TaskDefinition, *services: Any, request: Request = REQUEST) -> Plan:
    return plan_add([Target(before, services or (service(definition_name=before.name),))], request)


def codes(plan: Plan) -> set[str]:
    return {note.code for note in plan.notes}


def stopped(plan: Plan) -> list[str]:
    assert not plan.steps
    return [note.code for note in plan.stops]


def test_the_plain_case_registers_one_revision_and_updates_the_service() -> None:
    before = definition()
    plan = add(before)

    (step,) = plan.steps
    assert step.base is before and not step.reuse
    assert [item["name"] for item in step.target.containers] == ["app", CONTAINER_NAME]
    assert step.target.tags == before.tags
    assert not plan.stops
    assert codes(plan) == {"log-group", "no-circuit-breaker", "no-token", "published-image"}
    assert tags_for(step, step.services[0]) == {TAG_VERSION: "0.1.1", TAG_PREVIOUS: "web:7"}
    assert plan.describe()[-2:] == [
        "  1. register a new revision of web",
        "  2. update service web in cluster prod (2 tasks, now web:7), mark it",
    ]


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "windows": (
        {"runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}},
        "windows",
        "web:7 is a Windows task; the sensor runs on Linux only",
    ),
    "bridge": (
        {"networkMode": "bridge", "requiresCompatibilities": ["EC2"]},
        "bridge",
        "web:7 uses network mode bridge: a sidecar would see its own traffic only",
    ),
    "no mode on EC2 is bridge": (
        {"networkMode": None, "requiresCompatibilities": None},
        "bridge",
        "web:7 uses network mode bridge",
    ),
    "host": (
        {"networkMode": "host", "requiresCompatibilities": ["EC2"]},
        "host",
        "web:7 uses network mode host",
    ),
    "none": ({"networkMode": "none", "requiresCompatibilities": ["EC2"]}, "no-network", "web:7 uses network"),
    "ECS Anywhere": (
        {"networkMode": "bridge", "requiresCompatibilities": ["EXTERNAL"]},
        "external-launch",
        "web:7 runs on your own machines",
    ),
    "no execution role": (
        {"executionRoleArn": None},
        "no-execution-role",
        "web:7 has no execution role, which Fargate needs to write the sensor's log",
    ),
    "no room": (
        {"cpu": "256", "memory": "1024"},
        "not-fitting",
        "web:7: --cpu 512 does not fit: the task has 256 CPU units, its other containers take 256; "
        "nothing is left",
    ),
    "no such Fargate task": (
        {"cpu": "1000"},
        "not-fitting",
        "web:7: Fargate has no task of 1000 CPU units",
    ),
    "foreign container": (
        {"containers": [{"name": CONTAINER_NAME, "image": "example/proxy:2"}]},
        "foreign-container",
        "web:7 has a container levo-pcap-sensor that is not the sensor (image example/proxy:2); "
        "it stays untouched",
    ),
    "sensor under another name": (
        {"containers": [{"name": "tap", "image": "levoai/pcap-sensor:0.0.20"}]},
        "other-name",
        "web:7 has the sensor under the name 'tap'",
    ),
    "ten containers": (
        {"containers": [{"name": f"c{number}", "image": "x"} for number in range(10)]},
        "too-many-containers",
        "web:7 has 10 containers, and ECS allows no more",
    ),
    "too large": (
        {"containers": [{"name": "app", "image": "x", "command": ["y" * 66_000]}]},
        "too-large",
        "web:7 with the sensor is larger than 65536 octets",
    ),
}


@pytest.mark.parametrize(("members", "code", "text"), CASES.values(), ids=CASES.keys())
def test_a_task_that_cannot_take_the_sensor_stops_the_plan(
    members: dict[str, Any], code: str, text: str
) -> None:
    before = definition(**members)
    where = service(launch_type="FARGATE" if before.on_fargate else "EC2")
    plan = add(before, where)

    assert code in stopped(plan)
    assert any(note.text.startswith(text) for note in plan.stops)


def test_without_logs_no_execution_role_is_needed() -> None:
    plan = add(definition(executionRoleArn=None), request=replace(REQUEST, logs=False))

    assert not plan.stops
    assert "logConfiguration" not in plan.steps[0].target.containers[-1]


def test_a_secret_needs_the_execution_role_with_or_without_logs() -> None:
    request = replace(REQUEST, logs=False, token_secret="arn:aws:ssm:eu-west-1:1:parameter/t")

    assert stopped(add(definition(executionRoleArn=None), request=request)) == ["no-execution-role"]
    assert add(definition(), request=request).steps[0].target.containers[-1]["secrets"] == [
        {"name": "LEVO_SATELLITE_TOKEN", "valueFrom": "arn:aws:ssm:eu-west-1:1:parameter/t"}
    ]


@pytest.mark.parametrize(
    ("secret", "action"),
    [
        ("arn:aws:ssm:eu-west-1:1:parameter/t", "ssm:GetParameters"),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:t", "secretsmanager:GetSecretValue"),
    ],
)
def test_what_the_execution_role_needs_for_a_secret_is_said(secret: str, action: str) -> None:
    notes = add(definition(), request=replace(REQUEST, token_secret=secret)).notes

    assert [action in note.text for note in notes if note.code == "token-secret"] == [True]


def test_whose_image_is_deployed_is_said_unless_it_was_named() -> None:
    (note,) = [each.text for each in add(definition()).notes if each.code == "published-image"]
    assert "levoai/pcap-sensor:0.1.1" in note and "not built from this source" in note and "--image" in note

    own = add(definition(), request=replace(REQUEST, image="registry.example.com/levo-sensor:0.1.0"))
    assert "published-image" not in codes(own)


def test_awsvpc_on_ec2_takes_the_sensor_as_fargate_does() -> None:
    before = definition(requiresCompatibilities=["EC2"], cpu=None, memory=None)
    plan = add(before, service(launch_type="EC2"))

    assert not plan.stops and len(plan.steps) == 1


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"controller": "CODE_DEPLOY"}, "code-deploy"),
        ({"controller": "EXTERNAL"}, "external-controller"),
        ({"status": "INACTIVE"}, "inactive-service"),
        ({"status": "DRAINING"}, "inactive-service"),
    ],
)
def test_a_service_that_cannot_be_updated_stops_the_plan_and_names_the_way(
    members: dict[str, str], code: str
) -> None:
    odd = service("odd", **members)
    plan = add(definition(), service(), odd)

    assert stopped(plan) == [code]
    assert plan.stops[0].service == "odd"
    assert service_problem(service()) is None
    assert stopped(plan_remove([Target(definition().with_sensor(Sidecar()), (odd,))], "r")) == [code]


def test_without_a_service_only_the_revision_is_registered() -> None:
    plan = plan_add([Target(definition())], REQUEST)

    assert plan.steps[0].services == ()
    assert plan.describe()[-1] == "  no service is updated"


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"circuit_breaker": True}, "circuit-breaker", "add --rollback-on-failure"),
        ({"circuit_breaker": True, "breaker_rolls_back": True}, "circuit-breaker", "goes back by itself"),
        ({"alarms_roll_back": True}, "circuit-breaker", "goes back by itself"),
        ({}, "no-circuit-breaker", "only the timeout"),
        ({"capacity_providers": ("FARGATE_SPOT",), "launch_type": None}, "spot", "runs on Spot"),
        ({"desired": 0}, "no-tasks", "runs no task"),
        ({"strategy": "BLUE_GREEN"}, "strategy", "blue/green"),
        ({"platform_version": "1.3.0"}, "old-platform", "1.4.0 or later"),
        (
            {"deployments": (Deployment("a", "PRIMARY", "x", rollout_state="IN_PROGRESS"),)},
            "rolling-out",
            "being deployed right now",
        ),
    ],
)
def test_what_is_special_about_a_service_is_said_and_stops_nothing(
    members: dict[str, Any], code: str, words: str
) -> None:
    plan = add(definition(), service(**members))

    assert len(plan.steps) == 1 and not plan.stops
    assert any(note.code == code and words in note.text for note in plan.notes)


@pytest.mark.parametrize(
    ("members", "code"),
    [({"taskRoleArn": None}, "no-task-role"), ({"status": "INACTIVE"}, "inactive-revision")],
)
def test_what_is_special_about_a_task_is_said_and_stops_nothing(members: dict[str, Any], code: str) -> None:
    plan = add(definition(**members))

    assert len(plan.steps) == 1 and code in codes(plan)


def test_the_same_sensor_again_changes_nothing() -> None:
    once = add(definition()).steps[0].target
    plan = add(once)

    assert plan.steps == () and codes(plan) == {"already-installed"}
    assert plan.describe() == ["nothing to do"]


def test_another_version_is_updated_and_keeps_its_settings_and_the_way_back() -> None:
    old = Sidecar(
        flags=(*FLAGS, Flag("rate-limit", "7"), Flag("host-allow", "x")),
        image="levoai/pcap-sensor:0.0.20",
        cpu=128,
        memory=300,
        region="eu-west-1",
        log_group="/mine",
        template=False,
    )
    before = definition("web:8").with_sensor(old)
    web = service(definition_name="web:8", tags=((TAG_PREVIOUS, "web:7"), (TAG_VERSION, "0.0.20")))
    plan = add(before, web, request=Request(region="eu-west-1", memory=400))

    (step,) = plan.steps
    assert step.target.sensor() == {
        **old.container(),
        "image": "levoai/pcap-sensor:0.1.1",
        "memory": 400,
    }
    assert "other-version" in codes(plan)
    assert tags_for(step, web) == {TAG_VERSION: "0.1.1", TAG_PREVIOUS: "web:7"}


def test_a_first_installation_needs_to_know_the_satellite() -> None:
    with pytest.raises(EcsInputError, match="--satellite-url is missing"):
        add(definition(), request=Request(region="eu-west-1"))


@pytest.mark.parametrize("address", ["http://localhost:9999", "127.0.0.1:4317", "grpc://[::1]:4317"])
def test_an_address_that_means_the_task_itself_is_pointed_out(address: str) -> None:
    plan = add(definition(), request=replace(REQUEST, flags=(Flag("satellite-url", address),)))

    assert "satellite-local" in codes(plan) and not plan.stops
    assert "satellite-local" not in codes(add(definition()))


def test_the_low_resource_preset_gives_way_to_what_is_said() -> None:
    request = replace(REQUEST, low_resource=True, cpu=300, flags=(*FLAGS, Flag("rate-limit", "50")))
    sidecar = request.sidecar_for(definition())

    assert (sidecar.cpu, sidecar.memory) == (300, 200)
    assert sidecar.value("rate-limit") == "50"
    assert sidecar.value("max-http-length") == "1000000"
    assert preset_sizes(None, None, True) == (256, 200)
    assert preset_sizes(None, 900, False) == (512, 900)


def test_sizes_are_checked_for_the_sensor_and_for_the_task() -> None:
    sidecar = REQUEST.sidecar_for(definition())

    assert size_problems(definition(), sidecar, fargate=True) == []
    assert size_problems(definition(cpu="lots"), sidecar, fargate=True) == [
        "cpu 'lots' is no CPU size; write CPU units (512) or vCPU (0.5 vCPU)"
    ]
    assert size_problems(definition(), replace(sidecar, memory=50), fargate=True) == [
        "--memory 50 is too little for the sensor; at least 128 MiB"
    ]


def test_services_on_different_revisions_get_a_revision_each() -> None:
    old, new = definition("web:6"), definition("web:7", memory="4096")
    plan = plan_add(
        [
            Target(old, (service("a", "web:6"),)),
            Target(new, (service("b", "web:7"), service("c", "web:7"))),
        ],
        REQUEST,
        others=[service("d", "web:7"), service("elsewhere", "pay:1")],
    )

    assert [[item.name for item in step.services] for step in plan.steps] == [["a"], ["b", "c"]]
    assert [step.target.body["memory"] for step in plan.steps] == ["3072", "4096"]
    assert [note.text for note in plan.notes if note.code == "others-on-family"] == [
        "not updated, though on the same task definition: d"
    ]


INSTALLED = definition("web:8").with_sensor(REQUEST.sidecar_for(definition()))
MARKED = service(definition_name="web:8", tags=((TAG_PREVIOUS, "web:7"), (TAG_VERSION, "0.1.1")))


def test_removing_goes_back_to_the_revision_before_when_it_is_the_same_task() -> None:
    plan = plan_remove([Target(INSTALLED, (MARKED,))], "r", {"web:7": definition("web:7")}.get)

    (step,) = plan.steps
    assert step.reuse and step.target.name == "web:7"
    assert tags_for(step, MARKED) == {TAG_VERSION: REMOVED}


@pytest.mark.parametrize(
    "earlier",
    [None, definition("web:7", status="INACTIVE"), definition("web:7", memory="4096")],
    ids=["deleted", "deregistered", "changed since"],
)
def test_removing_writes_a_revision_when_the_one_before_will_not_do(earlier: TaskDefinition | None) -> None:
    plan = plan_remove([Target(INSTALLED, (MARKED,))], "r", lambda name: earlier)

    (step,) = plan.steps
    assert not step.reuse
    assert step.target.registrable() == definition("web:8").registrable()


def test_a_mark_of_another_family_is_not_followed() -> None:
    odd = replace(MARKED, tags=((TAG_PREVIOUS, "other:1"),))

    assert not plan_remove([Target(INSTALLED, (odd,))], "r", lambda name: definition("web:7")).steps[0].reuse


@pytest.mark.parametrize(
    ("containers", "code", "stops"),
    [
        ([{"name": "app", "image": "x"}], "not-installed", False),
        ([{"name": CONTAINER_NAME, "image": "nginx"}], "foreign-container", True),
        ([{"name": "tap", "image": "levoai/pcap-sensor:1"}], "other-name", True),
        ([Sidecar().container()], "only-sensor", True),
    ],
)
def test_what_is_not_ours_is_not_removed(containers: list[Any], code: str, stops: bool) -> None:
    plan = plan_remove([Target(definition(containers=containers), (service(),))], "r")

    assert plan.steps == ()
    assert [(note.code, note.stops) for note in plan.notes] == [(code, stops)]


@settings(max_examples=scaled(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(before=described())
def test_whatever_the_task_is_the_plan_adds_the_sensor_alone_or_says_why_not(before: TaskDefinition) -> None:
    plan = plan_add([Target(before)], REQUEST)

    if plan.steps:
        (step,) = plan.steps
        assert not plan.stops
        assert step.target.without_sensor().registrable() == before.registrable()
    else:
        assert plan.stops and all(note.text for note in plan.stops)
