"""Reads an OpenAPI or Swagger document that somebody wrote, as JSON or YAML, within bounds."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import orjson
import yaml

from levo.satellite.openapi.swagger import TooLarge, from_swagger, is_swagger

MAX_DEPTH = 100
MAX_NODES = 1_000_000
"""Values in a document, those that YAML aliases repeat counted each time."""
MAX_UPLOADED_YAML_NODES = 300_000
"""Of YAML that is uploaded: each value takes some 30 µs and 600 octets."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONG_NUMBER = re.compile(r"[-+0-9_:.xa-fA-F]{400,}")
"""Plain text that YAML 1.1 might read as a number, at a cost that grows with the square of its length."""


class DocumentRefused(Exception):
    """The document cannot be used. The text says why, in one line without content of the document."""


def read_document(text: str, *, aliases: bool) -> dict[str, Any]:
    """Return the OpenAPI 3 document in *text*, JSON or YAML. Swagger 2.0 becomes OpenAPI 3.0.

    *aliases*: YAML may refer to what it has written before; the number of values is bounded all the same.

    Raises:
        DocumentRefused: it is neither JSON nor YAML, neither OpenAPI 3 nor Swagger 2.0, or past a bound.
    """
    try:
        document = _read(text, aliases=aliases)
    except (ValueError, OverflowError, yaml.YAMLError, RecursionError):
        raise DocumentRefused("neither JSON nor YAML") from None
    if is_swagger(document):
        try:
            return from_swagger(document, MAX_NODES)
        except TooLarge:
            raise DocumentRefused(f"more than {MAX_NODES} values when written out as OpenAPI 3.0") from None
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise DocumentRefused("neither an OpenAPI 3 nor a Swagger 2.0 document")
    return document


def _read_json(text: str) -> Any:
    if text.count("[") + text.count("{") + text.count(",") > MAX_NODES:
        raise DocumentRefused(f"more than {MAX_NODES} values")
    document = orjson.loads(text)
    _check_depth(document)
    return document


def _read(text: str, *, aliases: bool) -> Any:
    if text.lstrip().startswith("{"):
        with suppress(orjson.JSONDecodeError):  # the flow style of YAML begins like JSON
            return _read_json(text)
    _check_events(text, aliases=aliases)
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if aliases:
            _count_nodes(node, {}, set())
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _check_depth(document: Any) -> None:
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
    if level:
        raise DocumentRefused(f"nested more than {MAX_DEPTH} deep")


def _check_events(text: str, *, aliases: bool) -> None:
    """Refuse YAML by what it consists of, before anything is built."""
    depth = nodes = 0
    most = MAX_NODES if aliases else MAX_UPLOADED_YAML_NODES
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) and not aliases:
            raise DocumentRefused(
                f"line {line}: YAML aliases (*name) are not accepted; write the value out, or use $ref"
            )
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _LONG_NUMBER.fullmatch(event.value):
            raise DocumentRefused(f"line {line}: a number of {len(event.value)} digits")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise DocumentRefused(f"nested more than {MAX_DEPTH} deep")
        if nodes > most:
            raise DocumentRefused(
                f"more than {most} values" + ("" if aliases else " in YAML; JSON may have more")
            )


def _count_nodes(node: Any, known: dict[int, int], above: set[int]) -> int:
    """Return how many values *node* stands for with its aliases written out; *known* has those of others."""
    if isinstance(node, yaml.MappingNode):
        children = [each for pair in node.value for each in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    else:
        return 1
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise DocumentRefused("a YAML alias names what it is part of")
    above.add(id(node))
    count = 1 + sum(_count_nodes(each, known, above) for each in children)
    above.discard(id(node))
    if count > MAX_NODES or len(above) > MAX_DEPTH:
        raise DocumentRefused(f"more than {MAX_NODES} values when its aliases are written out")
    known[id(node)] = count
    return count
