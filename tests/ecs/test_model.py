"""The container definition: the documented one, field for field, and back from an installed one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.config import BY_NAME
from levo.ecs.model import (
    CONTAINER_NAME,
    SIDECAR_FLAGS,
    EcsInputError,
    Flag,
    Sidecar,
    check_token_secret,
    flags_from,
    image_version,
    is_sensor,
    read_container,
    with_flags,
)

DOCUMENTED = {
    "name": "levo-pcap-sensor",
    "image": "levoai/pcap-sensor:0.1.1",
    "cpu": 512,
    "memory": 512,
    "portMappings": [],
    "essential": False,
    "entryPoint": [
        "./bin/init",
        "apidump",
        "--satellite-url",
        "< INSERT SATELLITE URL (http(s)://hostname|IP:port) >",
        "--levo-env",
        "<INSERT APPLICATION ENVIRONMENT (staging, production etc.)>",
        "--levoai-org-id",
        "< INSERT LEVO ORG ID >",
        "--rate-limit",
        "<INSERT NUMBER OF TRACES PER MINUTE>",
    ],
    "environment": [{"name": "LEVO_AWS_REGION", "value": "< INSERT AWS REGION (us-west-2) >"}],
    "mountPoints": [],
    "volumesFrom": [],
    "logConfiguration": {
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": "< INSERT LOGS IDENTIFIER (/ecs/your-application-pcap) >",
            "awslogs-create-group": "true",
            "awslogs-region": "< INSERT AWS REGION (us-west-2) >",
            "awslogs-stream-prefix": "ecs-pcap",
        },
    },
}


def test_without_any_value_it_is_the_documented_definition_in_the_documented_order() -> None:
    container = Sidecar().container()

    assert container == DOCUMENTED
    assert list(container) == list(DOCUMENTED)
    assert list(container["logConfiguration"]["options"]) == list(DOCUMENTED["logConfiguration"]["options"])  # type: ignore[index]


def test_every_placeholder_is_named_by_the_flag_that_fills_it() -> None:
    assert Sidecar().placeholders() == [
        "--satellite-url",
        "--levo-env",
        "--levoai-org-id",
        "--rate-limit",
        "--region",
        "--log-group",
    ]
    filled = Sidecar(
        flags=flags_from(
            {"satellite-url": "http://s:9999", "levo-env": "e", "levoai-org-id": "o", "rate-limit": "5"}
        ),
        region="us-west-2",
        log_group="/ecs/x",
    )
    assert filled.placeholders() == []
    assert "INSERT" not in str(filled.container())


def test_every_documented_flag_can_be_given_and_keeps_its_spelling() -> None:
    given = {
        "path-exclusions": ("^/health$", "^/m,etrics"),
        "host-exclusions": ("internal",),
        "path-allow": ("^/api/",),
        "host-allow": ("api\\.example\\.com",),
        "filter": "port 8080 and (not port 8081)",
        "rate-limit": "0.5",
        "trace-export-interval": "500ms",
        "satellite-url": "grpc://satellite:4317",
    }
    words = Sidecar(flags=flags_from(given), template=False).container()["entryPoint"]

    assert words == [
        *("./bin/init", "apidump"),
        *("--satellite-url", "grpc://satellite:4317"),
        *("--rate-limit", "0.5"),
        *("--trace-export-interval", "500ms"),
        *("--filter", "port 8080 and (not port 8081)"),
        *("--host-allow", "api\\.example\\.com"),
        *("--host-exclusions", "internal"),
        *("--path-allow", "^/api/"),
        *("--path-exclusions", "^/health$"),
        *("--path-exclusions", "^/m,etrics"),
    ]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"satellite-url": "ftp://x"}, "--satellite-url: 'ftp://x' has an unknown scheme"),
        ({"rate-limit": "many"}, "--rate-limit: 'many' is not a number"),
        ({"host-allow": ("a(",)}, "--host-allow: 'a(' is not a regex"),
        ({"levo-env": "<INSERT IT>"}, "--levo-env: '<INSERT IT>' is the placeholder"),
        ({"read": "x.pcap"}, "--read makes no sense in a sidecar"),
    ],
)
def test_what_the_sensor_would_refuse_is_refused_here(given: dict[str, str], line: str) -> None:
    with pytest.raises(EcsInputError) as raised:
        flags_from(given)

    assert str(raised.value).startswith(line)


def test_no_flag_of_a_sidecar_ends_the_sensor_at_once() -> None:
    assert not {"read", "dry-run", "config"} & set(SIDECAR_FLAGS)
    assert all(BY_NAME[name].on_command_line for name in SIDECAR_FLAGS)


FLAG_VALUES = {
    "satellite-url": st.sampled_from(["http://s:9999", "s:4317", "grpcs://s:1"]),
    "levo-env": st.text("abc -", min_size=1, max_size=5).map(lambda text: f"e{text}e"),
    "rate-limit": st.integers(0, 9).map(str),
    "filter": st.sampled_from(["port 80", "tcp"]),
    "host-allow": st.lists(st.text("a-.=", min_size=1, max_size=4), max_size=3).map(tuple),
    "no-redact": st.booleans(),
    "output": st.lists(st.sampled_from(["null", "otlp"]), max_size=2).map(tuple),
}


@given(
    given=st.fixed_dictionaries({}, optional=FLAG_VALUES),
    cpu=st.integers(2, 4096),
    memory=st.integers(128, 4096),
    region=st.sampled_from(["eu-west-1", "us-east-1"]),
    logs=st.booleans(),
    secret=st.sampled_from([None, "arn:aws:ssm:eu-west-1:1:parameter/x"]),
)
def test_a_container_is_read_back_as_the_model_it_was_made_from(
    given: dict[str, str], cpu: int, memory: int, region: str, logs: bool, secret: str | None
) -> None:
    made = Sidecar(
        flags=flags_from(given),
        cpu=cpu,
        memory=memory,
        region=region,
        log_group="/ecs/x" if logs else None,
        logs=logs,
        token_secret=secret,
        template=False,
    )
    read = read_container(made.container())

    assert read.container() == Sidecar(**{**_fields(read), "template": True}).container()
    assert _fields(read) | {"template": False} == _fields(made)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ssm:eu-west-1:111122223333:parameter/levo/token",
        "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:levo-AbCdEf",
        "arn:aws:secretsmanager:us-west-2:111122223333:secret:levo-AbCdEf:token::",
    ],
)
def test_a_secret_is_named_by_its_arn(arn: str) -> None:
    assert check_token_secret(arn) == arn


@pytest.mark.parametrize("text", ["", "levo_0123456789", "levo-token", "arn:aws:s3:::bucket/token"])
def test_anything_else_is_no_secret_and_is_not_repeated(text: str) -> None:
    with pytest.raises(EcsInputError, match="no ARN") as refused:
        check_token_secret(text)
    assert not text or text not in str(refused.value)


def _fields(sidecar: Sidecar) -> dict[str, object]:
    return {name: getattr(sidecar, name) for name in Sidecar.__slots__}


def test_the_documented_definition_is_read_back_without_its_placeholders() -> None:
    assert read_container(DOCUMENTED).flags == ()
    assert read_container(
        {"name": "x", "command": ["apidump", "--rate-limit=3", "--new", "--no-redact"]}
    ).flags == (
        Flag("rate-limit", "3"),
        Flag("no-redact", None),
        Flag("new", None),
    )


def test_newer_flags_replace_all_of_their_name() -> None:
    old = Sidecar(flags=flags_from({"host-allow": ("a", "b"), "rate-limit": "1"}))

    assert with_flags(old, [Flag("host-allow", "c")]).flags == (
        Flag("rate-limit", "1"),
        Flag("host-allow", "c"),
    )


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"entryPoint": ["./bin/init", "apidump"], "image": "mirror.example/x:1"}, True),
        ({"command": ["apidump", "--rate-limit", "1"], "image": "x"}, True),
        ({"image": "111.dkr.ecr.eu-west-1.amazonaws.com/levoai/pcap-sensor:0.0.20"}, True),
        ({"image": "levoai/pcap-sensor@sha256:" + "0" * 64}, True),
        ({"image": "nginx:1", "name": CONTAINER_NAME}, False),
        ({"image": "example/not-pcap-sensor:1"}, False),
    ],
)
def test_the_sensor_is_known_by_what_it_runs(container: dict[str, object], expected: bool) -> None:
    assert is_sensor(container) is expected


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("levoai/pcap-sensor:0.1.1", "0.1.1"),
        ("registry:5000/levoai/pcap-sensor", "latest"),
        ("registry:5000/levoai/pcap-sensor:2@sha256:abcdef0123456789", "2"),
        ("levoai/pcap-sensor@sha256:abcdef0123456789", "sha256:abcdef012345"),
    ],
)
def test_the_version_is_the_tag(image: str, version: str) -> None:
    assert image_version(image) == version
