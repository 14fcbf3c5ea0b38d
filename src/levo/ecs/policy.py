"""The ten API actions that the installer uses, what each is for, and the smallest IAM policy for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One API action."""

    name: str
    """As IAM writes it: ``ecs:ListClusters``."""
    purpose: str
    step: str
    """What cannot be done without it, as the end of "cannot ..."."""
    on: str = ""
    """The kind of resource it can be restricted to (``cluster``, ``service``); empty: only ``*``."""


ACTIONS: tuple[Action, ...] = (
    Action(
        "ec2:DescribeRegions",
        "Find the list of AWS regions you have enabled. (If not present, defaults to a built-in list.)",
        "list the AWS regions",
    ),
    Action("ecs:ListClusters", "Find the available ECS clusters.", "list the clusters"),
    Action(
        "ecs:DescribeClusters",
        "Look up the names of the available ECS clusters.",
        "look up the names of the clusters",
        on="cluster",
    ),
    Action(
        "ecs:ListTaskDefinitionFamilies",
        "Find the available task definitions.",
        "list the task definitions",
    ),
    Action(
        "ecs:DescribeTaskDefinition",
        "Read the existing task definition in order to copy it.",
        "read the task definition",
    ),
    Action(
        "ecs:RegisterTaskDefinition",
        "Write a new version of the task definition.",
        "write the new revision of the task definition",
    ),
    Action("ecs:ListServices", "Find the available services.", "list the services"),
    Action(
        "ecs:DescribeServices",
        "Identify which services are using the task definition you selected, and watch the rollout.",
        "look up the services",
        on="service",
    ),
    Action(
        "ecs:UpdateService",
        "Update and restart the service using the new task definition.",
        "update the service",
        on="service",
    ),
    Action(
        "ecs:TagResource",
        "Mark the service as having been updated by Levo.",
        "mark the service",
        on="service",
    ),
)

BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}
PASS_ROLE = "iam:PassRole"


def policy(
    *,
    account: str | None = None,
    cluster: str | None = None,
    region: str | None = None,
    roles: Sequence[str] = (),
    partition: str = "aws",
) -> str:
    """The policy as JSON text.

    With *cluster*, the actions on services hold for the services of that cluster only. *roles*: ARNs of the
    task and execution roles of the definitions to copy, which AWS lets nobody register without iam:PassRole.
    """
    where = f"{partition}:ecs:{region or '*'}:{account or '*'}"
    narrow = bool(account or cluster or region)
    on_anything = [action.name for action in ACTIONS if not (narrow and action.on)]
    statements: list[dict[str, object]] = [
        {"Sid": "LevoSensorRead", "Effect": "Allow", "Action": on_anything, "Resource": "*"}
    ]
    if narrow:
        statements[0]["Sid"] = "LevoSensorAnywhere"
        for kind, resources in (
            ("cluster", [f"arn:{where}:cluster/{cluster or '*'}"]),
            ("service", [f"arn:{where}:service/{cluster or '*'}/*"]),
        ):
            names = [action.name for action in ACTIONS if action.on == kind]
            if kind == "service":
                # A new revision is tagged while it is registered, with the tags of the one it is copied from.
                resources = [*resources, f"arn:{where}:task-definition/*:*"]
            statements.append(
                {
                    "Sid": f"LevoSensor{kind.capitalize()}",
                    "Effect": "Allow",
                    "Action": names,
                    "Resource": resources,
                }
            )
    else:
        statements[0]["Sid"] = "LevoSensorInstaller"
    if roles:
        statements.append(
            {
                "Sid": "LevoSensorPassRoles",
                "Effect": "Allow",
                "Action": [PASS_ROLE],
                "Resource": list(roles),
                "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            }
        )
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def table() -> str:
    """The permission table as Markdown, for the documentation."""
    where = {
        "": "`*`",
        "cluster": "`*`, or restricted to your account or cluster",
        "service": "`*`, or restricted to your account or the services of your cluster",
    }
    lines = ["| Action | Resource | Purpose |", "| --- | --- | --- |"]
    lines += [f"| `{action.name}` | {where[action.on]} | {action.purpose} |" for action in ACTIONS]
    return "\n".join(lines)
