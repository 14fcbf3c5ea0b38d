"""The semantic difference."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from levo.satellite.openapi import diff, render_document
from tests.satellite.openapi.learned import operations, shop

OLD = render_document("shop", operations(shop()), annotate=False)
USER = OLD["paths"]["/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]


def schema(document: Any) -> Any:
    return document["paths"]["/users/{userId}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]


def body(document: Any) -> Any:
    return document["paths"]["/users"]["post"]["requestBody"]["content"]["application/json"]["schema"]


CASES: list[tuple[Callable[[Any], Any], str, bool]] = [
    (lambda d: d["paths"].pop("/events"), "removed", True),
    (lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}), "added", False),
    (lambda d: schema(d)["properties"].pop("email"), "removed", True),
    (lambda d: schema(d)["properties"].update(extra={"type": "string"}), "added", False),
    (lambda d: schema(d)["required"].remove("id"), "optional", True),
    (lambda d: schema(d)["properties"].update(id={"type": "string", "minimum": 0}), "type", True),
    (lambda d: schema(d)["properties"]["status"]["enum"].append("gone"), "enum", True),
    (lambda d: body(d)["properties"].update(extra={"type": "string"}), "added", False),
    (
        lambda d: (body(d)["properties"].update(must={"type": "string"}), body(d)["required"].append("must")),
        "added",
        True,
    ),
    (lambda d: d["paths"]["/users"]["post"].update(deprecated=True), "deprecated", False),
    (lambda d: d["paths"]["/users"]["post"].update(security=[{"basic": []}]), "removed", True),
]


@pytest.mark.parametrize(
    ("change", "kind", "breaking"), CASES, ids=[f"{n}-{c[1]}" for n, c in enumerate(CASES)]
)
def test_each_change(change: Callable[[Any], Any], kind: str, breaking: bool) -> None:
    new = copy.deepcopy(OLD)
    change(new)

    assert (kind, breaking) in {(found.kind, found.breaking) for found in diff(OLD, new)}


def test_nothing_changed_however_parameters_are_called_and_schemas_are_shared() -> None:
    new = copy.deepcopy(OLD)
    item = new["paths"].pop("/users/{userId}")
    item["get"]["parameters"][0]["name"] = "id"
    shared = item["get"]["responses"]["200"]["content"]["application/json"]
    new.setdefault("components", {})["schemas"] = {"User": shared["schema"]}
    shared["schema"] = {"$ref": "#/components/schemas/User"}
    new["paths"]["/users/{id}"] = item

    assert diff(OLD, new) == [] == diff(OLD, OLD)
