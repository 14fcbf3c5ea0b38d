"""The ten actions are the documented ones, and the policy holds them and nothing else."""

from __future__ import annotations

import json

from levo.ecs.policy import ACTIONS, policy, table

DOCUMENTED = [
    "ec2:DescribeRegions",
    "ecs:ListClusters",
    "ecs:DescribeClusters",
    "ecs:ListTaskDefinitionFamilies",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ecs:ListServices",
    "ecs:DescribeServices",
    "ecs:UpdateService",
    "ecs:TagResource",
]


def test_the_ten_actions() -> None:
    assert [action.name for action in ACTIONS] == DOCUMENTED
    assert json.loads(policy()) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "LevoSensorInstaller", "Effect": "Allow", "Action": DOCUMENTED, "Resource": "*"}
        ],
    }


def test_a_restricted_policy_still_holds_each_action_once() -> None:
    document = json.loads(policy(account="123456789012", region="eu-west-1", cluster="prod"))
    by_resource = {tuple(sorted(item["Resource"])): item["Action"] for item in document["Statement"]}

    assert sorted(name for names in by_resource.values() for name in names) == sorted(DOCUMENTED)
    assert by_resource[("arn:aws:ecs:eu-west-1:123456789012:cluster/prod",)] == ["ecs:DescribeClusters"]
    assert by_resource[
        (
            "arn:aws:ecs:eu-west-1:123456789012:service/prod/*",
            "arn:aws:ecs:eu-west-1:123456789012:task-definition/*:*",
        )
    ] == ["ecs:DescribeServices", "ecs:UpdateService", "ecs:TagResource"]


def test_roles_are_passed_to_ecs_tasks_only() -> None:
    role = "arn:aws:iam::123456789012:role/task"
    statement = json.loads(policy(roles=[role]))["Statement"][1]

    assert (statement["Action"], statement["Resource"]) == (["iam:PassRole"], [role])
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_the_table_has_a_line_for_each_action() -> None:
    lines = table().splitlines()

    assert len(lines) == 12
    assert all(f"`{name}`" in line for name, line in zip(DOCUMENTED, lines[2:], strict=True))
