"""The semantic difference of two OpenAPI documents: what changed for clients, and whether it breaks them.

Breaking is seen from a client that was written for the old document: a request that it may send is refused,
or a response comes that it does not expect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from levo.satellite.openapi.document import anonymous

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_DEEPEST = 30
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference."""

    path: str
    method: str
    """Upper case."""
    where: str
    """``operation``, ``query page``, ``request application/json /name``, ``response 200 …``, ``security``."""
    kind: str
    """As ``removed``, ``added``, ``type``, ``required``, ``enum``, ``deprecated``."""
    breaking: bool
    detail: str = ""

    def __str__(self) -> str:
        mark = "BREAKING" if self.breaking else "ok"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{mark:8} {self.method} {self.path}: {self.where}: {self.kind}{detail}"


def operations(document: Document) -> dict[tuple[str, str], tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Return (path, path item, operation) by (method, path without parameter names)."""
    found = {}
    paths = document.get("paths")
    for path, item in (paths if isinstance(paths, Mapping) else {}).items():
        item = resolve(document, item)
        for method in _METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping):
                found[method, anonymous(str(path)).rstrip("/") or "/"] = (str(path), item, operation)
    return found


def diff(old: Document, new: Document) -> list[Change]:
    """Return the changes from *old* to *new*, in order; both are OpenAPI 3.0 or 3.1."""
    before, after = operations(old), operations(new)
    changes: list[Change] = []
    for key in sorted(before.keys() | after.keys()):
        method = key[0].upper()
        if key not in after:
            changes.append(Change(before[key][0], method, "operation", "removed", True))
        elif key not in before:
            changes.append(Change(after[key][0], method, "operation", "added", False))
        else:
            one = _Operations(old, new, before[key], after[key], method)
            changes.extend(one.changes())
    return sorted(set(changes))


def resolve(document: Document, value: Any) -> Mapping[str, Any]:
    """Follow local references; anything that is no object becomes an empty one."""
    for _ in range(20):
        if not isinstance(value, Mapping):
            return {}
        reference = value.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return value
        value = document
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            value = value.get(part) if isinstance(value, Mapping) else None
    return {}


class _Operations:
    """Two descriptions of one operation."""

    def __init__(
        self,
        old: Document,
        new: Document,
        before: tuple[str, Mapping[str, Any], Mapping[str, Any]],
        after: tuple[str, Mapping[str, Any], Mapping[str, Any]],
        method: str,
    ) -> None:
        self._old, self._new, self._before, self._after = old, new, before, after
        self._method = method

    def _change(self, where: str, kind: str, breaking: bool, detail: str = "") -> Change:
        return Change(self._after[0], self._method, where, kind, breaking, detail)

    def changes(self) -> Iterator[Change]:
        before, after = self._before[2], self._after[2]
        if after.get("deprecated") and not before.get("deprecated"):
            yield self._change("operation", "deprecated", False)
        yield from self._parameters()
        yield from self._request(before, after)
        yield from self._responses(before, after)
        yield from self._security(before, after)

    def _parameters(self) -> Iterator[Change]:
        before = _parameters(self._old, self._before)
        after = _parameters(self._new, self._after)
        for key in sorted(before.keys() | after.keys()):
            place, name = key
            where = f"{place} {name}"
            if key not in after:
                yield self._change(where, "removed", True)
            elif key not in before:
                required = bool(after[key].get("required"))
                yield self._change(where, "added", required, "required" if required else "optional")
            else:
                if after[key].get("required") and not before[key].get("required"):
                    yield self._change(where, "required", True)
                elif before[key].get("required") and not after[key].get("required"):
                    yield self._change(where, "optional", False)
                yield from self._schemas(
                    before[key].get("schema"), after[key].get("schema"), where, request=True
                )

    def _request(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        old, new = resolve(self._old, before.get("requestBody")), resolve(self._new, after.get("requestBody"))
        if new and not old:
            required = bool(new.get("required"))
            yield self._change("request", "added", required, "required" if required else "optional")
        elif old and not new:
            yield self._change("request", "removed", True)
        elif old and new:
            if new.get("required") and not old.get("required"):
                yield self._change("request", "required", True)
            yield from self._contents(old, new, "request", request=True)

    def _responses(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        old, new = before.get("responses") or {}, after.get("responses") or {}
        for status in sorted({str(s) for s in old} | {str(s) for s in new}):
            one, other = resolve(self._old, old.get(status)), resolve(self._new, new.get(status))
            where = f"response {status}"
            if status not in new:
                yield self._change(where, "removed", status.startswith("2"))
            elif status not in old:
                yield self._change(where, "added", False)
            else:
                yield from self._contents(one, other, where, request=False)

    def _contents(
        self, old: Mapping[str, Any], new: Mapping[str, Any], where: str, *, request: bool
    ) -> Iterator[Change]:
        before, after = old.get("content") or {}, new.get("content") or {}
        for media in sorted(set(before) | set(after)):
            place = f"{where} {media}"
            if media not in after:
                yield self._change(place, "removed", True)
            elif media not in before:
                yield self._change(place, "added", False)
            else:
                yield from self._schemas(
                    before[media].get("schema"), after[media].get("schema"), place, request=request
                )

    def _security(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
        old = _alternatives(before.get("security", self._old.get("security")))
        new = _alternatives(after.get("security", self._new.get("security")))
        if old == new:
            return
        lost = old - new
        if lost:
            detail = ", ".join(sorted("+".join(sorted(each)) or "none" for each in lost))
            yield self._change("security", "removed", True, detail)
        if new - old:
            detail = ", ".join(sorted("+".join(sorted(each)) or "none" for each in new - old))
            yield self._change("security", "added", False, detail)

    def _schemas(self, old: Any, new: Any, where: str, *, request: bool, depth: int = 0) -> Iterator[Change]:
        before, after = resolve(self._old, old), resolve(self._new, new)
        if depth > _DEEPEST or before == after or not before or not after:
            return
        types, more = _types(before), _types(after)
        narrower, wider = _without(types, more), _without(more, types)
        if narrower or wider:
            # A request may no longer be of a type that went, a response not yet of one that came.
            breaking = bool(narrower) if request else bool(wider)
            yield self._change(where, "type", breaking, f"{_shown(types)} to {_shown(more)}")
        yield from self._enums(before, after, where, request=request)
        if before.get("format") != after.get("format"):
            detail = f"{before.get('format', 'none')} to {after.get('format', 'none')}"
            yield self._change(where, "format", bool(after.get("format")) == request, detail)
        yield from self._properties(before, after, where, request=request, depth=depth)
        if isinstance(before.get("items"), Mapping) and isinstance(after.get("items"), Mapping):
            yield from self._schemas(
                before["items"], after["items"], f"{where}/*", request=request, depth=depth + 1
            )
        one, other = before.get("additionalProperties"), after.get("additionalProperties")
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from self._schemas(one, other, f"{where}/{{key}}", request=request, depth=depth + 1)

    def _enums(
        self, before: Mapping[str, Any], after: Mapping[str, Any], where: str, *, request: bool
    ) -> Iterator[Change]:
        old, new = _enum(before), _enum(after)
        if old is None and new is None:
            return
        if old is None or new is None:
            narrowed = new is not None
            yield self._change(
                where, "enum", narrowed == request, "now an enum" if narrowed else "no enum any more"
            )
            return
        if gone := old - new:
            yield self._change(where, "enum", request, f"without {', '.join(sorted(gone))}")
        if come := new - old:
            yield self._change(where, "enum", not request, f"with {', '.join(sorted(come))}")

    def _properties(
        self, before: Mapping[str, Any], after: Mapping[str, Any], where: str, *, request: bool, depth: int
    ) -> Iterator[Change]:
        (old, had), (new, has) = self._object(self._old, before), self._object(self._new, after)
        for name in sorted(old.keys() | new.keys()):
            place = f"{where}/{name}"
            if name not in new:
                yield self._change(place, "removed", not request or name in had)
            elif name not in old:
                required = request and name in has
                yield self._change(place, "added", required, "required" if required else "")
            else:
                if name in has and name not in had:
                    yield self._change(place, "required", request)
                elif name in had and name not in has:
                    yield self._change(place, "optional", not request)
                yield from self._schemas(old[name], new[name], place, request=request, depth=depth + 1)

    @staticmethod
    def _object(
        document: Document, schema: Mapping[str, Any], depth: int = 0
    ) -> tuple[dict[str, Any], set[str]]:
        """Return properties and required names, those of ``allOf`` included and of alternatives joined."""
        properties = dict(schema.get("properties") or {})
        required = {str(name) for name in schema.get("required") or ()}
        if depth > 5:
            return properties, required
        for part in schema.get("allOf") or ():
            more, names = _Operations._object(document, resolve(document, part), depth + 1)
            properties = {**more, **properties}
            required |= names
        for key in ("oneOf", "anyOf"):
            options = [
                _Operations._object(document, resolve(document, part), depth + 1)
                for part in schema.get(key) or ()
            ]
            for more, _ in options:
                properties = {**more, **properties}
            if options:
                required |= set.intersection(*(names for _, names in options))
        return properties, required


def _parameters(
    document: Document, described: tuple[str, Mapping[str, Any], Mapping[str, Any]]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    path, item, operation = described
    found = {}
    order = {name: str(n) for n, name in enumerate(_names(path))}
    for each in [*(item.get("parameters") or ()), *(operation.get("parameters") or ())]:
        parameter = resolve(document, each)
        place, name = str(parameter.get("in")), str(parameter.get("name"))
        if place == "path":
            name = order.get(name, name)
        found[place, name.lower() if place == "header" else name] = parameter
    return found


def _names(path: str) -> list[str]:
    return [part.partition("}")[0] for part in path.split("{")[1:]]


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the JSON types that *schema* accepts; empty for any."""
    found: set[str] = set()
    for key in ("oneOf", "anyOf"):
        for part in schema.get(key) or ():
            if isinstance(part, Mapping):
                found |= _types(part)
    kind = schema.get("type")
    found |= set(kind) if isinstance(kind, list) else {kind} if isinstance(kind, str) else set()
    if not found and (schema.get("properties") or schema.get("allOf")):
        found = {"object"}
    if schema.get("nullable") and found:
        found.add("null")
    return frozenset(found)


def _without(types: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    """Return the types that *others* do not accept: no types accept all, and a number may be an integer."""
    if not others:
        return frozenset()
    if not types:
        return frozenset({"any"})
    return frozenset(t for t in types - others if not (t == "integer" and "number" in others))


def _shown(types: frozenset[str]) -> str:
    return " or ".join(sorted(types)) or "any"


def _enum(schema: Mapping[str, Any]) -> set[str] | None:
    if "const" in schema:
        return {str(schema["const"])}
    values = schema.get("enum")
    return {str(value) for value in values if value is not None} if isinstance(values, list) else None


def _alternatives(security: Any) -> frozenset[frozenset[str]]:
    if not isinstance(security, list):
        return frozenset({frozenset()})
    return frozenset(
        frozenset(str(n) for n in each) for each in security if isinstance(each, Mapping)
    ) or frozenset({frozenset()})
