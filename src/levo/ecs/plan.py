"""What would be done: described state in, a list of steps out. Pure; asks AWS nothing and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from levo.config.values import BadValue, satellite_url
from levo.ecs.definition import TaskDefinition
from levo.ecs.diff import render
from levo.ecs.model import (
    CONTAINER_NAME,
    CPU_UNITS,
    IMAGE,
    IMAGE_NOTE,
    LOW_RESOURCE_CPU_UNITS,
    LOW_RESOURCE_FLAGS,
    LOW_RESOURCE_MEMORY_MIB,
    MEMORY_MIB,
    EcsInputError,
    Flag,
    Sidecar,
    image_version,
    is_sensor,
    read_container,
    with_flags,
)
from levo.ecs.sizes import fargate_problem, fit_problems, sensor_problems
from levo.ecs.state import REMOVED, TAG_PREVIOUS, TAG_VERSION, Service

MOST_CONTAINERS = 10
"""A task definition's limit."""
MOST_OCTETS = 64 << 10
"""Of a task definition's JSON."""
MOST_TAGS = 50
"""Of a service."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user wants of the sensor. None keeps what an installed sensor has, else takes the default."""

    flags: tuple[Flag, ...] = ()
    region: str = ""
    image: str | None = None
    cpu: int | None = None
    memory: int | None = None
    log_group: str | None = None
    logs: bool = True
    token_secret: str | None = None
    low_resource: bool = False

    @property
    def sized(self) -> bool:
        """Whether the sensor's CPU or memory was said."""
        return self.low_resource or self.cpu is not None or self.memory is not None

    def sidecar_for(self, definition: TaskDefinition) -> Sidecar:
        """The container to put into *definition*.

        Raises:
            EcsInputError: no address of a Satellite is known.
        """
        existing = definition.sensor()
        start = (
            read_container(existing)
            if existing is not None
            else Sidecar(flags=(Flag("levo-env", "default"), Flag("rate-limit", "1000")))
        )
        cpu, memory = start.cpu, start.memory
        if self.low_resource:
            cpu, memory = LOW_RESOURCE_CPU_UNITS, LOW_RESOURCE_MEMORY_MIB
            start = with_flags(start, [Flag(name, value) for name, value in LOW_RESOURCE_FLAGS.items()])
        found = replace(
            with_flags(start, self.flags),
            image=self.image or IMAGE,
            cpu=self.cpu if self.cpu is not None else cpu,
            memory=self.memory if self.memory is not None else memory,
            region=self.region,
            log_group=self.log_group or start.log_group or f"/ecs/{definition.family}-pcap",
            logs=self.logs,
            token_secret=self.token_secret or start.token_secret,
            template=False,
        )
        if found.value("satellite-url") is None:
            raise EcsInputError("--satellite-url is missing: where shall the sensor send its traces?")
        return found


def preset_sizes(cpu: int | None, memory: int | None, low_resource: bool) -> tuple[int, int]:
    """The sensor's CPU units and MiB from the flags, the preset and the defaults, in this order."""
    preset = (LOW_RESOURCE_CPU_UNITS, LOW_RESOURCE_MEMORY_MIB) if low_resource else (CPU_UNITS, MEMORY_MIB)
    return (cpu if cpu is not None else preset[0]), (memory if memory is not None else preset[1])


