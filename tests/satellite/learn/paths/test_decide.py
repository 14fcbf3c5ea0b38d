"""Which segments are values."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn.paths.branch import Branch, Reason
from levo.satellite.learn.paths.decide import Judge, decide, first_features, judge_by_weights, second_features
from levo.satellite.learn.paths.features import Child, Context, Siblings
from levo.satellite.learn.paths.known import Override, compile_known
from levo.satellite.learn.paths.trie import walk
from tests.helpers.effort import scaled
from tests.satellite.learn.paths.trees import branches, ends, learned

NAMES = ("kowalski", "oyelaran", "brzezinski", "takahashi", "ndiaye", "xiomara", "thorvald", "quispe")


def everything(probability: float) -> Judge:
    def judge(branch: Branch, siblings: Siblings) -> Sequence[Reason]:
        return [Reason(probability, ()) for _ in siblings.children]

    return judge


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        (["GET /users/1", "GET /users/2/orders"], ["/users/{}", "/users/{}/orders"]),
        (["GET /health", "GET /version"], ["/health", "/version"]),
        (["GET /users/1", "GET /users/me"], ["/users/me", "/users/{}"]),
        (["GET /jobs/7:cancel", "GET /jobs/7"], ["/jobs/{}", "/jobs/{}:cancel"]),
        (["GET /report.json", "GET /report.xml"], ["/report.{}"]),
        (["GET /export/json", "GET /export/xml"], ["/export/{}"]),
        (["GET /echo/get", "GET /echo/json", "GET /echo/xml"], ["/echo/get", "/echo/json", "/echo/xml"]),
        (["GET /v1/a", "GET /v2/a"], ["/v1/a", "/v2/a"]),
        (
            [f"GET /{day}/functions/1" for day in ("2015-03-31", "2017-10-31", "2019-09-25", "2021-10-31")],
            [f"/{day}/functions/{{}}" for day in ("2015-03-31", "2017-10-31", "2019-09-25", "2021-10-31")],
        ),
        (
            [f"GET /rest/api/3/{name}/7" for name in ("issue", "user")],
            ["/rest/api/3/issue/{}", "/rest/api/3/user/{}"],
        ),
        ([f"GET /2024-05-{day:02}/rates" for day in range(1, 29)], ["/{}/rates"]),
        (["GET /v20180820/jobs", "GET /v20180820/tags"], ["/v20180820/jobs", "/v20180820/tags"]),
    ],
)
def test_typed_values_and_formats_are_parameters_and_words_are_not(
    requests: list[str], expected: list[str]
) -> None:
    assert ends(decide(learned(requests))) == expected


def test_names_below_a_collection_become_one_parameter() -> None:
    requests = [f"{method} /users/{name}" for name in NAMES for method in ("GET", "DELETE")]
    requests += [f"GET /users/{name}/orders" for name in NAMES]

    assert ends(decide(learned(requests))) == ["/users/{}", "/users/{}/orders"]


def test_one_unknown_name_alone_stays_as_it_is() -> None:
    assert ends(decide(learned(["GET /users/kowalski"]), judge=everything(1.0))) == ["/users/kowalski"]


@pytest.mark.parametrize(("probability", "expected"), [(1.0, ["/{}"]), (0.94, ["/aa", "/bb"])])
def test_the_judge_has_to_be_sure(probability: float, expected: list[str]) -> None:
    assert ends(decide(learned(["GET /aa", "GET /bb"]), judge=everything(probability))) == expected


@pytest.mark.parametrize(("count", "expected"), [(4, 1), (3, 3)])
def test_several_that_are_likely_values_are_judged_together(count: int, expected: int) -> None:
    requests = [f"GET /zones/{name}/records" for name in ("hx", "vf", "yx", "ma")[:count]]

    assert len(ends(decide(learned(requests), judge=everything(0.9)))) == expected


@pytest.mark.parametrize(
    ("below", "words", "is_value"),
    [("records", 0, True), ("transfers", 0, False), ("", 0, False), ("records", 2, False)],
    ids=["like the values", "another child", "no child", "some words"],
)
def test_a_doubtful_one_among_values_with_the_same_children_is_one(
    below: str, words: int, is_value: bool
) -> None:
    requests = [
        f"GET /zones/{name}/records" for name in ("hx", "vf", "yx", "ma", "qd", "uo", "wz", "bk", "jc")
    ]
    requests += [f"GET /zones/word{number}/records" for number in range(words)]
    requests.append(f"GET /zones/pv/{below}".rstrip("/"))

    def judge(branch: Branch, siblings: Siblings) -> Sequence[Reason]:
        sure = {"pv": 0.7, "zones": 0.0, "records": 0.0, "transfers": 0.0, "word0": 0.1, "word1": 0.1}
        return [Reason(sure.get(child.literal, 0.99), ()) for child in siblings.children]

    found = ends(decide(learned(requests), judge=judge))

    assert any(path.startswith("/zones/pv") for path in found) is not is_value
    assert "/zones/{}/records" in found


def test_what_a_user_or_a_description_says_goes_before_any_judge() -> None:
    known = compile_known([Override("import", "/teams/{team}/info"), Override("split", "/teams/ours")])
    root = learned(["GET /teams/red/info", "GET /teams/ours"])

    assert ends(decide(root, known, everything(0.0))) == ["/teams/ours", "/teams/{}/info"]


@given(
    st.lists(
        st.lists(st.sampled_from(("users", "7", "me", *NAMES[:4], "a.json", "x:do")), min_size=1, max_size=4),
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=scaled(40), deadline=None)
def test_every_place_is_in_one_branch_and_the_order_does_not_matter(
    paths: list[list[str]], rng: random.Random
) -> None:
    requests = ["GET /" + "/".join(path) for path in paths]
    root = learned(requests)
    decided = decide(root)
    found = [id(node) for branch in branches(decided) for _, node in branch.places if node.calls]
    rng.shuffle(requests)

    assert sorted(found) == sorted(id(node) for _, node in walk(root))
    assert ends(decide(learned(requests))) == ends(decided)
    assert ends(decide(root)) == ends(decided)


def siblings() -> Siblings:
    get = frozenset({"GET"})
    children = [Child(name, 3, get, frozenset(), 1) for name in ("users", *NAMES)]
    return Siblings(Context("word", "people", 1), children, 0, frozenset(), frozenset(), False)


def test_judging_gives_each_child_a_probability_and_its_weightiest_reasons() -> None:
    given = siblings()
    reasons = judge_by_weights(Branch((), []), given)

    assert len(reasons) == len(given.children)
    for reason in reasons:
        weights = [abs(weight) for _, weight in reason.evidence]
        assert 0 <= reason.value_probability <= 1
        assert weights == sorted(weights, reverse=True) and len(weights) <= 6
    assert reasons[0].value_probability < min(each.value_probability for each in reasons[1:])


def test_the_second_look_knows_how_the_others_were_judged() -> None:
    given = siblings()
    count = len(given.children)

    assert len(first_features(given)) == count
    assert second_features(given, [-9.0] + [9.0] * (count - 1), 0) != second_features(
        given, [-9.0] * count, 0
    )
    lone = Siblings(given.context, given.children[:1], 0, frozenset(), frozenset(), False)
    assert "alone" in second_features(lone, [0.0], 0)
