"""What people wrote into a description, kept in a document that is learned anew.

A description says what traffic cannot: summaries, descriptions, names. They are found again by method and
path, place and name of a parameter, status, and names of properties; what a place is called (operation ids,
names of schemas and of path parameters) is kept as well. What the document says of types, required properties
and the like is never taken from the description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from levo.satellite.openapi.comparison.description import Described, Description, Document
from levo.satellite.openapi.components import REFERENCE
from levo.satellite.openapi.operation import VARIABLE, comparable

_INFO = ("title", "summary", "description", "termsOfService", "contact", "license", "version")
_OPERATION = ("operationId", "summary", "description", "tags", "externalDocs")
_PARAMETER = ("description", "deprecated")
_SCHEMA = ("title", "description", "externalDocs", "deprecated")
_DEEPEST = 40
_KINDS: Mapping[str, type] = {
    "contact": Mapping,
    "license": Mapping,
    "externalDocs": Mapping,
    "tags": list,
    "deprecated": bool,
}
"""What each is that is not text."""


def keep_texts(document: dict[str, Any], written: Document) -> None:
    """Put what people wrote in *written*, an OpenAPI 3 document, into *document*, which was learned."""
    _Keeper(document, written).keep()


class _Keeper:
    def __init__(self, document: dict[str, Any], written: Document) -> None:
        self._document = document
        self._written = Description(written)
        self._names: dict[str, str] = {}
        """New names of schemas by old."""
        self._seen: set[tuple[int, int]] = set()

    def keep(self) -> None:
        """Put all texts into the document."""
        document, written = self._document, self._written.document
        _copy(_INFO, written.get("info"), document["info"])
        if isinstance(written.get("externalDocs"), Mapping):
            document["externalDocs"] = written["externalDocs"]
        by_path: dict[tuple[str, str], Described] = {}
        for described in self._written.operations.values():
            for base in ("", *described.servers):
                by_path[described.method.lower(), comparable(base + described.path)] = described
        paths: dict[str, Any] = {}
        for path, item in document["paths"].items():
            operations = {method: each for method, each in item.items() if isinstance(each, dict)}
            key = comparable(path)
            found = {method: by_path[method, key] for method in operations if (method, key) in by_path}
            named = next((described.path for described in found.values()), path)
            names = dict(zip(VARIABLE.findall(path)[::-1], VARIABLE.findall(named)[::-1], strict=False))
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "path":
                        parameter["name"] = names.get(parameter["name"], parameter["name"])
            for method, described in found.items():
                self._operation(operations[method], described)
            paths[_renamed(path, names)] = item
        document["paths"] = paths
        self._unique_ids()
        self._tags(written.get("tags"))
        self._rename_schemas()

    def _operation(self, operation: dict[str, Any], found: Described) -> None:
        """Put the texts of one operation into it."""
        _copy(_OPERATION, found.operation, operation)
        _copy_extensions(found.operation, operation)
        known = {(each["in"], str(each.get("name")).lower()): each for each in found.parameters.values()}
        for parameter in operation.get("parameters", ()):
            described = known.get((parameter["in"], parameter["name"].lower()), {})
            _copy(_PARAMETER, described, parameter)
            self._schema(parameter.get("schema"), described.get("schema"), 0)
        body = self._written.resolve(found.operation.get("requestBody"))
        if "requestBody" in operation:
            _copy(("description",), body, operation["requestBody"])
            self._content(operation["requestBody"], body)
        responses = self._written.responses(found)
        for status, response in operation["responses"].items():
            described = responses.get(status) or responses.get(f"{status[0]}XX") or {}
            _copy(("description",), described, response)
            self._content(response, described)
            headers = self._written.headers(described)
            for name, header in response.get("headers", {}).items():
                _copy(_PARAMETER, headers.get(name.lower()), header)

    def _content(self, holder: dict[str, Any], described: Any) -> None:
        contents = self._written.content(described)
        for media, content in holder.get("content", {}).items():
            self._schema(content.get("schema"), contents.get(media, {}).get("schema"), 0)

    def _schema(self, schema: Any, described: Any, depth: int) -> None:
        """Put titles and descriptions into *schema*, and note what it is called in the description."""
        if not isinstance(schema, dict) or not isinstance(described, Mapping) or depth > _DEEPEST:
            return
        for each in schema.get("anyOf", ()):
            if "$ref" in each:  # what may be null
                self._schema(each, _one_reference(described), depth + 1)
        if "$ref" in schema:
            old, new = (str(each.get("$ref", "")) for each in (schema, described))
            if new.startswith(REFERENCE) and "/" not in new.removeprefix(REFERENCE):
                self._names.setdefault(old.removeprefix(REFERENCE), new.removeprefix(REFERENCE))
            schema = self._document["components"]["schemas"][old.removeprefix(REFERENCE)]
        described = self._written.resolve(described)
        if (id(schema), id(described)) in self._seen:
            return
        self._seen.add((id(schema), id(described)))
        _copy(_SCHEMA, described, schema)
        self._schema(schema.get("items"), described.get("items"), depth + 1)
        others = dict(self._properties(described))
        for name, each in schema.get("properties", {}).items():
            self._schema(each, others.get(name), depth + 1)

    def _properties(self, described: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for part in (*_listed(described.get("allOf")), described):
            properties = self._written.resolve(part).get("properties")
            yield from properties.items() if isinstance(properties, Mapping) else ()

    def _unique_ids(self) -> None:
        """Number the operation ids that come again: those that people gave stay."""
        given = {str(each.operation.get("operationId")) for each in self._written.operations.values()}
        taken: set[str] = set()
        operations = [
            o for item in self._document["paths"].values() for o in item.values() if isinstance(o, dict)
        ]
        for operation in sorted(operations, key=lambda each: each["operationId"] not in given):
            name, number = operation["operationId"], 2
            while operation["operationId"] in taken:
                operation["operationId"], number = f"{name}{number}", number + 1
            taken.add(operation["operationId"])

    def _tags(self, written: Any) -> None:
        kept = [
            dict(each)
            for each in _listed(written)
            if isinstance(each, Mapping) and isinstance(each.get("name"), str)
        ]
        names = {each["name"] for each in kept}
        used = {
            tag
            for item in self._document["paths"].values()
            for operation in item.values()
            if isinstance(operation, dict)
            for tag in operation.get("tags", ())
        }
        tags = [*kept, *({"name": tag} for tag in sorted(used - names))]
        if tags:
            self._document["tags"] = tags

    def _rename_schemas(self) -> None:
        schemas = self._document.get("components", {}).get("schemas", {})
        names: dict[str, str] = {}
        for old, new in self._names.items():
            if old in schemas and new not in names.values() and (new not in schemas or new in self._names):
                names[old] = new
        taken = [names.get(name, name) for name in schemas]
        if not names or len(set(taken)) < len(taken):
            return
        self._document["components"]["schemas"] = dict(
            sorted((names.get(name, name), schema) for name, schema in schemas.items())
        )
        _rename(self._document, {REFERENCE + old: REFERENCE + new for old, new in names.items()})


def _renamed(path: str, names: Mapping[str, str]) -> str:
    """Return *path* with new names of its parameters."""
    return VARIABLE.sub(lambda name: f"{{{names.get(name[1], name[1])}}}", path)


def _copy(names: tuple[str, ...], source: Any, target: dict[str, Any]) -> None:
    for name in names if isinstance(source, Mapping) else ():
        value = source.get(name)
        if name == "tags":
            value = [tag for tag in _listed(value) if isinstance(tag, str)]
        if value and isinstance(value, _KINDS.get(name, str)):
            target[name] = value


def _copy_extensions(source: Mapping[str, Any], target: dict[str, Any]) -> None:
    for name, value in source.items():
        if str(name).startswith("x-") and not str(name).startswith("x-levo-"):
            target[name] = value


def _one_reference(described: Mapping[str, Any]) -> Any:
    """Return the one reference among the alternatives of *described*, itself if there is none."""
    options = [
        each
        for keyword in ("anyOf", "oneOf", "allOf")
        for each in _listed(described.get(keyword))
        if isinstance(each, Mapping) and "$ref" in each
    ]
    return options[0] if len(options) == 1 else described


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _rename(value: Any, references: Mapping[str, str]) -> None:
    """Exchange *references* everywhere inside *value*."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and each in references:
                value[key] = references[each]
            else:
                _rename(each, references)
    elif isinstance(value, list):
        for each in value:
            _rename(each, references)
