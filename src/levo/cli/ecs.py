"""``levo ecs``: put the sensor into an ECS service, take it out, show where it runs, print its definition."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from levo.cli.ecs_change import run_change
from levo.cli.ecs_options import (
    account_options,
    check_names,
    container_options,
    flags_of,
    request_of,
    run_options,
    sidecar_flags,
    target_options,
)
from levo.cli.ecs_status import run_status
from levo.ecs import formats
from levo.ecs.arn import region_of
from levo.ecs.definition import TaskDefinition, read_definition
from levo.ecs.model import (
    IMAGE,
    IMAGE_NOTE,
    LOW_RESOURCE_FLAGS,
    EcsInputError,
    Flag,
    Sidecar,
    with_flags,
)
from levo.ecs.plan import Target, plan_add, preset_sizes
from levo.ecs.policy import policy
from levo.ecs.run import Options
from levo.ecs.sizes import sensor_problems


@click.group("ecs", help="Put the sensor into an ECS service, take it out, show where it runs.")
def command() -> None:
    """The group."""


@command.command("snippet", short_help="Print the container definition; asks AWS nothing.")
@sidecar_flags
@click.option("--region", metavar="REGION", help="AWS region of the service.")
@container_options
@click.option("--format", "form", type=click.Choice(formats.FORMATS), default="json", show_default=True)
@click.option(
    "--task-definition",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="JSON of an existing task definition (describe-task-definition): print all of it, with the sensor.",
)
def snippet_command(form: formats.Format, file: str | None, **given: Any) -> None:
    """Print the sensor's container definition. Asks AWS nothing; what you do not give stays a placeholder."""
    check_names(given)
    flags = flags_of(given)
    if file is not None:
        click.echo(formats.whole(_patched(file, given, flags), form))
        return
    cpu, memory = preset_sizes(given["cpu"], given["memory"], given["low_resource"])
    for problem in sensor_problems(cpu, memory):
        raise EcsInputError(problem)
    preset = (
        [Flag(name, value) for name, value in LOW_RESOURCE_FLAGS.items()] if given["low_resource"] else []
    )
    sidecar = with_flags(
        Sidecar(
            flags=tuple(preset),
            image=given["image"] or IMAGE,
            cpu=cpu,
            memory=memory,
            region=given["region"],
            log_group=given["log_group"],
            logs=not given["no_logs"],
            token_secret=given["token_secret"],
        ),
        flags,
    )
    click.echo(formats.fragment(sidecar, form))
    missing = sidecar.placeholders()
    if missing:
        click.echo(f"levo: to be filled in: {', '.join(missing)}", err=True)
    if given["image"] is None:
        click.echo(f"levo: note: {IMAGE_NOTE}", err=True)


def _patched(file: str, given: dict[str, Any], flags: tuple[Flag, ...]) -> TaskDefinition:
    """The definition in *file* with the sensor, checked as ``add`` checks it. Raises EcsInputError."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EcsInputError(
            f"--task-definition: {file}: {getattr(error, 'strerror', None) or 'not text'}"
        ) from None
    definition = read_definition(text, file)
    region = given["region"] or region_of(definition.arn)
    if region is None:
        raise EcsInputError(f"--region is missing, and {file} does not tell it (no taskDefinitionArn)")
    plan = plan_add([Target(definition)], request_of(given, flags, region))
    for stop in plan.stops:
        raise EcsInputError(stop.text)
    for note in plan.notes:
        click.echo(f"levo: note: {note.text}", err=True)
    return plan.steps[0].target if plan.steps else definition


@command.command("add", short_help="Put the sensor beside an ECS service, and watch the rollout.")
@account_options
@target_options
@sidecar_flags
@container_options
@run_options
def add_command(**given: Any) -> int:
    """Put the sensor beside an ECS service: new revision, update, mark, watch the rollout.

    In a terminal it asks what the flags leave open. With --yes it asks nothing.
    """
    request = request_of(given, flags_of(given), given["region"] or "")
    if request.sized:
        for problem in sensor_problems(*preset_sizes(request.cpu, request.memory, request.low_resource)):
            raise EcsInputError(problem)
    return run_change(options_of(given), request, yes=given["yes"])


def options_of(given: dict[str, Any]) -> Options:
    """The flags that say where and how, out of what click collected."""
    return Options(**{field.name: given[field.name] for field in fields(Options)})


@command.command("remove", short_help="Take the sensor out of an ECS service again.")
@account_options
@target_options
@run_options
def remove_command(**given: Any) -> int:
    """Take the sensor out again: back to the revision before it, where that still is what it was."""
    check_names(given)
    return run_change(options_of(given), None, yes=given["yes"])


@command.command("status")
@account_options
@click.option("--cluster", metavar="NAME", help="Only this cluster.")
@click.option("--all-regions", is_flag=True, help="Look in every region of the account.")
@click.option("--all", "everything", is_flag=True, help="List services without the sensor too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: every service.",
)
@click.option("--json", "as_json", is_flag=True, hidden=True)
def status_command(
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    cluster: str | None,
    all_regions: bool,
    everything: bool,
    form: str,
    as_json: bool,
) -> int:
    """List where the sensor runs, at which version, over all clusters."""
    check_names({"region": region})
    return run_status(
        profile,
        region,
        endpoint_url,
        cluster,
        all_regions=all_regions,
        everything=everything,
        as_json=as_json or form == "json",
    )


@command.command("policy", short_help="Print the smallest IAM policy for the three others.")
@click.option("--account", metavar="ID", help="Restrict to this AWS account.")
@click.option("--region", metavar="REGION", help="Restrict to this region.")
@click.option("--cluster", metavar="NAME", help="Restrict to this cluster.")
@click.option("--partition", default="aws", show_default=True, help="aws, aws-cn or aws-us-gov.")
@click.option(
    "--pass-role",
    "roles",
    multiple=True,
    metavar="ARN",
    help="Task or execution role of a task definition to copy: adds iam:PassRole. Repeatable.",
)
def policy_command(
    account: str | None, region: str | None, cluster: str | None, partition: str, roles: tuple[str, ...]
) -> None:
    """Print the smallest IAM policy: the ten actions that add, remove and status use."""
    check_names({"region": region})
    if account is not None and not (account.isascii() and account.isdigit() and len(account) == 12):
        raise EcsInputError(f"--account: '{account}' is not an account id; it has 12 digits")
    click.echo(policy(account=account, cluster=cluster, region=region, roles=roles, partition=partition))
