"""What a generated capture case is, and short-hands to write one down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.packets import ETHERNET, CapturedFrame

Expected = dict[str, Any]
"""A part of one JSON Lines object: what it names must be equal, the rest may be anything."""


@dataclass(frozen=True, slots=True)
class Case:
    """A capture and what must be read from it. The expectation is written by hand, never recorded."""

    name: str
    purpose: str
    """What the case shows, in a sentence or two."""
    origin: str
    """The rule, or the known defect of another program, that it stands for."""
    frames: list[CapturedFrame]
    exchanges: list[Expected]
    statistics: dict[str, int] = field(default_factory=dict)
    """Counters of the engine that must have exactly these values."""
    link_type: int = ETHERNET


Maker = Callable[[], Case]


def exchange(
    target: str | None,
    body: str | None = "",
    *,
    method: str = "GET",
    status: int | None = 200,
    request: Expected | None = None,
    response: Expected | None = None,
    incomplete: str | None = None,
    **rest: Any,
) -> Expected:
    """An expected exchange; *target* or *status* None says that this half is absent.

    *body* is the response's, None to leave it open; *request* and *response* add members.
    """
    asked: Expected | None = None
    answered: Expected | None = None
    if target is not None:
        asked = {"method": method, "target": target, **(request or {})}
    if status is not None:
        answered = {"status": status, **({} if body is None else {"body": body}), **(response or {})}
    return {"request": asked, "response": answered, "incomplete": incomplete, **rest}


def get(target: str, *fields: str) -> bytes:
    """A GET request."""
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: case.example", *fields, "", ""]).encode()


def post(target: str, content: bytes, *fields: str) -> bytes:
    """A POST request with Content-Length."""
    length = f"Content-Length: {len(content)}"
    head = "\r\n".join([f"POST {target} HTTP/1.1", "Host: case.example", length, *fields, "", ""])
    return head.encode() + content


def ok(content: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """A response with Content-Length."""
    length = f"Content-Length: {len(content)}"
    return "\r\n".join([f"HTTP/1.1 {status}", length, *fields, "", ""]).encode() + content


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    """*pieces* as chunks, then the last chunk and *trailer* lines."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer + b"\r\n"
