"""Bodies of every media type, made into values that a schema can be learned from."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from xml.parsers import expat

import orjson

from levo.satellite.learn.schema.messages import Body
from levo.satellite.learn.schema.names import Message
from levo.satellite.learn.schema.node import Check
from levo.satellite.learn.schema.observe import Observer
from levo.satellite.learn.schema.text import BINARY, Text, is_name

MAX_BODY_BYTES = 1 << 20
"""Larger bodies are counted only."""
MAX_ITEMS = 200
"""Rows, lines or form fields of one body that are looked at."""
MAX_FIELDS = 1000
"""Fields of a form and columns of a table; one with more is not read."""
MAX_CELLS = 20_000
"""Cells of a table, and elements and attributes of an XML document, that are looked at."""
MAX_ESCAPES = 100_000
"""Escaped octets of a form; one with more is not read, as each costs ten times what a plain one does."""
_LONGEST_PART_HEAD = 8192
"""Octets of the head of a part; a part with more is left out."""
_LONGEST_TYPE = 121
_TOKEN = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+*-]{1,60}")
_BOUNDARY = re.compile(r'boundary="?([^";]{1,70})', re.IGNORECASE)
_CHARSET = re.compile(r'charset="?([A-Za-z0-9_.:-]{1,30})', re.IGNORECASE)
_CHARSETS = ("utf-16", "utf-32", "iso-8859-", "windows-125", "gb", "big5", "shift_jis", "euc-", "koi8-")
"""How names of charsets begin (RFC 9110 section 8.3.2); other codecs of Python are not asked."""
_DISPOSITION = re.compile(rb"content-disposition[ \t]*:[ \t]*form-data[ \t]*(;.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(
    r""";\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,30})\s*=\s*"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.){0,500})"|(?P<plain>[^\s;"]{0,500}))\s*""",
    re.DOTALL,
)
"""A parameter of Content-Disposition (RFC 6266 section 4.1)."""
_LONGEST_PART_NAME = 80
_UNFOLDED = re.compile(rb"\r\n[ \t]+")
_JSON_PART = re.compile(rb"content-type[ \t]*:[ \t]*application/json", re.IGNORECASE)


class Unreadable(Exception):
    """A body is not what its media type says."""


def media_type(content_type: str) -> str:
    """Return the media type without parameters, lower case; empty if there is none or it is none."""
    found = content_type.partition(";")[0].strip().lower()
    return _media_type(found) if len(found) <= _LONGEST_TYPE else ""


@lru_cache(maxsize=1024)
def _media_type(found: str) -> str:
    return found if _TOKEN.fullmatch(found) and is_name(found.partition("/")[2].replace("+", "-")) else ""


@lru_cache(maxsize=1024)
def media_kind(media: str) -> str:
    """Return how bodies of *media* are read: ``json``, ``form``, ``xml``, ``lines``, ``text`` …"""
    if media in ("application/json", "text/json") or media.endswith("+json"):
        return "json"
    if media == "application/x-www-form-urlencoded":
        return "form"
    if media.startswith("multipart/"):
        return "multipart"
    if media in ("application/xml", "text/xml") or media.endswith("+xml"):
        return "binary" if media.startswith("image/") else "xml"
    if media in ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq"):
        return "lines"
    if media == "text/csv":
        return "csv"
    return "text" if media.startswith("text/") else "binary"


def sniffed(octets: bytes) -> str:
    """Return the media type of a body that came without one."""
    start = octets[:1]
    if start in (b"{", b"["):
        return "application/json"
    return "text/plain" if octets[:256].isascii() else "application/octet-stream"


def observe_body(  # noqa: PLR0913 (runs for each body: no object more)
    body: Body,
    media: str,
    content_type: str,
    octets: bytes,
    checks: Sequence[Check],
    key: bytes = b"",
    path: str = "",
    request: str = "",
    message: Message | None = None,
) -> bool:
    """Add one complete body to *body*; return whether it could be read.

    With *key* (``evidence.hash_key``) different objects are counted: *path* is what was asked for, *request*
    what else the request said. Names are sighted in *message*; those of a table once for all its rows.
    """
    body.seen += 1
    if len(octets) > MAX_BODY_BYTES:
        return False
    try:
        value = read_body(media, content_type, octets)
    except Unreadable:
        return False
    told = message.about(octets) if message is not None and media_kind(media) == "csv" else message
    Observer(checks, key=key, path=path, request=request, message=told).observe(body.schema, value)
    if message is not None and told is not None and told.unsettled:
        message.unsettled = True
    body.learned += 1
    return True


def read_body(media: str, content_type: str, octets: bytes) -> Any:
    """Return *octets* as a value: what JSON says, dicts of texts for forms and XML, lists for lines.

    Text that is not UTF-8 is read in the charset that *content_type* or a byte order mark names.

    Raises:
        Unreadable: the octets are no such body.
    """
    if octets[:3] == codecs.BOM_UTF8:
        octets = octets[3:]
    try:
        return _read_body(media, content_type, octets)
    except Unreadable:
        again = _in_utf_8(content_type, octets)
        if again is None:
            raise
    return _read_body(media, content_type, again)


def _in_utf_8(content_type: str, octets: bytes) -> bytes | None:
    """Return text of another charset in UTF-8, None if no charset is known or the octets are not of it."""
    named = _CHARSET.search(content_type)
    charset = named[1].lower() if named else ""
    if octets[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        charset = "utf-32" if octets[:4] == codecs.BOM_UTF32_LE else "utf-16"
    if not charset.startswith(_CHARSETS):
        return None
    try:
        return octets.decode(charset).removeprefix("\ufeff").encode()
    except (LookupError, ValueError):
        return None


def _read_body(media: str, content_type: str, octets: bytes) -> Any:
    kind = media_kind(media)
    try:
        if kind == "json":
            return orjson.loads(octets)
        if kind == "form":
            if octets[:1] == b"{" and octets.rstrip()[-1:] == b"}":
                with suppress(orjson.JSONDecodeError):  # curl's default type, whatever the data is
                    return orjson.loads(octets)
            return _pairs(read_pairs(octets.decode(), MAX_FIELDS))
        if kind == "multipart":
            return _multipart(content_type, octets)
        if kind == "xml":
            return _xml(octets)
        if kind == "lines":
            lines = octets.replace(b"\x1e", b"\n").splitlines()
            return [orjson.loads(line) for line in lines[:MAX_ITEMS] if line.strip()]
        if kind == "csv":
            return _csv(octets.decode())
        if kind == "text":
            return octets.decode()
    except (ValueError, RecursionError, csv.Error, expat.ExpatError) as error:
        raise Unreadable from error
    return BINARY


def read_pairs(text: str, most: int) -> list[tuple[str, str]]:
    """Return the fields of a form or query, decoded. What has no ``=`` is a value and left out.

    Raises:
        ValueError: there are more than *most*, or more than :data:`MAX_ESCAPES`.
    """
    if text.count("&") >= most:
        raise ValueError("too many fields")
    if text.count("%") > MAX_ESCAPES:
        raise ValueError("too many escapes")
    return parse_qsl("&".join([pair for pair in text.split("&") if "=" in pair]), keep_blank_values=True)


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Names that come more than once, or end in ``[]``, become arrays."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        item = Text(value) if isinstance(value, str) else value
        if name in found:
            known = found[name]
            if isinstance(known, list):
                known.append(item)
            else:
                found[name] = [known, item]
        else:
            found[name] = [item] if name.endswith("[]") else item
    return found


def _multipart(content_type: str, octets: bytes) -> dict[str, Any]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise Unreadable
    mark = b"--" + boundary[1].encode()
    pairs: list[tuple[str, Any]] = []
    for part in (b"\r\n" + octets).split(b"\r\n" + mark)[1 : MAX_ITEMS + 1]:
        head, found, content = part.partition(b"\r\n\r\n")
        if not found or len(head) > _LONGEST_PART_HEAD:
            continue
        fields = _UNFOLDED.sub(b" ", head).split(b"\r\n")
        parameters = _disposition(fields)
        name = parameters.get("name")
        if name is None or len(name) > _LONGEST_PART_NAME:
            continue
        if "filename" in parameters or "filename*" in parameters:
            pairs.append((name, BINARY))
        elif any(_JSON_PART.match(field) for field in fields):
            pairs.append((name, orjson.loads(content)))
        else:
            pairs.append((name, content.decode()))
    if not pairs:
        raise Unreadable
    return _pairs(pairs)


def _disposition(fields: Sequence[bytes]) -> dict[str, str]:
    """Return the parameters of the part's Content-Disposition; none if it is not as RFC 7578 has it."""
    for field in fields:
        found = _DISPOSITION.fullmatch(field)
        if found is None:
            continue
        text, at = found[1].decode("utf-8", "replace"), 0
        parameters: dict[str, str] = {}
        end = len(text.rstrip())
        while at < end:
            parameter = _PARAMETER.match(text, at)
            if parameter is None:
                return {}
            quoted = parameter["quoted"]
            value = parameter["plain"] if quoted is None else quoted.replace('\\"', '"')
            parameters.setdefault(parameter["name"].lower(), value)
            at = parameter.end()
        return parameters
    return {}


def _csv(text: str) -> list[dict[str, Any]]:
    """Return the rows below the first, by the names in that.

    Where some cell of the first row is no name for certain, it is a row like the others, and columns have
    numbers.
    """
    rows: list[list[str]] = []
    left = MAX_CELLS
    for row in csv.reader(text.splitlines()[: MAX_ITEMS + 1]):
        left -= len(row)
        if len(row) > MAX_FIELDS:
            raise Unreadable
        if left < 0:
            break
        rows.append(row)
    names = rows[0] if rows else []
    if not all(is_name(name) for name in names):
        return [{str(column): Text(cell) for column, cell in enumerate(row)} for row in rows]
    return [{name: Text(cell) for name, cell in zip(names, row, strict=False)} for row in rows[1:] if row]


def _xml(octets: bytes) -> dict[str, Any]:
    """Return ``{root: element}``; an element is a text, or a dict of ``@attributes``, children and ``#text``.

    Entities are refused (they are how small documents become large ones).
    """
    parser = expat.ParserCreate()
    root: dict[str, Any] = {}
    stack: list[tuple[dict[str, Any], list[str]]] = [(root, [])]
    left = MAX_CELLS

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal left
        left -= 1 + len(attributes)
        if left < 0 or len(stack) > 60:
            raise Unreadable
        stack.append(({f"@{key}": Text(value) for key, value in attributes.items()}, []))

    def end(name: str) -> None:
        element, texts = stack.pop()
        text = "".join(texts).strip()
        if text and element:
            element["#text"] = Text(text)
        value: Any = element if element else Text(text)
        parent = stack[-1][0]
        name = name.rpartition(":")[2]
        if name not in parent:
            parent[name] = value
        elif isinstance(parent[name], list):
            parent[name].append(value)
        else:
            parent[name] = [parent[name], value]

    def refuse(*_: Any) -> None:
        raise Unreadable

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: stack[-1][1].append(text)
    parser.EntityDeclHandler = refuse
    parser.Parse(octets, True)
    return root
