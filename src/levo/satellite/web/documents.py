"""``/api/openapi``, ``/api/description``, ``/api/comparison``, ``/api/events``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.openapi import (
    Answer,
    Coverage,
    DocumentRefused,
    Operation,
    Statement,
    compare,
    keep_texts,
    render_document,
)
from levo.satellite.openapi.document import VERSIONS
from levo.satellite.receive.http_routes import read_bounded
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store import CatalogReader
from levo.satellite.store.descriptions import remove_description, store_description
from levo.satellite.store.learned import EventRow
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import Catalogs
from levo.satellite.web.exports import Table, download, table_response
from levo.satellite.web.json_body import etagged
from levo.satellite.web.problems import BadParameter
from levo.satellite.web.read_apart import ReaderBusy, read_apart

_PLACE = ("organization", "environment", "application")
MAX_DESCRIPTION_BYTES = 16 << 20


def document_routes(catalogs: Catalogs) -> list[Route]:
    """Return the routes about documents and what is in them."""

    def openapi(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, *_PLACE, "version", "plain", "host")
        version = query.get("version", "3.1")
        if version not in VERSIONS:
            raise BadParameter("version", f"must be one of {', '.join(VERSIONS)}")
        if query.get("plain", "1") != "1":
            raise BadParameter("plain", "must be 1 or left out")
        reader = catalogs.reader(request)
        place = _place(reader, query)
        operations = _of_host(reader.operations(place), query)
        document = render_document(
            place[2], operations, version=version, annotate=query.get("plain", "") != "1"
        )
        uploaded = reader.description(place)
        if uploaded is not None:
            keep_texts(document, orjson.loads(uploaded[1]))
        return etagged(request, document)

    async def upload(request: Request) -> Response:
        parameters.only(request.query_params, *_PLACE)
        octets = await read_bounded(request, MAX_DESCRIPTION_BYTES)
        text = await run_in_threadpool(read_uploaded, octets)
        reader = catalogs.reader(request)
        place = await run_in_threadpool(_place, reader, request.query_params)
        await run_in_threadpool(store_description, reader.path, place, time.time_ns(), text)
        catalogs.on_decided()
        return Response(status_code=204)

    def remove(request: Request) -> Response:
        parameters.only(request.query_params, *_PLACE)
        reader = catalogs.reader(request)
        if not remove_description(reader.path, _place(reader, request.query_params)):
            raise HTTPException(404, "no description was uploaded for this application")
        catalogs.on_decided()
        return Response(status_code=204)

    def comparison(request: Request) -> Response:
        parameters.only(request.query_params, *_PLACE, "format")
        form = parameters.choice(request.query_params, "format", parameters.FORMATS)
        reader = catalogs.reader(request)
        place = _place(reader, request.query_params)
        found = reader.description(place)
        if found is None:
            raise HTTPException(404, "no description was uploaded for this application")
        covered = compare(orjson.loads(found[1]), reader.operations(place))
        if "format" in request.query_params:
            return download(COMPARISON, _differences(covered), form)
        return etagged(
            request,
            {
                "uploaded": timestamp(found[0]),
                "shadow": _endpoints(covered.shadow),
                "unused": _endpoints(covered.unused),
                "deprecated_but_called": _endpoints(covered.deprecated_but_called),
                "ambiguous": _endpoints(covered.ambiguous),
                "drift": [_statement(each) for each in covered.drift],
                "answers": {answer.name.lower(): covered.count(answer) for answer in Answer},
                "unseen": [_statement(each) for each in covered.statements if each.answer is Answer.UNSEEN],
            },
        )

    def events(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "endpoint", *parameters.TABLE)
        endpoint = parameters.number(query, "endpoint", 0, 999_999_999) or None
        reader = catalogs.reader(request)
        return table_response(
            request,
            EVENTS,
            lambda limit, offset: reader.events(endpoint=endpoint, limit=limit, offset=offset),
            lambda: reader.each_event(endpoint=endpoint),
        )

    return [
        Route("/api/openapi", openapi),
        Route("/api/description", upload, methods=["PUT"]),
        Route("/api/description", remove, methods=["DELETE"]),
        Route("/api/comparison", comparison),
        Route("/api/events", events),
    ]


def read_uploaded(octets: bytes) -> str:
    """Return an uploaded OpenAPI 3 document, JSON or YAML, as JSON. It is read in a process of its own.

    Raises:
        HTTPException: it is something else, past a bound of uploads, or comes while another is read.
    """
    try:
        return read_apart(octets.decode()).decode()
    except (UnicodeDecodeError, DocumentRefused) as error:
        reason = error if isinstance(error, DocumentRefused) else "not UTF-8"
        raise HTTPException(400, f"the description cannot be used: {reason}") from None
    except ReaderBusy:
        raise HTTPException(
            503, "another description is being read; try again", {"retry-after": "5"}
        ) from None


def _of_host(operations: Sequence[Operation], query: QueryParams) -> Sequence[Operation]:
    """Return those of *operations* that one host serves, if *query* names one."""
    host = parameters.text(query, "host")
    if not host:
        return operations
    found = [each for each in operations if each.host == host]
    if not found:
        known = sorted({each.host for each in operations if each.host})
        one_of = f"host: must be one of {', '.join(known[:20])}" if known else "no host is known"
        raise HTTPException(404, one_of)
    return found


def _place(reader: CatalogReader, query: QueryParams) -> tuple[str, str, str]:
    """Return the one application that *query* names; what is unambiguous may be left out.

    Raises:
        HTTPException: there is none, or more than one.
    """
    for name in _PLACE:
        parameters.text(query, name)
    found = [
        (row.organization, row.environment, row.application)
        for row in reader.each_application()
        if all(query.get(name, getattr(row, name)) == getattr(row, name) for name in _PLACE)
    ]
    if not found:
        raise HTTPException(404, "no such application in the catalog")
    if len(found) > 1:
        raise HTTPException(400, f"{len(found)} applications fit; say {', '.join(_PLACE)}")
    return found[0]


def _endpoints(found: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"method": method, "path": path} for method, path in found]


def _differences(covered: Coverage) -> Iterator[dict[str, Any]]:
    """Yield everything in which traffic and description differ, as rows of one table."""
    for category, endpoints in (
        ("shadow", covered.shadow),
        ("unused", covered.unused),
        ("deprecated but called", covered.deprecated_but_called),
        ("ambiguous", covered.ambiguous),
    ):
        for method, path in endpoints:
            yield {
                **dict.fromkeys(COMPARISON.columns, ""),
                "category": category,
                "method": method,
                "path": path,
                "breaking": None,
                "observations": None,
            }
    for each in covered.drift:
        yield {"category": "drift", **_statement(each)}


def _statement(each: Statement) -> dict[str, Any]:
    return {
        "method": each.method,
        "path": each.path,
        "where": each.where,
        "kind": each.kind,
        "breaking": each.breaking,
        "detail": each.detail,
        "answer": "not described" if each.undescribed else each.answer,
        "observations": each.observations,
        "pointer": each.pointer,
    }


def _event(row: EventRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "time": timestamp(row.time_ns),
        "endpoint": row.endpoint,
        "kind": row.kind,
        "detail": row.detail,
    }


COMPARISON: Table[dict[str, Any]] = Table(
    "comparison",
    (
        *("category", "method", "path", "where", "kind", "breaking", "detail"),
        *("answer", "observations", "pointer"),
    ),
    dict,
)
EVENTS = Table("events", ("id", "time", "endpoint", "kind", "detail"), _event)