@dataclass(frozen=True, slots=True)
class PlanNote:
    """Something the user should know before anything changes."""

    code: str
    """Stable, for tests and scripts: ``windows``, ``code-deploy``, ``not-fitting`` ..."""
    text: str
    stops: bool
    """Nothing can be done about what it is about (a service, a definition) until the user acts."""
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One revision, and the services that are to run it."""

    base: TaskDefinition
    """What the services run now."""
    target: TaskDefinition
    """What they will run. Has an ARN of its own when it exists already (:attr:`reuse`)."""
    services: tuple[Service, ...]
    reuse: bool = False
    """*target* is an earlier revision: nothing to register."""
    tags: tuple[tuple[str, str], ...] = ()
    """To put on each service."""

    def describe(self) -> list[str]:
        """The difference, as lines for people."""
        new = self.target.name if self.reuse else f"{self.base.family}:(new revision)"
        return render(self.base, self.target, f"{self.base.name} -> {new}")


@dataclass(frozen=True, slots=True)
class Plan:
    action: Literal["add", "remove"]
    region: str
    steps: tuple[Step, ...]
    notes: tuple[PlanNote, ...]

    @property
    def stops(self) -> tuple[PlanNote, ...]:
        return tuple(note for note in self.notes if note.stops)

    @property
    def services(self) -> tuple[Service, ...]:
        return tuple(service for step in self.steps for service in step.services)

    def describe(self) -> list[str]:
        """All of it, as lines for people."""
        lines: list[str] = []
        for step in self.steps:
            lines += [*step.describe(), ""]
            if not step.reuse:
                lines.append(f"  1. register a new revision of {step.base.family}")
            for number, service in enumerate(step.services, 1 if step.reuse else 2):
                lines.append(
                    f"  {number}. update service {service.name} "
                    f"in cluster {service.cluster} ({_tasks(service.desired)}, now {service.revision}), "
                    "mark it"
                )
            if not step.services:
                lines.append("  no service is updated")
            lines.append("")
        return lines[:-1] if lines else ["nothing to do"]


@dataclass(frozen=True, slots=True)
class Target:
    """A definition, and the chosen services that run it."""

    definition: TaskDefinition
    services: tuple[Service, ...] = ()


def plan_add(targets: Sequence[Target], request: Request, *, others: Sequence[Service] = ()) -> Plan:
    """Put the sensor into each of *targets*.

    *others*: services on the same families that were not chosen; only named. A target without services only
    gets its revision registered.

    Raises:
        EcsInputError: the request is incomplete.
    """
    steps: list[Step] = []
    notes: list[PlanNote] = []
    for target in targets:
        definition = target.definition
        sidecar = request.sidecar_for(definition)
        here = list(_unfit(definition, target.services)) or list(
            _misfit(definition, sidecar, target.services)
        )
        notes += here
        if any(note.stops for note in here):
            continue
        wanted = definition.with_sensor(sidecar)
        too_large = len(json.dumps(wanted.registrable(), default=str)) > MOST_OCTETS
        if too_large:
            text = (
                f"{definition.name} with the sensor is larger than {MOST_OCTETS} octets of JSON, ECS's limit"
            )
            notes.append(PlanNote("too-large", text, True))
            continue
        services, about = _updatable(target.services)
        notes += about
        if any(note.stops for note in about):
            continue
        if wanted.same_task(definition):
            text = f"{definition.name} has the sensor ({sidecar.version}) with these very settings"
            notes.append(PlanNote("already-installed", text, False))
            continue
        existing = definition.sensor()
        if existing is not None:
            old = image_version(str(existing.get("image", "")))
            text = f"{definition.name} has the sensor already: {old} -> {sidecar.version}, settings updated"
            notes.append(PlanNote("other-version", text, False))
        notes += _notes(definition, sidecar, services)
        steps.append(
            Step(definition, wanted, tuple(services), tags=((TAG_VERSION, _tag_value(sidecar.version)),))
        )
    notes += _about_others(steps, others)
    return Plan("add", request.region, tuple(steps), tuple(notes))


def plan_remove(
    targets: Sequence[Target],
    region: str,
    previous: Callable[[str], TaskDefinition | None] = lambda name: None,
    *,
    others: Sequence[Service] = (),
) -> Plan:
    """Take the sensor out of each of *targets*.

    *previous* describes an earlier revision by name, or knows none; it is reused when it is what the current
    one would be without the sensor.
    """
    steps: list[Step] = []
    notes: list[PlanNote] = []
    for target in targets:
        definition = target.definition
        if definition.named() is None:
            notes += _nothing_to_remove(definition)
            continue
        if definition.sensor() is None:
            notes.append(_foreign(definition))
            continue
        wanted = definition.without_sensor()
        if not wanted.containers:
            text = f"{definition.name} has no container but the sensor; delete the service instead"
            notes.append(PlanNote("only-sensor", text, True))
            continue
        services, about = _updatable(target.services)
        notes += about
        if any(note.stops for note in about):
            continue
        earlier = _earlier(wanted, services, previous) if services else None
        steps.append(
            Step(
                definition,
                earlier or wanted,
                tuple(services),
                reuse=earlier is not None,
                tags=((TAG_VERSION, REMOVED),),
            )
        )
    notes += _about_others(steps, others)
    return Plan("remove", region, tuple(steps), tuple(notes))


def tags_for(step: Step, service: Service) -> dict[str, str]:
    """What marks *service* after *step*: the version, and where ``remove`` goes back to."""
    tags = dict(step.tags)
    if tags.get(TAG_VERSION) != REMOVED:
        already = step.base.sensor() is not None
        before = service.tag(TAG_PREVIOUS) if already else service.revision
        if before:
            tags[TAG_PREVIOUS] = before
    return tags


def _unfit(definition: TaskDefinition, services: Sequence[Service]) -> Iterator[PlanNote]:
    """Tasks beside which a sensor would see nothing, or too much."""
    named = definition.named()
    if named is not None and not is_sensor(named):
        yield _foreign(definition)
        return
    elsewhere = next(
        (item for item in definition.containers if is_sensor(item) and item.get("name") != CONTAINER_NAME),
        None,
    )
    if elsewhere is not None:
        yield PlanNote(
            "other-name",
            f"{definition.name} has the sensor under the name '{elsewhere.get('name')}'; rename that "
            f"container to {CONTAINER_NAME} or take it out, a second sensor would count everything twice",
            True,
        )
        return
    if definition.operating_system.upper().startswith("WINDOWS"):
        yield PlanNote("windows", f"{definition.name} is a Windows task; the sensor runs on Linux only", True)
    elif "EXTERNAL" in (definition.body.get("requiresCompatibilities") or ()) and not definition.on_fargate:
        yield PlanNote(
            "external-launch",
            f"{definition.name} runs on your own machines (EXTERNAL), without awsvpc; install the host "
            "package levo-ebpf-sensor there",
            True,
        )
    elif definition.network_mode == "bridge":
        yield PlanNote(
            "bridge",
            f"{definition.name} uses network mode bridge: a sidecar would see its own traffic only; change "
            "the task to awsvpc, or install the host package levo-ebpf-sensor on the instances",
            True,
        )
    elif definition.network_mode == "host":
        yield PlanNote(
            "host",
            f"{definition.name} uses network mode host: every copy would see the traffic of the whole "
            "instance; install the host package levo-ebpf-sensor on the instances instead",
            True,
        )
    elif definition.network_mode == "none":
        yield PlanNote(
            "no-network", f"{definition.name} uses network mode none: there is no traffic to see", True
        )


def _misfit(definition: TaskDefinition, sidecar: Sidecar, services: Sequence[Service]) -> Iterator[PlanNote]:
    """Limits of ECS that AWS would refuse the revision for."""
    fargate = definition.on_fargate or any(service.on_fargate for service in services)
    for problem in size_problems(definition, sidecar, fargate=fargate):
        yield PlanNote("not-fitting", f"{definition.name}: {problem}", True)
    if definition.named() is None and len(definition.containers) >= MOST_CONTAINERS:
        text = f"{definition.name} has {len(definition.containers)} containers, and ECS allows no more"
        yield PlanNote("too-many-containers", text, True)
    role = definition.body.get("executionRoleArn")
    if sidecar.logs and fargate and not role:
        yield PlanNote(
            "no-execution-role",
            f"{definition.name} has no execution role, which Fargate needs to write the sensor's log; give "
            "the task one, or leave the log out with --no-logs",
            True,
        )
    elif sidecar.token_secret is not None and not role:
        yield PlanNote(
            "no-execution-role",
            f"{definition.name} has no execution role, which ECS needs to read --token-secret; give the "
            "task one",
            True,
        )


def size_problems(definition: TaskDefinition, sidecar: Sidecar, *, fargate: bool) -> list[str]:
    """Why the sensor's CPU and memory cannot be, checked before AWS is asked."""
    problems = sensor_problems(sidecar.cpu, sidecar.memory)
    try:
        cpu, memory = definition.cpu, definition.memory
    except EcsInputError as error:
        return [*problems, str(error)]
    if fargate:
        problem = fargate_problem(cpu, memory)
        if problem:
            return [*problems, problem]
    containers = definition.with_sensor(sidecar).containers
    return problems + fit_problems(containers, cpu, memory, CONTAINER_NAME)


