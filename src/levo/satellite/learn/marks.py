"""What single answers show that is worth a look: names of a fixed list, so that no traffic can make more.

What an answer repeats from its request is not the server's word: anybody could have it say so.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_plus

from levo.satellite.learn.auth import is_credential_cookie
from levo.satellite.learn.trace import Trace

ANY_ORIGIN, NULL_ORIGIN = "cors-any", "cors-null"
"""Every origin, or that of no page, may read the answer with credentials."""
NO_HTTP_ONLY, NO_SAME_SITE, NO_SECURE = "cookie-http-only", "cookie-same-site", "cookie-secure"
"""The cookie of a session is set without this attribute; Secure is asked for over https only."""
VERSION = "version"
"""A header tells the version of a program."""
STACK, DATABASE = "stack", "database"
"""A refusal or an error holds a stack trace, or the words of a database."""
LISTING = "listing"
"""A page lists a directory."""
MARKS = (
    ANY_ORIGIN, NULL_ORIGIN, NO_HTTP_ONLY, NO_SAME_SITE, NO_SECURE, VERSION, STACK, DATABASE, LISTING,
)  # fmt: skip
_LOOKED_INTO = 16_384
_START = 1_024
_SHORTEST_VERSION = re.compile(r"\d+\.\d+")
_TELLS = frozenset({"server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator"})
_WATCHED = _TELLS | {"set-cookie", "access-control-allow-credentials"}
_LONGEST_VERSION = 200
_GONE = re.compile(r";\s*(?:max-age\s*=\s*-?0*\s*(?:;|$)|expires\s*=[^;]*\b(?:19\d\d|200\d)\b)")
_STACK = re.compile(
    rb"Traceback \(most recent call last\)|\bat [\w$.<>]+\([\w$]+\.(?:java|kt|scala):\d+\)"
    rb"|\bat [\w$.<> ]+ \((?:/|file:|node:)[^\n)]{1,200}:\d+:\d+\)|\.cs:line \d+|\.rb:\d+:in [`']"
    rb"|goroutine \d+ \[running\]|#0 /[^\n(]{1,200}\.php\(\d+\)"
)
_DATABASE = re.compile(
    rb"ORA-\d{5}: |SQLSTATE\[\w{5}\]|You have an error in your SQL syntax"
    rb"|org\.postgresql\.util\.PSQLException"
    rb"|psycopg2?\.errors?\.|sqlite3\.OperationalError|System\.Data\.SqlClient\.SqlException|PG::\w+Error"
    rb"|Unclosed quotation mark after the character string|com\.mysql\.(?:cj\.)?jdbc|pymysql\.err\."
)
_LISTING = re.compile(rb"<title>\s*(?:Index of|Directory listing for|Listing of directory) /", re.IGNORECASE)


def marks_of(trace: Trace) -> tuple[str, ...]:
    """Return which of :data:`MARKS` the answer to *trace* has, most often none."""
    found: tuple[str, ...] = ()
    for name, value in trace.response_headers:
        if name not in _WATCHED:
            continue
        if name == "set-cookie":
            found += _cookie(value, trace.scheme == "https")
        elif name == "access-control-allow-credentials":
            found += _origin(trace, value)
        elif _tells_version(value[:_LONGEST_VERSION]):
            found += (VERSION,)
    if trace.response_body and (trace.status >= 400 or trace.response_body[:1] == b"<"):
        found += _of_body(trace)
    return tuple(dict.fromkeys(found)) if len(found) > 1 else found


def _origin(trace: Trace, allowed: str) -> tuple[str, ...]:
    if allowed.strip().lower() != "true":
        return ()
    for name, value in trace.response_headers:
        if name == "access-control-allow-origin":
            return {"*": (ANY_ORIGIN,), "null": (NULL_ORIGIN,)}.get(value.strip().lower(), ())
    return ()


def _cookie(line: str, is_secure: bool) -> tuple[str, ...]:
    pair, _, attributes = line.partition(";")
    name, _, value = pair.partition("=")
    name, attributes = name.strip(), f";{attributes}".lower()
    if not value.strip(' "') or not is_credential_cookie(name) or _GONE.search(attributes):
        return ()
    present = {each.partition("=")[0].strip() for each in attributes.split(";")}
    found = []
    if "httponly" not in present and not re.search("csrf|xsrf", name, re.IGNORECASE):
        found.append(NO_HTTP_ONLY)  # that against forged requests is read by the page
    if "samesite" not in present:
        found.append(NO_SAME_SITE)
    if is_secure and "secure" not in present:
        found.append(NO_SECURE)
    return tuple(found)


@lru_cache(maxsize=1 << 10)
def _tells_version(value: str) -> bool:
    return _SHORTEST_VERSION.search(value) is not None


def _of_body(trace: Trace) -> tuple[str, ...]:
    if trace.status >= 400:
        names, patterns, size = (STACK, DATABASE), (_STACK, _DATABASE), _LOOKED_INTO
    elif 200 <= trace.status < 300:
        names, patterns, size = (LISTING,), (_LISTING,), _START
    else:
        return ()
    matches = (pattern.search(trace.response_body, 0, size) for pattern in patterns)
    return tuple(
        name
        for name, match in zip(names, matches, strict=True)
        if match is not None and not _was_sent(trace, match[0])
    )


def _was_sent(trace: Trace, octets: bytes) -> bool:
    """Whether the request holds *octets*, so that the answer may only repeat them."""
    text = octets.decode("latin-1")
    sent = (trace.path, trace.query, *(value for _, value in trace.request_headers))
    return octets in trace.request_body or any(text in each or text in unquote_plus(each) for each in sent)
