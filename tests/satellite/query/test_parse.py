"""Filters, read: what is meant, what is refused and where, and that no text costs much."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.query import ENDPOINTS, EVERYTHING, FINDINGS, Expression, FilterError, parse
from levo.satellite.query.expression import AllOf, Not, OneOf, Term, Word, all_of
from levo.satellite.query.parse import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS

GET, SHOP = Term("method", ":", ("get",)), Term("application", ":", ("shop",))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", EVERYTHING),
        ("  ", EVERYTHING),
        ("users", Word("users")),
        ('"two words"', Word("two words")),
        (r'"a \" and \\"', Word('a " and \\')),
        ("v1/users/{id}", Word("v1/users/{id}")),
        ("method:get", GET),
        ("METHOD:get", GET),
        ("app:shop", SHOP),
        ("method:get,post,get", Term("method", ":", ("get", "post"))),
        ('path:"/a b"', Term("path", ":", ("/a b",))),
        ("host:api.example:8080", Term("host", ":", ("api.example:8080",))),
        ("callers>=2.5k", Term("callers", ">=", ("2.5k",))),
        ("status:5XX", Term("status", ":", ("5xx",))),
        ("status>=500", Term("status", ">=", ("500",))),
        ("first-seen<7d", Term("first-seen", "<", ("7d",))),
        ("p95>200ms", Term("p95", ">", ("200ms",))),
        ("errors>5%", Term("errors", ">", ("5%",))),
        ("severity>=HIGH", Term("severity", ">=", ("high",))),
        ("method:get app:shop", AllOf((GET, SHOP))),
        ("method:get and app:shop", AllOf((GET, SHOP))),
        ("method:get or app:shop", OneOf((GET, SHOP))),
        ("x method:get or app:shop", OneOf((AllOf((Word("x"), GET)), SHOP))),
        ("x (method:get OR app:shop)", AllOf((Word("x"), OneOf((GET, SHOP))))),
        ("-method:get", Not(GET)),
        ("not method:get", Not(GET)),
        ("--method:get", GET),
        ("-(method:get app:shop)", Not(AllOf((GET, SHOP)))),
        ('"or"', Word("or")),
        ("sign-up", Word("sign-up")),
        ("((method:get))", GET),
        ("(method:get (app:shop x))", AllOf((GET, SHOP, Word("x")))),
    ],
)
def test_what_a_filter_means(text: str, meant: Expression) -> None:
    assert parse(text, ENDPOINTS) == meant


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("metod:get", 1, "did you mean method?"),
        ("x tag:a", 3, "the fields are organization"),
        ("callers>x", 9, "a number such as"),
        ("p95>1d", 5, "a duration such as"),
        ("first-seen<7", 12, "an age such as"),
        ("status:6xx", 8, "a status such as"),
        ("status>5xx", 8, "a code such as 500"),
        ("auth:maybe", 6, "one of required, optional"),
        ("method>get", 8, "method is compared by : only"),
        ("p95<1,2", 6, "only one value can follow <"),
        ("method:", 8, "a value of method"),
        ("method: get", 8, "a value of method"),
        ("method:get,", 12, "a value of method"),
        ('method:"get', 8, "these quotes are not closed"),
        ("path:a*b*c*d*e*f", 6, "at most 4 of *"),
        ("callers > 10", 9, "the name of a field right before >"),
        ("(a or b", 8, "expected ) for the ( in column 1"),
        ("a)", 2, "closes nothing"),
        ("()", 2, "before )"),
        ("a or", 5, "at the end"),
        ("or a", 1, "before 'or'"),
        ("a and or b", 7, "before 'or'"),
        ("-", 1, "- has to stand in quotes"),
        ('a"b"', 2, "a space"),
        ('""', 1, "a word between the quotes"),
        ("a,b", 2, ", has to stand in quotes"),
        ("a\0", 2, "NUL"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, column: int, expected: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, ENDPOINTS)

    assert caught.value.column == column
    assert expected in caught.value.expected
    assert str(caught.value).startswith(f"column {column}: ")


@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        ("a" * MAX_CHARACTERS, "a" * (MAX_CHARACTERS + 1)),
        ("a " * MAX_TERMS, "a " * (MAX_TERMS + 1)),
        ("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1)),
        ("-" * MAX_DEPTH + "a", "-" * (MAX_DEPTH + 1) + "a"),
    ],
    ids=["characters", "terms", "parentheses", "negations"],
)
def test_a_filter_is_bounded(fits: str, exceeds: str) -> None:
    parse(fits, ENDPOINTS)
    with pytest.raises(FilterError, match="at most"):
        parse(exceeds, ENDPOINTS)


def words_and_terms() -> st.SearchStrategy[Expression]:
    text = st.text('aB1é\N{SNOWMAN} "\\-*:(),<>=\n', min_size=1, max_size=5)
    plain = text.filter(lambda value: value.count("*") <= 4)
    return st.one_of(
        st.builds(Word, st.one_of(text, st.sampled_from(["or", "NOT", "-x", 'a"b', "a\\", "(", "a:b"]))),
        st.builds(
            lambda field, values: Term(field, ":", tuple(dict.fromkeys(values))),
            st.sampled_from(["path", "host", "application", "method", "sensitive"]),
            st.lists(plain, min_size=1, max_size=3),
        ),
        st.builds(
            Term,
            st.sampled_from(["callers", "exchanges"]),
            st.sampled_from([":", "<", "<=", ">", ">="]),
            st.sampled_from([("10",), ("2.5k",)]),
        ),
        st.sampled_from(
            [
                Term("status", ":", ("5xx", "404")),
                Term("severity", ">=", ("high",)),
                Term("first-seen", "<", ("7d",)),
            ]
        ),
    )


def trees(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3)
    both = several.map(lambda each: all_of(item for item in each))
    either = several.filter(lambda each: not any(isinstance(item, OneOf) for item in each)).map(
        lambda each: OneOf(tuple(each))
    )
    return st.one_of(both, either, inner.filter(lambda each: not isinstance(each, Not)).map(Not))


EXPRESSIONS = st.recursive(words_and_terms(), trees, max_leaves=8)


@settings(max_examples=60)
@given(EXPRESSIONS)
def test_a_tree_as_text_is_read_as_the_same_tree(tree: Expression) -> None:
    try:
        again = parse(str(tree), ENDPOINTS)
    except FilterError as error:
        assert "at most" in error.expected, (str(tree), error)
        return
    assert again == tree
    assert str(again) == str(tree)


@given(st.text('ab:"()<>=-, \\*5xormethod\N{SNOWMAN}', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for fields in (ENDPOINTS, FINDINGS):
        try:
            tree = parse(text, fields)
        except FilterError as error:
            assert 1 <= error.column <= len(text) + 1
        else:
            assert parse(str(tree), fields) == tree


HOSTILE = [
    "(" * MAX_CHARACTERS,
    "-" * (MAX_CHARACTERS - 1) + "a",
    '"' * MAX_CHARACTERS,
    'path:"' + "\\" * (MAX_CHARACTERS - 7) + '"',
    "path:" + "a," * ((MAX_CHARACTERS - 6) // 2) + "a",
    "a or " * 190,
    "x" * 500 + ":" + "y" * 400,
    " " * MAX_CHARACTERS,
    "path:" + "*a" * 490,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:8] for text in HOSTILE])
def test_a_hostile_filter_costs_little(text: str) -> None:
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        parse(text, ENDPOINTS)
    except FilterError:
        pass
    finally:
        sys.setprofile(None)
    assert calls < 1000 + 20 * len(text), "each part of the text is looked at once"
