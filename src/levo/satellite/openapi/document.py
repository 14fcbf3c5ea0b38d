"""An application's catalog as an OpenAPI document, in an order that only changes with what is learned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from levo.satellite.learn.knowledge import UNKNOWN_CODE
from levo.satellite.learn.paths.operation_names import is_unproven
from levo.satellite.learn.schema import Body, Knowledge, Node, media_kind
from levo.satellite.learn.schema import Response as LearnedResponse
from levo.satellite.learn.sensitive import Detection, Rule
from levo.satellite.learn.trace import DEFAULT_PORTS
from levo.satellite.openapi.examples import example_of
from levo.satellite.openapi.schema import Schema, SchemaWriter, sensitive_note

SENT_FROM = 5
"""Accepted requests after which a parameter or a body that all of them had is required."""
VERSIONS = {"3.0": "3.0.3", "3.1": "3.1.0"}
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_NAME = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[A-Za-z0-9]+")
_CODE = re.compile(r"[1-5][0-9]{2}")


@dataclass(slots=True)
class Operation:
    """One endpoint, as the catalog knows it."""

    method: str
    path: str
    """With named parameters, ``/users/{userId}``."""
    host: str = ""
    knowledge: Knowledge = field(default_factory=Knowledge)
    exchanges: float = 0.0
    statuses: Mapping[str, float] = field(default_factory=dict)
    first_seen_ns: int = 0
    last_seen_ns: int = 0
    confidence: float = 1.0
    schemes: tuple[str, ...] = ()
    """``http``, ``https`` or both; empty when unknown."""
    unnamed: int = 0
    """Names in its messages that are not proven, so that they are not in ``knowledge``."""


@dataclass(frozen=True, slots=True)
class SensitiveField:
    """Sensitive data somewhere in an operation."""

    position: str
    """``path``, ``query``, ``request-header``, ``cookie``, ``request-body``, ``response-header`` or
    ``response-body``."""
    status: str
    """Of the response; empty for a request."""
    pointer: str
    detection: Detection

    @property
    def direction(self) -> str:
        """``request`` or ``response``."""
        return "response" if self.position.startswith("response") else "request"


def anonymous(path: str) -> str:
    """Return *path* without the names of its parameters, by which paths are compared."""
    return _NAME.sub("{}", path)


def render_document(
    title: str,
    operations: Iterable[Operation],
    *,
    version: str = "3.1",
    rules: Sequence[Rule] = (),
    annotate: bool = True,
) -> dict[str, Any]:
    """Return the OpenAPI document of an application.

    Equal operations, in any order, give equal documents. *version* is ``3.0`` or ``3.1``; with *annotate*,
    operations carry ``x-levo-traffic`` (counts, times, confidence), which changes with every request.
    """
    operations = list(operations)
    joined = _joined(operations)
    schemes: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    others: dict[str, list[str]] = {}
    identities: set[str] = set()
    for operation in joined:
        method = operation.method.lower()
        shown = _NAME.sub(lambda found: "{" + found[1].rstrip("+*") + "}", operation.path)
        if method not in _METHODS:
            others.setdefault(shown, []).append(operation.method)
            continue
        writer = _OperationWriter(operation, shown, version, rules)
        written = writer.write(schemes, identities, annotate=annotate)
        paths.setdefault(shown, {})[method] = written
    document: dict[str, Any] = {
        "openapi": VERSIONS[version],
        "info": {
            "title": title,
            "version": "learned",
            "description": "Learned from traffic. Examples are made up.",
        },
    }
    servers = _servers({operation.host for operation in joined}, operations)
    if servers:
        document["servers"] = [{"url": url} for url in servers]
    document["paths"] = {path: dict(sorted(paths[path].items())) for path in sorted(paths)}
    if schemes:
        document["components"] = {"securitySchemes": dict(sorted(schemes.items()))}
    if others:
        document["x-levo-other-methods"] = {path: sorted(found) for path, found in sorted(others.items())}
    return document


def sensitive_fields(operation: Operation, rules: Sequence[Rule] = ()) -> list[SensitiveField]:
    """Return what is sensitive in the messages of *operation*."""
    writer = _OperationWriter(operation, operation.path, "3.1", rules)
    writer.write({}, set(), annotate=False)
    return writer.sensitive


def _servers(hosts: Set[str], operations: Iterable[Operation]) -> list[str]:
    """Return the URLs of *hosts* by name, https first: under each scheme seen, http while none is known."""
    seen: dict[str, set[str]] = {host: set() for host in hosts if host}
    for operation in operations:
        if operation.host in seen:
            seen[operation.host].update(operation.schemes)
    urls = [
        f"{scheme}://{host.removesuffix(f':{DEFAULT_PORTS[scheme]}')}"
        for host, schemes in sorted(seen.items())
        for scheme in sorted(schemes or {"http"}, reverse=True)
    ]
    return list(dict.fromkeys(urls))


def _joined(operations: Iterable[Operation]) -> list[Operation]:
    """Join the operations of several hosts that have method and path in common; in order."""
    found: dict[tuple[str, str], Operation] = {}
    names: dict[str, str] = {}
    named = [operation for operation in operations if not is_unproven(operation.path)]
    for operation in sorted(named, key=lambda o: (o.path, o.method, o.host)):
        path = names.setdefault(anonymous(operation.path), operation.path)
        key = (path, operation.method)
        known = found.get(key)
        if known is None:
            copy = Operation(operation.method, path, operation.host, Knowledge())
            copy.first_seen_ns, copy.confidence = operation.first_seen_ns, operation.confidence
            known = found[key] = copy
        known.knowledge.absorb(operation.knowledge)
        known.exchanges += operation.exchanges
        known.unnamed = max(known.unnamed, operation.unnamed)
        statuses = dict(known.statuses)
        for status, count in operation.statuses.items():
            statuses[status] = statuses.get(status, 0.0) + count
        known.statuses = statuses
        known.first_seen_ns = min(known.first_seen_ns, operation.first_seen_ns)
        known.last_seen_ns = max(known.last_seen_ns, operation.last_seen_ns)
        known.confidence = min(known.confidence, operation.confidence)
    return list(found.values())


class _OperationWriter:
    def __init__(self, operation: Operation, path: str, version: str, rules: Sequence[Rule]) -> None:
        self._operation = operation
        self._path = path
        self._version = version
        self._rules = rules
        self.sensitive: list[SensitiveField] = []

    def write(self, schemes: dict[str, Schema], identities: set[str], *, annotate: bool) -> dict[str, Any]:
        operation, known = self._operation, self._operation.knowledge
        words = _WORD.findall(self._path)
        written: dict[str, Any] = {"operationId": self._identity(words, identities)}
        tag = next(
            (word for word in re.findall(r"/([A-Za-z][\w-]*)", self._path) if not _is_version(word)), ""
        )
        if tag:
            written["tags"] = [tag]
        parameters = self._parameters(known)
        if parameters:
            written["parameters"] = parameters
        if known.bodies:
            body: dict[str, Any] = {"content": self._content(known.bodies, "request-body", "", False)}
            if sum(b.seen for b in known.bodies.values()) >= known.heads >= SENT_FROM:
                body["required"] = True
            written["requestBody"] = body
        written["responses"] = self._responses(known)
        security = _security(known.auth, schemes, self._version)
        if security:
            written["security"] = security
        if annotate:
            written["x-levo-traffic"] = {
                "count": round(operation.exchanges),
                "statuses": {status: round(n) for status, n in sorted(operation.statuses.items())},
                "first-seen": _time(operation.first_seen_ns),
                "last-seen": _time(operation.last_seen_ns),
                "confidence": round(operation.confidence, 2),
            }
        if operation.unnamed and annotate:
            written["x-levo-unproven-names"] = operation.unnamed
        if self.sensitive:
            written["x-levo-sensitive"] = sorted({field.detection.kind for field in self.sensitive})
        return written

    def _identity(self, words: list[str], identities: set[str]) -> str:
        name = self._operation.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)
        unique, number = name, 2
        while unique in identities:
            unique, number = f"{name}{number}", number + 1
        identities.add(unique)
        return unique

    def _parameters(self, known: Knowledge) -> list[dict[str, Any]]:
        written = []
        for position, segment in enumerate(part for part in self._path.split("/") if part):
            names = _NAME.findall(segment)
            node = known.segments.get(str(position)) if len(names) == 1 and segment[0] == "{" else None
            for name in names:
                schema: Schema = {"type": "string"}
                if node is not None:
                    schema = self._text(node, name, "path") or schema
                written.append(_parameter(name, "path", True, schema))
        for place, position_name, node in (
            ("query", "query", known.query),
            ("header", "request-header", known.headers),
            ("cookie", "cookie", known.cookies),
        ):
            for name, child in sorted(node.children.items()):
                requests = known.accepted if place == "query" else known.heads
                required = child.total >= requests >= SENT_FROM
                schema = self._text(child, name, position_name)
                if not (place == "header" and name in ("accept", "content-type", "authorization")):
                    written.append(_parameter(name, place, required, schema))
        return written

    def _text(self, node: Node, name: str, position: str, status: str = "") -> Schema:
        writer = SchemaWriter(self._version, closed=False, rules=self._rules)
        schema = writer.write_text(node, name, "", name)
        self._note(writer, position, status)
        return schema

    def _note(self, writer: SchemaWriter, position: str, status: str) -> None:
        self.sensitive.extend(
            SensitiveField(position, status, f.pointer, f.detection) for f in writer.detections
        )

    def _content(
        self, bodies: Mapping[str, Body], position: str, status: str, closed: bool
    ) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for media, body in sorted(bodies.items()):
            writer = SchemaWriter(self._version, closed=closed, rules=self._rules)
            schema = _body_schema(writer, media, body)
            self._note(writer, position, status)
            content[media] = {"schema": schema}
            if body.learned and media_kind(media) in ("json", "form"):
                content[media]["example"] = example_of(schema)
        return content

    def _responses(self, known: Knowledge) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for status, response in sorted(_by_code(known.responses).items()):
            written[status] = self._response(status, response)
        return written or {"default": {"description": "No response has been seen."}}

    def _response(self, status: str, response: LearnedResponse) -> dict[str, Any]:
        written: dict[str, Any] = {"description": _phrase(status)}
        headers = {
            name: {"schema": self._text(node, name, "response-header", status)}
            for name, node in sorted(response.headers.children.items())
        }
        if headers:
            written["headers"] = headers
        if response.bodies:
            written["content"] = self._content(response.bodies, "response-body", status, True)
        return written


def _body_schema(writer: SchemaWriter, media: str, body: Body) -> Schema:
    if not body.learned:
        return {}
    kind, node = media_kind(media), body.schema
    if kind == "xml" and len(node.children) == 1:
        ((name, root),) = node.children.items()
        return {**writer.write(root, name, "", name, xml=True), "xml": {"name": name}}
    schema = writer.write(node, xml=kind == "xml")
    if kind == "csv":
        return {"type": "string", "x-levo-records": schema}
    if kind == "lines":
        return {"type": "string", "x-levo-records": schema}
    return schema


def _parameter(name: str, place: str, required: bool, schema: Schema) -> dict[str, Any]:
    written: dict[str, Any] = {"name": name, "in": place}
    if required:
        written["required"] = True
    written["schema"] = schema
    return written


def _security(
    auth: Mapping[str, int], schemes: dict[str, Schema], version: str
) -> list[dict[str, list[str]]]:
    """Return the alternatives that were seen to succeed, registering their schemes."""
    if not auth or set(auth) == {"none"}:
        return []
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for combination in auth:
        names = []
        for scheme in () if combination == "none" else combination.split("+"):
            name, definition = _scheme(scheme, version)
            if definition:
                schemes[name] = definition
                names.append(name)
        key = tuple(sorted(set(names)))
        found[key] = {name: [] for name in key}
    return [found[key] for key in sorted(found)]


def _scheme(scheme: str, version: str) -> tuple[str, Schema]:
    kind, _, rest = scheme.partition(":")
    if kind in ("header", "query", "cookie"):
        name = "".join(word.title() for word in _WORD.findall(rest))
        return f"{kind}{name}", {"type": "apiKey", "in": kind, "name": rest}
    if kind == "bearer":
        definition: Schema = {"type": "http", "scheme": "bearer"}
        if rest.startswith("jwt"):
            definition["bearerFormat"] = "JWT"
        return "bearer", definition
    if kind == "mutual-tls":
        return "mutualTls", {} if version == "3.0" else {"type": "mutualTLS"}
    return "".join(_WORD.findall(kind)), {"type": "http", "scheme": kind}


def _is_version(word: str) -> bool:
    return re.fullmatch(r"v\d+|api", word) is not None


def _by_code(responses: Mapping[str, LearnedResponse]) -> dict[str, LearnedResponse]:
    """Return *responses* by what may be a key of an OpenAPI document; those of no status code are one."""
    found = {code: response for code, response in responses.items() if _CODE.fullmatch(code)}
    others = [response for code, response in responses.items() if code not in found]
    if others:
        found[UNKNOWN_CODE] = joined = LearnedResponse()
        for response in others:
            joined.absorb(response)
    return found


def _phrase(status: str) -> str:
    if status == UNKNOWN_CODE:
        return "A response without a valid status code."
    try:
        return HTTPStatus(int(status)).phrase
    except ValueError:
        return f"Status {status}"


def _time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = [
    "VERSIONS",
    "Operation",
    "SensitiveField",
    "anonymous",
    "render_document",
    "sensitive_fields",
    "sensitive_note",
]
