"""OTLP/HTTP: ``/v1/traces`` and ``/v1/metrics``, protobuf and JSON, gzip."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from itertools import accumulate

from google.protobuf import json_format
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.queue import RecordKind
from levo.satellite.receive.ingest import Ingester, Refusal, RefusalReason, Room
from levo.satellite.receive.status import export_response
from levo.wire.answers import status_message

ORGANIZATION_HEADER = "x-levo-organization-id"
BODY_TIMEOUT_S = 30.0
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_WORTH_A_THREAD_BYTES = 64 << 10
MAX_GZIP_MEMBERS = 256
"""Exporters send one; each costs a start of the decompressor, however little it holds."""
_WINDOW_BYTES, _PART_BYTES = 64 << 10, 256 << 10
_UNSUSPECTED_BYTES, _UNSUSPECTED_RATIO = 8 << 20, 64

_HTTP_STATUS = {
    RefusalReason.BAD_REQUEST: 400,
    RefusalReason.BAD_ENCODING: 415,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.BUSY: 429,
    RefusalReason.UNAVAILABLE: 503,
    RefusalReason.TOO_SLOW: 408,
    RefusalReason.UNAUTHENTICATED: 401,
    RefusalReason.FORBIDDEN: 403,
}
_RPC_CODE = {
    RefusalReason.BAD_REQUEST: 3,
    RefusalReason.BAD_ENCODING: 3,
    RefusalReason.TOO_LARGE: 3,
    RefusalReason.BUSY: 8,
    RefusalReason.UNAVAILABLE: 14,
    RefusalReason.TOO_SLOW: 4,
    RefusalReason.UNAUTHENTICATED: 16,
    RefusalReason.FORBIDDEN: 7,
}


def otlp_routes(ingester: Ingester) -> list[Route]:
    """Return the routes that receive into *ingester*."""

    def route(path: str, kind: RecordKind) -> Route:
        async def receive(request: Request) -> Response:
            return await _receive(request, kind, ingester)

        return Route(path, receive, methods=["POST"], name=f"otlp-{kind.name.lower()}")

    return [route("/v1/traces", RecordKind.TRACES), route("/v1/metrics", RecordKind.METRICS)]


async def _receive(request: Request, kind: RecordKind, ingester: Ingester) -> Response:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    answer_type = _JSON if media_type == _JSON else _PROTOBUF
    try:
        with ingester.request() as room:
            if media_type not in (_PROTOBUF, _JSON):
                raise Refusal(RefusalReason.BAD_ENCODING, f"Content-Type must be {_PROTOBUF} or {_JSON}")
            organization = ingester.admit(
                request.headers.get("authorization", ""), request.headers.get(ORGANIZATION_HEADER, "")
            )
            inflate = _content_coding(request)
            octets = await _read_body(request, ingester.max_request_bytes, room)
            if inflate:
                octets = await _inflate(octets, ingester.max_request_bytes)
                room.take(len(octets))
            checked = await ingester.accept(kind, octets, organization, json=answer_type == _JSON)
    except Refusal as refusal:
        return _refusal_response(refusal, answer_type)
    except ClientDisconnect:
        return Response(status_code=400)
    response = export_response(kind, checked)
    if answer_type == _JSON:
        return Response(json_format.MessageToJson(response, indent=None), media_type=_JSON)
    return Response(response.SerializeToString(), media_type=_PROTOBUF)


def _content_coding(request: Request) -> bool:
    """Return whether the body is compressed.

    Raises:
        Refusal: in a way that OTLP does not have.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("gzip", "identity", ""):
        raise Refusal(RefusalReason.BAD_ENCODING, "Content-Encoding must be gzip or absent")
    return coding == "gzip"


async def read_bounded(request: Request, limit: int) -> bytes:
    """Return the body of a request that is not for the ingester.

    Raises:
        HTTPException: it is larger than *limit* octets, or did not arrive in time.
    """
    try:
        return await _read_body(request, limit, Room(lambda _size: None))
    except Refusal as refusal:
        raise HTTPException(_HTTP_STATUS[refusal.reason], str(refusal)) from None


async def _read_body(request: Request, limit: int, room: Room) -> bytes:
    too_large = Refusal(RefusalReason.TOO_LARGE, f"the body is larger than {limit} octets")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                room.take(len(part))
                parts.append(part)
    except TimeoutError:
        raise Refusal(
            RefusalReason.TOO_SLOW, f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s"
        ) from None
    return b"".join(parts)


async def _inflate(octets: bytes, limit: int) -> bytes:
    if len(octets) > _WORTH_A_THREAD_BYTES:
        return await asyncio.to_thread(bounded_gunzip, octets, limit)
    return bounded_gunzip(octets, limit)


def bounded_gunzip(octets: bytes, limit: int) -> bytes:
    """Undo gzip (RFC 1952, up to ``MAX_GZIP_MEMBERS`` members), holding no more than *limit* octets.

    Raises:
        Refusal: it is damaged or cut short, or holds more.
    """
    too_large = Refusal(RefusalReason.TOO_LARGE, f"the body holds more than {limit} octets when decompressed")
    parts: list[bytes] = []
    size = 0
    counted = False
    for part, used in _inflated(octets):
        size += len(part)
        if size > limit:
            raise too_large
        if not counted and size > max(_UNSUSPECTED_BYTES, used * _UNSUSPECTED_RATIO):
            counted = True  # what grows like this is looked at before it is kept
            if any(total > limit for total in accumulate(len(each) for each, _ in _inflated(octets))):
                raise too_large
        parts.append(part)
    return b"".join(parts)


def _inflated(octets: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield what gzip holds in small parts, each with how much of *octets* was used so far."""
    at = members = 0
    while at < len(octets):
        members += 1
        if members > MAX_GZIP_MEMBERS:
            raise Refusal(
                RefusalReason.BAD_ENCODING, f"the gzip body has more than {MAX_GZIP_MEMBERS} members"
            )
        member = zlib.decompressobj(wbits=31)
        part = b""
        while not member.eof:
            window = octets[at : at + _WINDOW_BYTES]
            if not window and not part:
                raise Refusal(RefusalReason.BAD_ENCODING, "the gzip body is cut short")
            try:
                part = member.decompress(window, _PART_BYTES)
            except zlib.error:
                raise Refusal(RefusalReason.BAD_ENCODING, "the body is not valid gzip") from None
            at += len(window) - len(member.unused_data if member.eof else member.unconsumed_tail)
            if part:
                yield part, at


def _refusal_response(refusal: Refusal, media_type: str) -> Response:
    code = _RPC_CODE[refusal.reason]
    headers = {}
    if refusal.retry_after_s is not None:
        headers["retry-after"] = str(refusal.retry_after_s)
    if refusal.reason is RefusalReason.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    if media_type == _JSON:
        text = str(refusal).replace("\\", "").replace('"', "'")
        body = f'{{"code":{code},"message":"{text}"}}'.encode()
    else:
        body = status_message(code, str(refusal), refusal.retry_after_s)
    return Response(body, _HTTP_STATUS[refusal.reason], headers, media_type)
