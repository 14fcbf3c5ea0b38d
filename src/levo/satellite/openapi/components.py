"""Object schemas that a document has in several places, named once under ``components.schemas``.

Objects are looked at from the inside out. Those with the same properties, of types that go together, are one
schema, which allows what any of them allows: a property is required where all of them require it. So one that
was learned from few messages takes part in what is known of the others. Objects that contain smaller ones of
their own kind are recursive. What is big or used twice gets a name; the rest is written where it stands.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from levo.satellite.learn.paths.segments import words
from levo.satellite.learn.paths.templates import singular
from levo.satellite.openapi.naming import Title, pascal, schema_names
from levo.satellite.openapi.schema import CLOSED_FROM, DISCRIMINATOR, OBJECTS, SURE_FROM, Schema

REFERENCE = "#/components/schemas/"
_ERROR = "Error"
_TELLING = 4
"""Properties in common from which objects are taken to be of one kind whatever they are called."""
_OLD_NULL: Schema = {"type": "object", "nullable": True, "enum": [None]}
"""Null and nothing else in OpenAPI 3.0, which has no type for it (3.0.3, proposal 2019-10-31)."""
_SCALARS = frozenset(("string", "integer", "number", "boolean"))
_KEPT_IF_EQUAL = ("format", "pattern", "minimum", "maximum", "description", "title", "const", "xml")
_NULLS = ({"type": "null"}, _OLD_NULL)
_LINK = "\0"
"""Key of a place that a shared object was taken from, with the object's number."""


class Use(NamedTuple):
    """Where an object stands, for its name."""

    rank: int
    """Those with the smallest get their names first."""
    names: tuple[str, ...]
    """What a person might call a whole body, an item of one, or an alternative; best first."""
    noun: str = ""
    """What the operation is about."""
    called: str = ""
    """For the value of a property: what the property says that it is."""


@dataclass(slots=True)
class _Shared:
    schema: Schema
    uses: list[Use] = field(default_factory=list)
    places: int = 0
    recursive: bool = False


def share_schemas(document: dict[str, Any], titles: dict[tuple[str, str], Title]) -> None:
    """Move what is shared or big in *document* to ``components.schemas``; *titles* by method and path."""
    sharing = _Sharing(old=str(document.get("openapi", "")).startswith("3.0"))
    roots: list[tuple[dict[str, Any], Schema]] = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not isinstance(operation, dict):
                continue
            title = titles[method.upper(), path]
            for holder, uses in _bodies(method.upper(), operation, title):
                if "schema" in holder and "xml" not in holder["schema"]:
                    roots.append((holder, sharing.take(holder["schema"], uses)))
    found = sharing.settle([schema for _, schema in roots])
    for holder, schema in roots:
        holder["schema"] = sharing.written(schema)
    if found:
        document.setdefault("components", {})["schemas"] = found


class _Uses(NamedTuple):
    """Names for the parts of a body."""

    whole: Use
    item: Use | None
    """For the items of an array, and of the only list of an object that wraps it; None: by the property."""
    noun: str
    direction: str = "response"


def _bodies(method: str, operation: dict[str, Any], title: Title) -> Iterator[tuple[dict[str, Any], _Uses]]:
    called = pascal(words(title.operation_id)) or "Body"
    noun = title.noun or called
    if noun[0].isdigit():
        noun = f"Body{noun}"
    item = Use(1, (noun, f"{noun}Summary", f"{noun}Item"))
    lists = title.operation_id.startswith("list")
    request: tuple[str, ...] = (f"{called}Request",)
    if not title.action:
        request = (f"{noun}Update" if method in ("PUT", "PATCH") else f"New{noun}", f"{noun}Input", *request)
    for holder in (operation.get("requestBody") or {}).get("content", {}).values():
        yield holder, _Uses(Use(3, request), None, noun, "request")
    for status, response in operation.get("responses", {}).items():
        if status[0] in "45":
            uses = _Uses(
                Use(0, (_ERROR, f"{_phrase(status)}Error", f"{noun}{_phrase(status)}Error")), None, _ERROR
            )
        elif title.action:
            uses = _Uses(Use(2, (f"{called}Result",)), None, noun)
        elif lists:
            uses = _Uses(Use(2, (f"{noun}List", f"{noun}Page")), item, noun)
        else:
            uses = _Uses(Use(method != "GET", (noun, f"{noun}Details", f"{noun}Result")), None, noun)
        for holder in response.get("content", {}).values():
            yield holder, uses


