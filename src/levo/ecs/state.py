"""What ECS described, as values: clusters, services, deployments. Read in ``api``, decided on in ``plan``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from levo.ecs.arn import definition_name, family_of, last_part
from levo.ecs.definition import read_tags
from levo.ecs.model import Json

TAG_VERSION = "levo:sensor"
"""On a service: the version of the sensor that was put beside it, or :data:`REMOVED`."""
TAG_PREVIOUS = "levo:previous-task-definition"
"""On a service: ``family:revision`` that it ran before, where ``remove`` goes back to."""
REMOVED = "removed"
"""Value of :data:`TAG_VERSION` after a removal: the ten actions do not include taking a tag away."""


@dataclass(frozen=True, slots=True)
class Cluster:
    arn: str
    name: str
    status: str = "ACTIVE"
    services: int = 0
    running_tasks: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of a service's deployments; the newest is PRIMARY."""

    id: str
    status: str
    """PRIMARY, ACTIVE (being replaced) or INACTIVE."""
    task_definition: str
    desired: int = 0
    pending: int = 0
    running: int = 0
    failed: int = 0
    rollout_state: str | None = None
    """IN_PROGRESS, COMPLETED, FAILED; None where ECS does not report one."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    arn: str
    name: str
    cluster_arn: str
    status: str
    task_definition: str
    """ARN of the revision it is set to; empty for a service of task sets."""
    desired: int = 0
    running: int = 0
    controller: str = "ECS"
    """ECS, CODE_DEPLOY or EXTERNAL."""
    circuit_breaker: bool = False
    breaker_rolls_back: bool = False
    alarms_roll_back: bool = False
    strategy: str = "ROLLING"
    """ROLLING, BLUE_GREEN, LINEAR, CANARY."""
    launch_type: str | None = None
    capacity_providers: tuple[str, ...] = ()
    platform_version: str | None = None
    scheduling: str = "REPLICA"
    deployments: tuple[Deployment, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def family(self) -> str:
        return family_of(self.task_definition)

    @property
    def cluster(self) -> str:
        return last_part(self.cluster_arn)

    @property
    def revision(self) -> str:
        return definition_name(self.task_definition)

    @property
    def on_spot(self) -> bool:
        return any("SPOT" in name.upper() for name in self.capacity_providers)

    @property
    def on_fargate(self) -> bool:
        return self.launch_type == "FARGATE" or any(
            name.startswith("FARGATE") for name in self.capacity_providers
        )

    @property
    def primary(self) -> Deployment | None:
        return next((item for item in self.deployments if item.status == "PRIMARY"), None)

    @property
    def rolling_out(self) -> bool:
        """A deployment has not finished yet."""
        return len(self.deployments) > 1 or any(
            item.rollout_state == "IN_PROGRESS" for item in self.deployments
        )

    def tag(self, key: str) -> str | None:
        return dict(self.tags).get(key)


def read_cluster(answer: Json) -> Cluster:
    arn = str(answer.get("clusterArn", ""))
    return Cluster(
        arn=arn,
        name=str(answer.get("clusterName") or last_part(arn)),
        status=str(answer.get("status", "ACTIVE")),
        services=int(answer.get("activeServicesCount", 0)),
        running_tasks=int(answer.get("runningTasksCount", 0)),
    )


def read_service(answer: Json) -> Service:
    """One of DescribeServices' answers; members that are absent get their documented default."""
    configuration: Json = answer.get("deploymentConfiguration") or {}
    breaker: Json = configuration.get("deploymentCircuitBreaker") or {}
    alarms: Json = configuration.get("alarms") or {}
    providers = answer.get("capacityProviderStrategy") or ()
    return Service(
        arn=str(answer.get("serviceArn", "")),
        name=str(answer.get("serviceName") or last_part(str(answer.get("serviceArn", "")))),
        cluster_arn=str(answer.get("clusterArn", "")),
        status=str(answer.get("status", "ACTIVE")),
        task_definition=_service_definition(answer),
        desired=int(answer.get("desiredCount", 0)),
        running=int(answer.get("runningCount", 0)),
        controller=str((answer.get("deploymentController") or {}).get("type", "ECS")),
        circuit_breaker=bool(breaker.get("enable")),
        breaker_rolls_back=bool(breaker.get("enable") and breaker.get("rollback")),
        alarms_roll_back=bool(alarms.get("enable") and alarms.get("rollback")),
        strategy=str(configuration.get("strategy", "ROLLING")),
        launch_type=answer.get("launchType"),
        capacity_providers=tuple(str(item.get("capacityProvider", "")) for item in providers),
        platform_version=answer.get("platformVersion"),
        scheduling=str(answer.get("schedulingStrategy", "REPLICA")),
        deployments=tuple(_read_deployment(item) for item in answer.get("deployments") or ()),
        tags=read_tags(answer.get("tags") or ()),
    )


def _service_definition(answer: Json) -> str:
    """A service of task sets has none of its own: the primary task set's."""
    own = answer.get("taskDefinition")
    if own:
        return str(own)
    sets: list[dict[str, Any]] = answer.get("taskSets") or []
    primary = next((item for item in sets if item.get("status") == "PRIMARY"), {})
    return str(primary.get("taskDefinition", ""))


def _read_deployment(answer: Json) -> Deployment:
    return Deployment(
        id=str(answer.get("id", "")),
        status=str(answer.get("status", "")),
        task_definition=str(answer.get("taskDefinition", "")),
        desired=int(answer.get("desiredCount", 0)),
        pending=int(answer.get("pendingCount", 0)),
        running=int(answer.get("runningCount", 0)),
        failed=int(answer.get("failedTasks", 0)),
        rollout_state=answer.get("rolloutState"),
        reason=str(answer.get("rolloutStateReason", "")),
    )
