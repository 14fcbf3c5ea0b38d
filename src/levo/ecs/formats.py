"""The container definition, or a whole task definition, as text: JSON, CloudFormation, Terraform."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import yaml

from levo.ecs.definition import TaskDefinition
from levo.ecs.model import Sidecar

Format = Literal["json", "cloudformation", "cloudformation-yaml", "terraform"]
FORMATS: tuple[Format, ...] = ("json", "cloudformation", "cloudformation-yaml", "terraform")

_FREE_KEYS = frozenset({"options", "dockerLabels", "driverOpts", "labels"})
"""Members whose value is a map of the user's own keys."""
_RENAMED = {
    ("volumes", "efsVolumeConfiguration"): "EFSVolumeConfiguration",
    ("volumes", "fsxWindowsFileServerVolumeConfiguration"): "FSxWindowsFileServerVolumeConfiguration",
    ("volumes", "s3filesVolumeConfiguration"): "S3FilesVolumeConfiguration",
    ("efsVolumeConfiguration", "fileSystemId"): "FilesystemId",
    ("authorizationConfig", "iam"): "IAM",
    ("proxyConfiguration", "properties"): "ProxyConfigurationProperties",
}
"""(member, member in it) to CloudFormation's name where that is not the capitalized one."""
_PLAIN_HCL_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def fragment(sidecar: Sidecar, form: Format) -> str:
    """The sensor's container definition alone, ready to be pasted beside the others."""
    container = sidecar.container()
    if form == "json":
        return json.dumps(container, indent=4)
    if form == "cloudformation":
        return json.dumps(cloudformation(container), indent=2)
    if form == "cloudformation-yaml":
        return _yaml([cloudformation(container)])
    return f"# One element of the list in container_definitions = jsonencode([...])\n{hcl(container)}"


def whole(definition: TaskDefinition, form: Format) -> str:
    """A complete task definition with the sensor in it.

    JSON is what ``aws ecs register-task-definition --cli-input-json`` takes, CloudFormation a template with
    one resource, Terraform the argument ``container_definitions`` of the resource that the user has.
    """
    if form == "json":
        return json.dumps(definition.registrable(), indent=4)
    if form == "terraform":
        containers = hcl([dict(container) for container in definition.containers])
        return (
            f"# In the aws_ecs_task_definition of family {definition.family}; its other arguments stay.\n"
            f"container_definitions = jsonencode({containers})"
        )
    template = template_of(definition)
    return json.dumps(template, indent=2) if form == "cloudformation" else _yaml(template)


def template_of(definition: TaskDefinition) -> dict[str, Any]:
    """A CloudFormation template whose one resource is *definition*."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "TaskDefinition": {
                "Type": "AWS::ECS::TaskDefinition",
                "Properties": cloudformation(definition.registrable()),
            }
        },
    }


def cloudformation(value: Any, member: str = "") -> Any:
    """API JSON to the properties of AWS::ECS::TaskDefinition: other names, the same structure.

    *member* is the API's name of what *value* is.
    """
    if isinstance(value, Mapping):
        return {
            _RENAMED.get((member, key), key[:1].upper() + key[1:]): (
                dict(item) if key in _FREE_KEYS and isinstance(item, Mapping) else cloudformation(item, key)
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [cloudformation(item, member) for item in value]
    return value


def hcl(value: Any, indent: int = 0) -> str:
    """A JSON value as an HCL2 expression (HashiCorp's native syntax, expressions)."""
    pad, inner = "  " * indent, "  " * (indent + 1)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        width = max(len(_hcl_key(key)) for key in value)
        lines = [f"{inner}{_hcl_key(key):<{width}} = {hcl(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + "\n".join(lines) + f"\n{pad}}}"
    if isinstance(value, list | tuple):
        if not value:
            return "[]"
        return "[\n" + "".join(f"{inner}{hcl(item, indent + 1)},\n" for item in value) + f"{pad}]"
    if isinstance(value, str):
        return _hcl_string(value)
    return json.dumps(value)


def _hcl_key(key: str) -> str:
    return key if _PLAIN_HCL_KEY.fullmatch(key) else _hcl_string(key)


def _hcl_string(text: str) -> str:
    """Quoted, with ``${`` and ``%{`` (templates) escaped by doubling their first character."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("${", "$${").replace("%{", "%%{")


def _yaml(value: Any) -> str:
    return yaml.safe_dump(
        value, sort_keys=False, default_flow_style=False, allow_unicode=True, width=100
    ).rstrip()
