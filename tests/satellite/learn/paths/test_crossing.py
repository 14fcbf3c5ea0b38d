"""Words that recur below a parameter."""

from __future__ import annotations

from levo.satellite.learn.paths.branch import Reason
from levo.satellite.learn.paths.crossing import weigh_crossing
from levo.satellite.learn.paths.decide import decide
from levo.satellite.learn.paths.features import Child, Context, Siblings
from levo.satellite.learn.paths.state import PathState
from levo.satellite.learn.paths.statement import read_statement
from tests.satellite.learn.paths.trees import ends, learned

WORDS = ("settings", "members")
UNKNOWN = ("brandabot/alerts", "arcane-scouting/alerts", "lore-scouting/alerts", "brandabot/secrets")
PEOPLE = ("kowalski", "oyelaran", "brzezinski", "takahashi", "ndiaye", "xiomara", "thorvald", "quispe")


def siblings(above: dict[str, int], kind: str = "param", typed: int = 0) -> Siblings:
    children = [
        Child(text, max(n, 1), frozenset({"GET"}), frozenset(), 1, above=n) for text, n in above.items()
    ]
    return Siblings(Context(kind, "", 2, True), children, typed, frozenset(), frozenset(), False)


def judged(found: Siblings, *probabilities: float) -> list[float]:
    reasons = weigh_crossing(found, [Reason(each, ()) for each in probabilities])
    return [round(reason.value_probability, 2) for reason in reasons]


def test_what_recurs_below_several_values_beside_words_is_likely_a_word() -> None:
    seen = siblings({"settings": 5, "members": 4, "brandabot": 5, "seldom": 2})

    assert judged(seen, 0.1, 0.1, 0.97, 0.97) == [0.0, 0.0, 0.18, 0.97]


def test_nothing_is_said_where_values_stand() -> None:
    above = {"settings": 5, "members": 4, "brandabot": 5}

    assert judged(siblings(above, "word"), 0.1, 0.1, 0.97) == [0.1, 0.1, 0.97]
    assert judged(siblings(above, typed=3), 0.1, 0.1, 0.97) == [0.1, 0.1, 0.97]
    assert judged(siblings(above), 0.1, 0.9, 0.97) == [0.1, 0.9, 0.97]  # one word is none
    once = siblings({**above, "once": 1})
    assert judged(once, 0.1, 0.1, 0.97, 0.97) == [0.1, 0.1, 0.97, 0.97]


def test_products_of_unknown_names_below_a_parameter_stay_apart() -> None:
    below = [*WORDS, *UNKNOWN]
    requests = [f"GET /orgs/{name}-{end[:3]}/{end}" for name in PEOPLE[:5] for end in below]

    assert ends(decide(learned(requests))) == sorted(f"/orgs/{{}}/{end}" for end in below)


def test_so_do_they_below_values_of_a_recognized_type() -> None:
    below = [*WORDS, *UNKNOWN]
    requests = [f"GET /orgs/{number}/{end}" for number in range(5) for end in below]

    assert ends(decide(learned(requests))) == sorted(f"/orgs/{{}}/{end}" for end in below)


def test_names_that_come_and_go_below_a_parameter_are_values() -> None:
    requests = [
        f"GET /orgs/{org}/{name}/{word}" for org in PEOPLE for name in PEOPLE if name > org for word in WORDS
    ]

    assert ends(decide(learned(requests))) == sorted(f"/orgs/{{}}/{{}}/{word}" for word in WORDS)


def test_siblings_below_which_the_same_is_answered_are_judged_together() -> None:
    state = PathState()
    for name in ("attrs", "click", "django", "flask", "numpy", "rich", "six"):
        for _ in range(3):
            path = f"/pypi/{name}/json"
            place = state.observe("GET", path, 200)
            statement = read_statement(path, b"", b'{"urls": [], "info": {}, "releases": {}}')
            assert place is not None and statement is not None
            state.hear("GET", place, statement)

    assert ends(decide(state.root)) == ["/pypi/{}/json"]
