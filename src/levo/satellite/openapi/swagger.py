"""A Swagger 2.0 document as OpenAPI 3.0, so that everything else knows one form only.

What the two say in different places is moved (the Swagger 2.0 specification beside OpenAPI 3.0.3): bodies and
form fields become request bodies, ``host``, ``basePath`` and ``schemes`` become servers, types of parameters
become schemas, ``definitions``, ``parameters``, ``responses`` and ``securityDefinitions`` become components.

Swagger says some things once that OpenAPI says in each place: media types of a whole document, bodies that
operations share, the host. What is written out so is counted before it is, and bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_REFERENCES = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
_OF_SCHEMA = frozenset(
    [
        *("type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
        *("maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf"),
        "x-nullable",
    ]
)
"""Keywords that stand beside the name of a parameter or header in Swagger, and in its schema in OpenAPI."""
_STYLES: dict[str, Json] = {
    "csv": {"explode": False},
    "tsv": {"explode": False},
    "ssv": {"style": "spaceDelimited", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
    "multi": {"explode": True},
}
"""By ``collectionFormat`` of a query parameter. OpenAPI has no tabs, commas stand for them."""
_FLOWS = {"application": "clientCredentials", "accessCode": "authorizationCode"}
_CHARACTERS = 16
"""Of a text that count as one more value."""
_JSON = ("application/json",)
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"


def is_swagger(document: Any) -> bool:
    """Whether *document* says that it is Swagger 2.0."""
    return isinstance(document, Mapping) and str(document.get("swagger")) == "2.0"


class TooLarge(Exception):
    """The document has too many values as OpenAPI 3.0."""


def from_swagger(document: Mapping[str, Any], most: int) -> Json:
    """Return *document*, Swagger 2.0, as OpenAPI 3.0. What is not as the specification has it is left out.

    *most*: values that may be written out of what the document says once for several places; of a text, each
    16 characters count as a value.

    Raises:
        TooLarge: there are more.
    """
    return _Converter(document, most).converted()


class _Converter:
    def __init__(self, document: Mapping[str, Any], most: int) -> None:
        self._document = document
        self._left = most
        self._consumed, self._produced = _texts(document.get("consumes")), _texts(document.get("produces"))
        self._shared = {
            name: each for name, each in _items(document.get("parameters")) if isinstance(each, Mapping)
        }

    def converted(self) -> Json:
        document = self._document
        components = {
            "schemas": {name: _schema(each) for name, each in _items(document.get("definitions"))},
            "parameters": {
                name: self._parameter(each)
                for name, each in self._shared.items()
                if each.get("in") not in ("body", "formData")
            },
            "responses": {
                name: self._response(each, self._produced) for name, each in _items(document.get("responses"))
            },
            "securitySchemes": {
                name: _scheme(each)
                for name, each in _items(document.get("securityDefinitions"))
                if isinstance(each, Mapping)
            },
        }
        found: Json = {
            "openapi": "3.0.3",
            "info": document.get("info", {}),
            "servers": self._servers(document.get("schemes")),
            "paths": {path: self._path(item) for path, item in _items(document.get("paths"))},
            "components": {name: each for name, each in components.items() if each},
        }
        found.update(
            (name, value)
            for name, value in document.items()
            if name in ("security", "tags", "externalDocs") or str(name).startswith("x-")
        )
        return found

    def _path(self, item: Any) -> Json:
        if not isinstance(item, Mapping):
            return {}
        shared = self._parameters(item.get("parameters"))
        found: Json = {name: value for name, value in item.items() if str(name).startswith("x-")}
        parameters = [self._parameter(each) for each in shared if not _is_body(each)]
        if parameters:
            found["parameters"] = parameters
        for method in _METHODS:
            if isinstance(item.get(method), Mapping):
                found[method] = self._operation(item[method], shared)
        return found

    def _operation(self, operation: Mapping[str, Any], shared: list[Mapping[str, Any]]) -> Json:
        own = self._parameters(operation.get("parameters"))
        named = {_name(each) for each in own}
        whole = [each for each in shared if _is_body(each) and _name(each) not in named]
        self._repeat(1, *whole)
        body = [*(each for each in own if _is_body(each)), *whole]
        consumed = _texts(operation["consumes"]) if "consumes" in operation else self._consumed
        produced = _texts(operation["produces"]) if "produces" in operation else self._produced
        moved = ("parameters", "consumes", "produces", "responses", "schemes")
        found = {name: value for name, value in operation.items() if name not in moved}
        parameters = [self._parameter(each) for each in own if not _is_body(each)]
        if parameters:
            found["parameters"] = parameters
        if body:
            found["requestBody"] = self._body(body, consumed)
        found["responses"] = {
            str(status): response
            if str(status).startswith("x-")
            else self._response(response, produced or _JSON)
            for status, response in _items(operation.get("responses"))
        }
        if "schemes" in operation:
            found["servers"] = self._servers(operation["schemes"])
        return found

    def _repeat(self, times: int, *values: Any) -> None:
        """Count *values*, which are written *times* times more than the document says them.

        Raises:
            TooLarge: they are too many, together with those before.
        """
        for value in values if times else ():
            self._left -= times * _size(value)
            if self._left < 0:
                raise TooLarge

    def _servers(self, schemes: Any) -> list[Json]:
        """Return servers; without ``host`` a path alone, which is that of whoever serves the document."""
        host, base = self._document.get("host"), self._document.get("basePath")
        base = base.rstrip("/") if isinstance(base, str) else ""
        if not isinstance(host, str) or not host:
            self._repeat(1, base)
            return [{"url": base or "/"}]
        listed = _texts(schemes) or ("https",)
        self._repeat(len(listed), host, base)
        return [{"url": f"{scheme}://{host}{base}"} for scheme in listed]

    def _content(self, media: tuple[str, ...], schema: Json) -> Json:
        """Return what bodies of *media* hold, all of one *schema*."""
        self._repeat(1, *media)
        self._repeat(len(media) - 1, schema)
        return {each: {"schema": schema} for each in media}

    def _parameters(self, listed: Any) -> list[Mapping[str, Any]]:
        """Return *listed*, references followed: what they refer to may belong into a body."""
        found = []
        for each in listed if isinstance(listed, list) else ():
            reference = each.get("$ref") if isinstance(each, Mapping) else None
            if isinstance(reference, str):
                each = self._shared.get(reference.removeprefix("#/parameters/"))
                self._repeat(1, each)
            if isinstance(each, Mapping):
                found.append(each)
        return found

    def _parameter(self, given: Mapping[str, Any]) -> Json:
        found = {
            name: value
            for name, value in given.items()
            if name not in _OF_SCHEMA and name not in ("collectionFormat", "allowEmptyValue")
        }
        if given.get("in") == "query" and given.get("type") == "array":
            style = _STYLES.get(str(given.get("collectionFormat", "csv")), _STYLES["csv"])
            found.update(style)
        found["schema"] = _schema_of(given)
        return found

    def _response(self, given: Any, produced: tuple[str, ...]) -> Json:
        if not isinstance(given, Mapping):
            return {"description": ""}
        if isinstance(given.get("$ref"), str):
            return {"$ref": _moved(given["$ref"])}
        found: Json = {
            name: value for name, value in given.items() if name not in ("schema", "headers", "examples")
        }
        if isinstance(given.get("headers"), Mapping):
            found["headers"] = {
                name: {
                    **{key: value for key, value in each.items() if key == "description"},
                    "schema": _schema_of(each),
                }
                for name, each in _items(given["headers"])
                if isinstance(each, Mapping)
            }
        if "schema" in given:
            schema = _schema(given["schema"])
            media = ("application/octet-stream",) if _is_file(given["schema"]) else _JSON
            found["content"] = self._content(produced or media, schema)
            for each, example in _items(given.get("examples")):
                if each in found["content"]:
                    found["content"][each]["example"] = example
        return found

    def _body(self, parameters: list[Mapping[str, Any]], consumed: tuple[str, ...]) -> Json:
        """Return a request body, of a parameter ``in: body`` or of those ``in: formData``."""
        whole = next((each for each in parameters if each.get("in") == "body"), None)
        if whole is not None:
            body: Json = {name: whole[name] for name in ("description", "required") if name in whole}
            body["content"] = self._content(consumed or _JSON, _schema(whole.get("schema", {})))
            return body
        fields = {str(each.get("name")): each for each in parameters}
        schema: Json = {
            "type": "object",
            "properties": {name: _schema_of(each) for name, each in fields.items()},
        }
        required = [name for name, each in fields.items() if each.get("required") is True]
        if required:
            schema["required"] = required
        default = _MULTIPART if any(_is_file(each) for each in fields.values()) else _FORM
        media = tuple(each for each in consumed if each in (_FORM, _MULTIPART)) or (default,)
        found: Json = {"content": self._content(media, schema)}
        encoding = {
            name: _STYLES[str(each.get("collectionFormat", "csv"))]
            for name, each in fields.items()
            if each.get("type") == "array" and str(each.get("collectionFormat", "csv")) in _STYLES
        }
        if encoding:
            for content in found["content"].values():
                content["encoding"] = encoding
        if required:
            found["required"] = True
        return found


def _schema_of(given: Mapping[str, Any]) -> Json:
    """Return the schema that stands in the middle of a parameter, header or item."""
    found: Json = _schema({name: value for name, value in given.items() if name in _OF_SCHEMA})
    return found


def _schema(given: Any) -> Any:
    """Return a schema (or any part of one) with what it refers to moved."""
    if isinstance(given, list):
        return [_schema(each) for each in given]
    if not isinstance(given, Mapping):
        return given
    found: Json = {}
    for name, value in given.items():
        if name in ("default", "example", "enum"):
            found[name] = value
        elif name == "properties" and isinstance(value, Mapping):
            found[name] = {str(key): _schema(each) for key, each in value.items()}
        elif name == "$ref" and isinstance(value, str):
            found[name] = _moved(value)
        elif name == "discriminator" and isinstance(value, str):
            found[name] = {"propertyName": value}
        elif name == "x-nullable":
            found["nullable"] = value
        elif name != "collectionFormat":
            found[name] = _schema(value)
    if found.get("type") == "file":
        found.update(type="string", format="binary")
    return found


def _moved(reference: str) -> str:
    for old, new in _REFERENCES.items():
        if reference.startswith(old):
            return new + reference.removeprefix(old)
    return reference


def _scheme(given: Mapping[str, Any]) -> Json:
    kind = given.get("type")
    about = {"description": given["description"]} if "description" in given else {}
    if kind == "basic":
        return {"type": "http", "scheme": "basic", **about}
    if kind != "oauth2":
        return dict(given)
    flow = {name: given[name] for name in ("authorizationUrl", "tokenUrl") if name in given}
    flow["scopes"] = given.get("scopes", {})
    name = str(given.get("flow"))
    return {"type": "oauth2", "flows": {_FLOWS.get(name, name): flow}, **about}


def _size(value: Any) -> int:
    """Return how many values *value* consists of; of a text, some characters count as one more."""
    if isinstance(value, str):
        return 1 + len(value) // _CHARACTERS
    if isinstance(value, Mapping):
        return 1 + sum(_size(name) + _size(each) for name, each in value.items())
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _name(parameter: Mapping[str, Any]) -> tuple[str, str]:
    """Return what tells a parameter from the others."""
    return str(parameter.get("in")), str(parameter.get("name"))


def _is_body(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("in") in ("body", "formData")


def _is_file(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "file"


def _texts(listed: Any) -> tuple[str, ...]:
    return (
        tuple(dict.fromkeys(each for each in listed if isinstance(each, str)))
        if isinstance(listed, list)
        else ()
    )


def _items(value: Any) -> list[tuple[str, Any]]:
    return [(str(name), each) for name, each in value.items()] if isinstance(value, Mapping) else []