def _phrase(status: str) -> str:
    try:
        return pascal(re.findall(r"[A-Za-z]+", HTTPStatus(int(status)).phrase.title())).removesuffix("Error")
    except ValueError:
        return f"Status{status}"


class _Sharing:
    def __init__(self, *, old: bool) -> None:
        self._old = old
        self._shared: list[_Shared] = []
        self._same: list[int] = []
        """By number of an object, that of the one it was joined with."""
        self._by_names: dict[tuple[str, ...], list[int]] = {}
        self._names: dict[int, str] = {}
        self._direction = ""
        """Of the body that is looked at: requests say nothing of what else may be sent, so that their schemas
        are their own."""

    def take(self, schema: Schema, uses: _Uses) -> Schema:
        """Return the schema of a body, with links in the place of its objects."""
        self._direction = uses.direction
        if schema.get("type") == "array":
            item = uses.item or Use(3, tuple(f"{name}Item" for name in uses.whole.names))
            return {**schema, "items": self._taken(schema["items"], item, uses.noun)}
        return self._taken(schema, uses.whole, uses.noun, item=uses.item)

    def _taken(self, schema: Schema, use: Use, noun: str, item: Use | None = None) -> Schema:
        """Return *schema* with links; *item* is what the items of its only list are called."""
        found = dict(schema)
        for keyword in ("anyOf", "oneOf"):
            if keyword in found:
                found[keyword] = [
                    self._taken(each, _variant(use, each, found), noun) for each in found[keyword]
                ]
        if isinstance(found.get("items"), dict):
            found["items"] = self._taken(found["items"], use, noun)
        if isinstance(found.get("additionalProperties"), dict):
            found["additionalProperties"] = self._taken(found["additionalProperties"], use, noun)
        if not found.get("properties"):
            return found
        lists = [name for name, child in found["properties"].items() if is_list(child)]
        found["properties"] = {
            name: self._taken(
                child, item if item is not None and lists == [name] else _nested(name, noun), noun
            )
            for name, child in found["properties"].items()
        }
        nullable = _is_nullable(found)
        called = pascal(words(use.called)[-1:]) if use.called else use.names[0]  # a shipping address is one
        number = self._intern(_not_null(found), called)
        self._shared[number].uses.append(use)
        link: Schema = {_LINK: number}
        return self._nullable(link) if nullable else link

    def _intern(self, schema: Schema, called: str) -> int:
        names = (self._direction, *sorted(schema["properties"]))
        if len(names) <= _TELLING:
            names = (called, *names)  # two things may well have an id and a name both
        number = len(self._shared)
        self._shared.append(_Shared(schema))
        self._same.append(number)
        for other in self._by_names.setdefault(names, []):
            if self._unified(other, number):
                return self._find(other)
        self._by_names[names].append(number)
        for name, child in schema["properties"].items():
            for link in _links(child):
                inner = self._find(link)
                if self._is_smaller_kind(inner, number, name) and self._unified(number, inner):
                    self._shared[self._find(number)].recursive = True
        return self._find(number)

    def _is_smaller_kind(self, inner: int, outer: int, name: str) -> bool:
        """Whether the object *inner*, under the property *name* of *outer*, is one of its kind."""
        if inner == outer:
            return False
        mine, whole = (self._shared[each].schema["properties"].keys() for each in (inner, outer))
        return len(mine) >= 2 and mine <= whole and name in mine

    def _find(self, number: int) -> int:
        while self._same[number] != number:
            number = self._same[number]
        return number

    def _unified(self, one: int, other: int) -> bool:
        """Make two objects one, if their properties go together; *one* stays."""
        one, other = self._find(one), self._find(other)
        if one == other:
            return True
        joined = self._joined_objects(self._shared[one].schema, self._shared[other].schema, {one, other})
        if joined is None:
            return False
        self._same[other] = one
        self._shared[one].schema = joined
        self._shared[one].uses.extend(self._shared[other].uses)
        self._shared[one].recursive |= self._shared[other].recursive
        return True

    def _joined_objects(self, a: Schema, b: Schema, being_joined: set[int]) -> Schema | None:
        if a.get("title") != b.get("title"):
            return None
        mine, theirs = a["properties"], b["properties"]
        properties: dict[str, Schema] = {}
        for name in sorted(mine.keys() | theirs.keys()):
            if name in mine and name in theirs:
                both = self._joined(mine[name], theirs[name], being_joined)
                if both is None:
                    return None
                properties[name] = both
            else:
                properties[name] = mine.get(name) or theirs.get(name) or {}
        found: Schema = {"type": "object", "properties": properties}
        if "title" in a:
            found["title"] = a["title"]
        required = _required(a, b)
        if required:
            found["required"] = required
        other = self._joined_others(a, b, being_joined)
        if other is not None:
            found["additionalProperties"] = other
        return _with_notes(found, a, b)

    def _joined_others(self, a: Schema, b: Schema, being_joined: set[int]) -> Any:
        """Return what both say of other properties; who was learned from few objects does not say yet."""
        mine, theirs = a.get("additionalProperties"), b.get("additionalProperties")
        if isinstance(mine, dict) and isinstance(theirs, dict):
            return self._joined(mine, theirs, being_joined)
        closed = [
            said is False or (said is None and each.get(OBJECTS, CLOSED_FROM) < CLOSED_FROM)
            for said, each in ((mine, a), (theirs, b))
        ]
        return False if all(closed) and False in (mine, theirs) else None

    def _joined(self, a: Schema, b: Schema, being_joined: set[int]) -> Schema | None:
        """Return a schema that allows what either allows, None if they do not go together."""
        if a == b:
            return a
        if _is_unknown(a):
            a, b = b, a
        if _is_unknown(a):
            return a if _bare(a) else b
        if _is_unknown(b):
            return self._nullable(a)
        found = self._joined_values(_not_null(a), _not_null(b), being_joined)
        return self._nullable(found) if found is not None and (_is_nullable(a) or _is_nullable(b)) else found

    def _joined_values(self, a: Schema, b: Schema, being_joined: set[int]) -> Schema | None:
        if _LINK in a and _LINK in b:
            one, other = self._find(a[_LINK]), self._find(b[_LINK])
            same = one == other or {one, other} <= being_joined
            return {_LINK: min(one, other)} if same else None
        if a.get("type") == "array" == b.get("type"):
            mine, theirs = a.get("items", {}), b.get("items", {})
            if not mine or not theirs:
                items: Schema | None = mine or theirs  # of an array that was always empty nothing is known
            else:
                items = self._joined(mine, theirs, being_joined)
            return None if items is None else _with_notes({"type": "array", "items": items}, a, b)
        kinds = {a.get("type"), b.get("type")}
        if (len(kinds) == 2 and kinds != {"integer", "number"}) or not kinds <= _SCALARS:
            return a if _bare(a) == _bare(b) else None
        if a.get("const") != b.get("const"):
            return None
        found: Schema = {"type": "number" if len(kinds) == 2 else a["type"]}
        if "enum" in a and "enum" in b:
            found["enum"] = sorted({*a["enum"], *b["enum"]}, key=str)
        found.update((key, a[key]) for key in _KEPT_IF_EQUAL if key in a and a[key] == b.get(key))
        return _with_notes(found, a, b)

    def _nullable(self, schema: Schema) -> Schema:
        if _is_nullable(schema):
            return schema
        if _LINK in schema:
            return {"anyOf": [schema, _OLD_NULL if self._old else {"type": "null"}]}
        listed = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
        if self._old:
            return {**schema, "nullable": True, **listed}
        if isinstance(schema.get("type"), str):
            return {**schema, "type": [schema["type"], "null"], **listed}
        return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}

    def settle(self, roots: Sequence[Schema]) -> dict[str, Schema]:
        """Decide what is named, and return that; *roots* are the bodies."""
        self._join_errors()
        reached: list[int] = []
        stack = [link for root in reversed(roots) for link in reversed([*_links(root)])]
        while stack:
            number = self._find(stack.pop())
            self._shared[number].places += 1
            if self._shared[number].places == 1:
                reached.append(number)
                stack.extend(reversed([*_links(self._shared[number].schema)]))
        order = {
            number: (min(use.rank for use in self._shared[number].uses), at)
            for at, number in enumerate(reached)
            if self._has_name(self._shared[number])
        }
        self._names = schema_names(
            {number: _names(self._shared[number].uses) for number in sorted(order, key=order.__getitem__)}
        )
        found = {name: self._expanded(self._shared[number].schema) for number, name in self._names.items()}
        return dict(sorted(found.items()))

    def _has_name(self, shared: _Shared) -> bool:
        firsts = {use.names[0] for use in shared.uses if not use.called}
        if len(shared.schema["properties"]) > 1:
            return shared.recursive or bool(firsts) or shared.places > 1
        return shared.recursive or (shared.places > 1 and len(firsts) == 1)

    def _join_errors(self) -> None:
        """Make one of the bodies of errors that have all properties of another (RFC 9457, section 3.2)."""
        numbers = {
            self._find(number)
            for number, shared in enumerate(self._shared)
            if any(use.names[:1] == (_ERROR,) for use in shared.uses)
        }
        found = sorted(numbers, key=lambda number: (len(self._shared[number].schema["properties"]), number))
        for at, number in enumerate(found):
            mine = set(self._shared[number].schema["properties"])
            for larger in found[at + 1 :]:
                if len(mine) >= 2 and mine <= self._shared[self._find(larger)].schema["properties"].keys():
                    self._unified(number, larger)

    def written(self, schema: Any) -> Any:
        """Return *schema* with references in the place of links, or with what they stand for."""
        if isinstance(schema, list):
            return [self.written(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if _LINK in schema:
            number = self._find(schema[_LINK])
            name = self._names.get(number)
            return {"$ref": f"{REFERENCE}{name}"} if name else self._expanded(self._shared[number].schema)
        return self._discriminated(self._expanded(schema))

    def _properties(self, properties: Schema) -> Schema:
        return {name: self.written(each) for name, each in properties.items()}

    def _expanded(self, schema: Schema) -> Schema:
        return {
            key: self._properties(value) if key == "properties" else self.written(value)
            for key, value in schema.items()
        }

    def _discriminated(self, schema: Schema) -> Schema:
        """Say which property tells the alternatives of *schema*, where all of them have names."""
        name = schema.get(DISCRIMINATOR)
        options = schema.get("oneOf", [])
        if name is None or not options or not all("$ref" in each for each in options):
            return schema
        titles = {
            f"{REFERENCE}{self._names[number]}": shared.schema.get("title")
            for number, shared in enumerate(self._shared)
            if number in self._names
        }
        mapping = {titles[each["$ref"]]: each["$ref"] for each in options}
        found = {key: value for key, value in schema.items() if key != DISCRIMINATOR}
        return {**found, "discriminator": {"propertyName": name, "mapping": mapping}}


def _names(uses: Sequence[Use]) -> tuple[str, ...]:
    """Return what an object may be called that stands in all these places, best first."""
    whole = [use for use in uses if not use.called]
    if whole:
        votes = Counter(use.names[0] for use in whole)
        found = sorted(whole, key=lambda use: (use.rank > 1, -votes[use.names[0]], use.rank))
        return tuple(dict.fromkeys(name for use in found for name in use.names))
    counts = Counter(use.called for use in uses)
    called = min(counts, key=lambda name: (len(name), name))
    if not all(name.endswith(called) for name in counts):
        called = min(counts, key=lambda name: (-counts[name], name))
    nouns = sorted({use.noun for use in uses})
    owned = [
        f"{noun}Detail" if called == noun else called if called.startswith(noun) else f"{noun}{called}"
        for noun in nouns
    ]
    return (*owned, called) if len(nouns) == 1 else (called, *owned)


def _variant(use: Use, option: Schema, schema: Schema) -> Use:
    """Return the use of one alternative: named by what tells it from the others, if something does."""
    if DISCRIMINATOR not in schema or "title" not in option:
        return use
    return Use(use.rank, (f"{pascal(words(option['title']))}{use.called or use.names[0]}",))


def _nested(name: str, noun: str) -> Use:
    told = words(name)
    called = pascal((*told[:-1], singular(told[-1]))) if told else "Part"
    return Use(4, (), noun, called if called[0].isalpha() else f"{noun}{called}")


def is_list(schema: Schema) -> bool:
    """Whether *schema* is an array of objects."""
    items = schema.get("items")
    return isinstance(items, dict) and bool(items.get("properties"))


def _links(schema: Any) -> Iterator[int]:
    """Yield the numbers of the objects that *schema* has links to, not what is inside those."""
    if isinstance(schema, list):
        for each in schema:
            yield from _links(each)
    elif isinstance(schema, dict):
        if _LINK in schema:
            yield schema[_LINK]
        else:
            for value in schema.values():
                yield from _links(value)


def _is_unknown(schema: Schema) -> bool:
    """Whether nothing but null was seen."""
    return not _bare(schema).keys() - {"nullable"} or schema.get("type") == "null"


def _bare(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if not key.startswith("x-")}


def _is_nullable(schema: Schema) -> bool:
    kind = schema.get("type")
    return (
        schema.get("nullable") is True
        or (isinstance(kind, list) and "null" in kind)
        or any(each in schema.get("anyOf", ()) for each in _NULLS)
    )


def _not_null(schema: Schema) -> Schema:
    """Return *schema* without null."""
    if not _is_nullable(schema):
        return schema
    found = {key: value for key, value in schema.items() if key != "nullable"}
    if isinstance(found.get("type"), list):
        kinds = [kind for kind in found["type"] if kind != "null"]
        found["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in found:
        found["enum"] = [value for value in found["enum"] if value is not None]
    if "anyOf" in found:
        found["anyOf"] = [each for each in found["anyOf"] if each not in _NULLS]
        if len(found["anyOf"]) == 1 and len(found) == 1:
            return dict(found["anyOf"][0])
    return found


def _required(a: Schema, b: Schema) -> list[str]:
    """Return what both require; one that was learned from few objects does not say what it requires."""
    mine, theirs = set(a.get("required", ())), set(b.get("required", ()))
    if not mine and a.get(OBJECTS, SURE_FROM) < SURE_FROM:
        return sorted(theirs & a["properties"].keys())
    if not theirs and b.get(OBJECTS, SURE_FROM) < SURE_FROM:
        return sorted(mine & b["properties"].keys())
    return sorted(mine & theirs)


def _with_notes(found: Schema, a: Schema, b: Schema) -> Schema:
    """Add to *found* what *a* and *b* say beside their schemas."""
    if OBJECTS in a or OBJECTS in b:
        found[OBJECTS] = a.get(OBJECTS, 0) + b.get(OBJECTS, 0)
    for name in ("x-levo-sensitive", DISCRIMINATOR):
        if name in a or name in b:
            found[name] = a.get(name) or b[name]
    return found
