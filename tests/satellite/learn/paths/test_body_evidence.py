"""What bodies say moves the judgment of siblings, and only in the direction that it should."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.paths.body_evidence import SHAPED_LIKE, weigh
from levo.satellite.learn.paths.branch import Reason
from levo.satellite.learn.paths.features import Child, Context, Siblings, Signals

GET = frozenset({"GET"})


def child(name: str, signals: Signals) -> Child:
    return Child(name, signals.looked, GET, frozenset(), 1, 0, signals)


def judged(
    signals: Sequence[Signals],
    before: Sequence[float],
    typed: Signals | None = None,
    names: Sequence[str] = (),
) -> list[float]:
    named = names or [f"c{number}" for number in range(len(signals))]
    children = [child(name, one) for name, one in zip(named, signals, strict=True)]
    siblings = Siblings(
        Context("word", "things", 1),
        children,
        0,
        frozenset(),
        frozenset(),
        False,
        frozenset(),
        typed or Signals(),
    )
    return [r.value_probability for r in weigh(siblings, [Reason(p, ()) for p in before])]


def test_nothing_heard_changes_nothing() -> None:
    assert judged([Signals(), Signals()], [0.3, 0.9]) == [0.3, 0.9]


def test_what_comes_back_is_rather_a_value() -> None:
    after = judged([Signals(4, 4), Signals(4, 1), Signals(4, 0)], [0.3, 0.3, 0.3])

    assert after[0] > 0.9 > after[1] > 0.3
    assert after[2] == 0.3


def test_what_does_not_come_back_where_values_do_is_rather_a_word() -> None:
    values = [Signals(3, 3)] * 4
    after = judged([*values, Signals(6, 0)], [0.99] * 4 + [0.9])

    assert after[4] < 0.2
    assert judged([Signals(6, 0)], [0.9], Signals(20, 20)) == pytest.approx([0.14], abs=0.05)


def test_what_others_give_out_is_rather_a_value_and_what_they_do_not_a_word() -> None:
    given_out = [Signals(given_out=True)] * 5
    after = judged([*given_out, Signals(given_out=True), Signals()], [0.99] * 5 + [0.4, 0.9])

    assert after[5] > 0.9
    assert after[6] < 0.7


def test_siblings_that_answer_alike_are_judged_together() -> None:
    shapes = {"GET": 0b1011, "PATCH": 0b1110000}
    signals = [Signals(shapes=shapes)] * 3 + [Signals(shapes={"GET": 0b1011})]
    values = judged(signals, [0.98, 0.9, 0.3, 0.2])
    words = judged(signals, [0.6, 0.1, 0.1, 0.1])

    assert min(values) == pytest.approx(SHAPED_LIKE)
    assert words == [0.6, 0.1, 0.1, 0.1]


def test_siblings_that_answer_otherwise_are_judged_apart() -> None:
    signals = [
        Signals(shapes={"GET": 0b1111}),
        Signals(shapes={"GET": 0b1111}),
        Signals(shapes={"GET": 0b11110000}),
    ]

    assert judged(signals, [0.95, 0.95, 0.2])[2] == pytest.approx(0.2)


def test_answers_like_those_with_typed_values_speak_for_a_value() -> None:
    typed = Signals(shapes={"GET": 0b111})
    alike, unlike = judged(
        [Signals(shapes={"GET": 0b111}), Signals(shapes={"GET": 0b111000})], [0.5, 0.5], typed
    )

    assert alike > 0.7
    assert unlike < 0.3


HEARD = st.builds(
    Signals,
    st.integers(0, 9),
    st.just(0),
    st.booleans(),
    st.dictionaries(st.sampled_from(["GET", "PUT"]), st.integers(1, 255), max_size=2),
)


@given(st.lists(st.tuples(HEARD, st.floats(0.0, 1.0)), max_size=8))
def test_probabilities_stay_probabilities_in_any_order(children: list[tuple[Signals, float]]) -> None:
    forth = judged([h for h, _ in children], [p for _, p in children])
    back = judged([h for h, _ in reversed(children)], [p for _, p in reversed(children)])

    assert all(0 <= p <= 1 for p in forth)
    assert back[::-1] == pytest.approx(forth)


def test_what_answers_otherwise_than_all_siblings_is_rather_a_word() -> None:
    def answering(shapes: Sequence[int], looked: int = 9) -> list[Signals]:
        return [Signals(looked, shapes={"GET": shape}) for shape in shapes]

    words = judged(answering([0b1111, 0b11110000, 0b1111 << 8, 0b1111 << 12]), [0.9] * 4)
    assert max(words) < 0.4
    # Little things are like parts of others; that is no kind.
    chain = judged(answering([0b0011, 0b1111, 0b1111 << 2, 0b1111 << 4, 0b1111 << 6]), [0.9] * 5)
    assert max(chain) < 0.9
    few = judged(answering([0b1111, 0b11110000, 0b1111 << 8]), [0.9] * 3)
    seldom = judged(answering([0b1111, 0b11110000, 0b1111 << 8, 0b1111 << 12], looked=3), [0.9] * 4)
    assert few == pytest.approx([0.9] * 3) and seldom == pytest.approx([0.9] * 4)


def test_a_word_of_many_apis_is_no_value_for_being_given_out_or_answering_like_one() -> None:
    typed = Signals(shapes={"GET": 0b111})
    mine = Signals(given_out=True, shapes={"GET": 0b111})
    me, other = judged([mine, mine], [0.45, 0.45], typed, names=("me", "kowalski"))

    assert me < 0.85 < other
