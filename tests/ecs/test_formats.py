"""Text forms: linted by cfn-lint, parsed by an HCL parser that we did not write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import hcl2
import pytest
import yaml
from cfnlint.api import ManualArgs, lint
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.ecs.formats import cloudformation, fragment, hcl, template_of, whole
from levo.ecs.model import Flag, Sidecar
from levo.ecs.plan import Request, Target, plan_add
from levo.ecs.sizes import FARGATE_SIZES
from tests.ecs.definitions import definition
from tests.helpers.effort import scaled

FLAGS = (
    Flag("satellite-url", "https://satellite.example:9999"),
    Flag("levo-env", "staging"),
    Flag("host-allow", "^api\\.${x}%{y}\"'$"),
)
REQUEST = Request(flags=FLAGS, region="eu-west-1")
SIDECAR = Sidecar(flags=FLAGS, region="eu-west-1", log_group="/ecs/web-pcap", template=False)
EVERYTHING: dict[str, Any] = {
    "pidMode": "task",
    "ephemeralStorage": {"sizeInGiB": 50},
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "enableFaultInjection": True,
    "volumes": [
        {"name": "scratch"},
        {
            "name": "shared",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-12345678",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-1234567890abcdef0", "iam": "ENABLED"},
            },
        },
    ],
    "proxyConfiguration": {
        "type": "APPMESH",
        "containerName": "app",
        "properties": [{"name": "IgnoredUID", "value": "1337"}],
    },
    "containers": [
        {
            "name": "app",
            "image": "nginx:1.27",
            "cpu": 256,
            "memory": 1024,
            "essential": True,
            "portMappings": [{"containerPort": 80, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
            "dockerLabels": {"com.example.label": "x"},
            "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30},
            "secrets": [
                {"name": "P", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:p-AbCdEf"}
            ],
            "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data", "readOnly": True}],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/ecs/app", "awslogs-region": "x"},
            },
            "linuxParameters": {"initProcessEnabled": True},
            "restartPolicy": {"enabled": True, "restartAttemptPeriod": 60},
        }
    ],
}


def errors(template: dict[str, Any]) -> list[str]:
    """What cfn-lint says of a template, as ``E1234 message``."""
    found = lint(json.dumps(template), config=ManualArgs(regions=["eu-west-1"]))
    return [f"{match.rule.id} {match.message}" for match in found if match.rule.id.startswith("E")]


@pytest.mark.parametrize(
    "members", [{}, EVERYTHING, {"cpu": "1 vCPU", "memory": "3 GB"}], ids=["plain", "all", "units"]
)
def test_a_definition_with_the_sensor_passes_cfn_lint(members: dict[str, Any]) -> None:
    before = definition(**members)
    request = Request(flags=FLAGS, region="eu-west-1", low_resource=True)
    after = before.with_sensor(request.sidecar_for(before))

    assert errors(template_of(before)) == [], "the test's own definition"
    assert errors(template_of(after)) == []


def test_the_sensor_in_a_task_of_every_fargate_size_passes_cfn_lint() -> None:
    """One template with a resource for each, and for each processor, half of them with the preset."""
    resources = {}
    for number, (cpu, sizes) in enumerate(FARGATE_SIZES.items()):
        for memory in {sizes[0], sizes[-1]}:
            app = {"name": "app", "image": "nginx:1.27", "essential": True, "memory": 128}
            platform = {
                "cpuArchitecture": ("X86_64", "ARM64")[number % 2],
                "operatingSystemFamily": "LINUX",
            }
            task = definition(cpu=str(cpu), memory=str(memory), containers=[app], runtimePlatform=platform)
            request = replace(REQUEST, low_resource=cpu == 256 or number % 2 == 0)
            plan = plan_add([Target(task)], request)
            (step,) = plan.steps
            resources[f"Task{cpu}x{memory}"] = template_of(step.target)["Resources"]["TaskDefinition"]

    assert len(resources) == 2 * len(FARGATE_SIZES)
    assert errors({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}) == []


def test_cfn_lint_does_look_at_what_we_make() -> None:
    broken = {**SIDECAR.container(), "logConfiguration": {"logDriver": "carrier-pigeon"}}

    assert errors(template_of(definition(containers=[{"name": "app", "image": "x"}, broken]))) != []
    assert errors(template_of(definition(cpu="300"))) != []


@pytest.mark.parametrize("form", ["cloudformation", "cloudformation-yaml"])
def test_the_fragment_pasted_into_a_template_passes_cfn_lint(form: Any) -> None:
    text = fragment(SIDECAR, form)
    pasted = json.loads(text) if form == "cloudformation" else yaml.safe_load(text)[0]
    template = template_of(definition())
    template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"].append(pasted)

    assert errors(template) == []


def test_all_forms_say_the_same() -> None:
    container = SIDECAR.container()

    assert json.loads(fragment(SIDECAR, "json")) == container
    assert yaml.safe_load(fragment(SIDECAR, "cloudformation-yaml")) == [
        json.loads(fragment(SIDECAR, "cloudformation"))
    ]
    assert (
        cloudformation(container)["LogConfiguration"]["Options"] == container["logConfiguration"]["options"]
    )
    assert cloudformation(container)["EntryPoint"] == container["entryPoint"]


def test_whole_definitions_keep_everything() -> None:
    after = definition(**EVERYTHING).with_sensor(SIDECAR)

    assert json.loads(whole(after, "json")) == after.registrable()
    assert json.loads(whole(after, "cloudformation")) == yaml.safe_load(whole(after, "cloudformation-yaml"))
    assert (
        json.loads(whole(after, "cloudformation"))["Resources"]["TaskDefinition"]["Properties"]["Family"]
        == "web"
    )
    assert "container_definitions = jsonencode([" in whole(after, "terraform")


PARSERS_OWN = ("__is_block__", "__comments__", "__inline_comments__", "__start_line__", "__end_line__")
JSON = st.recursive(
    st.booleans() | st.integers(-9, 10**6) | st.text("abc XYZ-_/.:^()[]|*", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc-_", min_size=1, max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=scaled(30))
@given(value=st.dictionaries(st.sampled_from(["name", "cpu", "options"]), JSON, min_size=1))
def test_an_hcl_parser_reads_back_what_was_written(value: dict[str, Any]) -> None:
    assert _plain(hcl2.loads(f"x = {hcl(value)}\n"))["x"] == value


def test_terraform_sees_no_template_in_a_users_text() -> None:
    assert hcl("a${b}%{c}$d") == '"a$${b}%%{c}$d"'
    assert hcl('say "x"\n\\') == '"say \\"x\\"\\n\\\\"'
    assert hcl({"a.b": None}) == '{\n  "a.b" = null\n}'


def _plain(value: Any) -> Any:
    """The parser keeps the quotes of strings and keys, and adds marks of its own."""
    if isinstance(value, dict):
        return {_text(key): _plain(item) for key, item in value.items() if key not in PARSERS_OWN}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _text(value)


def _text(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return json.loads(value)
    return value
