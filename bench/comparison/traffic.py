"""Traffic that obeys a description by construction: seeded requests and responses from its schemas.

The maker notes each statement of the description that a value went through (``Maker.exercised``), so that the
comparison can be held against what was really sent, not against what it says itself.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import orjson

from levo.satellite.learn import Origin, Trace
from levo.satellite.openapi.comparison.description import Described, Description, server_urls
from levo.satellite.openapi.comparison.values import json_type

Key = tuple[str, str, str, str]
"""Method, path, place and kind of a statement, as ``Statement`` has them."""
Exchange = tuple[Described, Trace]
"""What was called, and what was seen."""
PathValues = Callable[[Described, str, dict[str, Any]], str]
"""Returns the value of a path parameter: of an operation, by name, with its schema."""
_ORIGIN = Origin("acme", "production", "bench", "sensor")
_TEXTS = {
    "date": "2024-05-{:02d}",
    "date-time": "2024-05-{:02d}T10:00:00Z",
    "email": "user{}@example.org",
    "uri": "https://example.org/{}",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{}",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c33{:02d}",
    "time": "10:00:{:02d}Z",
}


_KINDS = {
    "type": "type",
    "enum": "enum",
    "const": "enum",
    "minimum": "minimum",
    "exclusiveMinimum": "minimum",
    "maximum": "maximum",
    "exclusiveMaximum": "maximum",
    "multipleOf": "multipleOf",
    "minLength": "minLength",
    "maxLength": "maxLength",
    "minItems": "minItems",
    "maxItems": "maxItems",
}
"""What the maker obeys of one value, by keyword, as the comparison names it. ``pattern`` it does not obey."""
_APPLIES = {
    "minimum": "number",
    "maximum": "number",
    "multipleOf": "number",
    "minLength": "string",
    "maxLength": "string",
    "minItems": "array",
    "maxItems": "array",
}


class Maker:
    """Makes values of the schemas of one description."""

    def __init__(self, description: Description, seed: int) -> None:
        self._description = description
        self.rng = Random(seed)
        self.exercised: set[Key] = set()
        self.silent = False
        """Whether what is made is not noted."""
        self._spot: tuple[str, str, str] = ("", "", "")

    def at(self, method: str, path: str, where: str) -> None:
        """Make the next values there."""
        self._spot = (method, path, where)

    def note(self, kind: str, pointer: str = "") -> None:
        """Note that a statement of *kind* was exercised."""
        if self.silent:
            return
        method, path, where = self._spot
        self.exercised.add((method, path, f"{where}{pointer}", kind))

    def value(self, schema: Any, skip: str, depth: int = 0, pointer: str = "") -> Any:
        """Return a value that *schema* allows; properties marked *skip* are left out."""
        schema = self.merged(schema)
        value = self._value(schema, skip, depth, pointer)
        self._note_value(schema, value, pointer)
        return value

    def _note_value(self, schema: Mapping[str, Any], value: Any, pointer: str) -> None:
        made = json_type(value)
        for keyword, kind in _KINDS.items():
            if keyword not in schema or schema[keyword] is False or _APPLIES.get(kind, made) != made:
                continue
            if not (schema[keyword] == 0 and kind in ("minLength", "minItems")):  # which says nothing
                self.note(kind, pointer)
        if made == "string" and schema.get("format") in _TEXTS and value != "":
            self.note("format", pointer)
        if made == "object":
            for name in schema.get("required") or ():
                if name in value:
                    self.note("required", f"{pointer}/{name}")
            if schema.get("additionalProperties") is False:
                self.note("additionalProperties", pointer)

    def _value(self, schema: Mapping[str, Any], skip: str, depth: int, pointer: str) -> Any:
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self.rng.choice(schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self.rng.choice(kind)
        if schema.get("nullable") and self.rng.random() < 0.1:
            return None
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        return getattr(self, f"_{kind}")(schema, skip, depth, pointer)

    def merged(self, schema: Any, depth: int = 0) -> dict[str, Any]:
        """Return *schema* with its references, ``allOf`` and one of its alternatives in one."""
        if not isinstance(schema, Mapping) or depth > 12:
            return {}
        found: dict[str, Any] = {}
        own = dict(self._description.resolve(schema))
        for each in (*own.pop("allOf", ()), *self._chosen(own)):
            _join(found, self.merged(each, depth + 1))
        _join(found, own)
        return found

    def _chosen(self, schema: dict[str, Any]) -> Iterator[Any]:
        for keyword in ("oneOf", "anyOf"):
            options = schema.pop(keyword, None)
            if options:
                yield self.rng.choice(
                    [each for each in options if self._is_possible(schema, each)] or options
                )

    def _is_possible(self, schema: Mapping[str, Any], option: Any) -> bool:
        """Whether *option* requires nothing that the closed *schema* around it does not know."""
        told = self._description.resolve(option)
        known = (schema.get("properties") or {}).keys() | (told.get("properties") or {}).keys()
        return schema.get("additionalProperties") is not False or known >= set(told.get("required") or ())

    def _object(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> dict[str, Any]:
        required = set(schema.get("required") or ())
        found = {}
        for name, child in (schema.get("properties") or {}).items():
            wanted = name in required or (depth < 4 and self.rng.random() < 0.7)
            if wanted and depth < 9 and not self._description.resolve(child).get(skip):
                found[name] = self.value(child, skip, depth + 1, f"{at}/{name}")
        for name in sorted(required - (schema.get("properties") or {}).keys()):
            if schema.get("additionalProperties") is not False:
                found[name] = "required"  # and nothing said of it
        other = schema.get("additionalProperties")
        if isinstance(other, Mapping) and other and not found and depth < 5:
            for key in self.rng.sample("abcdefgh", self.rng.randint(0, 3)):
                found[f"key-{key}"] = self.value(other, skip, depth + 1, f"{at}/{{key}}")
        return found

    def _array(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> list[Any]:
        fewest = int(schema.get("minItems", 0))
        most = min(int(schema.get("maxItems", fewest + 3)), fewest + 3)
        count = fewest if depth > 4 else self.rng.randint(fewest, most)
        return [self.value(schema.get("items") or {}, skip, depth + 1, f"{at}/*") for _ in range(count)]

    def _string(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> str:
        shown = _TEXTS.get(str(schema.get("format")))
        if shown is not None:
            return shown.format(self.rng.randint(10, 28))
        fewest = int(schema.get("minLength", 1))
        most = min(int(schema.get("maxLength", fewest + 12)), fewest + 12)
        letters = string.ascii_lowercase
        return "".join(self.rng.choice(letters) for _ in range(self.rng.randint(fewest, max(fewest, most))))

    def _integer(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> int:
        low, high = schema.get("minimum"), schema.get("maximum")
        exclusive, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        low = exclusive if isinstance(exclusive, int) and not isinstance(exclusive, bool) else low
        high = below if isinstance(below, int) and not isinstance(below, bool) else high
        if low is None:
            low = min(0, int(high) - 100) if high is not None else 0
        if high is None:
            high = low + 1000
        low, high = int(low) + bool(exclusive), int(high) - bool(below)
        step = int(schema.get("multipleOf") or 1) or 1
        return self.rng.randint(-(-low // step), max(-(-low // step), high // step)) * step

    def _number(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> float:
        number = self._integer(schema, skip, depth, at)
        return number if "maximum" in schema or "multipleOf" in schema else number + self.rng.choice((0, 0.5))

    def _boolean(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> bool:
        return self.rng.random() < 0.5

    def _null(self, schema: Mapping[str, Any], skip: str, depth: int, at: str) -> None:
        return None


def _join(found: dict[str, Any], more: Mapping[str, Any]) -> None:
    properties = dict(found.get("properties", {}))
    for name, child in (more.get("properties") or {}).items():
        known = properties.get(name)
        properties[name] = child if known in (None, child) else {"allOf": [known, child]}
    required = [*found.get("required", ()), *(more.get("required") or ())]
    listed = found.get("enum")
    both = "type" in found and "type" in more
    nullable = both and found.get("nullable") is True and more.get("nullable") is True
    found.update(more)
    if both:
        found["nullable"] = nullable
    if listed is not None:
        found["enum"] = [each for each in listed if each in more.get("enum", listed)]
    if properties:
        found["properties"] = properties
    if required:
        found["required"] = required


def traffic(
    document: Mapping[str, Any], requests: int, seed: int, exercised: set[Key] | None = None
) -> Iterator[Trace]:
    """Yield *requests* exchanges that obey *document*; *exercised* gets what they went through."""
    return (trace for _, trace in exchanges(document, requests, seed, exercised))


def exchanges(
    document: Mapping[str, Any],
    requests: int,
    seed: int,
    exercised: set[Key] | None = None,
    values: PathValues | None = None,
) -> Iterator[Exchange]:
    """Yield *requests* exchanges that obey *document*, with what is called.

    With *values*, path parameters have those, and successful answers name what was asked for.
    """
    description = Description(document)
    maker = Maker(description, seed)
    if exercised is not None:
        maker.exercised = exercised
    server = (server_urls(document.get("servers")) or [""])[0]
    host = urlsplit(server).netloc or "api.example"
    operations = [each for _, each in sorted(description.operations.items())]
    for number in range(requests):
        described = maker.rng.choice(operations)
        responses = description.responses(described)
        success = [s for s in responses if s[:1] in "23"] or ["200"]
        failed = [s for s in responses if s[:1] in "45"]
        if failed and (maker.rng.random() < 0.2 or success[0] not in responses):
            success = failed
        key = maker.rng.choice(success)
        status = int(re.sub("[Xx]", "0", key)) if key[:1].isdigit() else 500
        here = (described.method, described.path)
        maker.at(*here, "operation")
        maker.note("operation")
        # A request that failed shows nothing of what is accepted.
        maker.silent = status >= 400
        path, query, fields = _parameters(description, maker, described, values)
        for requirement in described.security[:1]:
            for name in requirement:
                query += _credential(description.scheme(name), fields)
        if all(described.security) and status < 400:
            maker.at(*here, "security")
            maker.note("security")
        body = description.resolve(described.operation.get("requestBody"))
        sent = b""
        if body and (body.get("required") or maker.rng.random() < 0.8):
            maker.at(*here, "request")
            if body.get("required"):
                maker.note("required")
            sent = _body(description.content(body), maker, fields, "readOnly", (*here, "request"))
        maker.silent = False
        answered: list[tuple[str, str]] = []
        response = responses.get(key, {})
        if key in responses:
            maker.at(*here, f"response {key}")
            maker.note("status")
        for name, header in description.headers(response).items():
            if header.get("required") or maker.rng.random() < 0.7:
                maker.at(*here, f"response {status} header {name}")
                if header.get("required"):
                    maker.note("required")
                answered.append((name, _text(maker.value(header.get("schema", {}), "writeOnly"))))
        place = (*here, f"response {status}")
        received = _body(description.content(response), maker, answered, "writeOnly", place)
        if values is not None and status < 300:
            received = _naming(received, described, path)
        time = 10**18 + number * 10**9
        trace = Trace(
            *(_ORIGIN, host, described.method, f"{described.servers[0]}{path}"),
            *(status, 1.0, time, time + 10**7),
            *(urlencode(query), "", tuple(fields), tuple(answered), sent, received),
            scheme="https",
        )
        yield described, trace


def _naming(received: bytes, described: Described, path: str) -> bytes:
    """Return the body with the values of *path* where its object has them: by name, the last one as id."""
    try:
        body = orjson.loads(received) if received[:1] == b"{" else None
    except orjson.JSONDecodeError:
        return received
    if not isinstance(body, dict):
        return received
    parts = zip(described.path.split("/"), path.split("/"), strict=False)
    asked = [(name[1:-1], unquote(value)) for name, value in parts if name[:1] == "{" and name[-1:] == "}"]
    whole = described.path.endswith("}")
    for number, (name, value) in enumerate(asked):
        names = {_plain(name), *(("id", "name", "slug") if whole and number == len(asked) - 1 else ())}
        for key, known in body.items():
            if _plain(key) in names and type(known) in (str, int) and known not in ("", 0):
                body[key] = (
                    int(value)
                    if isinstance(known, int) and value.isdigit()
                    else known
                    if isinstance(known, int)
                    else value
                )
                break
    return orjson.dumps(body)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _parameters(
    description: Description, maker: Maker, described: Described, values: PathValues | None
) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
    path, query, fields, cookies = described.path, [], [], []
    for (place, _), parameter in described.parameters.items():
        if "schema" not in parameter or not (parameter.get("required") or maker.rng.random() < 0.5):
            continue
        name = parameter["name"]
        maker.at(described.method, described.path, f"{place} {name}")
        if parameter.get("required") and place != "path":
            maker.note("required")
        if place == "path" and values is not None:
            text = values(described, name, maker.merged(parameter["schema"]))
            path = path.replace("{" + name + "}", quote(text, safe=""))
            continue
        value = maker.value(parameter["schema"], "readOnly")
        if place == "path":
            path = path.replace("{" + name + "}", quote(_text(value) or "x", safe=""))
        elif place == "query":
            query += _spread(parameter, name, value)
        elif place == "header":
            fields.append((name.lower(), _text(value)))
        elif place == "cookie":
            cookies.append(f"{name}={_text(value)}")
    if cookies:
        fields.append(("cookie", "; ".join(cookies)))
    path = re.sub(r"\{[^{}]*\}", lambda _: f"x{maker.rng.randint(1, 999)}", path)
    return path, query, fields


def _spread(parameter: Mapping[str, Any], name: str, value: Any) -> list[tuple[str, str]]:
    apart = parameter.get("explode", parameter.get("style", "form") == "form")
    if isinstance(value, dict):
        if parameter.get("style") == "deepObject":
            return [(f"{name}[{key}]", _text(each)) for key, each in value.items()]
        return [(key, _text(each)) for key, each in value.items()] if apart else [(name, _text(value))]
    if isinstance(value, list):
        return [(name, _text(each)) for each in value] if apart else [(name, _text(value))]
    return [(name, _text(value))]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _credential(scheme: Mapping[str, Any], fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kind, name = scheme.get("type"), str(scheme.get("name", ""))
    if kind == "apiKey":
        if scheme.get("in") == "query":
            return [(name, "k")]
        fields.append(("cookie", f"{name}=k") if scheme.get("in") == "cookie" else (name.lower(), "k"))
    elif kind == "http" and str(scheme.get("scheme")).lower() == "basic":
        fields.append(("authorization", "Basic ***"))
    else:
        fields.append(("authorization", "Bearer ***"))
    return []


def _body(
    content: Mapping[str, Mapping[str, Any]],
    maker: Maker,
    fields: list[tuple[str, str]],
    skip: str,
    place: tuple[str, str, str],
) -> bytes:
    for media, described in content.items():
        maker.at(*place[:2], f"{place[2]} {media}")
        if "json" in media and "schema" in described:
            maker.note("media type")
            fields.append(("content-type", media))
            return orjson.dumps(maker.value(described["schema"], skip))
    for media, described in list(content.items())[:1]:
        maker.at(*place[:2], f"{place[2]} {media}")
        maker.note("media type")
        fields.append(("content-type", media))
        if media == "application/x-www-form-urlencoded":
            value = maker.value(described.get("schema", {"type": "object"}), skip)
            return urlencode({name: _text(each) for name, each in value.items()}).encode()
        return b"content"
    return b""
