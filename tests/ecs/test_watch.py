"""Rollouts: what one look says, and the loop, against the sequences that ECS shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from levo.ecs.api import DeniedError, ThrottledError
from levo.ecs.state import Deployment, Service
from levo.ecs.watch import GRACE_SECONDS, Look, RolloutState, Watched, follow, judge
from tests.ecs.definitions import ACCOUNT, service

OLD = f"{ACCOUNT}:task-definition/web:7"
NEW = f"{ACCOUNT}:task-definition/web:8"
OTHER = f"{ACCOUNT}:task-definition/web:9"


def deployment(
    arn: str, status: str = "PRIMARY", rollout: str | None = "IN_PROGRESS", **counts: int
) -> Deployment:
    return Deployment(f"ecs-svc/{arn[-1]}", status, arn, 2, rollout_state=rollout, **counts)


def shown(*deployments: Deployment) -> Service:
    return service(deployments=deployments)


@pytest.mark.parametrize(
    ("deployments", "seen", "waited", "state"),
    [
        ([deployment(OLD, rollout="COMPLETED")], False, 1, RolloutState.WAITING),
        ([deployment(OLD, rollout="COMPLETED")], False, GRACE_SECONDS, RolloutState.FAILED),
        ([deployment(OLD, rollout="COMPLETED")], True, 1, RolloutState.ROLLED_BACK),
        ([deployment(NEW), deployment(OLD, "ACTIVE")], False, 1, RolloutState.RUNNING),
        ([deployment(NEW), deployment(OLD, "ACTIVE")], True, 900, RolloutState.TIMEOUT),
        ([deployment(NEW, rollout="COMPLETED")], True, 900, RolloutState.DONE),
        ([deployment(NEW, rollout="FAILED"), deployment(OLD, "ACTIVE")], True, 1, RolloutState.FAILED),
        ([deployment(OLD), deployment(NEW, "ACTIVE", "FAILED")], True, 1, RolloutState.ROLLED_BACK),
        ([deployment(OTHER), deployment(NEW, "ACTIVE", "FAILED")], True, 1, RolloutState.FAILED),
        ([deployment(OTHER), deployment(NEW, "ACTIVE")], True, 1, RolloutState.SUPERSEDED),
        ([deployment(OTHER)], True, 1, RolloutState.SUPERSEDED),
        ([deployment(NEW, rollout=None, running=2)], True, 1, RolloutState.DONE),
        ([deployment(NEW, rollout=None, running=2, pending=1)], True, 1, RolloutState.RUNNING),
        ([deployment(NEW, rollout=None, running=1)], True, 1, RolloutState.RUNNING),
        ([], True, 1, RolloutState.FAILED),
    ],
)
def test_what_one_look_says(
    deployments: list[Deployment], seen: bool, waited: float, state: RolloutState
) -> None:
    look = judge(shown(*deployments), NEW, OLD, seen=seen, waited=waited, timeout=900)

    assert look.state is state
    assert look.target_name == "web:8"


def test_counts_and_the_reason_are_in_the_line() -> None:
    failed = replace(deployment(NEW, rollout="FAILED", failed=3, running=1), reason="tasks failed to start")
    look = judge(
        shown(failed, deployment(OLD, "ACTIVE", running=2)), NEW, OLD, seen=True, waited=1, timeout=9
    )

    assert look.line() == "web  web:8  failed  1/2 running, 3 failed, 2 old: tasks failed to start"
    assert look.ended == "failed"


class Ecs:
    """Answers with one description after the other; the last one for ever. Counts a second each sleep."""

    def __init__(self, *answers: list[Service] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.now = 0.0
        self.shown: list[list[RolloutState]] = []

    def describe(self, cluster: str, names: Sequence[str]) -> list[Service]:
        self.asked.append((cluster, tuple(names)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def show(self, looks: Sequence[Look], waited: float) -> None:
        assert waited == self.now
        self.shown.append([look.state for look in looks])

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def follow(self, *watched: Watched, timeout: float = 900) -> list[RolloutState]:
        looks = follow(
            watched, self.describe, show=self.show, clock=lambda: self.now, sleep=self.sleep, timeout=timeout
        )
        return [look.state for look in looks]


WEB = Watched(service(), NEW)


def test_a_rollout_is_followed_to_its_end() -> None:
    ecs = Ecs(
        [shown(deployment(OLD, rollout="COMPLETED"))],
        [],
        [shown(deployment(NEW), deployment(OLD, "ACTIVE"))],
        [shown(deployment(NEW, rollout="COMPLETED"))],
    )

    assert ecs.follow(WEB) == [RolloutState.DONE]
    assert ecs.shown == [
        [RolloutState.WAITING],
        [RolloutState.WAITING],
        [RolloutState.RUNNING],
        [RolloutState.DONE],
    ]
    assert ecs.now == 15


def test_it_ends_when_the_time_is_over() -> None:
    assert Ecs([shown(deployment(NEW))]).follow(WEB, timeout=12) == [RolloutState.TIMEOUT]


def test_a_service_that_was_deleted_is_a_failure_after_the_grace() -> None:
    ecs = Ecs([])

    assert ecs.follow(WEB) == [RolloutState.FAILED]
    assert ecs.now == GRACE_SECONDS


def test_throttling_costs_looks_and_no_more() -> None:
    throttled = ThrottledError("ecs:DescribeServices", "ThrottlingException", "Rate exceeded")
    done = [shown(deployment(NEW, rollout="COMPLETED"))]

    assert Ecs(throttled, [shown(deployment(NEW))], throttled, done).follow(WEB) == [RolloutState.DONE]
    assert Ecs(throttled).follow(WEB, timeout=20) == [RolloutState.TIMEOUT]


def test_a_refusal_is_not_waited_out() -> None:
    with pytest.raises(DeniedError):
        Ecs(DeniedError("ecs:DescribeServices", "AccessDeniedException", "no")).follow(WEB)


def test_a_service_that_is_done_is_not_asked_for_again() -> None:
    api = replace(service("api"), cluster_arn=f"{ACCOUNT}:cluster/blue", arn=f"{ACCOUNT}:service/blue/api")
    done_api = replace(api, deployments=(deployment(NEW, rollout="COMPLETED"),))
    ecs = Ecs(
        [shown(deployment(NEW))],
        [done_api],
        [shown(deployment(NEW, rollout="FAILED"))],
    )

    assert ecs.follow(WEB, Watched(api, NEW)) == [RolloutState.FAILED, RolloutState.DONE]
    assert [names for _, names in ecs.asked] == [("web",), ("api",), ("web",)]