def _foreign(definition: TaskDefinition) -> PlanNote:
    named = definition.named() or {}
    return PlanNote(
        "foreign-container",
        f"{definition.name} has a container {CONTAINER_NAME} that is not the sensor (image "
        f"{named.get('image', '?')}); it stays untouched: rename it first",
        True,
    )


def _nothing_to_remove(definition: TaskDefinition) -> Iterator[PlanNote]:
    elsewhere = next((item for item in definition.containers if is_sensor(item)), None)
    if elsewhere is not None:
        text = (
            f"{definition.name} has the sensor under the name '{elsewhere.get('name')}', not put there "
            "by levo ecs add: take it out where the task is defined"
        )
        yield PlanNote("other-name", text, True)
    else:
        yield PlanNote("not-installed", f"{definition.name} has no sensor", False)


def _updatable(services: Sequence[Service]) -> tuple[list[Service], list[PlanNote]]:
    kept: list[Service] = []
    notes: list[PlanNote] = []
    for service in services:
        problem = service_problem(service)
        if problem is None:
            kept.append(service)
        else:
            notes.append(problem)
    return kept, notes


def service_problem(service: Service) -> PlanNote | None:
    """Why this service cannot be given another revision by UpdateService, or None."""
    if service.status != "ACTIVE":
        text = f"service {service.name} is {service.status}; choose another"
        return PlanNote("inactive-service", text, True, service.name)
    if service.controller == "CODE_DEPLOY":
        text = (
            f"service {service.name} is deployed by CodeDeploy, which alone may change its task definition; "
            "register the revision with --register-only and name it in the AppSpec of your next deployment"
        )
        return PlanNote("code-deploy", text, True, service.name)
    if service.controller == "EXTERNAL":
        text = (
            f"service {service.name} is deployed by an external controller through task sets; register the "
            "revision with --register-only and create a task set from it"
        )
        return PlanNote("external-controller", text, True, service.name)
    return None


