"""What is known of messages as msgspec stores it: the oracle of ``learn/schema/packing.pyx``."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from levo.satellite.learn.schema import Body, Knowledge, Node, Response, Variant


class VariantStruct(msgspec.Struct, array_like=True, omit_defaults=True):
    objects: int = 0
    present: dict[str, int] = msgspec.field(default_factory=dict)


class NodeStruct(msgspec.Struct, array_like=True, omit_defaults=True):
    nulls: int = 0
    booleans: int = 0
    integers: int = 0
    numbers: int = 0
    strings: int = 0
    objects: int = 0
    arrays: int = 0
    negative: bool = False
    bits: int = 0
    shortest: int = -1
    longest: int = 0
    format: str = ""
    open: bool = False
    labels: dict[str, int] = msgspec.field(default_factory=dict)
    children: dict[str, NodeStruct] = msgspec.field(default_factory=dict)
    other: NodeStruct | None = None
    keyed: int = 0
    folded: bool = False
    items: NodeStruct | None = None
    fewest: int = -1
    most: int = 0
    finds: dict[str, int] = msgspec.field(default_factory=dict)
    variants: dict[str, VariantStruct] = msgspec.field(default_factory=dict)
    many_variants: bool = False
    scanned: int = 0
    private: bool = False
    distinct: bytes = b""
    crowded: bool = False


class BodyStruct(msgspec.Struct, array_like=True, omit_defaults=True):
    seen: int = 0
    learned: int = 0
    schema: NodeStruct = msgspec.field(default_factory=NodeStruct)


class ResponseStruct(msgspec.Struct, array_like=True, omit_defaults=True):
    seen: int = 0
    headers: NodeStruct = msgspec.field(default_factory=NodeStruct)
    bodies: dict[str, BodyStruct] = msgspec.field(default_factory=dict)


class KnowledgeStruct(msgspec.Struct, array_like=True, omit_defaults=True):
    accepted: int = 0
    query: NodeStruct = msgspec.field(default_factory=NodeStruct)
    headers: NodeStruct = msgspec.field(default_factory=NodeStruct)
    cookies: NodeStruct = msgspec.field(default_factory=NodeStruct)
    segments: dict[str, NodeStruct] = msgspec.field(default_factory=dict)
    bodies: dict[str, BodyStruct] = msgspec.field(default_factory=dict)
    responses: dict[str, ResponseStruct] = msgspec.field(default_factory=dict)
    auth: dict[str, int] = msgspec.field(default_factory=dict)
    refused: int = 0
    skipped: int = 0
    heads_cut: int = 0


_KINDS: dict[type, type] = {
    VariantStruct: Variant,
    NodeStruct: Node,
    BodyStruct: Body,
    ResponseStruct: Response,
    KnowledgeStruct: Knowledge,
}
T = TypeVar("T")

pack = msgspec.msgpack.Encoder(order="deterministic").encode


def unpack(octets: bytes, kind: type[T]) -> T:
    """Return what *octets* say, one of the structs above."""
    return msgspec.msgpack.decode(octets, type=kind)


def as_struct(value: object, kind: type[T]) -> T:
    """Return *value* as one of the structs above, field by field."""
    fields = {}
    for field in msgspec.structs.fields(kind):  # type: ignore[arg-type]
        held = getattr(value, field.name)
        inner = next((each for each in _KINDS if each.__name__ in str(field.type)), None)
        if inner is not None and isinstance(held, dict):
            held = {name: as_struct(each, inner) for name, each in held.items()}
        elif inner is not None and held is not None:
            held = as_struct(held, inner)
        fields[field.name] = held
    return kind(**fields)
