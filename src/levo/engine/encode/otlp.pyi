from collections.abc import Mapping, Sequence

AttributeValue = str | bool | int | float | bytes | Sequence[str | bool | int | float | bytes]

def encode_resource(attributes: Mapping[str, AttributeValue | None]) -> bytes: ...
