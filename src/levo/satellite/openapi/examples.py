"""Made-up examples: from the schema alone, the same every time, never from traffic."""

from __future__ import annotations

from typing import Any

_FORMATS = {
    "date": "2024-05-17",
    "date-time": "2024-05-17T09:30:00Z",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "email": "user@example.com",
    "uri": "https://example.com/resource",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "binary": "",
}
_PATTERNS = {
    r"^[0-9]+$": "1234567890",
    r"^[0-9]+\.[0-9]+$": "12.34",
    r"^(?:[0-9a-f]+|[0-9A-F]+)$": "0123456789abcdef",
}
_KINDS = {
    "person-name": "Alex Example",
    "phone": "+1 202-555-0100",
    "payment-card": "4111 1111 1111 1111",
    "iban": "GB33 BUKB 2020 1555 5555 55",
    "postal-address": "1 Example Street",
    "city": "Exampleville",
    "password": "********",
    "secret": "********",
    "jwt": "eyJhbGciOiJub25lIn0.e30.",
}
_DEEPEST = 8


def example_of(schema: Any, depth: int = 0) -> Any:
    """Return a value that *schema*, as ``SchemaWriter`` writes it, accepts."""
    if not isinstance(schema, dict):
        return None
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return example_of(schema[key][0], depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return _object(schema, depth)
    if kind == "array":
        return (
            [example_of(schema.get("items"), depth + 1)] if depth < _DEEPEST and schema.get("items") else []
        )
    if kind == "string":
        return _string(schema)
    return {"integer": 1, "number": 1.5, "boolean": True}.get(str(kind))


def holds_schema(example: Any) -> bool:
    """Whether *example* has a JSON Schema inside, which tools would read as one of the document's own."""
    if isinstance(example, list):
        return any(map(holds_schema, example))
    if not isinstance(example, dict):
        return False
    return (
        "$ref" in example
        or any(isinstance(example.get(key), dict) for key in ("properties", "definitions"))
        or any(map(holds_schema, example.values()))
    )


def _object(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth >= _DEEPEST:
        return {}
    found = {key: example_of(child, depth + 1) for key, child in schema.get("properties", {}).items()}
    other = schema.get("additionalProperties")
    if isinstance(other, dict) and not found:
        found["key"] = example_of(other, depth + 1)
    return found


def _string(schema: dict[str, Any]) -> str:
    if "format" in schema:
        return _FORMATS.get(schema["format"], "text")
    if "pattern" in schema:
        return _PATTERNS.get(schema["pattern"], "text")
    note = schema.get("x-levo-sensitive")
    return _KINDS.get(note["kind"], "text") if note else "text"
