"""Pairs of descriptions, with the verdict of oasdiff's published rules and ours where that is another.

The rules are those of ``checker/rules.go`` of oasdiff (commit 001f320). Each row has four verdicts: in a
request
from left to right and back, in a response from left to right and back: ``E`` (error), ``W`` (warning), ``-``
(information, or nothing to say). Where ours differs, the row says what and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BOTH = ("3.0.3", "3.1.0")
OLD = ("3.0.3",)
NEW = ("3.1.0",)
UNSET = "oasdiff has a rule for the smaller bound and none for its removal, which allows as much"
TEXT = {"type": "string"}
INTEGER = {"type": "integer"}


@dataclass(frozen=True)
class Row:
    """A change of the schema of one property."""

    name: str
    left: Any
    right: Any
    published: str
    ours: str = ""
    """Empty where it is as published."""
    why: str = ""
    versions: tuple[str, ...] = BOTH

    @property
    def verdicts(self) -> str:
        return self.ours or self.published


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def integer(**more: Any) -> dict[str, Any]:
    return {"type": "integer", **more}


def array(**more: Any) -> dict[str, Any]:
    return {"type": "array", "items": TEXT, **more}


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": [*required]} if required else {})}


def with_(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**schema, **more}


A, B = "#/components/schemas/A", "#/components/schemas/B"
COMPONENTS = {
    "A": thing("a", a=TEXT),
    "B": thing("b", b=INTEGER),
    "Code": text(enum=["x", "y"]),
    "Tree": thing(name=TEXT, children={"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}),
}
KEYED = "(the keyword excludes what was allowed before)"

SCHEMAS = [
    Row("maxLength", text(maxLength=100), text(maxLength=50), "E--E"),
    Row("maxLength set", TEXT, text(maxLength=50), "E--E"),
    Row("minLength", text(minLength=1), text(minLength=5), "E--E"),
    Row("minLength set", TEXT, text(minLength=5), "E--E"),
    Row("minLength of nothing", TEXT, text(minLength=0), "----"),
    Row("minimum", integer(minimum=1), integer(minimum=5), "E--E"),
    Row("minimum set", INTEGER, integer(minimum=5), "E---", "E--E", UNSET),
    Row("maximum", integer(maximum=100), integer(maximum=50), "E--E"),
    Row("maximum set", INTEGER, integer(maximum=50), "E---", "E--E", UNSET),
    Row("exclusiveMinimum", integer(exclusiveMinimum=1), integer(exclusiveMinimum=5), "E--E", versions=NEW),
    Row("exclusiveMaximum", integer(exclusiveMaximum=9), integer(exclusiveMaximum=5), "E--E", versions=NEW),
    Row("exclusive set", INTEGER, integer(exclusiveMaximum=5), "E---", "E--E", UNSET, NEW),
    Row("exclusive flag", integer(minimum=5), integer(minimum=5, exclusiveMinimum=True), "----", "E--E",
        "oasdiff compares exclusive bounds that are numbers; 5 itself was allowed", OLD),
    Row("exclusive said as inclusive", integer(minimum=5, exclusiveMinimum=True),
        integer(minimum=5, exclusiveMinimum=True, maximum=9), "E---", "E--E", UNSET, OLD),
    Row("pattern set", TEXT, text(pattern="^a"), "E--E"),
    Row("pattern changed", text(pattern="^a$"), text(pattern="^[ab]$"), "WWWW"),
    Row("pattern to any", text(pattern="^a"), text(pattern=".*"), "-WWW", "-EE-",
        ".* allows all text, so that the direction is known"),
    Row("enum value", text(enum=["a", "b"]), text(enum=["a"]), "E--W"),
    Row("enum values exchanged", text(enum=["a", "b"]), text(enum=["a", "c"]), "EEWW"),
    Row("enum in another order", text(enum=["a", "b"]), text(enum=["b", "a"]), "----"),
    Row("became an enum", TEXT, text(enum=["a", "b"]), "E-W-", "E--W",
        "oasdiff takes each value of a new enum for one that was added; all of them were allowed before"),
    Row("integer enum", integer(enum=[1, 2]), integer(enum=[1]), "E--W"),
    Row("const changed", text(const="a"), text(const="b"), "EEEE", versions=NEW),
    Row("const set", TEXT, text(const="a"), "E--E", versions=NEW),
    Row("type", TEXT, INTEGER, "EEEE"),
    Row("type to boolean", TEXT, {"type": "boolean"}, "EEEE"),
    Row("scalar to array", TEXT, array(), "EEEE"),
    Row("object to array", thing(a=TEXT), array(), "EEEE"),
    Row("integer to number", INTEGER, {"type": "number"}, "-EE-"),
    Row("nullable", TEXT, text(nullable=True), "-EE-", versions=OLD),
    Row("null type", TEXT, {"type": ["string", "null"]}, "-EE-", versions=NEW),
    Row("null by alternatives", TEXT, {"oneOf": [TEXT, {"type": "null"}]}, "EEEE", "-EE-",
        "a type that is wrapped in oneOf is removed for oasdiff; what is allowed besides is null", NEW),
    Row("null twice the same", {"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, TEXT]}, "EEEE",
        "----",
        "both allow the same", NEW),
    Row("types", TEXT, {"type": ["string", "integer"]}, "-EE-", versions=NEW),
    Row("format set", TEXT, text(format="date-time"), "E--E"),
    Row("format exchanged", text(format="uuid"), text(format="date"), "EEEE"),
    Row("date to date-time", text(format="date"), text(format="date-time"), "-EE-", "EEEE",
        "no date is a date-time (RFC 3339), so that neither contains the other"),
    Row("int32 to int64", integer(format="int32"), integer(format="int64"), "-EE-"),
    Row("float to double", {"type": "number", "format": "float"}, {"type": "number", "format": "double"},
        "-EE-"),
    Row("default", text(default="a"), text(default="b"), "----"),
    Row("default set", TEXT, text(default="b"), "----"),
    Row("deprecated", TEXT, text(deprecated=True), "----"),
    Row("readOnly", TEXT, text(readOnly=True), "----"),
    Row("writeOnly", TEXT, text(writeOnly=True), "----"),
    Row("description", text(description="a"), text(description="b"), "----"),
    Row("closed", thing(a=TEXT), with_(thing(a=TEXT), additionalProperties=False), "----", "E---",
        "no rule of oasdiff; other properties were accepted"),
    Row("values of a map", {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "additionalProperties": INTEGER}, "EEEE"),
    Row("items", array(), array(items=INTEGER), "EEEE"),
    Row("items inside", array(items=thing(a=TEXT)), array(items=thing(a=INTEGER)), "EEEE"),
    Row("minItems", array(minItems=1), array(minItems=2), "E--E"),
    Row("minItems set", array(), array(minItems=1), "E--E"),
    Row("maxItems", array(maxItems=10), array(maxItems=5), "E--E"),
    Row("maxItems set", array(), array(maxItems=5), "E---", "E--E", UNSET),
    Row("uniqueItems", array(), array(uniqueItems=True), "E--E"),
    Row("minProperties", thing(), with_(thing(), minProperties=1), "E--E"),
    Row("maxProperties", with_(thing(), maxProperties=5), with_(thing(), maxProperties=3), "E--E"),
    Row("maxProperties set", thing(), with_(thing(), maxProperties=3), "E---", "E--E", UNSET),
    Row("multipleOf set", INTEGER, integer(multipleOf=2), "E--E"),
    Row("multipleOf narrower", integer(multipleOf=2), integer(multipleOf=4), "E--E"),
    Row("multipleOf exchanged", integer(multipleOf=2), integer(multipleOf=3), "EEEE"),
    Row("property", thing(a=TEXT), thing(a=TEXT, b=TEXT), "-W--"),
    Row("required property", thing(a=TEXT), thing("b", a=TEXT, b=TEXT), "EW-E"),
    Row("required property with a default", thing(a=TEXT), thing("b", a=TEXT, b=text(default="x")), "EW-E"),
    Row("property became required", thing(a=TEXT), thing("a", a=TEXT), "E--E"),
    Row("with a default", thing(a=text(default="x")), thing("a", a=text(default="x")), "E--E"),
    Row("required readOnly property", thing(a=TEXT), thing("b", a=TEXT, b=text(readOnly=True)), "-W-E",
        "---E",
        "a property that requests must not have can go from them"),
    Row("required writeOnly property", thing(a=TEXT), thing("b", a=TEXT, b=text(writeOnly=True)), "EW--"),
    Row("readOnly became required", thing(a=text(readOnly=True)), thing("a", a=text(readOnly=True)), "E--E",
        "---E",
        "what requests must not have is not required of them"),
    Row("enum of a readOnly property", thing(a=text(readOnly=True, enum=["x", "y"])),
        thing(a=text(readOnly=True, enum=["x"])), "---W"),
    Row("enum of a writeOnly property", thing(a=text(writeOnly=True, enum=["x", "y"])),
        thing(a=text(writeOnly=True, enum=["x"])), "E---"),
    Row("property of a closed object", with_(thing(a=TEXT, b=TEXT), additionalProperties=False),
        with_(thing(a=TEXT), additionalProperties=False), "W---", "E---",
        "an object without it is closed, so that it is refused; a warning of oasdiff"),
    Row("another alternative", {"oneOf": [{"$ref": A}]}, {"oneOf": [{"$ref": A}, {"$ref": B}]}, "-EE-"),
    Row("another anyOf", {"anyOf": [{"$ref": A}]}, {"anyOf": [{"$ref": A}, {"$ref": B}]}, "-EE-"),
    Row("alternative of a scalar", {"oneOf": [TEXT]}, {"oneOf": [TEXT, INTEGER]}, "-EE-"),
    Row("wrapped in oneOf", {"$ref": A}, {"oneOf": [{"$ref": A}, {"$ref": B}]}, "EEEE", "-EE-",
        "oasdiff cannot tell what a wrapped object allows; more, since it is among the alternatives"),
    Row("oneOf to anyOf", {"oneOf": [{"$ref": A}, {"$ref": B}]}, {"anyOf": [{"$ref": A}, {"$ref": B}]},
        "EEEE",
        "----", "all alternatives stayed"),
    Row("required lost inside oneOf", {"oneOf": [thing("t", "a", t=text(enum=["x"]), a=TEXT), {"$ref": B}]},
        {"oneOf": [thing("t", t=text(enum=["x"]), a=TEXT), {"$ref": B}]}, "-EE-"),
    Row("enum inside oneOf with null", {"oneOf": [{"$ref": "#/components/schemas/Code"}, {"type": "null"}]},
        {"oneOf": [text(enum=["x"]), {"type": "null"}]}, "EE-W", "E--W",
        "oasdiff compares alternatives as wholes; one value went", NEW),
    Row("reference or written out", {"$ref": A}, thing("a", a=TEXT), "----"),
    Row("reference or allOf", {"$ref": A}, {"allOf": [{"$ref": A}]}, "E--E", "----",
        "both allow the same"),
    Row("allOf", {"allOf": [{"$ref": A}]}, {"allOf": [{"$ref": A}, {"$ref": B}]}, "E--E", "EW-E",
        "as any property that is no longer described"),
    Row("bound by allOf", {"allOf": [text(maxLength=9)]}, {"allOf": [text(maxLength=9), text(maxLength=5)]},
        "E--E"),
    Row("recursive", {"$ref": "#/components/schemas/Tree"}, {"$ref": "#/components/schemas/Tree"}, "----"),
    Row("not", TEXT, text(**{"not": {"enum": ["x"]}}), "----", "E--E", "no rule of oasdiff; x was allowed"),
    Row("if", thing(a=TEXT), with_(thing(a=TEXT), **{"if": {}, "then": {"required": ["a"]}}), "E--E",
        versions=NEW),
    Row("contains", array(), array(contains={"const": "x"}), "E--E", versions=NEW),
    Row("minContains", array(contains=TEXT, minContains=1), array(contains=TEXT, minContains=2), "E--E",
        versions=NEW),
    Row("dependentRequired", thing(a=TEXT), with_(thing(a=TEXT), dependentRequired={"a": ["b"]}), "E--E",
        versions=NEW),
    Row("dependentRequired changed", with_(thing(a=TEXT), dependentRequired={"a": ["c"]}),
        with_(thing(a=TEXT), dependentRequired={"a": ["b"]}), "EEEE", versions=NEW),
    Row("dependentSchemas", thing(a=TEXT), with_(thing(a=TEXT), dependentSchemas={"a": thing("b", b=TEXT)}),
        "E--E",
        versions=NEW),
    Row("patternProperties", thing(a=TEXT), with_(thing(a=TEXT), patternProperties={"^x": TEXT}), "E--E",
        versions=NEW),
    Row("propertyNames", thing(a=TEXT), with_(thing(a=TEXT), propertyNames={"maxLength": 3}), "E--E",
        versions=NEW),
    Row("unevaluatedProperties", thing(a=TEXT), with_(thing(a=TEXT), unevaluatedProperties=False), "E--E",
        "E---",
        "as additionalProperties: clients pass over properties that they do not know", NEW),
    Row("unevaluatedItems", array(), array(unevaluatedItems=False), "E--E", versions=NEW),
    Row("contentMediaType", text(contentMediaType="text/csv"), text(contentMediaType="text/html"), "EEEE",
        versions=NEW),
    Row("contentEncoding", text(contentEncoding="base64"), text(contentEncoding="base32"), "EEEE",
        versions=NEW),
    Row("contentSchema", text(contentMediaType="application/json"),
        text(contentMediaType="application/json", contentSchema=TEXT), "E--E", versions=NEW),
    Row("prefixItems", {"type": "array"}, {"type": "array", "prefixItems": [INTEGER]}, "-EE-", "E--E",
        "any item was allowed there", NEW),
    Row("any to typed", {}, TEXT, "E--E"),
    Row("any to object", {}, thing("a", a=TEXT), "E--E"),
]  # fmt: skip
