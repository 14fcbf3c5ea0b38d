"""Forms: bounded, with a token that only pages of this site know, for those who have the role."""

from __future__ import annotations

from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from levo.satellite.access import Identity, identity_of
from levo.satellite.access.middleware import has_form_token, local_target
from levo.satellite.receive.http_routes import read_bounded

MAX_FORM_BYTES = 64 << 10

_large_forms = CapacityLimiter(1)

Form = dict[str, str]
Handler = Callable[[Request, Identity, Form], Response]


def form_route(path: str, handler: Handler, *, role: str, max_bytes: int = MAX_FORM_BYTES) -> Route:
    """Return a route for POST: *handler* runs in a thread, with a form whose token was checked."""

    async def receive(request: Request) -> Response:
        identity = identity_of(request)
        if not identity.may(role):
            raise HTTPException(403, f"this needs the role {role}")
        form = await read_form(request, max_bytes)
        check_token(request, identity, form)
        return await run_in_threadpool(handler, request, identity, form)

    return Route(path, receive, methods=["POST"])


async def read_form(request: Request, max_bytes: int = MAX_FORM_BYTES) -> Form:
    """Return the fields of a form (URL-encoded or a JSON object of strings); of repeated ones the last.

    Raises:
        HTTPException: it is something else, too large or too slow.
    """
    try:
        octets = await read_bounded(request, max_bytes)
    except ClientDisconnect:
        raise HTTPException(400, "the request was cut short") from None
    content_type = request.headers.get("content-type", "")
    if len(octets) <= MAX_FORM_BYTES:
        return _fields(content_type, octets)
    # Megabytes take a second and several copies: outside the event loop, and one form after the other.
    return await to_thread.run_sync(_fields, content_type, octets, limiter=_large_forms)


def _fields(content_type: str, octets: bytes) -> Form:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded" or not octets:
        try:
            fields = parse_qsl(octets.decode(), keep_blank_values=True, max_num_fields=50)
        except ValueError:
            raise HTTPException(400, "the form cannot be read") from None
        return {name: value.replace("\0", "") for name, value in fields}
    if kind == "application/json":
        try:
            value = orjson.loads(octets)
        except orjson.JSONDecodeError:
            raise HTTPException(400, "the body is not JSON") from None
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise HTTPException(400, "the body must be a JSON object of strings")
        return {str(name): each.replace("\0", "") for name, each in value.items()}
    if kind == "multipart/form-data":
        return _multipart(content_type, octets)
    raise HTTPException(415, "send application/x-www-form-urlencoded or application/json")


def _multipart(content_type: str, octets: bytes) -> Form:
    """Return the parts of a form with a file, all of them as text (RFC 7578)."""
    message = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + octets
    )
    if not message.is_multipart():
        raise HTTPException(400, "the form cannot be read")
    found: Form = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes) and len(found) < 50:
            try:
                found[name] = payload.decode().replace("\0", "")
            except UnicodeDecodeError:
                raise HTTPException(400, f"{name[:40]}: is not UTF-8") from None
    return found


def check_token(request: Request, identity: Identity, form: Form) -> None:
    """Refuse a form that no page of this site gave out.

    Raises:
        HTTPException: the token is missing or another's.
    """
    if not has_form_token(request.headers, identity, form.pop("form_token", "")):
        raise HTTPException(403, "the form is not from this session; load the page again")


def wants_json(request: Request) -> bool:
    """Whether a script asks, rather than a page."""
    return request.headers.get("content-type", "").startswith("application/json") or (
        "application/json" in request.headers.get("accept", "")
    )


def back(form: Form, default: str, said: str) -> Response:
    """Return to the page that the form is on."""
    target = local_target(form.get("next", "") or default)
    return RedirectResponse(f"{target}{'&' if '?' in target else '?'}said={said}", 303)


def field(form: Form, name: str, longest: int, *, required: bool = True) -> str:
    """Return a field.

    Raises:
        HTTPException: it is missing or too long.
    """
    value = form.get(name, "").strip()
    if required and not value:
        raise HTTPException(400, f"{name}: is missing")
    if len(value) > longest:
        raise HTTPException(400, f"{name}: is longer than {longest} characters")
    return value


def html_or_json(request: Request, page: Response, document: Any) -> Response:
    """Return *document* as JSON to scripts, *page* to people."""
    from levo.satellite.web.json_body import JsonResponse

    return JsonResponse(document) if wants_json(request) else page
