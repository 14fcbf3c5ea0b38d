"""``levo ecs snippet`` and ``policy``: what is printed, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from levo.cli.group import invoke
from levo.ecs.policy import table
from tests.cli.levo_command import environment
from tests.ecs.definitions import definition
from tests.ecs.test_model import DOCUMENTED
from tests.ecs.test_policy import DOCUMENTED as TEN

Capture = pytest.CaptureFixture[str]


def out(capsys: Capture, *arguments: str) -> str:
    assert invoke(["ecs", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: Capture, *arguments: str) -> str:
    assert invoke(["ecs", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_the_bare_snippet_is_the_documented_one(capsys: Capture) -> None:
    assert invoke(["ecs", "snippet"]) == 0

    captured = capsys.readouterr()
    assert json.loads(captured.out) == DOCUMENTED
    assert captured.err.startswith("levo: to be filled in: --satellite-url, --levo-env")


def test_the_older_image_gives_the_older_document(capsys: Capture) -> None:
    assert json.loads(out(capsys, "snippet", "--image", "levoai/pcap-sensor:0.0.20")) == {
        **DOCUMENTED,
        "image": "levoai/pcap-sensor:0.0.20",
    }


def test_a_filled_snippet_has_no_placeholder_and_says_only_whose_image_it_takes(capsys: Capture) -> None:
    arguments = (
        *("--satellite-url", "https://s:9999", "--levo-env", "staging", "--levoai-org-id", "o"),
        *("--rate-limit", "10", "--region", "us-west-2", "--log-group", "/ecs/x", "--cpu", "256"),
        *("--host-allow", "a,b", "--host-allow", "c", "--no-redact", "--output", "null"),
    )
    assert invoke(["ecs", "snippet", *arguments]) == 0
    captured = capsys.readouterr()
    container = json.loads(captured.out)

    assert "INSERT" not in captured.out and captured.err.count("\n") == 1
    assert captured.err.startswith("levo: note: the image is levoai/pcap-sensor:0.1.1")
    assert invoke(["ecs", "snippet", *arguments, "--image", "registry.example.com/sensor:1"]) == 0
    assert capsys.readouterr().err == ""
    assert container["cpu"] == 256
    assert container["entryPoint"][10:] == [
        *("--host-allow", "a,b", "--host-allow", "c", "--no-redact", "--output", "null")
    ]


def test_the_low_resource_preset(capsys: Capture) -> None:
    container = json.loads(out(capsys, "snippet", "--low-resource", "--rate-limit", "60"))

    assert (container["cpu"], container["memory"]) == (256, 200)
    words = container["entryPoint"]
    assert words[words.index("--rate-limit") + 1] == "60"
    assert words[words.index("--max-http-length") + 1] == "1000000"


def test_every_format_is_printed(capsys: Capture) -> None:
    assert json.loads(out(capsys, "snippet", "--format", "cloudformation"))["Name"] == "levo-pcap-sensor"
    assert yaml.safe_load(out(capsys, "snippet", "--format", "cloudformation-yaml"))[0]["Cpu"] == 512
    assert 'name             = "levo-pcap-sensor"' in out(capsys, "snippet", "--format", "terraform")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--satellite-url", "ftp://s"], "levo: --satellite-url: 'ftp://s' has an unknown scheme"),
        (["--memory", "64"], "levo: --memory 64 is too little for the sensor"),
        (["--cpu", "half"], "levo: invalid value for '--cpu'"),
        (["--region", "Ireland"], "levo: --region: 'Ireland' is not an AWS region"),
        (["--log-group", "a b"], "levo: --log-group: 'a b' is not a log group"),
        (["--image", ""], "levo: --image: '' is not an image"),
        (["--format", "toml"], "levo: invalid value for '--format'"),
        (["--read", "x"], "levo: --read: no such option"),
        (["--task-definition", "/nonexistent"], "levo: --task-definition: /nonexistent: No such file"),
    ],
)
def test_bad_input_is_one_line(capsys: Capture, arguments: list[str], line: str) -> None:
    assert refused(capsys, "snippet", *arguments).startswith(line)


def saved(folder: Path, **members: object) -> str:
    path = folder / "task.json"
    found = definition(**members)
    tags = [{"key": key, "value": value} for key, value in found.tags]
    path.write_text(json.dumps({"taskDefinition": found.body, "tags": tags}))
    return str(path)


def test_a_patch_is_the_whole_definition_with_the_sensor(capsys: Capture, tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert invoke(["ecs", "snippet", "--task-definition", path, "--satellite-url", "https://s:1"]) == 0
    captured = capsys.readouterr()
    patched = json.loads(captured.out)

    sensor = patched["containerDefinitions"].pop()
    assert patched == definition().registrable()
    assert sensor["environment"] == [{"name": "LEVO_AWS_REGION", "value": "eu-west-1"}], "from the ARN"
    assert sensor["logConfiguration"]["options"]["awslogs-group"] == "/ecs/web-pcap"
    assert "levo: note: the log group /ecs/web-pcap" in captured.err


def test_a_patch_comes_in_every_format(capsys: Capture, tmp_path: Path) -> None:
    arguments = (
        "snippet",
        "--task-definition",
        saved(tmp_path),
        "--satellite-url",
        "https://s:1",
        "--format",
    )

    template = json.loads(out(capsys, *arguments, "cloudformation"))
    assert yaml.safe_load(out(capsys, *arguments, "cloudformation-yaml")) == template
    assert len(template["Resources"]["TaskDefinition"]["Properties"]["ContainerDefinitions"]) == 2
    assert '"levo-pcap-sensor"' in out(capsys, *arguments, "terraform")


@pytest.mark.parametrize(
    ("members", "more", "line"),
    [
        (
            {"cpu": "256", "memory": "1024"},
            [],
            "levo: web:7: --cpu 512 does not fit: the task has 256",
        ),
        ({"cpu": "300"}, [], "levo: web:7: Fargate has no task of 300 CPU units"),
        ({"executionRoleArn": None}, [], "levo: web:7 has no execution role"),
        (
            {"networkMode": "bridge", "requiresCompatibilities": []},
            [],
            "levo: web:7 uses network mode bridge",
        ),
    ],
)
def test_a_task_that_cannot_take_it_is_refused_before_aws_is(
    capsys: Capture, tmp_path: Path, members: dict[str, object], more: list[str], line: str
) -> None:
    arguments = ["--task-definition", saved(tmp_path, **members), "--satellite-url", "https://s:1", *more]

    assert refused(capsys, "snippet", *arguments).startswith(line)


def test_a_patch_needs_the_satellite_and_a_region(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "input.json"
    path.write_text(json.dumps(definition().registrable()))

    assert "--region is missing" in refused(capsys, "snippet", "--task-definition", str(path))
    with_region = ("snippet", "--task-definition", str(path), "--region", "eu-west-1")
    assert "--satellite-url is missing" in refused(capsys, *with_region)


def test_the_policy_holds_the_ten_actions(capsys: Capture) -> None:
    assert json.loads(out(capsys, "policy"))["Statement"][0]["Action"] == TEN
    narrow = out(capsys, "policy", "--account", "123456789012", "--cluster", "prod", "--pass-role", "arn:x")
    assert "service/prod/*" in narrow and "iam:PassRole" in narrow
    assert refused(capsys, "policy", "--account", "12").startswith(
        "levo: --account: '12' is not an account id"
    )


def test_the_documentation_shows_the_policy_and_the_table_as_they_are(capsys: Capture) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "fargate.md").read_text(encoding="utf-8")

    assert out(capsys, "policy") in page
    assert table() in page


def test_snippet_and_policy_need_no_aws_library() -> None:
    program = (
        "import sys; from levo.cli.group import invoke;"
        "invoke(['ecs', 'snippet']); invoke(['ecs', 'policy']);"
        "print([m for m in sys.modules if m.startswith(('boto', 'levo.engine', 'levo.satellite', 'grpc'))],"
        " file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, timeout=180, text=True
    )

    assert done.stderr.splitlines()[-1] == "[]"
