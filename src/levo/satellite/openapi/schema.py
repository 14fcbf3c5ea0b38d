"""A learned node as a JSON Schema. All decisions (required, enum, map, closed, variants) are made here.

What counts are different objects (``Node.evidence``): one that is shown a hundred times says no more about
what the next one looks like than one that is shown once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from levo.satellite.learn.schema import MIXED, Node, merge
from levo.satellite.learn.sensitive import Detection, Rule, decide

Schema = dict[str, Any]
OBJECTS = "x-levo-objects"
"""How many different objects the schema of an object was learned from."""
DISCRIMINATOR = "x-levo-discriminator"
"""The property by which the alternatives of a schema are told apart."""
REQUIRED_FROM = 3
"""Different objects after which a property that was always there is required, if all of them were …"""
SURE_FROM = 12
"""… and if others were missing now and then: three in four are twelve of twelve in 3 % of cases."""
CLOSED_FROM = 20
"""Different objects after which one without surprises is closed …"""
ALIKE_FROM = 5
"""… or so many, if all have the same properties."""
NULL_FROM = 50
"""Different objects after which a property of a response that was never anything but null is null."""
BOUND_FROM = 50
"""Different integers, none negative, after which none is expected to be; fractions are often of a scale with
two sides (a balance, a latitude) of which one was seen."""
ENUM_FROM = 30
MAX_ENUM = 20
PATTERN_FROM = 20
_NEARLY = 0.5
"""What is missing to a whole number of objects where their number is an estimate."""
_MAP_KEYS = 20
_FORMATS = frozenset({"date", "date-time", "uuid", "email", "uri", "ipv4", "ipv6", "binary"})
_PATTERNS = {"digits": r"^[0-9]+$", "decimal": r"^[0-9]+\.[0-9]+$", "hex": r"^(?:[0-9a-f]+|[0-9A-F]+)$"}


@dataclass(frozen=True, slots=True)
class FieldDetection:
    """Sensitive data in one field of a message."""

    pointer: str
    """Where: property names, ``*`` for any item or key, as ``items/*/email``."""
    detection: Detection


class SchemaWriter:
    """Writes the schemas of one message or parameter set, and gathers what is sensitive in it."""

    def __init__(self, version: str = "3.1", *, closed: bool = True, rules: Sequence[Rule] = ()) -> None:
        """*version* is ``3.0`` or ``3.1``; *closed*: objects that seem complete allow no other properties."""
        self._old = version.startswith("3.0")
        self._closed = closed
        self._rules = rules
        self.detections: list[FieldDetection] = []

    def write(
        self,
        node: Node,
        name: str = "",
        parent: str = "",
        pointer: str = "",
        xml: bool = False,
        repeats: float = 1.0,
    ) -> Schema:
        """Return the schema of *node*, which is called *name* inside *parent*.

        *repeats*: how often each different object that this is part of was counted.
        """
        if xml and node.arrays and (node.objects or node.strings or node.integers or node.numbers):
            node = _as_array(node)
        options: list[Schema] = []
        detection = decide(name, parent, node, self._rules) if node.scanned else None
        if detection is not None:
            self.detections.append(FieldDetection(pointer, detection))
        if node.objects:
            options.append(self._object(node, name, pointer, xml))
        if node.arrays:
            options.append(self._array(node, name, parent, pointer, xml, repeats))
        if node.strings:
            options.append(self._string(node, detection, repeats))
        if node.integers or node.numbers:
            options.append(self._number(node, repeats))
        if node.booleans:
            options.append({"type": "boolean"})
        if not options and self._closed and not self._old and node.nulls >= NULL_FROM * repeats:
            return {"type": "null"}
        schema = self._joined(options, bool(node.nulls))
        if detection is not None:
            schema["x-levo-sensitive"] = sensitive_note(detection)
        if node.alone:
            schema["x-levo-one-caller"] = True
        return schema

    def write_text(self, node: Node, name: str, parent: str = "", pointer: str = "") -> Schema:
        """Return the schema of a parameter, whose values travel as text: a string if any is nothing else."""
        kinds = bool(node.strings) + bool(node.booleans) + bool(node.integers or node.numbers)
        if kinds <= 1:
            return self.write(node, name, parent, pointer)
        plain = Node(
            strings=node.strings + node.booleans + node.integers + node.numbers,
            open=True,
            format=MIXED,
            scanned=node.scanned,
            finds=node.finds,
            longest=max(node.longest, 1),
            shortest=max(node.shortest, 0),
            arrays=node.arrays,
            items=node.items,
            fewest=node.fewest,
        )
        return self.write(plain, name, parent, pointer)

    def _joined(self, options: list[Schema], nullable: bool) -> Schema:
        if not options:
            return {}
        if len(options) > 1:
            if nullable:
                options = (
                    [*options, {"type": "null"}] if not self._old else [self._nullable(o) for o in options]
                )
            return {"anyOf": options}
        return self._nullable(options[0]) if nullable else options[0]

    def _nullable(self, schema: Schema) -> Schema:
        if self._old:
            schema = {**schema, "nullable": True}
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
            return schema
        if "type" not in schema:
            return {"anyOf": [schema, {"type": "null"}]}
        schema = {**schema, "type": [schema["type"], "null"]}
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
        return schema

    def _object(self, node: Node, name: str, pointer: str, xml: bool) -> Schema:
        evidence = node.evidence
        repeats = node.objects / evidence
        node = as_map(node)
        properties: dict[str, Schema] = {}
        required: list[str] = []
        alike = all(child.total >= node.objects for child in node.children.values())
        enough = REQUIRED_FROM if alike else SURE_FROM
        for key, child in sorted(node.children.items()):
            schema = self.write(child, key, name, f"{pointer}/{key}" if pointer else key, xml, repeats)
            shown = key
            if xml and key.startswith("@"):
                shown = key[1:]
                schema = {**schema, "xml": {"attribute": True}}
            properties[shown] = schema
            if child.total >= node.objects and evidence >= enough - _NEARLY:
                required.append(shown)
        found = None if xml else self._variants(node, properties, repeats)
        if found is not None:
            return found
        result: Schema = {"type": "object", OBJECTS: round(evidence)}
        if properties:
            result["properties"] = properties
        if required:
            result["required"] = required
        if node.other is not None:
            result["additionalProperties"] = self.write(
                node.other, name, "", f"{pointer}/*" if pointer else "*", xml, repeats
            )
        elif self._closed and self._is_closed(node, evidence):
            result["additionalProperties"] = False
        return result

    def _is_closed(self, node: Node, evidence: float) -> bool:
        """Whether the next object hardly has a property that none had (Good and Turing's estimate)."""
        if not node.children or node.unnamed or node.crowded:
            return False
        if evidence < CLOSED_FROM - _NEARLY:
            return evidence >= ALIKE_FROM - _NEARLY and all(
                child.total >= node.objects for child in node.children.values()
            )
        once = 2 * node.objects / evidence
        singles = sum(child.total < once for child in node.children.values())
        return singles * 200 <= evidence

    def _variants(self, node: Node, properties: dict[str, Schema], repeats: float) -> Schema | None:
        """Return a ``oneOf`` by discriminator, None when the objects are all alike or too few to tell."""
        variants = node.variants
        if node.many_variants or len(variants) < 2 or node.other is not None or node.unnamed:
            return None
        if sum(v.objects for v in variants.values()) != node.objects:
            return None
        if min(v.objects for v in variants.values()) < CLOSED_FROM * repeats:
            return None
        if len({frozenset(v.present) for v in variants.values()}) < 2:
            return None
        names = {key.partition("=")[0] for key in variants}
        if len(names) != 1:
            return None
        name = names.pop()
        options: list[Schema] = []
        for key, variant in sorted(variants.items()):
            label = key.partition("=")[2]
            mine = {each: properties[each] for each in sorted(variant.present) if each in properties}
            mine[name] = (
                {"type": "string", "enum": [label]} if self._old else {"type": "string", "const": label}
            )
            option: Schema = {"type": "object", "title": label, "properties": mine}
            required = sorted(each for each, count in variant.present.items() if count >= variant.objects)
            if required:
                option["required"] = required
            if self._closed:
                option["additionalProperties"] = False
            options.append(option)
        return {"oneOf": options, DISCRIMINATOR: name}

    def _array(self, node: Node, name: str, parent: str, pointer: str, xml: bool, repeats: float) -> Schema:
        items: Schema = {}
        if node.items is not None:
            items = self.write(node.items, name, parent, f"{pointer}/*" if pointer else "*", xml, repeats)
        return {"type": "array", "items": items}

    def _string(self, node: Node, detection: Detection | None, repeats: float) -> Schema:
        schema: Schema = {"type": "string"}
        labels = node.labels
        count = sum(labels.values()) / repeats
        if (
            not node.open
            and labels
            and detection is None
            and count >= ENUM_FROM
            and 1 < len(labels) <= MAX_ENUM  # one may be a habit of those who were seen
            and sum(n < 2 * repeats for n in labels.values()) * 200 <= count
        ):
            schema["enum"] = sorted(labels)
        elif node.format in _FORMATS:
            schema["format"] = node.format
        elif node.format in _PATTERNS and node.strings >= PATTERN_FROM * repeats:
            schema["pattern"] = _PATTERNS[node.format]
        return schema

    def _number(self, node: Node, repeats: float) -> Schema:
        schema: Schema = {"type": "number" if node.numbers else "integer"}
        if not node.numbers and node.bits > 31:
            schema["format"] = "int64"
        if not node.negative and not node.numbers and node.integers >= BOUND_FROM * repeats:
            schema["minimum"] = 0
        return schema


def sensitive_note(detection: Detection) -> dict[str, Any]:
    """Return a detection as documents show it."""
    note: dict[str, Any] = {
        "kind": detection.kind,
        "category": str(detection.category),
        "confidence": round(detection.confidence, 2),
    }
    if detection.contained:
        note["contained"] = True
    return note


def as_map(node: Node) -> Node:
    """Return *node*, with many rarely present properties that are alike made values of a map."""
    rare = {key: child for key, child in node.children.items() if child.total * 2 < node.objects}
    if len(rare) < _MAP_KEYS:
        return node
    shapes: dict[tuple[bool, ...], int] = {}
    for child in rare.values():
        shape = _shape(child)
        shapes[shape] = shapes.get(shape, 0) + 1
    if max(shapes.values()) * 10 < len(rare) * 9:
        return node
    other = node.other if node.other is not None else Node(open=True)
    for child in rare.values():
        other = merge(other, child)
    kept = {key: child for key, child in node.children.items() if key not in rare}
    made = Node(objects=node.objects, children=kept, other=other, many_variants=True)
    made.unnamed = node.unnamed
    return made


def _shape(node: Node) -> tuple[bool, ...]:
    number = bool(node.integers or node.numbers)
    return (bool(node.booleans), number, bool(node.strings), bool(node.objects), bool(node.arrays))


def _as_array(node: Node) -> Node:
    """Return *node* of an XML document, where one element is an array of one."""
    single = Node(
        strings=node.strings,
        integers=node.integers,
        numbers=node.numbers,
        objects=node.objects,
        children=node.children,
        open=True,
        format=node.format,
        bits=node.bits,
        negative=node.negative,
        scanned=node.scanned,
        finds=node.finds,
    )
    items = single if node.items is None else merge(node.items, single)
    return Node(arrays=node.total, items=items, nulls=node.nulls)
