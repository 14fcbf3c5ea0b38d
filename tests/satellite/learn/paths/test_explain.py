"""Evidence reads well: every feature has words."""

from __future__ import annotations

import json

from levo.satellite.learn.paths import PathState
from levo.satellite.learn.paths.explain import MOST, SAID, explain, explanation
from levo.satellite.learn.paths.model import model
from levo.satellite.learn.paths.statement import read_statement
from levo.satellite.learn.paths.templates import Catalog

NAMES = ("kowalski", "oyelaran", "brzezinski", "takahashi", "ndiaye", "xiomara", "thorvald")
"""Fewer than are forgotten, so that their evidence is there."""


def learned() -> Catalog:
    state = PathState()
    for name in NAMES * 2:
        place = state.observe("GET", f"/users/{name}/orders/17", 200)
        assert place is not None
        statement = read_statement(
            f"/users/{name}/orders/17", b"", json.dumps({"user": name, "id": 17}).encode()
        )
        assert statement is not None
        state.hear("GET", place, statement)
    return Catalog(state)


def test_every_feature_that_has_a_weight_has_words() -> None:
    families = {name.partition(":")[0] for name in (*model().first, *model().second)}

    assert families <= set(SAID)
    assert len(set(SAID.values())) == len(SAID)


def test_each_segment_is_explained_by_its_weightiest_reasons() -> None:
    (template,) = learned().templates
    users, user, orders, order = explain(template)

    assert [one.is_parameter for one in (users, user, orders, order)] == [False, True, False, True]
    assert all(
        one.probability > 0.9 and 1 <= len(one.because) <= MOST for one in (users, user, orders, order)
    )
    assert "comes back in the response" in {b.what for b in user.because}
    assert order.because[0].what == "value of a recognized type"
    for one in (users, user, orders, order):
        weights = [b.weight for b in one.because]
        assert weights == sorted(weights, reverse=True)


def test_the_explanation_is_text_without_names_of_features() -> None:
    (template,) = learned().templates
    first, *others = explanation(template).splitlines()

    assert first.startswith("GET /users/{user}/orders/{orderId}  (confidence ")
    assert len(others) == 4
    assert "{orderId}  parameter, 100%: value of a recognized type (certain)" in others[3]
    assert ":0" not in "".join(others) and "kowalski" not in "".join(others)
