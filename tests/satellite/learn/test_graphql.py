"""GraphQL documents: the same operations as the reference implementation reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn.graphql import MAX_FIELDS, GraphqlOperation, is_name, read_operations

graphql = pytest.importorskip("graphql", reason="graphql-core comes with schemathesis")

NAMES = st.sampled_from(["a", "users", "query", "fragment", "on", "true", "__typename", "_x9"])
STRINGS = st.sampled_from(['"x { } # "', '"""a "quoted" { block\n"""', '"\\" }"', '""', '""""""'])
VALUES = st.recursive(
    STRINGS | st.sampled_from(["1", "-2.5e3", "true", "null", "RED", "$v"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda vs: "[" + ", ".join(vs) + "]")
        | st.dictionaries(NAMES, inner, max_size=2).map(
            lambda d: "{" + " ".join(f"{k}: {v}" for k, v in d.items()) + "}"
        )
    ),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=2).map(
    lambda d: "(" + ", ".join(f"{k}: {v}" for k, v in d.items()) + ")" if d else ""
)
DIRECTIVES = st.sampled_from(["", " @include(if: $v)", " @client", ' @a(b: "{") @c'])


@st.composite
def selections(draw: st.DrawFn, depth: int = 2) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 5))
        if kind == 0:
            parts.append(f"...{draw(st.sampled_from(['Part', 'Other']))}{draw(DIRECTIVES)}")
        elif kind == 1 and depth:
            on = draw(st.sampled_from(["", " on User"]))
            parts.append(f"...{on}{draw(DIRECTIVES)} {draw(selections(depth=depth - 1))}")
        else:
            alias = draw(st.sampled_from(["", "", "alias: ", "b :"]))
            below = draw(selections(depth=depth - 1)) if depth and draw(st.booleans()) else ""
            parts.append(f"{alias}{draw(NAMES)}{draw(ARGUMENTS)}{draw(DIRECTIVES)} {below}")
    separator = draw(st.sampled_from([" ", "\n", ", ", " # a comment }\n"]))
    return "{ " + separator.join(parts) + " }"


@st.composite
def definitions(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["", "query", "mutation", "subscription", "fragment"]))
    if kind == "fragment":
        return f"fragment Part on User{draw(DIRECTIVES)} {draw(selections())}"
    head = ""
    if kind:
        variables = draw(st.sampled_from(["", "($v: [Int!]! = [1], $w: In = {a: {b: 1}})"]))
        head = f"{kind} {draw(st.sampled_from(['', 'GetUser', 'query']))}{variables}{draw(DIRECTIVES)} "
    return head + draw(selections())


def expected(document: str) -> list[tuple[str, str]]:
    found = []
    for definition in graphql.parse(document).definitions:
        if isinstance(definition, graphql.OperationDefinitionNode):
            found.append((definition.operation.value, definition.name.value if definition.name else ""))
    return found


@settings(deadline=None)
@given(st.lists(definitions(), min_size=1, max_size=3).map("\n".join))
def test_operations_are_those_that_the_reference_implementation_reads(document: str) -> None:
    assert [(o.type, o.name) for o in read_operations(document)] == expected(document)


@given(st.text('{}()[]:@!$#"\\.ab \nquery', max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(document: str) -> None:
    for operation in read_operations(document):
        assert operation.type in ("query", "mutation", "subscription")
        assert len(operation.fields) <= MAX_FIELDS


@pytest.mark.parametrize(
    ("document", "operations"),
    [
        ("{ user { id } }", [GraphqlOperation("query", "", ("user",))]),
        ("query { me: user(id: 4) { id } posts }", [GraphqlOperation("query", "", ("posts", "user"))]),
        ("mutation Add($a: Int) { add(a: $a) { id } }", [GraphqlOperation("mutation", "Add", ("add",))]),
        (
            "query A { a } query B { b }",
            [GraphqlOperation("query", "A", ("a",)), GraphqlOperation("query", "B", ("b",))],
        ),
        ("shoes", []),
        ("query shoes", []),
        ("{ unclosed", []),
        ("select {a} from b", []),
        ("", []),
    ],
)
def test_type_name_and_fields(document: str, operations: list[GraphqlOperation]) -> None:
    assert read_operations(document) == operations


def test_a_document_without_end_takes_no_time_to_refuse() -> None:
    assert read_operations('{ a(b: "' + '\\"' * 50_000) == []
    assert read_operations("{" * 100_000) == []
    assert read_operations('{ a """' + '"x' * 50_000) == []


def test_names_have_a_length() -> None:
    assert is_name("GetUser_2")
    assert not is_name("a" * 81)
    assert not is_name("get user")
