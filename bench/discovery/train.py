# ruff: noqa: E402 - bench and src are put on the path first
"""Fit the weights of the decisions on traffic of the teaching providers and write ``model.py``.

Usage: ``python bench/discovery/train.py PACKAGE_DIRECTORY CACHE_FILE [SEEDS]`` with scikit-learn installed.
Two logistic regressions over named yes/no features; the second sees the log-odds of the first, cross-fitted
by provider so that it sees them as wrong as they will be.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from discovery.corpus import Description, read_directory, split_of
from discovery.score import anonymous
from discovery.traffic import Traffic
from levo.satellite.learn.paths.branch import Branch, Reason
from levo.satellite.learn.paths.decide import decide, first_features, second_features
from levo.satellite.learn.paths.features import Siblings
from levo.satellite.learn.paths.model import Model, encode_model
from levo.satellite.learn.paths.segments import literal_stem
from levo.satellite.learn.paths.state import PathState
from levo.satellite.learn.paths.trie import walk

TARGET = Path(__file__).parents[2] / "src/levo/satellite/learn/paths/model.json"
COUNTS = (60, 250, 1000, 1000, 4000)
FOLDS = 4


class Groups:
    """All sibling groups met, with what is true of each child."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, Siblings, list[int], list[float]]] = []
        """(fold of the provider, siblings, 1 for a value, what a mistake costs)."""


def collect(description: Description, seed: int, count: int, groups: Groups) -> None:
    """Generate traffic, learn it, and note what is true at each decision."""
    traffic = Traffic(description, seed)
    state = PathState()
    called: set[int] = set()
    for request in traffic.requests(count):
        if request.truth is not None:
            called.add(request.truth)
        state.observe(request.method, request.path, request.status)
    state.fold()
    literals: dict[tuple[str, ...], set[str]] = defaultdict(set)
    parameters: set[tuple[str, ...]] = set()
    for index in called:
        segments = anonymous(traffic.operations[index].template)
        for i, segment in enumerate(segments):
            if "{}" in segment:
                parameters.add(segments[:i])
            else:
                literals[segments[:i]].add(segment)
    below: dict[tuple[str, ...], int] = defaultdict(int)
    for shape in {(traffic.operations[i].method, anonymous(traffic.operations[i].template)) for i in called}:
        for end in range(len(shape[1]) + 1):
            below[shape[1][:end]] += 1
    fold = zlib.crc32(description.provider.encode()) % FOLDS

    def teach(branch: Branch, siblings: Siblings) -> Sequence[Reason]:
        fixed = {literal_stem(text) for text in literals.get(branch.pattern, ())}
        labels = [int(child.literal not in fixed) for child in siblings.children]
        if branch.pattern in literals or branch.pattern in parameters:
            ends: Counter[str] = Counter()
            for _, node in branch.places:
                for name, kid in node.kids.items():
                    ends[literal_stem(name)] += sum(len(end.calls) for _, end in walk(kid))
            costs = [
                min(
                    20.0,
                    1.0 + (ends[child.literal] - 1 if label else below[(*branch.pattern, child.literal)]),
                )
                for child, label in zip(siblings.children, labels, strict=True)
            ]
            groups.groups.append((fold, siblings, labels, costs))
        return [Reason(float(label), ()) for label in labels]

    decide(state.root, judge=teach)


def main() -> None:
    """Collect, fit, write."""
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    groups = Groups()
    for description in read_directory(Path(sys.argv[1]), Path(sys.argv[2])):
        if split_of(description.provider) == "teach":
            for seed in range(seeds):
                rng = random.Random(f"{description.name}{seed}")
                collect(description, 1000 + seed, rng.choice(COUNTS), groups)
    rows, labels, folds, owner, costs = [], [], [], [], []
    for number, (fold, siblings, truth, prices) in enumerate(groups.groups):
        for names, label, price in zip(first_features(siblings), truth, prices, strict=True):
            rows.append(dict.fromkeys(names, 1.0))
            labels.append(label)
            costs.append(price)
            folds.append(fold)
            owner.append(number)
    print(len(groups.groups), "groups", len(rows), "children", sum(labels), "values", flush=True)
    vectorizer = DictVectorizer()
    x = vectorizer.fit_transform(rows)
    crossed = [0.0] * len(rows)
    for fold in range(FOLDS):
        inside = [i for i, f in enumerate(folds) if f != fold]
        outside = [i for i, f in enumerate(folds) if f == fold]
        model = fit(x[inside], [labels[i] for i in inside], [costs[i] for i in inside])
        odds = model.decision_function(x[outside])
        right = sum((o > 0) == bool(labels[i]) for o, i in zip(odds, outside, strict=True))
        print("fold", fold, "first", round(right / max(1, len(outside)), 4), flush=True)
        for i, o in zip(outside, odds, strict=True):
            crossed[i] = float(o)
    second_rows = []
    by_group: dict[int, list[int]] = defaultdict(list)
    for i, number in enumerate(owner):
        by_group[number].append(i)
    for number, members in by_group.items():
        first = [crossed[i] for i in members]
        for position in range(len(members)):
            second_rows.append(dict.fromkeys(second_features(groups.groups[number][1], first, position), 1.0))
    second_vectorizer = DictVectorizer()
    y = second_vectorizer.fit_transform(second_rows)
    second = fit(y, labels, costs)
    right = sum((o > 0) == bool(t) for o, t in zip(second.decision_function(y), labels, strict=True))
    print("second", round(right / len(labels), 4))
    first_model = fit(x, labels, costs)
    TARGET.write_bytes(
        encode_model(Model(weights(vectorizer, first_model), weights(second_vectorizer, second)))
    )


def fit(x: object, labels: list[int], costs: list[float]) -> LogisticRegression:
    """Fit one regression with an L2 penalty; each mistake counts by its cost."""
    return LogisticRegression(C=0.1, max_iter=400, solver="lbfgs").fit(x, labels, sample_weight=costs)


def weights(vectorizer: DictVectorizer, model: LogisticRegression) -> dict[str, float]:
    """Return the intercept and the weights by feature; those too small to matter are left out."""
    pairs = zip(vectorizer.feature_names_, model.coef_[0], strict=True)
    return {
        "": round(float(model.intercept_[0]), 2),
        **{name: round(float(weight), 2) for name, weight in pairs if abs(weight) >= 0.02},
    }


if __name__ == "__main__":
    main()
