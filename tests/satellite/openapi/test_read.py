"""Documents that are larger than they look."""

from __future__ import annotations

import json

import pytest

from levo.satellite.openapi import DocumentRefused, read_document
from levo.satellite.openapi.read import MAX_UPLOADED_YAML_NODES

HEAD = "openapi: 3.1.0\n"
LEVELS = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
BOMB = HEAD + "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(LEVELS)
MERGES = [f"m{n}: &m{n} {{<<: [{','.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 12)]
MERGE_BOMB = HEAD + "m0: &m0 {a: 1, b: 2}\n" + "".join(MERGES)


@pytest.mark.parametrize(
    "text", [json.dumps({"openapi": "3.1.0", "x": [1]}), HEAD + "x: [1]", "{openapi: 3.1.0, x: [1]}"]
)
@pytest.mark.parametrize("aliases", [False, True])
def test_json_and_yaml_are_read(text: str, aliases: bool) -> None:
    assert read_document(text, aliases=aliases)["x"] == [1]


@pytest.mark.parametrize("text", [BOMB, MERGE_BOMB, HEAD + "a: &a 1\nb: *a\n", HEAD + "a: &a [*a]\n"])
def test_an_upload_has_no_aliases(text: str) -> None:
    with pytest.raises(DocumentRefused, match=r"line \d+: YAML aliases"):
        read_document(text, aliases=False)


def test_aliases_in_files_of_the_user_are_written_out() -> None:
    assert read_document(HEAD + "a: &a {b: 1}\nc: {<<: *a}\nd: *a\n", aliases=True)["c"] == {"b": 1}


@pytest.mark.parametrize("text", [BOMB, MERGE_BOMB])
def test_aliases_do_not_explode(text: str) -> None:
    with pytest.raises(DocumentRefused, match="when its aliases are written out"):
        read_document(text, aliases=True)


def test_an_alias_is_not_part_of_itself() -> None:
    with pytest.raises(DocumentRefused, match="part of"):
        read_document(HEAD + "a: &a [*a]\n", aliases=True)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "a: " + "[" * 900 + "]" * 900,
        HEAD + "a: " + "[" * 200_000,
        '{"openapi": "3.1.0", "a": ' + "[" * 900 + "]" * 900 + "}",
        '{"openapi": "3.1.0", "a": ' + '{"a":' * 200_000,
        '{"openapi": "3.1.0", "a": [' + "[]," * 1_100_000 + "1]}",
        HEAD + "a: " + "9" * 100_000,
        HEAD + "a: " + "1:" * 50_000 + "1",
        HEAD + "a: 2020-99-99",
        HEAD + "a: !!python/object:os.system x",
        "null",
        "",
        "[1]",
        "openapi: 2.0",
    ],
    ids=lambda text: text[:24] + f"…{len(text)}",
)
@pytest.mark.parametrize("aliases", [False, True])
def test_what_is_too_deep_too_much_or_nothing_is_one_line(text: str, aliases: bool) -> None:
    with pytest.raises(DocumentRefused) as refused:
        read_document(text, aliases=aliases)

    assert "\n" not in str(refused.value) and len(str(refused.value)) < 120


def test_uploaded_yaml_may_have_fewer_values_than_json() -> None:
    values = MAX_UPLOADED_YAML_NODES
    text = "openapi: 3.1.0\nx:\n" + "- 1\n" * values

    with pytest.raises(DocumentRefused, match=f"more than {values} values in YAML; JSON may have more"):
        read_document(text, aliases=False)
    text = '{"openapi": "3.1.0", "x": [' + "1," * values + "1]}"
    assert len(read_document(text, aliases=False)["x"]) == values + 1
