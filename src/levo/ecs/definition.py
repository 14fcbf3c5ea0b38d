"""A task definition as ECS describes it, and the copies of it that may be registered."""

from __future__ import annotations

import copy
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from levo.ecs.arn import definition_name
from levo.ecs.model import CONTAINER_NAME, EcsInputError, Json, Sidecar, is_sensor
from levo.ecs.sizes import cpu_units, memory_mib

RESPONSE_ONLY = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)
"""Members that ECS answers with and does not take back. Only for files read without the API model at hand."""


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """One revision. Never changed: :meth:`with_sensor` and :meth:`without_sensor` return copies."""

    body: Json = field(repr=False)
    """``taskDefinition`` of DescribeTaskDefinition, or RegisterTaskDefinition's input. May hold secrets."""
    tags: tuple[tuple[str, str], ...] = ()
    """(key, value) in the order of the answer; beside the body in the API."""

    @property
    def arn(self) -> str:
        """Empty for a definition that was not registered yet."""
        return str(self.body.get("taskDefinitionArn", ""))

    @property
    def family(self) -> str:
        return str(self.body.get("family", ""))

    @property
    def name(self) -> str:
        """``family:revision``, or the family alone."""
        return definition_name(self.arn) if self.arn else self.family

    @property
    def active(self) -> bool:
        return str(self.body.get("status", "ACTIVE")) == "ACTIVE"

    @property
    def containers(self) -> Sequence[Json]:
        found = self.body.get("containerDefinitions") or ()
        assert isinstance(found, Sequence)
        return found

    @property
    def network_mode(self) -> str:
        """As ECS applies it: without one, ``bridge`` on Linux."""
        return str(self.body.get("networkMode") or ("awsvpc" if self.on_fargate else "bridge"))

    @property
    def on_fargate(self) -> bool:
        """Registered for Fargate (perhaps among others)."""
        return "FARGATE" in (self.body.get("requiresCompatibilities") or ())

    @property
    def operating_system(self) -> str:
        return str((self.body.get("runtimePlatform") or {}).get("operatingSystemFamily") or "LINUX")

    @property
    def cpu(self) -> int | None:
        """CPU units of the task; None when only its containers have limits. Raises EcsInputError."""
        text = self.body.get("cpu")
        return cpu_units(str(text)) if text else None

    @property
    def memory(self) -> int | None:
        """MiB of the task. Raises EcsInputError."""
        text = self.body.get("memory")
        return memory_mib(str(text)) if text else None

    def named(self, name: str = CONTAINER_NAME) -> Json | None:
        """The container of that name."""
        return next((item for item in self.containers if item.get("name") == name), None)

    def sensor(self) -> Json | None:
        """The sensor's container: of our name, and ours."""
        found = self.named()
        return found if found is not None and is_sensor(found) else None

    def registrable(self, members: Container[str] | None = None) -> dict[str, Any]:
        """A deep copy holding only what RegisterTaskDefinition takes, tags among it.

        *members* are those of the API model's input shape; without, the known response-only ones are dropped.
        Tags with the reserved prefix ``aws:`` cannot be written and are left out.
        """
        kept = {
            key: copy.deepcopy(value)
            for key, value in self.body.items()
            if (key in members if members is not None else key not in RESPONSE_ONLY) and key != "tags"
        }
        tags = [{"key": key, "value": value} for key, value in self.tags if not reserved(key)]
        if tags:
            kept["tags"] = tags
        return kept

    def with_sensor(self, sidecar: Sidecar) -> TaskDefinition:
        """This one with the sensor as last container, or in the place of the sensor that is there.

        Fields of an existing sensor container that the model does not set are kept.
        """
        wanted = sidecar.container()
        existing = self.named()
        if existing is None:
            return self._with_containers([*self.containers, wanted])
        merged = {**existing, **wanted}
        for key, known in (("environment", "name"), ("secrets", "name")):
            ours = {item[known] for item in wanted.get(key, ())}
            theirs = [item for item in existing.get(key) or () if item.get(known) not in ours]
            if key in merged:
                merged[key] = [*wanted.get(key, ()), *theirs]
        merged.pop("command", None)
        if not sidecar.logs:
            merged.pop("logConfiguration", None)
        return self._with_containers([merged if item is existing else item for item in self.containers])

    def without_sensor(self) -> TaskDefinition:
        """This one without the sensor's container and without other containers' references to it."""
        kept = []
        for item in self.containers:
            if item.get("name") == CONTAINER_NAME:
                continue
            changed = dict(item)
            for key, member in (("dependsOn", "containerName"), ("volumesFrom", "sourceContainer")):
                if any(entry.get(member) == CONTAINER_NAME for entry in item.get(key) or ()):
                    changed[key] = [entry for entry in item[key] if entry.get(member) != CONTAINER_NAME]
            kept.append(changed)
        return self._with_containers(kept)

    def same_task(self, other: TaskDefinition) -> bool:
        """Whether both would register the same task, tags aside."""
        return bool(_canonical(self) == _canonical(other))

    def _with_containers(self, containers: Sequence[Json]) -> TaskDefinition:
        return TaskDefinition({**self.body, "containerDefinitions": list(containers)}, self.tags)


def reserved(key: str) -> bool:
    """Whether a tag of that key is AWS's own (written by CloudFormation and others, refused from users)."""
    return key.lower().startswith("aws:")


def read_definition(text: str, source: str) -> TaskDefinition:
    """A definition out of JSON: ``describe-task-definition``'s answer, its inside, or register's input.

    Raises:
        EcsInputError: no JSON, or no task definition in it.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise EcsInputError(f"{source} is not JSON: {error}") from None
    outer = value if isinstance(value, dict) else {}
    body = outer.get("taskDefinition", outer)
    containers = body.get("containerDefinitions") if isinstance(body, dict) else None
    if not isinstance(containers, list) or not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in containers
    ):
        raise EcsInputError(
            f"{source} holds no task definition (a list containerDefinitions of objects with a name); "
            "save one with: aws ecs describe-task-definition --include TAGS --task-definition FAMILY"
        )
    if not isinstance(body.get("family"), str):
        raise EcsInputError(f"{source} has no family; a task definition needs one")
    return TaskDefinition(body, read_tags(outer.get("tags") or body.get("tags") or ()))


def read_tags(entries: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((entry.get("key", ""), entry.get("value", "")) for entry in entries)


def unknown_members(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Paths in *value* (raw JSON) that the API model's *shape* does not know.

    Such a member is dropped without a word when the answer is parsed, so a copy would lose it.
    """
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, dict):
        for key, item in value.items():
            here = f"{path}.{key}" if path else key
            if key not in shape.members:
                if item not in (None, [], {}):
                    yield here
            else:
                yield from unknown_members(shape.members[key], item, here)
    elif kind == "list" and isinstance(value, list):
        for place, item in enumerate(value):
            yield from unknown_members(shape.member, item, f"{path}[{place}]")
    elif kind == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from unknown_members(shape.value, item, f"{path}.{key}")


def _canonical(definition: TaskDefinition) -> Any:
    body = definition.registrable()
    body.pop("tags", None)
    containers = {item["name"]: item for item in body.pop("containerDefinitions", ())}
    return _without_empty({**body, "containers": containers})


def _without_empty(value: Any) -> Any:
    """ECS answers with empty lists and maps where none were given, and with neither in other places."""
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ([], {}, None)}
    if isinstance(value, list | tuple):
        return [_without_empty(item) for item in value]
    return value
