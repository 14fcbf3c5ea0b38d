"""Operations of documents, which may be anybody's."""

from __future__ import annotations

from typing import Any

import pytest

from levo.satellite.catalog.operation import shown_operation


def test_an_operation_of_a_document() -> None:
    shown = shown_operation(
        {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "requestBody": {
                "content": {"application/json": {"schema": {"type": "object"}, "example": {"a": 1}}}
            },
            "responses": {"200": {"description": "OK"}, "default": {"description": "else"}},
        }
    )

    assert [(p.name, p.place, p.required, p.schema) for p in shown.parameters] == [
        ("id", "path", True, {"type": "integer"})
    ]
    assert [title for title, _ in shown.messages] == ["Request body", "Answer 200 OK"]
    assert shown.messages[0][1][0].example == '{\n  "a": 1\n}'


@pytest.mark.parametrize(
    "written",
    [
        {"parameters": ["x", 1, None]},
        {"requestBody": "x", "responses": {"200": "x"}},
        {"requestBody": {"content": []}, "responses": None},
        {"parameters": None, "responses": {"200": {"content": {"a/b": None}}}},
    ],
)
def test_anybodys_description_is_shown_without_an_error(written: dict[str, Any]) -> None:
    shown = shown_operation(written)

    assert shown.parameters == () and all(contents == () for _, contents in shown.messages)
