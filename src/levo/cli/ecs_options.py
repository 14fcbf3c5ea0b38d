"""The flags that the commands of ``levo ecs`` share, and the values made from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from levo.cli.durations import Seconds
from levo.cli.table_options import option_flag
from levo.config import BY_NAME
from levo.ecs.model import SIDECAR_FLAGS, EcsInputError, Flag, check_token_secret, flags_from
from levo.ecs.plan import Request

Function = TypeVar("Function", bound=Callable[..., Any])

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")
_LOG_GROUP = re.compile(r"[A-Za-z0-9_./#-]{1,512}")


def sidecar_flags(function: Function) -> Function:
    """The sensor's own flags, as far as they make sense in a sidecar."""
    for name in reversed(SIDECAR_FLAGS):
        function = option_flag(BY_NAME[name], "Sensor: ", with_default=False)(function)
    return click.option("--satellite-token", "plain_token", hidden=True)(function)


def container_options(function: Function) -> Function:
    """Image, sizes and log of the container."""
    for decorator in (
        click.option(
            "--low-resource", is_flag=True, help="Preset: 256 CPU units, 200 MiB, fewer and shorter traces."
        ),
        click.option("--token-secret", metavar="ARN", help="Secret that holds the Satellite's bearer token."),
        click.option(
            "--no-logs", is_flag=True, help="No log configuration: what the sensor says is not kept."
        ),
        click.option(
            "--log-group", metavar="NAME", help="CloudWatch log group.  [default: /ecs/FAMILY-pcap]"
        ),
        click.option(
            "--image",
            metavar="IMAGE",
            help="Image of the sensor.  [default: levoai/pcap-sensor, not built from this source]",
        ),
        click.option("--memory", type=int, metavar="MIB", help="Memory limit of the sensor.  [default: 512]"),
        click.option("--cpu", type=int, metavar="UNITS", help="CPU units of the sensor.  [default: 512]"),
    ):
        function = decorator(function)
    return function


def account_options(function: Function) -> Function:
    """Whose account, and where in it."""
    for decorator in (
        click.option("--endpoint-url", metavar="URL", hidden=True, help="Instead of AWS's own."),
        click.option("--region", metavar="REGION", help="AWS region.  [default: the profile's]"),
        click.option("--profile", metavar="NAME", help="Profile of the shared AWS files."),
    ):
        function = decorator(function)
    return function


def target_options(function: Function) -> Function:
    """Which services."""
    for decorator in (
        click.option(
            "--all-services", is_flag=True, help="Every service that --family (or the cluster) has."
        ),
        click.option("--service", "services", multiple=True, metavar="NAME", help="ECS service. Repeatable."),
        click.option("--family", metavar="NAME", help="Task definition: its family, or FAMILY:REVISION."),
        click.option("--cluster", metavar="NAME", help="ECS cluster, by name or ARN."),
    ):
        function = decorator(function)
    return function


def run_options(function: Function) -> Function:
    """How it is carried out."""
    for decorator in (
        click.option(
            "--timeout",
            "timeout_s",
            type=Seconds(1),
            default="15m",
            show_default=True,
            metavar="TIME",
            help="Longest time that a rollout is waited for.",
        ),
        click.option(
            "--poll",
            "poll_s",
            type=Seconds(0.1),
            default="5s",
            show_default=True,
            metavar="TIME",
            help="Time between two looks at a rollout.",
        ),
        click.option("--no-wait", is_flag=True, help="Do not watch the rollout."),
        click.option(
            "--rollback-on-failure",
            is_flag=True,
            help="Go back to the previous revision when the rollout fails or takes too long.",
        ),
        click.option("--register-only", is_flag=True, help="Write the new revision; update no service."),
        click.option("--dry-run", is_flag=True, help="Show the plan and change nothing."),
        click.option("-y", "--yes", is_flag=True, help="Ask nothing: for pipelines."),
    ):
        function = decorator(function)
    return function


def flags_of(given: Mapping[str, Any]) -> tuple[Flag, ...]:
    """The sensor's flags out of what click collected. Raises EcsInputError."""
    if given.get("plain_token") is not None:
        raise EcsInputError(
            "--satellite-token: whoever may look at the task definition could read it; keep the token in "
            "Secrets Manager or Parameter Store and give --token-secret ARN"
        )
    return flags_from({name: given.get(BY_NAME[name].field) for name in SIDECAR_FLAGS})


def request_of(given: Mapping[str, Any], flags: tuple[Flag, ...], region: str) -> Request:
    """What is wanted of the sensor. Raises EcsInputError."""
    check_names(given)
    return Request(
        flags=flags,
        region=region,
        image=given["image"],
        cpu=given["cpu"],
        memory=given["memory"],
        log_group=given["log_group"],
        logs=not given["no_logs"],
        token_secret=given["token_secret"],
        low_resource=given["low_resource"],
    )


def check_names(given: Mapping[str, Any]) -> None:
    """Refuse what AWS would refuse for its form alone."""
    region, group, image = given.get("region"), given.get("log_group"), given.get("image")
    if given.get("token_secret") is not None:
        check_token_secret(given["token_secret"])
    if region is not None and not _REGION.fullmatch(region):
        raise EcsInputError(f"--region: '{region}' is not an AWS region; write for example us-west-2")
    if group is not None and not _LOG_GROUP.fullmatch(group):
        raise EcsInputError(
            f"--log-group: '{group}' is not a log group; letters, digits and _ - / . # are possible, "
            "for example /ecs/your-application-pcap"
        )
    if image is not None and (not image.strip() or any(char.isspace() for char in image)):
        raise EcsInputError(f"--image: '{image}' is not an image; write for example levoai/pcap-sensor:0.1.1")
