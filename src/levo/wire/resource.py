"""The ``Resource`` message (opentelemetry-proto ``resource/v1``): who sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from levo.wire import schema
from levo.wire.protobuf import double, field, number_field

AttributeValue = str | bool | int | float | bytes | Sequence[str | bool | int | float | bytes]


def encode_resource(attributes: Mapping[str, AttributeValue | None]) -> bytes:
    """Encode *attributes* in their order; made once and given to every batch.

    Values: str, bool, int (64 bit), float, bytes, or a list of those; None leaves the attribute out.

    Raises:
        TypeError: a value of another type.
    """
    return b"".join(
        field(schema.RESOURCE_ATTRIBUTES, encode_attribute(key, value))
        for key, value in attributes.items()
        if value is not None
    )


def encode_attribute(key: str, value: AttributeValue) -> bytes:
    """A ``KeyValue``."""
    return field(schema.KEY_VALUE_KEY, _text(key)) + field(schema.KEY_VALUE_VALUE, _any_value(value))


def _any_value(value: AttributeValue) -> bytes:
    if isinstance(value, str):
        return field(schema.ANY_VALUE_STRING_VALUE, _text(value))
    if isinstance(value, bool):
        return number_field(schema.ANY_VALUE_BOOL_VALUE, value)
    if isinstance(value, int):
        return number_field(schema.ANY_VALUE_INT_VALUE, value)
    if isinstance(value, float):
        return double(schema.ANY_VALUE_DOUBLE_VALUE, value)
    if isinstance(value, list | tuple):
        values = b"".join(field(schema.ARRAY_VALUE_VALUES, _any_value(one)) for one in value)
        return field(schema.ANY_VALUE_ARRAY_VALUE, values)
    if isinstance(value, bytes):
        return field(schema.ANY_VALUE_BYTES_VALUE, value)
    raise TypeError(
        f"resource attribute of type {type(value).__name__}: use str, bool, int, float, bytes or a list"
    )


def _text(text: str) -> bytes:
    return text.encode("utf-8", "replace")
