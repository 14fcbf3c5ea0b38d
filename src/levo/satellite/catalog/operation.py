"""What one endpoint accepts and returns, out of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str
    """``path``, ``query``, ``header`` or ``cookie``."""
    required: bool
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of a message."""

    media: str
    schema: dict[str, Any]
    example: str
    """JSON, made up; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What one endpoint accepts and returns, for the page."""

    parameters: tuple[Parameter, ...] = ()
    messages: tuple[tuple[str, tuple[Content, ...]], ...] = ()
    """(title, contents) of the request body and of each answer."""
    unproven: int = 0
    """Names in its messages that are not shown, because they may be values (docs/learning.md)."""


def shown_operation(written: Mapping[str, Any]) -> Operation:
    """Return an operation of an OpenAPI document, which may be anybody's, for the page."""
    parameters = tuple(
        Parameter(
            str(each.get("name", "")),
            str(each.get("in", "")),
            bool(each.get("required")),
            _schema(each.get("schema")),
        )
        for each in written.get("parameters") or ()
        if isinstance(each, Mapping)
    )
    messages = []
    body = written.get("requestBody")
    if isinstance(body, Mapping) and body.get("content"):
        messages.append(("Request body", _contents(body)))
    for status, response in (written.get("responses") or {}).items():
        if isinstance(response, Mapping) and (status != "default" or response.get("content")):
            text = str(response.get("description", ""))
            messages.append((f"Answer {status} {text}".strip(), _contents(response)))
    return Operation(parameters, tuple(messages))


def _contents(holder: Mapping[str, Any]) -> tuple[Content, ...]:
    content = holder.get("content")
    if not isinstance(content, Mapping):
        return ()
    return tuple(
        Content(str(media), _schema(each.get("schema")), _example(each.get("example")))
        for media, each in content.items()
        if isinstance(each, Mapping)
    )


def _schema(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _example(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()[:20_000]
