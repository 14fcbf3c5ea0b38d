from collections.abc import Mapping, Sequence

_AttributeValue = str | bool | int | float | bytes | Sequence[str | bool | int | float | bytes]

def encode_resource(attributes: Mapping[str, _AttributeValue | None]) -> bytes: ...
