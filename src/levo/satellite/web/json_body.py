"""JSON answers."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


class JsonResponse(Response):
    """Renders with orjson: fast, and non-finite numbers become null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def etagged(request: Request, document: Any) -> Response:
    """Return *document* with an ETag, or 304 to whoever has it already (RFC 9110 section 13.1.2)."""
    response = JsonResponse(document, headers={"cache-control": "no-cache"})
    etag = '"' + hashlib.blake2b(response.body, digest_size=12).hexdigest() + '"'
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers={"etag": etag, "cache-control": "no-cache"})
    response.headers["etag"] = etag
    return response


def count(value: float) -> int | float:
    """A weighted count: whole numbers as such."""
    return int(value) if value == int(value) else round(value, 3)
