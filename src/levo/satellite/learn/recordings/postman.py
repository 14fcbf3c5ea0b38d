"""Postman collections (v2.0 and v2.1): saved responses with the requests they answered.

A request without a saved response is an entry without response: it is counted, and teaches little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from levo.satellite.learn.recordings.entry import Entry, Headers

_VARIABLE = re.compile(r"\{\{([^{}]*)\}\}")
_DEEPEST = 50
_FORM = "application/x-www-form-urlencoded"


def is_postman(document: Any) -> bool:
    """Whether *document* is a collection."""
    return isinstance(document, Mapping) and isinstance(document.get("item"), list) and "info" in document


def postman_entries(document: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield an entry for each saved response, and for each request that has none."""
    values = _values(document.get("variable"))
    yield from _entries(document["item"], document.get("auth"), values, 0)


def _entries(items: Any, auth: Any, values: Mapping[str, str], depth: int) -> Iterator[Entry]:
    for item in items if isinstance(items, list) and depth < _DEEPEST else ():
        if not isinstance(item, Mapping):
            yield {}
            continue
        mine, known = item.get("auth", auth), {**values, **_values(item.get("variable"))}
        if isinstance(item.get("item"), list):
            yield from _entries(item["item"], mine, known, depth + 1)
            continue
        saved = [each for each in _listed(item.get("response")) if isinstance(each, Mapping)]
        for response in saved:
            asked = response.get("originalRequest") or item.get("request")
            yield {"request": _request(asked, mine, known), "response": _response(response)}
        if not saved:
            yield {"request": _request(item.get("request"), mine, known)}


def _request(given: Any, auth: Any, values: Mapping[str, str]) -> Entry:
    if isinstance(given, str):
        given = {"method": "GET", "url": given}
    if not isinstance(given, Mapping):
        return {}
    credentials, query = _credentials(given.get("auth") or auth, values)
    headers = [*_pairs(given.get("header"), values), *credentials]
    found: Entry = {
        "method": given.get("method", "GET"),
        "url": _url(given.get("url"), values, query),
        "headers": [{"name": name, "value": value} for name, value in headers],
    }
    body = given.get("body")
    if isinstance(body, Mapping) and not body.get("disabled"):
        data = _body(body, values)
        if data is not None:
            found["postData"] = data
    return found


def _response(given: Mapping[str, Any]) -> Entry:
    headers = _pairs(given.get("header"), {})
    media = next((value for name, value in headers if name.lower() == "content-type"), "")
    body = given.get("body")
    return {
        "status": given.get("code"),
        "headers": [{"name": name, "value": value} for name, value in headers],
        "content": {"mimeType": media, "text": body if isinstance(body, str) else ""},
    }


def _url(given: Any, values: Mapping[str, str], more: list[tuple[str, str]]) -> str:
    """Return an absolute URL; variables without a value stay, ``{{name}}``, also those written ``:name``."""
    parts = given if isinstance(given, Mapping) else {"raw": given}
    own = _values(parts.get("variable"))
    raw = parts.get("raw")
    if not isinstance(raw, str):
        host, path = _joined(parts.get("host"), "."), _joined(parts.get("path"), "/")
        raw = f"{parts.get('protocol', 'https')}://{host}/{path}"
        query = urlencode(_pairs(parts.get("query"), values))
        raw += f"?{query}" if query else ""
    raw = _filled(raw, values)
    if raw and "://" not in raw and not raw.startswith("{{"):
        raw = f"http://{raw}"
    address, question, query = raw.partition("?")
    address = "/".join(
        own.get(part[1:], f"{{{{{part[1:]}}}}}") if part[:1] == ":" and part != ":" else part
        for part in address.split("/")
    )
    query = "&".join(part for part in (query, urlencode(more)) if part)
    return address + ("?" if question or query else "") + query


def _body(given: Mapping[str, Any], values: Mapping[str, str]) -> Entry | None:
    mode = given.get("mode")
    if mode == "raw" and isinstance(given.get("raw"), str):
        options = given.get("options")
        raw = options.get("raw") if isinstance(options, Mapping) else None
        language = raw.get("language") if isinstance(raw, Mapping) else ""
        media = {"json": "application/json", "xml": "application/xml"}.get(str(language), "")
        return {"mimeType": media, "text": _filled(given["raw"], values)}
    if mode in ("urlencoded", "formdata"):
        media = _FORM if mode == "urlencoded" else "multipart/form-data"
        pairs = _pairs(given.get(mode), values)
        return {"mimeType": media, "params": [{"name": name, "value": value} for name, value in pairs]}
    if mode == "graphql" and isinstance(given.get("graphql"), Mapping):
        asked = {"query": given["graphql"].get("query")}
        with suppress(TypeError, ValueError):
            asked["variables"] = json.loads(given["graphql"].get("variables") or "{}")
        return {"mimeType": "application/json", "text": json.dumps(asked)}
    return None


def _credentials(auth: Any, values: Mapping[str, str]) -> tuple[Headers, list[tuple[str, str]]]:
    """Return the header fields and query parameters of *auth*, with masked values."""
    kind = auth.get("type") if isinstance(auth, Mapping) else None
    if kind == "bearer" or kind == "oauth2":
        return [("Authorization", "Bearer ***")], []
    if kind in ("basic", "digest"):
        return [("Authorization", f"{kind.title()} ***")], []
    if kind == "apikey":
        about = auth.get("apikey")
        told = (
            dict(_pairs(about, values))
            if isinstance(about, list)
            else about
            if isinstance(about, Mapping)
            else {}
        )
        name = str(told.get("key", ""))
        if name and told.get("in") == "query":
            return [], [(name, "***")]
        return ([(name, "***")] if name else []), []
    return [], []


def _pairs(listed: Any, values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [
        (_filled(str(each["key"]), values), _filled(str(each.get("value") or ""), values))
        for each in _listed(listed)
        if isinstance(each, Mapping) and each.get("key") and not each.get("disabled")
    ]


def _values(listed: Any) -> dict[str, str]:
    return {
        str(each.get("key") or each.get("id")): str(each["value"])
        for each in _listed(listed)
        if isinstance(each, Mapping) and isinstance(each.get("value"), (str, int)) and each["value"] != ""
    }


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with its variables; a value may have variables itself, a few levels deep."""
    for _ in range(3):
        text, count = _VARIABLE.subn(lambda found: values.get(found[1].strip(), found[0]), text)
        if not count:
            break
    return text


def _joined(value: Any, separator: str) -> str:
    return separator.join(map(str, value)) if isinstance(value, list) else str(value or "")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