def _notes(definition: TaskDefinition, sidecar: Sidecar, services: Sequence[Service]) -> Iterator[PlanNote]:
    if not definition.active:
        text = (
            f"{definition.name} is INACTIVE (deregistered); the new revision is copied from it all the same"
        )
        yield PlanNote("inactive-revision", text, False)
    if not definition.body.get("taskRoleArn"):
        text = f"{definition.name} has no task role; the sensor needs none"
        yield PlanNote("no-task-role", text, False)
    if sidecar.image == IMAGE:
        yield PlanNote("published-image", IMAGE_NOTE, False)
    if sidecar.logs:
        text = (
            f"the log group {sidecar.log_group} is created by the execution role, which needs "
            "logs:CreateLogGroup unless the group exists; without it the task does not start"
        )
        yield PlanNote("log-group", text, False)
    if sidecar.token_secret is not None:
        action = "ssm:GetParameters" if ":ssm:" in sidecar.token_secret else "secretsmanager:GetSecretValue"
        text = (
            f"the execution role reads {sidecar.token_secret} and needs {action} for it; without it the task "
            "does not start"
        )
        yield PlanNote("token-secret", text, False)
    else:
        text = (
            "no --token-secret: a Satellite takes traces from other machines with a token only, unless its "
            "ingest-tokens is off"
        )
        yield PlanNote("no-token", text, False)
    address = sidecar.value("satellite-url") or ""
    if _host(address) in ("localhost", "127.0.0.1", "::1"):
        text = (
            f"--satellite-url {address}: in the task this is the task itself, not the host of your Satellite"
        )
        yield PlanNote("satellite-local", text, False)
    if sidecar.value("levoai-org-id") is None:
        yield PlanNote("no-org-id", "no --levoai-org-id: traces carry no organization", False)
    for service in services:
        yield from _service_notes(service)


