"""Writes ``levo/wire/schema.py`` ``schema.pxd`` and ``schema.h`` from the published definitions of OTLP.

Run it as ``.venv/bin/python tools/wire_schema.py`` after a change of ``opentelemetry-proto``; a test compares
both files with what it would write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

FOLDER = Path(__file__).resolve().parents[1] / "src" / "levo" / "wire"
TRACES, METRICS = trace_service_pb2.DESCRIPTOR, metrics_service_pb2.DESCRIPTOR
TRACE_REQUEST = TRACES.message_types_by_name["ExportTraceServiceRequest"]
METRICS_REQUEST = METRICS.message_types_by_name["ExportMetricsServiceRequest"]
LOOSE_ENUMS = [trace_pb2.DESCRIPTOR.enum_types_by_name["SpanFlags"]]
"""Enums that no field has as its type."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}
_UNUSED = frozenset(("Exemplar", "Histogram", "ExponentialHistogram", "Summary"))
"""Neither half reads or writes these."""


def reachable(
    root: Descriptor, found: dict[str, Descriptor], unused: frozenset[str] = _UNUSED
) -> dict[str, Descriptor]:
    """*root* and the messages in its fields, each once, by name; without those that are *unused*."""
    if root.name in found:
        assert found[root.name] is root, f"two messages are called {root.name}"
        return found
    found[root.name] = root
    for field in root.fields:
        if field.message_type is not None and field.message_type.name not in unused:
            reachable(field.message_type, found, unused)
    return found


def upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def tag(field: FieldDescriptor) -> int:
    wire_type = _LENGTH if field.is_packed else _WIRE_TYPES.get(field.type, _VARINT)
    return field.number << 3 | wire_type


def constants(messages: dict[str, Descriptor], loose: list[EnumDescriptor]) -> Iterator[tuple[str, int]]:
    """Name and value of every tag, then of every enum."""
    enums = {each.full_name: each for each in loose}
    for message in messages.values():
        for field in sorted(message.fields, key=lambda each: each.number):
            yield f"{upper(message.name)}_{upper(field.name)}", tag(field)
            if field.enum_type is not None:
                enums[field.enum_type.full_name] = field.enum_type
    for enum in enums.values():
        yield from ((value.name, value.number) for value in enum.values)


def python_text() -> str:
    messages: dict[str, Descriptor] = {}
    for file in (TRACES, METRICS):
        for root in file.message_types_by_name.values():
            reachable(root, messages)
    lines = [
        '"""Tags and enums of OTLP, by name. Made by tools/wire_schema.py from opentelemetry-proto.',
        "",
        "A tag is the number of a field with its wire type, as it stands in front of the field.",
        '"""',
        "",
        *(f"{name} = 0x{value:02X}" for name, value in constants(messages, LOOSE_ENUMS)),
    ]
    return "\n".join(lines) + "\n"


def grammar(messages: dict[str, Descriptor]) -> list[str]:
    """Rows of the table: what each field of a message is, by its number."""
    kinds = {name: index for index, name in enumerate(messages, 1)}
    rows = []
    for name, message in messages.items():
        cells = []
        for field in sorted(message.fields, key=lambda each: each.number):
            if field.message_type is not None:
                cells.append(f"[{field.number}] = {kinds[field.message_type.name]}")
            elif field.type == FieldDescriptor.TYPE_STRING:
                cells.append(f"[{field.number}] = -1")
        rows.append(f"    [{kinds[name]}] = {{{', '.join(cells)}}},  /* {name} */")
    return rows


def compiled() -> tuple[dict[str, Descriptor], list[tuple[str, int]], int]:
    """The messages that compiled code reads, its constants, and one more than the highest field number."""
    # Of metrics all messages: whoever sends them chooses which.
    messages = reachable(METRICS_REQUEST, reachable(TRACE_REQUEST, {}), frozenset())
    kinds = [(f"KIND_{upper(name)}", index) for index, name in enumerate(messages, 1)]
    names = [*constants(messages, LOOSE_ENUMS), *kinds]
    assert len(dict(names)) == len(names), "two names are the same"
    return messages, names, 1 + max(field.number for message in messages.values() for field in message.fields)


def c_text() -> str:
    messages, names, fields = compiled()
    lines = [
        "/* Tags and enums of OTLP traces, by name. Made by tools/wire_schema.py from opentelemetry-proto.",
        " * A tag is the number of a field with its wire type, as it stands in front of the field.",
        " */",
        "#ifndef LEVO_WIRE_SCHEMA_H",
        "#define LEVO_WIRE_SCHEMA_H",
        "enum {",
        *(f"    LEVO_{name} = 0x{value:02X}," for name, value in names),
        "};",
        f"static const signed char levo_grammar[{len(messages) + 1}][{fields}] __attribute__((unused)) = {{",
        *grammar(messages),
        "};",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def cython_text() -> str:
    messages, names, fields = compiled()
    aliases = [f'        {name} "LEVO_{name}"' for name, _ in names]
    lines = [
        "# Tags and enums of OTLP traces, by name. Made by tools/wire_schema.py from opentelemetry-proto.",
        "",
        'cdef extern from "levo/wire/schema.h":',
        "    enum:",
        *(f"{line}  # no-cython-lint" if len(line) > 120 else line for line in aliases),
        "",
        "    # What the fields of a kind of message are, by their number: TEXT, another kind, or ANYTHING.",
        f'    const signed char GRAMMAR "levo_grammar"[{len(messages) + 1}][{fields}]',
        "",
        "cdef enum:",
        "    ANYTHING = 0",
        "    TEXT = -1",
        f"    FIELD_NUMBERS = {fields}",
    ]
    return "\n".join(lines) + "\n"


FILES = {FOLDER / "schema.py": python_text, FOLDER / "schema.pxd": cython_text, FOLDER / "schema.h": c_text}


if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
