"""Follow a rollout until it has ended: what one look at a service says, and the loop around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from levo.ecs.api import ConnectionFailed, ThrottledError
from levo.ecs.arn import definition_name
from levo.ecs.state import Deployment, Service

POLL_SECONDS = 5.0
TIMEOUT_SECONDS = 900.0
GRACE_SECONDS = 60.0
"""How long ECS may take to show the new deployment, or the service at all, after UpdateService returned."""


class RolloutState(Enum):
    """What became of one service's rollout."""

    WAITING = "waiting for the deployment to appear"
    RUNNING = "in progress"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled back by ECS"
    SUPERSEDED = "replaced by another deployment"
    TIMEOUT = "not finished in time"

    @property
    def final(self) -> bool:
        return self not in (RolloutState.WAITING, RolloutState.RUNNING)

    @property
    def failed(self) -> bool:
        return self in (RolloutState.FAILED, RolloutState.ROLLED_BACK, RolloutState.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Look:
    """One service at one moment."""

    service: str
    """Its name."""
    arn: str
    state: RolloutState
    target: str
    """ARN of the revision it is to run."""
    desired: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    old_running: int = 0
    """Tasks of other deployments that still run."""
    reason: str = ""
    """ECS's own words, when it failed."""

    @property
    def target_name(self) -> str:
        return definition_name(self.target)

    @property
    def ended(self) -> str:
        """The verb for what became of it."""
        return {
            RolloutState.FAILED: "failed",
            RolloutState.ROLLED_BACK: "failed and was rolled back by ECS",
            RolloutState.SUPERSEDED: "was replaced by another deployment",
            RolloutState.TIMEOUT: "was not finished in time",
        }.get(self.state, self.state.value)

    def line(self, width: int = 0) -> str:
        """For people: one line, the service's name padded to *width*."""
        counts = f"{self.running}/{self.desired} running"
        for number, word in ((self.pending, "pending"), (self.failed, "failed"), (self.old_running, "old")):
            if number:
                counts += f", {number} {word}"
        tail = f": {self.reason}" if self.reason else ""
        return f"{self.service:<{width}}  {definition_name(self.target)}  {self.state.value}  {counts}{tail}"


def judge(service: Service, target: str, before: str, *, seen: bool, waited: float, timeout: float) -> Look:
    """What *service*'s description says of its rollout to *target* (an ARN), begun *waited* seconds ago.

    *before*: ARN of the revision it ran until then. *seen*: the deployment was there at an earlier look.
    """
    mine = _newest(service, target)
    primary = service.primary
    state = _state(service, mine, primary, before, seen=seen, waited=waited)
    if not state.final and waited >= timeout:
        state = RolloutState.TIMEOUT
    shown = mine or Deployment("", "", target, desired=service.desired)
    told = state in (RolloutState.FAILED, RolloutState.ROLLED_BACK)
    reason = shown.reason or (primary.reason if primary else "") if told else ""
    return Look(
        service=service.name,
        arn=service.arn,
        state=state,
        target=target,
        desired=shown.desired,
        running=shown.running,
        pending=shown.pending,
        failed=shown.failed,
        old_running=sum(item.running for item in service.deployments if item is not mine),
        reason=reason,
    )


def _newest(service: Service, target: str) -> Deployment | None:
    mine = [item for item in service.deployments if item.task_definition == target]
    return next((item for item in mine if item.status == "PRIMARY"), mine[0] if mine else None)


def _state(
    service: Service,
    mine: Deployment | None,
    primary: Deployment | None,
    before: str,
    *,
    seen: bool,
    waited: float,
) -> RolloutState:
    if mine is None:
        if not seen and waited < GRACE_SECONDS:
            return RolloutState.WAITING
        if primary is not None and primary.task_definition == before:
            return RolloutState.ROLLED_BACK if seen else RolloutState.FAILED
        return RolloutState.SUPERSEDED if primary is not None else RolloutState.FAILED
    if mine.status != "PRIMARY":
        # Another deployment took over: ECS's own way back sets the old revision, anybody else another one.
        if primary is not None and primary.task_definition == before:
            return RolloutState.ROLLED_BACK
        return RolloutState.FAILED if mine.rollout_state == "FAILED" else RolloutState.SUPERSEDED
    if mine.rollout_state == "COMPLETED":
        return RolloutState.DONE
    if mine.rollout_state == "FAILED":
        return RolloutState.FAILED
    if mine.rollout_state is None and len(service.deployments) == 1 and mine.running == mine.desired:
        return RolloutState.DONE if not mine.pending else RolloutState.RUNNING
    return RolloutState.RUNNING


@dataclass(frozen=True, slots=True)
class Watched:
    """A service to follow."""

    service: Service
    """As it was before the update."""
    target: str


def follow(
    watched: Sequence[Watched],
    describe: Callable[[str, Sequence[str]], list[Service]],
    *,
    show: Callable[[Sequence[Look], float], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    timeout: float = TIMEOUT_SECONDS,
    poll: float = POLL_SECONDS,
) -> list[Look]:
    """Look at the services every *poll* seconds until each rollout has ended, or *timeout* seconds are over.

    *describe* takes a cluster and names of services; *show* is given every look at all of them and the
    seconds since the beginning. Returns the last looks, in the order of *watched*.
    """
    began = clock()
    seen: set[str] = set()
    looks: dict[str, Look] = {}
    while True:
        waited = clock() - began
        found = _describe(watched, describe, looks)
        for item in watched:
            last = looks.get(item.service.arn)
            if last is not None and last.state.final:
                continue
            looks[item.service.arn] = look = _look(item, found, last, seen, waited, timeout)
            if look.state is not RolloutState.WAITING:
                seen.add(item.service.arn)
        current = [looks[item.service.arn] for item in watched]
        show(current, waited)
        if all(look.state.final for look in current):
            return current
        sleep(min(poll, max(0.0, timeout - waited)) or poll)


def _describe(
    watched: Sequence[Watched],
    describe: Callable[[str, Sequence[str]], list[Service]],
    looks: Mapping[str, Look],
) -> dict[str, Service] | None:
    """The services still of interest, by ARN. None when AWS was not reached: one look less, no more."""
    open_by_cluster: dict[str, list[str]] = {}
    for item in watched:
        last = looks.get(item.service.arn)
        if last is None or not last.state.final:
            open_by_cluster.setdefault(item.service.cluster_arn, []).append(item.service.name)
    try:
        return {
            service.arn: service
            for cluster, names in open_by_cluster.items()
            for service in describe(cluster, names)
        }
    except (ThrottledError, ConnectionFailed):
        return None


def _look(
    item: Watched,
    found: Mapping[str, Service] | None,
    last: Look | None,
    seen: set[str],
    waited: float,
    timeout: float,
) -> Look:
    if found is None:
        look = last or Look(item.service.name, item.service.arn, RolloutState.WAITING, item.target)
        return replace(look, state=RolloutState.TIMEOUT) if waited >= timeout else look
    service = found.get(item.service.arn)
    if service is None:
        return _absent(item, waited, timeout)
    before = item.service.task_definition
    return judge(service, item.target, before, seen=item.service.arn in seen, waited=waited, timeout=timeout)


def _absent(item: Watched, waited: float, timeout: float) -> Look:
    """The service is not in the answer: for a moment that may be; later somebody has deleted it."""
    state = RolloutState.WAITING if waited < min(GRACE_SECONDS, timeout) else RolloutState.FAILED
    reason = "the service is not there any more" if state is RolloutState.FAILED else ""
    return Look(item.service.name, item.service.arn, state, item.target, reason=reason)