def _service_notes(service: Service) -> Iterator[PlanNote]:
    name = service.name
    if service.breaker_rolls_back or service.alarms_roll_back:
        text = f"service {name} goes back by itself when the rollout fails (circuit breaker or alarms)"
        yield PlanNote("circuit-breaker", text, False, name)
    elif service.circuit_breaker:
        text = (
            f"service {name} stops a failing rollout but does not go back; add --rollback-on-failure for that"
        )
        yield PlanNote("circuit-breaker", text, False, name)
    else:
        text = f"service {name} has no deployment circuit breaker: only the timeout tells a failing rollout"
        yield PlanNote("no-circuit-breaker", text, False, name)
    if service.on_spot:
        text = f"service {name} runs on Spot: a task that is taken away gets SIGTERM, and the sensor flushes"
        yield PlanNote("spot", text, False, name)
    if service.rolling_out:
        text = f"service {name} is being deployed right now; this deployment replaces that one"
        yield PlanNote("rolling-out", text, False, name)
    if service.desired == 0 and service.scheduling == "REPLICA":
        text = f"service {name} runs no task (desired count 0): the sensor comes with the next one"
        yield PlanNote("no-tasks", text, False, name)
    if service.strategy != "ROLLING":
        text = (
            f"service {name} deploys {service.strategy.lower().replace('_', '/')}: the rollout takes its time"
        )
        yield PlanNote("strategy", text, False, name)
    version = service.platform_version
    if version and version[:2] == "1." and version < "1.4":
        text = f"service {name} is on platform version {version}; task metadata needs 1.4.0 or later"
        yield PlanNote("old-platform", text, False, name)


def _about_others(steps: Sequence[Step], others: Sequence[Service]) -> Iterator[PlanNote]:
    families = {step.base.family for step in steps}
    left = [service.name for service in others if service.family in families]
    if left:
        yield PlanNote(
            "others-on-family",
            f"not updated, though on the same task definition: {', '.join(sorted(left))}",
            False,
        )


def _earlier(
    wanted: TaskDefinition, services: Sequence[Service], previous: Callable[[str], TaskDefinition | None]
) -> TaskDefinition | None:
    """The revision that all of *services* ran before, if it is there and is what removing would give."""
    names = {service.tag(TAG_PREVIOUS) for service in services}
    name = names.pop() if len(names) == 1 else None
    if not name or name.partition(":")[0] != wanted.family:
        return None
    found = previous(name)
    return found if found is not None and found.active and found.same_task(wanted) else None


def _host(address: str) -> str:
    try:
        return satellite_url(address).host
    except BadValue:
        return ""


def _tag_value(text: str) -> str:
    """*text* with what a tag's value may not hold replaced."""
    return "".join(char if char.isalnum() or char in " +-=._:/@" else "_" for char in text)[:256]


def _tasks(count: int) -> str:
    return f"{count} task{'s' if count != 1 else ''}"
