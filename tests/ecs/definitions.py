"""Task definitions made from the API's own model: every member it has, filled with values of its type."""

from __future__ import annotations

import functools
from typing import Any

import botocore.session
from hypothesis import strategies as st

from levo.ecs.definition import TaskDefinition
from levo.ecs.model import CONTAINER_NAME
from levo.ecs.state import Deployment, Service

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
_TEXT = st.text("abcdefgh-_/:.$%{}\"'\\ é", min_size=1, max_size=12)


@functools.cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


def values(shape: Any) -> st.SearchStrategy[Any]:
    """Values of a botocore shape, with each of its members there or not there."""
    kind = shape.type_name
    if kind == "structure":
        if shape.is_tagged_union:
            return st.one_of(
                [st.fixed_dictionaries({name: values(member)}) for name, member in shape.members.items()]
            )
        members = {name: values(member) for name, member in shape.members.items()}
        required = {name: members.pop(name) for name in shape.required_members}
        return st.fixed_dictionaries(required, optional=members)
    if kind == "list":
        return st.lists(values(shape.member), max_size=2)
    if kind == "map":
        return st.dictionaries(_TEXT, values(shape.value), max_size=2)
    if kind == "string":
        return st.sampled_from(shape.enum) if shape.enum else _TEXT
    if kind in ("integer", "long"):
        return st.integers(1, 100_000)
    if kind in ("boolean",):
        return st.booleans()
    if kind in ("double", "float"):
        return st.floats(0, 100, allow_nan=False)
    assert kind == "timestamp", kind
    return st.just("2026-01-01T00:00:00Z")


def full(shape: Any, text: str = "x") -> Any:
    """One value of a botocore shape with every member of it, at every depth."""
    kind = shape.type_name
    if kind == "structure":
        members = dict(list(shape.members.items())[:1] if shape.is_tagged_union else shape.members.items())
        return {name: full(member, name) for name, member in members.items()}
    if kind == "list":
        return [full(shape.member, text)]
    if kind == "map":
        return {"any.key": full(shape.value, text)}
    if kind == "string":
        return shape.enum[-1] if shape.enum else text
    numbers = {"integer": 7, "long": 7, "boolean": True, "double": 7.5, "float": 7.5}
    return numbers.get(kind, "2026-01-01")


def described(*, with_sensor: bool = False) -> st.SearchStrategy[TaskDefinition]:
    """What DescribeTaskDefinition may answer: any member of the model may be there; containers have names."""
    shape = model().operation_model("DescribeTaskDefinition").output_shape.members["taskDefinition"]
    members = {
        name: values(member)
        for name, member in shape.members.items()
        if name not in ("containerDefinitions", "family", "taskDefinitionArn", "revision", "status")
    }
    container = shape.members["containerDefinitions"].member
    optional = {
        name: values(member) for name, member in container.members.items() if name not in ("name", "image")
    }
    containers = st.lists(
        st.fixed_dictionaries(
            {"name": st.text("abcxyz-_0123", min_size=1, max_size=10), "image": st.just("example/app:1")},
            optional=optional,
        ),
        min_size=1,
        max_size=2,
        unique_by=lambda item: item["name"],
    )
    tags = st.lists(
        st.tuples(st.sampled_from(["team", "env", "aws:cloudformation:stack-name", "cost"]), _TEXT),
        max_size=3,
        unique_by=lambda tag: tag[0],
    )
    return st.builds(
        _definition, st.fixed_dictionaries({}, optional=members), containers, tags, st.just(with_sensor)
    )


def _definition(body: Any, containers: Any, tags: Any, with_sensor: bool) -> TaskDefinition:
    if with_sensor:
        containers = [*containers, {"name": CONTAINER_NAME, "image": "levoai/pcap-sensor:0.0.20"}]
    return definition(containers=containers, tags=tags, **body)


def definition(
    name: str = "web:7", *, containers: Any = None, tags: Any = (("team", "shop"),), **members: Any
) -> TaskDefinition:
    """One of known shape: Fargate, 1 vCPU, 3 GB, an application that takes a part of it."""
    family, _, revision = name.partition(":")
    body = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "1024",
        "memory": "3072",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        **members,
        "containerDefinitions": containers
        if containers is not None
        else [{"name": "app", "image": "nginx:1.27", "cpu": 256, "memory": 1024, "essential": True}],
        "taskDefinitionArn": f"{ACCOUNT}:task-definition/{name}",
        "revision": int(revision or 1),
    }
    body = {key: value for key, value in body.items() if value is not None}
    return TaskDefinition({"status": "ACTIVE", **body}, tuple(tags))


def service(name: str = "web", definition_name: str = "web:7", **members: Any) -> Service:
    arn = f"{ACCOUNT}:task-definition/{definition_name}"
    defaults: dict[str, Any] = {
        "arn": f"{ACCOUNT}:service/prod/{name}",
        "name": name,
        "cluster_arn": f"{ACCOUNT}:cluster/prod",
        "status": "ACTIVE",
        "task_definition": arn,
        "desired": 2,
        "running": 2,
        "launch_type": "FARGATE",
        "deployments": (Deployment("ecs-svc/1", "PRIMARY", arn, 2, 0, 2, 0, "COMPLETED"),),
    }
    return Service(**{**defaults, **members})
