"""The statements about parameters, headers and bodies, answered by the nodes that were learned of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from levo.satellite.learn.schema import MIXED, Body, Node, absorb, media_kind
from levo.satellite.learn.schema.labels import is_label
from levo.satellite.learn.schema.node import MAX_DEPTH, MAX_LABELS
from levo.satellite.openapi.comparison.description import Described, Description
from levo.satellite.openapi.comparison.matching import Matched
from levo.satellite.openapi.comparison.statement import Answer, Spot, Statement
from levo.satellite.openapi.comparison.values import Facet, Parts, Reader, Values, joined_values

_FORMATS = frozenset(("date", "date-time", "uuid", "email", "uri", "ipv4", "ipv6"))
"""Formats that are told from each other."""
_TOO_LONG = {"int32": 31, "int64": 63}
_READ_AS_JSON = ("json",)
_READ_AS_FORM = ("form", "multipart")


class _Judge:
    def __init__(self, reader: Reader, statements: list[Statement], undescribed: list[Statement]) -> None:
        self._reader = reader
        self._statements = statements
        self._undescribed = undescribed
        self._kept: list[Node] = []
        self._mixed: set[int] = set()
        """Nodes whose strings were never kept as labels, so that nothing follows from their not being any."""

    def _say(self, spot: Spot, kind: str, count: int, contradicted: str | bool = "") -> None:
        """Add a statement: contradicted where it is said why."""
        if contradicted:
            detail = contradicted if isinstance(contradicted, str) else ""
            self._statements.append(spot.say(kind, Answer.CONTRADICTED, count, detail))
        else:
            self._statements.append(spot.say(kind, Answer.AGREES if count else Answer.UNSEEN, count))

    def _scalars(self, spot: Spot, values: Values, node: Node, *, text: bool) -> None:
        """Answer what is said of scalars: bounds, lengths, formats, enumerated values."""
        numbers, strings = values.facets.get("number"), values.facets.get("string")
        if node.integers + node.numbers and numbers and not (text and strings):
            self._numbers(spot, numbers, node)
        if node.strings and strings:
            self._strings(spot, strings, node, text=text)

    def _numbers(self, spot: Spot, facets: list[Facet], node: Node) -> None:
        count = node.integers + node.numbers
        bounds = {name for each in facets for name in each.bounds}
        low = _loosest(facets, "minimum", min)
        high = _loosest(facets, "maximum", max)
        greatest = (1 << node.bits) >> 1  # of the magnitudes of integers, one has at least this
        if "minimum" in bounds:
            why = ""
            if low is None:
                why = ""  # some alternative has no bound
            elif low >= 0 and node.negative:
                why = "negative numbers"
            elif low > 0 and not node.numbers and (1 << node.bits) - 1 < low:
                why = f"none reaches {_number(low)}"
            elif low < 0 and node.negative and high is not None and greatest > max(-low, high):
                why = f"numbers as far from 0 as {greatest}"
            self._say(spot, "minimum", count, why)
        if "maximum" in bounds:
            why = ""
            if high is not None and not node.negative and greatest > high:
                why = f"numbers from {greatest} up"
            self._say(spot, "maximum", count, why)
        factors = {each.factor for each in facets}
        if factors != {None} and not node.numbers and factors & {None, 1}:
            self._say(spot, "multipleOf", count)  # of another factor, nothing is known
        formats = {each.format for each in facets}
        if len(formats) == 1 and (bits := _TOO_LONG.get(next(iter(formats)), 0)):
            self._say(spot, "format", count, f"integers of {node.bits + 1} bits" if node.bits > bits else "")
        listed = [each.values for each in facets]
        if None in listed and any(each is not None for each in listed):
            self._say(spot, "enum", count)
        elif None not in listed and not node.numbers:
            allowed = [int(orjson.loads(v)) for each in listed if each is not None for v in each]
            why = ""
            if allowed and ((node.negative and min(allowed) >= 0) or greatest > max(map(abs, allowed))):
                why = "other numbers"
            self._say(spot, "enum", count, why)

    def _strings(self, spot: Spot, facets: list[Facet], node: Node, *, text: bool) -> None:
        self._least(spot, "minLength", facets, node.strings, node.shortest)
        self._most(spot, "maxLength", facets, node.strings, node.longest)
        formats = {each.format for each in facets}
        if len(formats) == 1 and (described := next(iter(formats))) in _FORMATS and node.format != MIXED:
            wrong = node.format in _FORMATS and node.format != described
            self._say(spot, "format", node.strings, f"{described} is {node.format}" if wrong else "")
        listed = [each.values is not None for each in facets]
        if any(listed) and not all(listed):
            self._say(spot, "enum", node.strings)
        elif all(listed):
            allowed = {str(orjson.loads(v)) for each in facets for v in each.values or ()}
            told = not node.private and id(node) not in self._mixed
            self._say(spot, "enum", node.strings, _unlisted(allowed, node, told=told))

    def _least(self, spot: Spot, name: str, facets: list[Facet], count: int, seen: int) -> None:
        """Answer a bound that nothing may be below. No value contradicts what another alternative allows."""
        if any(name in each.bounds for each in facets):
            low = _loosest(facets, name, min)
            self._say(spot, name, count, str(seen) if low is not None and seen < low else "")

    def _most(self, spot: Spot, name: str, facets: list[Facet], count: int, seen: int) -> None:
        """Answer a bound that nothing may be above, as ``_least`` does."""
        if any(name in each.bounds for each in facets):
            high = _loosest(facets, name, max)
            self._say(spot, name, count, str(seen) if high is not None and seen > high else "")

    def _types(self, spot: Spot, values: Values, node: Node, *, text: bool) -> None:
        """Answer which JSON types are allowed."""
        wrong = sorted(
            name for name, count in _kinds(node).items() if count and not _is_allowed(name, values, text=text)
        )
        allowed = _allowed(values)
        self._say(spot, "type", node.total, f"{' and '.join(wrong)}, described {allowed}" if wrong else "")


class ParameterJudge(_Judge):
    """Judges parameters and header fields, whose values travel as text."""

    def __init__(
        self,
        reader: Reader,
        description: Description,
        statements: list[Statement],
        undescribed: list[Statement],
    ) -> None:
        super().__init__(reader, statements, undescribed)
        self._description = description

    def judge(self, described: Described, matched: Matched) -> None:
        """Answer what is said of the parameters of an operation; note those that are not described."""
        known = matched.knowledge
        nodes = {"query": known.query, "header": known.headers, "cookie": known.cookies}
        free: set[str] = set()
        """Query names that belong to a parameter which is written under several names."""
        prefixes: list[str] = []
        for (place, name), parameter in sorted(described.parameters.items()):
            shown = str(parameter.get("name", name))
            spot = Spot(described.method, described.path, f"{place} {shown}")
            if place == "path":
                self._path(spot, parameter, matched.segments.get(name))
                continue
            if place not in nodes:
                continue
            spread = self._spread(parameter, place)
            if spread is not None:
                free.update(spread)
                prefixes.append(f"{shown}[")
                continue
            requests = known.accepted if place == "query" else known.heads
            self._named(spot, name, parameter, nodes[place], requests, array_name=place == "query")
            free.update((name, f"{name}[]"))
        keys = {
            str(scheme.get("name"))
            for requirement in described.security
            for each in requirement
            for scheme in [self._description.scheme(each)]
            if scheme.get("in") == "query"
        }
        if None not in free and "*" not in free:
            for name, node in sorted(known.query.children.items()):
                if name not in free and name not in keys and not name.startswith(tuple(prefixes)):
                    spot = Spot(described.method, described.path, f"query {name}")
                    self._undescribed.append(spot.seen(node.total))

    def header(
        self, spot: Spot, name: str, described: Mapping[str, Any], fields: Node, responses: int
    ) -> None:
        """Answer what is said of one header field of responses, of which *responses* had all their fields."""
        child = fields.children.get(name)
        if described.get("required") is True and (child is not None or _is_kept(name)):
            present = child.total if child is not None else 0
            missing = responses - present
            why = f"missing in {missing} of {responses}" if missing > 0 and not _is_lost(fields) else ""
            self._say(spot, "required", responses, why)
        if child is not None:
            self._text(spot, described, child)
        elif described.get("required") is not True:
            self._say(spot, "header", 0)

    def _path(self, spot: Spot, parameter: Mapping[str, Any], node: Node | None) -> None:
        if parameter.get("style", "simple") not in ("simple", "matrix"):
            return
        if node is None:
            self._say(spot, "type", 0)
        else:
            self._mixed.add(id(node))
            self._text(spot, parameter, node)

    def _spread(self, parameter: Mapping[str, Any], place: str) -> set[str] | None:
        """Return the names under which the properties of an object travel; None where it has one name."""
        if place not in ("query", "cookie") or "schema" not in parameter:
            return None
        facets = self._reader.values((parameter["schema"],)).facets
        if parameter.get("style") == "deepObject":
            return set()
        if (
            set(facets) <= {"object", "null"}
            and "object" in facets
            and parameter.get("explode", True) is True
        ):
            names = {name for each in facets["object"] for name in each.properties}
            return names | ({"*"} if not all(each.closed for each in facets["object"]) else set())
        return None

    def _named(
        self,
        spot: Spot,
        name: str,
        parameter: Mapping[str, Any],
        nodes: Node,
        requests: int,
        *,
        array_name: bool,
    ) -> None:
        child = nodes.children.get(name)
        if child is None and array_name:
            child = nodes.children.get(f"{name}[]")
        if parameter.get("required") is True:
            missing = requests - (child.total if child is not None else 0)
            why = f"missing in {missing} of {requests}" if missing > 0 and not _is_lost(nodes) else ""
            self._say(spot, "required", requests, why)
        if child is not None:
            self._text(spot, parameter, child)
        else:
            self._say(spot, "parameter", 0)

    def _text(self, spot: Spot, parameter: Mapping[str, Any], node: Node) -> None:
        if "schema" not in parameter:
            self._say(spot, "parameter", node.total)
            return
        values = self._reader.values((parameter["schema"],))
        if {"array", "object"} & values.facets.keys():
            self._list(spot, parameter, values, node)
            return
        if node.arrays:
            self._say(spot, "type", node.arrays, f"sent {node.most} times, described {_allowed(values)}")
            return
        self._types(spot, values, node, text=True)
        self._scalars(spot, values, node, text=True)

    def _list(self, spot: Spot, parameter: Mapping[str, Any], values: Values, node: Node) -> None:
        """Judge a parameter that may be an array; one value of an array looks like a scalar."""
        arrays = values.facets.get("array", [])
        apart = parameter.get("explode", parameter.get("style", "form") == "form") is True
        if not arrays or "object" in values.facets or not apart:
            self._say(spot, "parameter", node.total)  # several values in one text
            return
        self._say(spot, "type", node.total)
        if node.arrays:
            self._most(spot, "maxItems", arrays, node.arrays, node.most)
        single = {kind: facets for kind, facets in values.facets.items() if kind != "array"}
        items = joined_values([Values(single, {}), *(self._reader.values(each.items) for each in arrays)])
        each_value = Node(open=True)
        absorb(each_value, node)
        each_value.arrays, each_value.items = 0, None
        if node.items is not None:
            absorb(each_value, node.items)
        self._mixed.add(id(each_value))
        self._kept.append(each_value)
        self._types(spot.at("*"), items, each_value, text=True)
        self._scalars(spot.at("*"), items, each_value, text=True)


class BodyJudge(_Judge):
    """Judges bodies."""

    def __init__(
        self, reader: Reader, statements: list[Statement], undescribed: list[Statement], *, response: bool
    ) -> None:
        super().__init__(reader, statements, undescribed)
        self._response = response
        self._skip = "writeOnly" if response else "readOnly"

    def judge(self, spot: Spot, media: str, described: Mapping[str, Any], body: Body) -> None:
        """Answer what the schema of one media type says."""
        kind = media_kind(media)
        if not body.learned or "schema" not in described:
            return
        if kind in _READ_AS_JSON or kind in _READ_AS_FORM:
            self._node(spot, [(described["schema"],)], body.schema, 0, text=kind in _READ_AS_FORM)

    def _node(self, spot: Spot, described: list[Parts], node: Node, depth: int, *, text: bool) -> None:
        """Judge values for which alternatives say *described*: one of them must allow each value."""
        values = joined_values([self._reader.values(parts) for parts in described])
        if not values.whole or values.any:
            return
        self._types(spot, values, node, text=text)
        self._scalars(spot, values, node, text=text)
        if depth >= MAX_DEPTH:
            return  # deeper values were counted, not looked into
        if node.objects and "object" in values.facets:
            self._object(spot, values.facets["object"], node, depth, text=text)
        if node.arrays and "array" in values.facets:
            self._array(spot, values.facets["array"], node, depth, text=text)

    def _array(self, spot: Spot, facets: list[Facet], node: Node, depth: int, *, text: bool) -> None:
        self._least(spot, "minItems", facets, node.arrays, node.fewest)
        self._most(spot, "maxItems", facets, node.arrays, node.most)
        if all(each.items and not each.prefix for each in facets):
            if node.items is not None and node.items.total:
                self._node(spot.at("*"), [each.items for each in facets], node.items, depth + 1, text=text)
            else:
                self._say(spot.at("*"), "type", 0)

    def _object(self, spot: Spot, facets: list[Facet], node: Node, depth: int, *, text: bool) -> None:
        names = sorted({name for each in facets for name in (*each.properties, *each.required)})
        required = frozenset.intersection(*(each.required for each in facets))
        for name in names:
            described = [each.properties[name] for each in facets if name in each.properties]
            child, here = node.children.get(name), spot.at(name)
            hidden = self._is_hidden(described)
            present = child.total if child is not None else 0
            if name in required and not hidden:
                missing = _missing(node, name)
                why = f"missing in {missing} of {node.objects}" if missing else ""
                self._say(here, "required", node.objects, why)
            elif not hidden and any(name in each.required for each in facets):
                # Of one alternative: whether an object is meant to be that one is not known.
                self._say(here, "required", present)
            if child is None:
                if name not in required or hidden:
                    self._say(here, "property", 0)
            elif described:
                self._node(here, described, child, depth + 1, text=text)
        if len(facets) > 1:
            self._fitting(spot, facets, required, node)
        self._others(spot, facets, set(names), node, depth, text=text)

    def _is_hidden(self, described: list[Parts]) -> bool:
        """Whether a property is not part of messages of this direction."""
        return any(self._skip in self._reader.values(parts).annotations for parts in described)

    def _fitting(self, spot: Spot, facets: list[Facet], required: frozenset[str], node: Node) -> None:
        """Judge whether the objects that were seen can all have what some alternative requires.

        Of each alternative there are at most so many as have its rarest property.
        """
        fits = 0
        for each in facets:
            names = [
                name
                for name in each.required - required
                if not (name in each.properties and self._is_hidden([each.properties[name]]))
            ]
            if not names:
                return
            fits += node.objects - max(_missing(node, name) for name in names)
        if fits < node.objects:
            self._say(spot, "required", node.objects, f"{node.objects - fits} are like no alternative")

    def _others(
        self, spot: Spot, facets: list[Facet], names: set[str], node: Node, depth: int, *, text: bool
    ) -> None:
        """Judge the properties that are not described by name."""
        if any("patternProperties" in each.rest for each in facets):
            return
        more = {name: child for name, child in node.children.items() if name not in names}
        closed = all(each.closed for each in facets)
        if closed:
            count = sum(child.total for child in more.values())
            others = sorted(more) + (["*"] if node.other is not None and not names else [])
            self._say(
                spot, "additionalProperties", node.objects, f"{_listed(others)} in {count}" if more else ""
            )
            return
        described = [each.others for each in facets if each.others]
        if described:
            if len(facets) == 1:
                self._map(spot.at("{key}"), described[0], [*more.values()], node, depth, text=text)
        elif names:
            for name, child in sorted(more.items()):
                self._undescribed.append(spot.at(name).seen(child.total))

    def _map(
        self, spot: Spot, described: Parts, named: list[Node], node: Node, depth: int, *, text: bool
    ) -> None:
        """Judge the values of a map, whatever their keys are, as one."""
        joined = Node(open=True)
        for each in named:
            absorb(joined, each)
        if node.other is not None and not node.folded:
            absorb(joined, node.other)
        self._mixed.add(id(joined))
        self._kept.append(joined)
        if joined.total:
            self._node(spot, [described], joined, depth + 1, text=text)


def _missing(node: Node, name: str) -> int:
    """Return how many objects of *node* are known not to have the property *name*."""
    child = node.children.get(name)
    if node.folded or node.crowded or (child is None and node.other is not None):
        return 0  # it may have been lost among too many names
    return max(0, node.objects - node.keyed - (child.total if child is not None else 0))


def _kinds(node: Node) -> dict[str, int]:
    return {
        "null": node.nulls,
        "boolean": node.booleans,
        "integer": node.integers,
        "number": node.numbers,
        "string": node.strings,
        "object": node.objects,
        "array": node.arrays,
    }


def _is_allowed(name: str, values: Values, *, text: bool) -> bool:
    facets = values.facets
    if name == "integer":
        return "number" in facets or (text and "string" in facets)
    if name == "number":
        return any(not each.integer for each in facets.get("number", ())) or (text and "string" in facets)
    if text and name == "boolean":
        return name in facets or "string" in facets
    return name in facets


def _allowed(values: Values) -> str:
    found = [
        "integer" if kind == "number" and all(each.integer for each in facets) else kind
        for kind, facets in values.facets.items()
    ]
    return " or ".join(found) or "nothing"


def _loosest(facets: Iterable[Facet], name: str, pick: Any) -> float | None:
    """Return the bound that all of *facets* keep, None if one of them has none."""
    bounds = [each.bounds.get(name) for each in facets]
    return None if None in bounds else pick(bound[0] for bound in bounds if bound is not None)


def _unlisted(allowed: set[str], node: Node, *, told: bool) -> str:
    """Return which strings were seen that are not among *allowed*, "" if none is known to be.

    *told*: the node has all of its strings as labels, unless there was one that is not a public word.
    """
    extra = sorted(set(node.labels) - allowed)
    if extra:
        return _listed(extra)
    if node.strings and allowed:
        sizes = [len(each) for each in allowed]
        if node.longest > max(sizes) or 0 <= node.shortest < min(sizes):
            return f"{node.shortest} to {node.longest} characters"
        if node.format in _FORMATS and not any(":" in each or "-" in each or "." in each for each in allowed):
            return f"values of the format {node.format}"
        if told and node.open and len(allowed) <= MAX_LABELS and all(map(is_label, allowed)):
            return "values that are not kept"
    return ""


def _is_lost(node: Node) -> bool:
    """Whether names were too many or too odd to be kept, so that one of them may be missed."""
    return node.folded or node.other is not None


def _is_kept(name: str) -> bool:
    """Whether the catalog keeps response fields of this name."""
    return name.startswith("x-")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
