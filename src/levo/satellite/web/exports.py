"""Tables of REST: a page as JSON, or all rows as a download in CSV (RFC 4180) or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from levo.satellite.web import parameters
from levo.satellite.web.json_body import etagged

_Row = TypeVar("_Row")
_PIECE = 64 << 10
"""Octets of a download that are made before they are sent."""
_FORMULA = tuple("=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                 "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""What a spreadsheet may take as the start of a formula."""


@dataclass(frozen=True, slots=True)
class Table(Generic[_Row]):
    """One table: what it is called and how a row looks in it."""

    name: str
    """Name of the list in JSON, and of the file."""
    columns: tuple[str, ...]
    """The keys of every document, in order; the header of a table without rows as well."""
    document: Callable[[_Row], dict[str, Any]]


def table_response(
    request: Request,
    table: Table[_Row],
    page: Callable[[int, int], tuple[int, Iterable[_Row]]],
    everything: Callable[[], Iterable[_Row]],
) -> Response:
    """Answer a request for *table*.

    Without ``format``: the rows that *page* returns for (limit, offset), with their total, the offset of the
    next page and a link to it (RFC 8288). With ``format``: *everything* as a download, unless ``limit`` or
    ``offset`` ask for less.
    """
    query = request.query_params
    limit, offset = parameters.page(query)
    if "format" not in query:
        total, rows = page(limit, offset)
        following = offset + limit if offset + limit < total else None
        documents = [table.document(row) for row in rows]
        answer = etagged(
            request,
            {table.name: documents, "total": total, "limit": limit, "offset": offset, "next": following},
        )
        if following is not None:
            address = f"{request.url.path}?{urlencode({**query, 'offset': following})}"
            answer.headers["link"] = f'<{address}>; rel="next"'
        return answer
    form = parameters.choice(query, "format", parameters.FORMATS)
    end = offset + limit if "limit" in query else None
    return download(table, islice(everything(), offset, end), form)


def download(table: Table[_Row], rows: Iterable[_Row], form: str) -> Response:
    """Return all of *rows* as a file; only a small piece of it is in memory at a time.

    A failure after the first piece ends the connection before the file is complete, which clients report.
    """
    documents = (table.document(row) for row in rows)
    pieces = _csv(table.columns, documents) if form == "csv" else _json(table.name, documents)
    first = next(pieces)  # what fails at once is answered with a problem
    headers = {
        "content-disposition": f'attachment; filename="{table.name}.{form}"',
        "cache-control": "no-store",
    }
    media_type = "text/csv" if form == "csv" else "application/json"
    return StreamingResponse(chain((first,), pieces), headers=headers, media_type=media_type)


def _csv(columns: tuple[str, ...], documents: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield CSV with a header. What is nested becomes JSON; a text never starts as a formula does."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for document in documents:
        writer.writerow([_cell(document[column]) for column in columns])
        if out.tell() >= _PIECE:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _json(name: str, documents: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield one object: the list, and last how many rows it has."""
    piece = bytearray(b"{" + orjson.dumps(name) + b":[")
    total = 0
    for document in documents:
        piece += b",\n" if total else b"\n"
        piece += orjson.dumps(document)
        total += 1
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + b'\n],"total":%d}\n' % total
