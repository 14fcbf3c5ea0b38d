"""The learned model as package data."""

from __future__ import annotations

from importlib.resources import files

from levo.satellite.learn import paths
from levo.satellite.learn.paths.model import FILE, Model, encode_model, model


def test_the_file_is_what_the_trainer_writes_of_it() -> None:
    assert encode_model(model()) == files(paths).joinpath(FILE).read_bytes()


def test_both_regressions_have_an_intercept_and_no_weight_that_does_not_matter() -> None:
    for weights in (model().first, model().second):
        assert "" in weights and len(weights) > 100
        assert all(0.02 <= abs(weight) < 10 for name, weight in weights.items() if name)


def test_the_order_of_training_does_not_show() -> None:
    weights = {"b": 1.0, "": -1.5, "a": 0.25}
    other = dict(reversed(weights.items()))

    assert encode_model(Model(weights, weights)) == encode_model(Model(other, other))
