"""Trees of filters: one form for each meaning, and their text."""

from __future__ import annotations

import pytest

from levo.satellite.query.expression import (
    EVERYTHING,
    AllOf,
    Expression,
    Not,
    OneOf,
    Term,
    Word,
    all_of,
    any_of,
    is_true,
    not_of,
    terms_of,
)

A, B, C = Word("a"), Word("b"), Term("method", ":", ("get",))


def test_each_meaning_has_one_form() -> None:
    assert all_of([A]) == A
    assert all_of([]) == EVERYTHING
    assert all_of([AllOf((A, B)), C]) == AllOf((A, B, C))
    assert any_of([A]) == A
    assert any_of([OneOf((A, B)), C]) == OneOf((A, B, C))
    assert not_of(not_of(A)) == A


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (EVERYTHING, ""),
        (AllOf((A, B, C)), "a b method:get"),
        (OneOf((AllOf((A, B)), C)), "a b or method:get"),
        (AllOf((A, OneOf((B, C)))), "a (b or method:get)"),
        (Not(OneOf((A, B))), "-(a or b)"),
        (Not(C), "-method:get"),
        (Word("two words"), '"two words"'),
        (Word("or"), '"or"'),
        (Word('"'), r'"\""'),
        (Term("path", ":", ("/a b", "/c")), 'path:"/a b",/c'),
        (Term("p95", ">", ("200ms",)), "p95>200ms"),
    ],
)
def test_a_tree_as_text(tree: Expression, text: str) -> None:
    assert str(tree) == text


def test_a_tree_is_true_by_its_leaves() -> None:
    def true(*leaves: Expression) -> set[str]:
        return {text for text, tree in TREES.items() if is_true(tree, lambda leaf: leaf in leaves)}

    assert true() == {"everything", "not a"}
    assert true(A) == {"everything", "a", "a or b"}
    assert true(A, B) == {"everything", "a", "a or b", "a b"}


TREES: dict[str, Expression] = {
    "everything": EVERYTHING,
    "a": A,
    "not a": Not(A),
    "a b": AllOf((A, B)),
    "a or b": OneOf((A, B)),
}


def test_the_comparisons_of_a_tree() -> None:
    assert list(terms_of(AllOf((A, Not(OneOf((C, B))))))) == [C]
