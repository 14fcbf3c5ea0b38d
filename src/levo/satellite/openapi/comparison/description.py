"""An OpenAPI document as the comparison reads it: operations with everything that holds for them resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from levo.satellite.openapi.operation import VARIABLE, comparable

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_BESIDE = re.compile(r"[^/]\{")
"""Where a path may have a parameter that a segment carries."""
_MAX_HOPS = 20
"""References that lead to references."""
_IGNORED_HEADERS = frozenset(("accept", "content-type", "authorization"))
"""Header parameters of these names are ignored (OpenAPI 3.1, Parameter Object)."""
Document = Mapping[str, Any]
Requirement = Mapping[str, frozenset[str]]
"""Security schemes by name, all of which must be satisfied, with their scopes."""


@dataclass(frozen=True, slots=True)
class Described:
    """One operation of a document."""

    method: str
    """Upper case."""
    path: str
    """As written."""
    operation: Mapping[str, Any]
    parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    """By place (``query`` ...) and name; path parameters by their number, headers in lower case."""
    servers: tuple[str, ...]
    """Paths below which it is served, without a slash at the end; ``("",)`` where nothing is said."""
    security: tuple[Requirement, ...]
    """Any one of which suffices; an empty one needs nothing."""
    inherits_security: bool
    called: str
    """The path as requests are told apart: without variables of the style ``matrix``."""

    @property
    def deprecated(self) -> bool:
        return self.operation.get("deprecated") is True


@dataclass(slots=True)
class Description:
    """A document, read once. What it refers to is looked up when it is asked for."""

    document: Document
    operations: dict[tuple[str, str], Described] = field(default_factory=dict)
    """By method (lower case) and path without the names of parameters."""

    def __post_init__(self) -> None:
        paths = self.document.get("paths")
        for path, item in (paths if isinstance(paths, Mapping) else {}).items():
            item = self.resolve(item)
            for method in METHODS:
                operation = item.get(method)
                if isinstance(operation, Mapping):
                    described = self._described(method, str(path), item, operation)
                    self.operations[method, comparable(described.called)] = described

    @property
    def old(self) -> bool:
        """Whether this is OpenAPI 3.0, where what stands beside a reference is ignored."""
        return str(self.document.get("openapi", "")).startswith("3.0")

    def resolve(self, value: Any) -> Mapping[str, Any]:
        """Follow local references; anything that is not an object becomes an empty one."""
        for _ in range(_MAX_HOPS):
            if not isinstance(value, Mapping):
                return {}
            if not isinstance(value.get("$ref"), str):
                return value
            value = self.referred(value["$ref"])
        return {}

    def referred(self, reference: str) -> Any:
        """Return what a local reference names, None if there is nothing."""
        if not reference.startswith("#"):
            return None
        value: Any = self.document
        for part in reference[1:].split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(value, Mapping):
                value = value.get(part)
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value

    def content(self, value: Any) -> dict[str, Mapping[str, Any]]:
        """Return the media types of a body, lower case and without parameters."""
        content = self.resolve(value).get("content")
        found: dict[str, Mapping[str, Any]] = {}
        for media, described in (content if isinstance(content, Mapping) else {}).items():
            found.setdefault(str(media).partition(";")[0].strip().lower(), self.resolve(described))
        return found

    def responses(self, described: Described) -> dict[str, Mapping[str, Any]]:
        """Return the responses by status, ``2XX`` and ``default`` as written."""
        responses = described.operation.get("responses")
        if not isinstance(responses, Mapping):
            return {}
        return {
            (status := str(key)) if status_is_default(str(key)) else status.upper(): self.resolve(value)
            for key, value in responses.items()
            if (status := str(key)) and not status.startswith("x-")
        }

    def headers(self, response: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the header fields of a response in lower case; Content-Type is ignored, as OpenAPI says."""
        headers = response.get("headers")
        return {
            str(name).lower(): self.resolve(value)
            for name, value in (headers if isinstance(headers, Mapping) else {}).items()
            if str(name).lower() != "content-type"
        }

    def scheme(self, name: str) -> Mapping[str, Any]:
        """Return a security scheme."""
        components = self.document.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
        return self.resolve(schemes.get(name)) if isinstance(schemes, Mapping) else {}

    def _described(
        self, method: str, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> Described:
        own = operation.get("security")
        called = self._called(path, item, operation) if _BESIDE.search(path) else path
        return Described(
            method.upper(),
            path,
            operation,
            dict(self._parameters(called, item, operation)),
            base_paths(operation.get("servers") or item.get("servers") or self.document.get("servers")),
            _requirements(own if isinstance(own, list) else self.document.get("security")),
            not isinstance(own, list),
            called,
        )

    def _called(self, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
        carried = {
            str(parameter.get("name"))
            for source in (item.get("parameters"), operation.get("parameters"))
            for each in (source if isinstance(source, list) else ())
            for parameter in [self.resolve(each)]
            if parameter.get("in") == "path" and parameter.get("style") == "matrix"
        }
        return VARIABLE.sub(lambda found: "" if found[1] in carried else found[0], path)

    def _parameters(
        self, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
        numbers = {name: str(number) for number, name in enumerate(VARIABLE.findall(path))}
        for source in (item.get("parameters"), operation.get("parameters")):
            for each in source if isinstance(source, list) else ():
                parameter = self.resolve(each)
                place, name = str(parameter.get("in")), str(parameter.get("name"))
                if place == "header":
                    name = name.lower()
                    if name in _IGNORED_HEADERS:
                        continue
                yield (place, numbers.get(name, name) if place == "path" else name), parameter


def served_paths(document: Document) -> list[str]:
    """Return the paths under which *document* says that its operations are called, server paths included.

    One that begins with a literal is also returned without: a gateway may have taken the server path away.
    """
    found: dict[str, None] = {}
    paths = document.get("paths")
    called = {each.path: each.called for each in Description(document).operations.values()}
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        if not isinstance(path, str) or not path.startswith("/"):
            continue
        item = item if isinstance(item, Mapping) else {}
        operations = [item[method] for method in METHODS if isinstance(item.get(method), Mapping)] or [{}]
        path = called.get(path, path)
        for operation in operations:
            servers = operation.get("servers") or item.get("servers") or document.get("servers")
            found.update(dict.fromkeys(f"{base}{path}" for base in base_paths(servers)))
        if not path.startswith("/{"):
            found[path] = None
    return list(found)


def status_is_default(status: str) -> bool:
    """Whether *status* is the key of every response that no other key describes."""
    return status.lower() == "default"


def base_paths(servers: Any) -> tuple[str, ...]:
    """Return the paths of server URLs, their variables replaced by their defaults."""
    found = [
        "/" + address.partition("/")[2].strip("/") if "://" in url else "/" + url.strip("/")
        for url in server_urls(servers)
        for address in [url.partition("://")[2]]
    ]
    return tuple(dict.fromkeys(path.rstrip("/") for path in found)) or ("",)


def server_urls(servers: Any) -> list[str]:
    """Return server URLs with the defaults of their variables."""
    found = []
    for server in servers if isinstance(servers, list) else ():
        if not isinstance(server, Mapping) or not isinstance(server.get("url"), str):
            continue
        variables = server.get("variables")
        known = variables if isinstance(variables, Mapping) else {}

        def value(match: re.Match[str], known: Mapping[str, Any] = known) -> str:
            variable = known.get(match[1])
            return str(variable.get("default", match[0])) if isinstance(variable, Mapping) else match[0]

        found.append(VARIABLE.sub(value, server["url"]))
    return found


def _requirements(security: Any) -> tuple[Requirement, ...]:
    return tuple(
        {
            str(name): frozenset(str(scope) for scope in scopes) if isinstance(scopes, list) else frozenset()
            for name, scopes in each.items()
        }
        for each in (security if isinstance(security, list) else ())
        if isinstance(each, Mapping)
    ) or ({},)
