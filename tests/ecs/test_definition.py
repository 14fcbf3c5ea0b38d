"""Copies of task definitions: over everything that the API's model can express."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings

from levo.ecs.definition import RESPONSE_ONLY, TaskDefinition, read_definition, unknown_members
from levo.ecs.model import CONTAINER_NAME, EcsInputError, Flag, Sidecar
from tests.ecs.definitions import definition, described, full, model
from tests.helpers.effort import scaled

SIDECAR = Sidecar(
    flags=(Flag("satellite-url", "https://s:9999"),), region="eu-west-1", log_group="/ecs/web-pcap"
)
REGISTER = model().operation_model("RegisterTaskDefinition").input_shape
DESCRIBED = model().operation_model("DescribeTaskDefinition").output_shape
MANY = settings(max_examples=scaled(40), deadline=None, suppress_health_check=list(HealthCheck))


def test_the_members_known_to_be_answers_only_are_those_of_the_api_model() -> None:
    assert set(DESCRIBED.members["taskDefinition"].members) - set(REGISTER.members) == RESPONSE_ONLY


@MANY
@given(before=described())
def test_the_copy_differs_from_the_original_by_the_sensor_alone(before: TaskDefinition) -> None:
    untouched = copy.deepcopy(before.body)
    after = before.with_sensor(SIDECAR).registrable(set(REGISTER.members))

    expected = {key: value for key, value in untouched.items() if key not in RESPONSE_ONLY}
    expected["containerDefinitions"] = [*untouched["containerDefinitions"], SIDECAR.container()]
    tags = [{"key": key, "value": value} for key, value in before.tags if not key.startswith("aws:")]
    if tags:
        expected["tags"] = tags
    assert after == expected
    assert before.body == untouched, "the original is not changed"
    assert before.with_sensor(SIDECAR).registrable() == after, "without the model at hand it is the same"


def test_every_member_that_the_model_has_is_copied() -> None:
    answer = full(DESCRIBED.members["taskDefinition"])
    assert not list(unknown_members(DESCRIBED, {"taskDefinition": answer}))
    assert len(answer) > 20 and len(answer["containerDefinitions"][0]) > 35

    after = TaskDefinition(answer).with_sensor(SIDECAR).registrable(set(REGISTER.members))

    assert set(REGISTER.members) - {"tags"} == set(after)
    assert after.pop("containerDefinitions") == [*answer["containerDefinitions"], SIDECAR.container()]
    assert after == {key: answer[key] for key in after}


@MANY
@given(before=described())
def test_every_copy_is_valid_by_the_api_model(before: TaskDefinition) -> None:
    after = before.with_sensor(SIDECAR).registrable(set(REGISTER.members))

    report = ParamValidator().validate(after, REGISTER)

    assert not report.has_errors(), report.generate_report()


@MANY
@given(before=described())
def test_removing_undoes_adding(before: TaskDefinition) -> None:
    after = before.with_sensor(SIDECAR).without_sensor()

    assert after.registrable() == before.registrable()
    assert after.same_task(before)


@MANY
@given(before=described(with_sensor=True))
def test_adding_twice_is_adding_once(before: TaskDefinition) -> None:
    once = before.with_sensor(SIDECAR)

    assert once.with_sensor(SIDECAR).registrable() == once.registrable()
    assert [item["name"] for item in once.containers].count(CONTAINER_NAME) == 1


def test_what_others_say_of_the_sensor_goes_with_it() -> None:
    app = {
        "name": "app",
        "image": "x",
        "dependsOn": [
            {"containerName": CONTAINER_NAME, "condition": "START"},
            {"containerName": "db", "condition": "HEALTHY"},
        ],
        "volumesFrom": [{"sourceContainer": CONTAINER_NAME}],
    }
    after = definition(containers=[app, SIDECAR.container()]).without_sensor()

    assert after.containers == [
        {
            "name": "app",
            "image": "x",
            "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
            "volumesFrom": [],
        }
    ]


def test_an_upgrade_keeps_what_the_user_added_to_the_sensor() -> None:
    mine = {
        **SIDECAR.container(),
        "image": "levoai/pcap-sensor:0.0.20",
        "environment": [
            {"name": "LEVO_LOG_LEVEL", "value": "debug"},
            {"name": "LEVO_AWS_REGION", "value": "x"},
        ],
        "stopTimeout": 60,
        "command": ["left over"],
    }
    after = definition(containers=[mine, {"name": "app", "image": "x"}]).with_sensor(SIDECAR)

    assert after.containers[0] == {
        **SIDECAR.container(),
        "environment": [
            {"name": "LEVO_AWS_REGION", "value": "eu-west-1"},
            {"name": "LEVO_LOG_LEVEL", "value": "debug"},
        ],
        "stopTimeout": 60,
    }


@pytest.mark.parametrize(
    ("members", "mode"),
    [
        ({"networkMode": None}, "awsvpc"),
        ({"networkMode": None, "requiresCompatibilities": ["EC2"]}, "bridge"),
        ({"networkMode": "host", "requiresCompatibilities": ["EC2"]}, "host"),
    ],
)
def test_the_network_mode_is_the_one_that_ecs_applies(members: dict[str, Any], mode: str) -> None:
    assert definition(**members).network_mode == mode


def test_a_file_may_be_the_answer_its_inside_or_the_input() -> None:
    inside = {"family": "web", "containerDefinitions": [{"name": "app", "image": "x"}]}
    tags = [{"key": "team", "value": "shop"}]

    for value in ({"taskDefinition": inside, "tags": tags}, {**inside, "tags": tags}):
        read = read_definition(json.dumps(value), "f.json")
        assert read.family == "web"
        assert read.tags == (("team", "shop"),)
        assert read.registrable() == {**inside, "tags": tags}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "f.json is not JSON"),
        ("[]", "f.json holds no task definition"),
        ('{"family": "x"}', "f.json holds no task definition"),
        ('{"family": "x", "containerDefinitions": [1]}', "f.json holds no task definition"),
        ('{"containerDefinitions": []}', "f.json has no family"),
    ],
)
def test_other_files_are_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(EcsInputError) as raised:
        read_definition(text, "f.json")

    assert str(raised.value).startswith(line)


def test_settings_newer_than_the_library_are_noticed_before_they_are_lost() -> None:
    raw = {
        "taskDefinition": {
            "family": "web",
            "newSwitch": True,
            "newEmpty": [],
            "containerDefinitions": [{"name": "app", "dockerLabels": {"any": "key"}, "newLimit": {"a": 1}}],
        },
        "tags": [],
    }

    assert list(unknown_members(DESCRIBED, raw)) == [
        "taskDefinition.newSwitch",
        "taskDefinition.containerDefinitions[0].newLimit",
    ]


def test_secrets_of_the_task_are_not_in_its_repr() -> None:
    secret = definition(
        containers=[{"name": "app", "environment": [{"name": "PASSWORD", "value": "hunter2"}]}]
    )

    assert "hunter2" not in repr(secret)
