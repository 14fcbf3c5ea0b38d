"""A schema as the set of values that it allows: by JSON type, the alternatives, each with its bounds.

References are followed when a place is looked at, ``allOf`` is the intersection, ``oneOf`` and ``anyOf`` are
the union, and ``nullable`` adds null. Two schemas that are written differently and allow the same have one
form. A schema is read once; what a hostile document could multiply is bounded (``MAX_OPTIONS``,
``MAX_PLACES``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from levo.satellite.openapi.comparison.description import Description

Parts = tuple[Any, ...]
"""Schemas all of which hold; none of them: anything is allowed."""
MAX_OPTIONS = 64
"""Alternatives of one schema; past it, anything is taken to be allowed there."""
MAX_STEPS = 2_000
"""Schemas that are read for one place; past it as well."""
MAX_PLACES = 100_000
"""Places that are looked at in one document."""
TYPES = ("null", "boolean", "number", "string", "array", "object")
LOWER = ("minimum", "minLength", "minItems", "minProperties", "minContains")
UPPER = ("maximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_BOUNDS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems", "minContains", "maxContains"),
    "object": ("minProperties", "maxProperties"),
}
_OTHERS = {
    "number": ("not", "if", "then", "else"),
    "string": ("contentSchema", "contentMediaType", "contentEncoding", "not", "if", "then", "else"),
    "array": ("contains", "unevaluatedItems", "not", "if", "then", "else"),
    "object": (
        *("dependentRequired", "dependentSchemas", "patternProperties", "propertyNames"),
        *("not", "if", "then", "else"),
    ),
}
"""Keywords that are compared as they are written."""
_ANNOTATIONS = ("readOnly", "writeOnly", "default", "deprecated")
_NULL: Mapping[str, Any] = {"type": "null"}


@dataclass(slots=True)
class Facet:
    """One alternative of one JSON type."""

    type: str
    integer: bool = False
    values: frozenset[bytes] | None = None
    """As canonical JSON, where they are enumerated."""
    constant: bool = False
    bounds: dict[str, tuple[float, bool]] = field(default_factory=dict)
    """By keyword (``minimum`` and ``maximum`` for the exclusive ones too), and whether it is exclusive."""
    factor: float | None = None
    unique: bool = False
    pattern: tuple[str, ...] = ()
    format: str = ""
    properties: dict[str, Parts] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    closed: bool = False
    """No other properties are allowed."""
    others: Parts = ()
    """What other properties are, where that is said."""
    items: Parts = ()
    prefix: tuple[Parts, ...] = ()
    closed_items: bool = False
    rest: dict[str, bytes] = field(default_factory=dict)
    sources: frozenset[int] = frozenset()
    """Which schemas say so."""
    label: str = ""
    """By which alternatives are recognized: a reference, a title, the value of a discriminator."""


@dataclass(slots=True)
class Values:
    """What is allowed at one place."""

    facets: dict[str, list[Facet]]
    """By JSON type; integers are numbers."""
    annotations: dict[str, Any]
    whole: bool = True
    """False where there were too many alternatives, so that anything is taken to be allowed."""

    @property
    def any(self) -> bool:
        """Whether nothing is excluded."""
        return all(
            any(
                each == Facet(kind, sources=each.sources, label=each.label)
                for each in self.facets.get(kind, ())
            )
            for kind in TYPES
        )


ANYTHING = Values({kind: [Facet(kind)] for kind in TYPES}, {})


def joined_values(options: list[Values]) -> Values:
    """Return what any of *options* allows; that none is too many is taken to be anything."""
    if len(options) == 1:
        return options[0]
    facets: dict[str, list[Facet]] = {}
    for each in options:
        for kind, found in each.facets.items():
            known = facets.setdefault(kind, [])
            known.extend(facet for facet in found if not any(_same(facet, one) for one in known))
    whole = all(each.whole for each in options) and sum(map(len, facets.values())) <= MAX_OPTIONS
    return Values({kind: facets[kind] for kind in TYPES if kind in facets}, {}, whole=whole)


class Reader:
    """Reads the schemas of one document as sets of values."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._known: dict[tuple[int, ...], Values] = {}
        self._steps = 0
        self.exhausted = False
        """There were more places than are looked at."""

    def key(self, parts: Parts) -> tuple[int, ...]:
        """Return what tells the place *parts* from others, equal where the same schemas hold."""
        return tuple(sorted({id(self._target(part)) for part in parts}))

    def values(self, parts: Parts) -> Values:
        """Return what all of *parts* allow."""
        key = self.key(parts)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_PLACES:
                self.exhausted = True
                return ANYTHING
            found = self._known[key] = self._read(parts)
        return found

    def _target(self, part: Any) -> Any:
        """Follow references with nothing beside them."""
        for _ in range(20):
            if not isinstance(part, Mapping) or not isinstance(part.get("$ref"), str):
                return part
            if len(part) > 1 and not self._description.old:
                return part
            part = self._description.referred(part["$ref"])
        return None

    def _read(self, parts: Parts) -> Values:
        self._steps = 0
        options = self._options(parts)
        annotations = self._annotations(parts)
        if options is None:
            return Values({kind: [Facet(kind)] for kind in TYPES}, annotations, whole=False)
        facets: dict[str, list[Facet]] = {}
        for label, schemas in options:
            for facet in _facets(schemas, label):
                known = facets.setdefault(facet.type, [])
                if not any(_same(facet, each) for each in known):
                    known.append(facet)
        return Values({kind: _merged(facets[kind]) for kind in TYPES if kind in facets}, annotations)

    def _annotations(self, parts: Parts) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for schema in self._conjunction(parts):
            for name in _ANNOTATIONS:
                if name in schema and schema[name] is not False:
                    found.setdefault(name, schema[name])
        return found

    def _conjunction(self, parts: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
        """Yield *parts*, what they refer to and their ``allOf``, each once."""
        seen: set[int] = set()
        stack = list(parts)
        while stack and len(seen) < MAX_OPTIONS * 4:
            part = self._target(stack.pop())
            if not isinstance(part, Mapping) or id(part) in seen:
                continue
            seen.add(id(part))
            if isinstance(part.get("$ref"), str):
                stack.append(self._description.referred(part["$ref"]))
            inner = part.get("allOf")
            stack.extend(inner if isinstance(inner, list) else ())
            yield part

    def _options(
        self, parts: Parts, active: frozenset[int] = frozenset()
    ) -> list[tuple[str, list[Mapping[str, Any]]]] | None:
        """Return the alternatives of *parts*: each a label and the plain schemas that hold together.

        None: there are too many.
        """
        found: list[tuple[str, list[Mapping[str, Any]]]] = [("", [])]
        for part in parts:
            options = self._options_of(part, active)
            if options is None or len(found) * len(options) > MAX_OPTIONS:
                return None
            found = [(a or b, _joined(one, more)) for a, one in found for b, more in options]
        return found

    def _options_of(
        self, part: Any, active: frozenset[int]
    ) -> list[tuple[str, list[Mapping[str, Any]]]] | None:
        if part is False:
            return []
        schema = self._target(part)
        if schema is False:
            return []
        if not isinstance(schema, Mapping) or id(schema) in active:
            return [("", [])]
        self._steps += 1
        if len(active) >= MAX_OPTIONS or self._steps > MAX_STEPS:
            return None
        active = active | {id(schema)}
        label = _label(part, schema)
        found: list[tuple[str, list[Mapping[str, Any]]]] | None = [(label, [schema])]
        inner: list[Any] = list(schema["allOf"]) if isinstance(schema.get("allOf"), list) else []
        if isinstance(schema.get("$ref"), str):
            inner.append(self._description.referred(schema["$ref"]))
        if inner:
            more = self._options(tuple(inner), active)
            found = _product(found, more)
        for keyword in ("oneOf", "anyOf"):
            listed = schema.get(keyword)
            if not isinstance(listed, list) or not listed or found is None:
                continue
            union: list[tuple[str, list[Mapping[str, Any]]]] = []
            for each in listed:
                options = self._options_of(each, active)
                if options is None:
                    return None
                union.extend(options)
            found = _product(found, union, inner_label=True)
        if found is not None and schema.get("nullable") is True:
            found = [*found, ("", [_NULL])]
        return found


def _product(
    one: list[tuple[str, list[Mapping[str, Any]]]] | None,
    other: list[tuple[str, list[Mapping[str, Any]]]] | None,
    *,
    inner_label: bool = False,
) -> list[tuple[str, list[Mapping[str, Any]]]] | None:
    if one is None or other is None or len(one) * len(other) > MAX_OPTIONS:
        return None
    return [
        ((b or a) if inner_label else (a or b), _joined(left, right)) for a, left in one for b, right in other
    ]


def _joined(one: list[Mapping[str, Any]], more: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    known = {id(each) for each in one}
    return [*one, *(each for each in more if id(each) not in known)]


def _label(part: Any, schema: Mapping[str, Any]) -> str:
    reference = part.get("$ref") if isinstance(part, Mapping) else None
    if isinstance(reference, str):
        return reference.rpartition("/")[2]
    title = schema.get("title")
    return title if isinstance(title, str) else ""


def _facets(schemas: list[Mapping[str, Any]], label: str) -> Iterator[Facet]:
    """Yield what *schemas* allow together, by type."""
    kinds: dict[str, bool] = dict.fromkeys(TYPES, False)
    values: dict[bytes, str] | None = None
    constant = False
    for schema in schemas:
        allowed = _types(schema)
        if allowed is not None:
            kinds = {kind: kinds[kind] or allowed[kind] for kind in kinds if kind in allowed}
        listed = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(listed, list):
            mine = {canonical(value): json_type(value) for value in listed}
            constant = constant or "const" in schema or len(mine) == 1
            values = mine if values is None else {k: v for k, v in values.items() if k in mine}
            if schema.get("nullable") is True and canonical(None) not in mine:
                kinds = {kind: integer for kind, integer in kinds.items() if kind != "null"}
    for kind, integer in kinds.items():
        facet = Facet(kind, integer, label=label, sources=frozenset(id(schema) for schema in schemas))
        if values is not None:
            mine_of = frozenset(
                text
                for text, of in values.items()
                if of == kind and not (integer and b"." in text and not text.endswith(b".0"))
            )
            if not mine_of:
                continue
            if kind != "null" and not (kind == "boolean" and len(mine_of) == 2):
                facet.values, facet.constant = mine_of, constant
        for schema in schemas:
            _narrow(facet, schema)
        if kind == "object":
            _object(facet, schemas)
        yield facet


def _types(schema: Mapping[str, Any]) -> dict[str, bool] | None:
    """Return the types that *schema* names, with whether numbers must be integers; None for any."""
    named = schema.get("type")
    names = named if isinstance(named, list) else [named] if isinstance(named, str) else None
    if names is None:
        return None
    found: dict[str, bool] = {}
    for name in names:
        if name == "integer":
            found.setdefault("number", True)
        elif name == "number":
            found["number"] = False
        elif name == "file":
            found["string"] = False
        elif name in TYPES:
            found[name] = False
    return found


def _narrow(facet: Facet, schema: Mapping[str, Any]) -> None:
    """Apply what *schema* says of the type of *facet*."""
    kind = facet.type
    if kind == "number":
        _number_bounds(facet, schema)
    for name in _BOUNDS.get(kind, ()):
        value = _number(schema.get(name))
        if value is not None and not (value <= 0 and name in LOWER):
            known = facet.bounds.get(name)
            pick = max if name in LOWER else min
            facet.bounds[name] = (value if known is None else pick(value, known[0]), False)
    if kind in ("string", "number") and isinstance(schema.get("format"), str):
        facet.format = schema["format"]
    if kind == "string" and isinstance(schema.get("pattern"), str):
        facet.pattern = tuple(sorted({*facet.pattern, schema["pattern"]}))
    if kind == "array":
        _items(facet, schema)
    for name in _OTHERS.get(kind, ()):
        if name in schema:
            facet.rest[name] = canonical(schema[name])


def _number_bounds(facet: Facet, schema: Mapping[str, Any]) -> None:
    """Apply bounds: ``exclusiveMinimum`` is a flag in OpenAPI 3.0 and a bound itself in 3.1."""
    for name, exclusive, sign in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
        bound, other = _number(schema.get(name)), _number(schema.get(exclusive))
        if schema.get(exclusive) is True:
            bound, other = None, bound
        for value, is_open in ((bound, False), (other, True)):
            if value is not None:
                known = facet.bounds.get(name, (value, is_open))
                facet.bounds[name] = max(known, (value, is_open), key=lambda b: (b[0] * sign, b[1]))
    factor = _number(schema.get("multipleOf"))
    if factor:
        facet.factor = factor


def _items(facet: Facet, schema: Mapping[str, Any]) -> None:
    facet.unique = facet.unique or schema.get("uniqueItems") is True
    if schema.get("items") is False:
        facet.closed_items = True
    elif isinstance(schema.get("items"), Mapping):
        facet.items = (*facet.items, schema["items"])
    if isinstance(schema.get("prefixItems"), list) and not facet.prefix:
        facet.prefix = tuple((each,) for each in schema["prefixItems"])


def _object(facet: Facet, schemas: list[Mapping[str, Any]]) -> None:
    said = [each.get("properties") for each in schemas]
    names = {str(name) for each in said if isinstance(each, Mapping) for name in each}
    facet.required = frozenset(
        str(name)
        for schema in schemas
        if isinstance(schema.get("required"), list)
        for name in schema["required"]
    )
    for schema in schemas:
        other = schema.get("additionalProperties", True)
        if other is False or schema.get("unevaluatedProperties") is False:
            facet.closed = True
        elif isinstance(other, Mapping) and other:
            facet.others = (*facet.others, other)
    for name in sorted(names):
        parts: list[Any] = []
        for schema in schemas:
            properties = schema.get("properties")
            if isinstance(properties, Mapping) and name in properties:
                parts.append(properties[name])
            elif schema.get("additionalProperties") is False:
                break
            elif isinstance(schema.get("additionalProperties"), Mapping):
                parts.append(schema["additionalProperties"])
        else:
            facet.properties[name] = tuple(parts)


def _same(one: Facet, other: Facet) -> bool:
    """Whether two alternatives allow the same, as far as one look can tell."""
    return (
        one.sources == other.sources
        or (one.type in ("null", "boolean") and one.values is None and other.values is None)
        or (_plain(one) and _plain(other) and one.integer == other.integer and one.format == other.format)
    )


def _plain(facet: Facet) -> bool:
    """Whether only type and format are said."""
    return (
        facet.type in ("number", "string")
        and facet.values is None
        and not (facet.bounds or facet.factor or facet.pattern or facet.rest)
    )


def _merged(facets: list[Facet]) -> list[Facet]:
    """Join alternatives that differ only in the values that they enumerate."""
    listed = [each for each in facets if each.values is not None and each.type == "string"]
    if len(listed) < 2 or any(each.bounds or each.pattern or each.format or each.rest for each in listed):
        return facets
    joined = Facet(
        "string",
        values=frozenset().union(*(each.values or frozenset() for each in listed)),
        sources=frozenset().union(*(each.sources for each in listed)),
        label=listed[0].label,
    )
    return [each for each in facets if each not in listed] + [joined]


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def json_type(value: Any) -> str:
    """Return the JSON type of *value*."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def canonical(value: Any) -> bytes:
    """Return *value* as JSON that is equal for equal values."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
