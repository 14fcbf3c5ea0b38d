"""Lines of ``--output jsonl`` (specification section 4), read."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]
Exchange = dict[str, Any]
"""One line: ``request``, ``response``, ``incomplete`` and the rest."""


def body(message: Message) -> bytes:
    """The octets of a message's body as the line holds them."""
    if message.get("body_encoding") == "base64":
        return base64.b64decode(message["body"])
    return (message.get("body") or "").encode()


def header(message: Message, name: str) -> str | None:
    """The first value of field *name*."""
    return next((value for key, value in message["headers"] if key.lower() == name.lower()), None)


def summary(exchange: Exchange) -> tuple[str | None, str | None, int | None]:
    """(method, target, status): enough to recognize an exchange in a failure message."""
    request, response = exchange["request"], exchange["response"]
    return (
        request and request["method"],
        request and request["target"],
        response and response["status"],
    )


def summaries(exchanges: Iterable[Exchange]) -> list[tuple[str | None, str | None, int | None]]:
    return [summary(x) for x in exchanges]
