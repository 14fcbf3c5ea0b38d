"""Query parameters: checked, bounded, the same for REST and pages."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from levo.satellite.query import ENDPOINTS as ENDPOINT_FIELDS
from levo.satellite.query import Expression, Fields, FilterError, parse
from levo.satellite.query.expression import Word
from levo.satellite.store import EndpointFilter
from levo.satellite.store.reader import AUTHENTICATIONS, REVIEWS, SORTS, STATUS_CLASSES
from levo.satellite.web.problems import BadParameter

MAX_LIMIT = 1000
MAX_OFFSET = 1_000_000
MAX_CHARACTERS = 300
FILTERS = ("organization", "environment", "application", "host", "method", "status", "auth")
CATALOG = (*FILTERS, "filter", "q", "sort", "new", "unseen", "review")
"""What says which endpoints, and in which order."""
NEW = {"1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
"""Seconds by the value of ``new``."""
ARCHIVED = "archived"
UNSEEN = {"7d": 7 * 86_400, "30d": 30 * 86_400, "90d": 90 * 86_400, "400d": 400 * 86_400, ARCHIVED: 0}
"""Seconds by the value of ``unseen``; how long until something is archived is a setting."""
PAGING = ("limit", "offset")
FORMATS = ("json", "csv")
"""Values of ``format``, which asks for a whole table as a file."""
TABLE = ("format", *PAGING)


def only(query: QueryParams, *known: str) -> None:
    """Raise :class:`BadParameter` for a parameter that is not among *known*, or is given twice."""
    for name, _ in query.multi_items():
        if name not in known:
            raise BadParameter(name[:40], f"no such parameter; there are {', '.join(known) or 'none'}")
        if len(query.getlist(name)) > 1:
            raise BadParameter(name, "given more than once")


def number(query: QueryParams, name: str, default: int, greatest: int, least: int = 0) -> int:
    """Return a whole number within bounds."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= greatest):
        raise BadParameter(name, f"must be a whole number from {least} to {greatest}")
    return int(text)


def page(query: QueryParams, default_limit: int = 100) -> tuple[int, int]:
    """Return ``limit`` and ``offset``."""
    return number(query, "limit", default_limit, MAX_LIMIT, 1), number(query, "offset", 0, MAX_OFFSET)


def endpoint_filter(
    query: QueryParams, now_ns: int = 0, archive_ns: int = 0, *, hide_archived: bool = False
) -> EndpointFilter:
    """Return which endpoints are asked for; ``q`` searches, ``new`` takes those first seen lately.

    ``unseen`` takes those that were not seen for long. Without it, those that were not for *archive_ns* are
    left out if *hide_archived*.
    """
    texts = {name: query.get(name, "") for name in (*FILTERS, "q")}
    for name in texts:
        text(query, name)
    search = texts.pop("q").strip()
    if texts["status"] and texts["status"] not in STATUS_CLASSES:
        raise BadParameter("status", f"must be one of {', '.join(STATUS_CLASSES)}")
    if texts["auth"] and texts["auth"] not in AUTHENTICATIONS:
        raise BadParameter("auth", f"must be one of {', '.join(AUTHENTICATIONS)}")
    new, review, unseen = query.get("new", ""), query.get("review", ""), query.get("unseen", "")
    if unseen and unseen not in UNSEEN:
        raise BadParameter("unseen", f"must be one of {', '.join(UNSEEN)}")
    if new and new not in NEW:
        raise BadParameter("new", f"must be one of {', '.join(NEW)}")
    if review and review not in REVIEWS:
        raise BadParameter("review", f"must be one of {', '.join(REVIEWS)}")
    since_ns = max(1, now_ns - NEW[new] * 1_000_000_000) if new else 0
    unseen_ns = archive_ns if unseen == ARCHIVED else UNSEEN.get(unseen, 0) * 1_000_000_000
    seen_ns = archive_ns if hide_archived and not unseen else 0
    return EndpointFilter(
        **texts,
        search=search,
        new_since_ns=since_ns,
        review=review,
        unseen_ns=unseen_ns,
        seen_ns=seen_ns,
        expression=expression(query, ENDPOINT_FIELDS),
    )


def expression(query: QueryParams, fields: Fields) -> Expression:
    """Return the ``filter`` over *fields*; without one, it passes everything."""
    try:
        return parse(query.get("filter", ""), fields)
    except FilterError as error:
        raise BadParameter("filter", str(error)) from None


def sort_order(query: QueryParams) -> str:
    """Return the name of an order."""
    name = query.get("sort", "path")
    if name not in SORTS:
        raise BadParameter("sort", f"must be one of {', '.join(SORTS)}")
    return name


def text(query: QueryParams, name: str) -> str:
    """Return a bounded text, empty if it is not given."""
    value = query.get(name, "")
    if len(value) > MAX_CHARACTERS:
        raise BadParameter(name, f"is longer than {MAX_CHARACTERS} characters")
    if "\0" in value:
        raise BadParameter(name, "holds a NUL character")
    return value


def choice(query: QueryParams, name: str, choices: tuple[str, ...]) -> str:
    """Return one of *choices*; the first if none is given."""
    value = query.get(name, choices[0])
    if value not in choices:
        raise BadParameter(name, f"must be one of {', '.join(choices)}")
    return value


def filter_box(query: QueryParams, fields: Fields) -> tuple[str, str]:
    """Return what the box of a page holds, and what is wrong with it; an earlier ``q`` is a free word."""
    typed = query.get("filter", "")
    search = text(query, "q").strip()
    box = " ".join(filter(None, (str(Word(search)) if search else "", typed)))
    try:
        parse(typed, fields)
    except FilterError as error:
        return box, str(error)
    return box, ""
