"""Fit the weights of the decisions on traffic of the teaching providers and write ``weights.py``.

Usage: ``python bench/discovery/train.py PACKAGE_DIRECTORY CACHE_FILE [SEEDS]`` with scikit-learn installed.
Two logistic regressions over named yes/no features; the second sees the log-odds of the first, cross-fitted by
provider so that it sees them as wrong as they will be.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from discovery.corpus import Description, read_directory, split_of
from discovery.score import anonymous
from discovery.traffic import Traffic
from levo.satellite.learn.paths.decide import Branch, Reason, decide, first_features, second_features
from levo.satellite.learn.paths.features import Siblings
from levo.satellite.learn.paths.state import PathState
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

TARGET = Path(__file__).parents[2] / "src/levo/satellite/learn/paths/weights.py"
COUNTS = (60, 250, 1000, 1000, 4000)
FOLDS = 4


class Groups:
    """All sibling groups met, with what is true of each child."""

    def __init__(self) -> None:
        self.groups: list[tuple[int, Siblings, list[int]]] = []
        """(fold of the provider, siblings, 1 for a value)."""


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
    fold = zlib.crc32(description.provider.encode()) % FOLDS

    def teach(branch: Branch, siblings: Siblings) -> Sequence[Reason]:
        fixed = literals.get(branch.pattern, set())
        labels = [int(child.literal not in fixed) for child in siblings.children]
        if branch.pattern in literals or branch.pattern in parameters:
            groups.groups.append((fold, siblings, labels))
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
    rows, labels, folds, owner = [], [], [], []
    for number, (fold, siblings, truth) in enumerate(groups.groups):
        for names, label in zip(first_features(siblings), truth, strict=True):
            rows.append(dict.fromkeys(names, 1.0))
            labels.append(label)
            folds.append(fold)
            owner.append(number)
    print(len(groups.groups), "groups", len(rows), "children", sum(labels), "values", flush=True)
    vectorizer = DictVectorizer()
    x = vectorizer.fit_transform(rows)
    crossed = [0.0] * len(rows)
    for fold in range(FOLDS):
        inside = [i for i, f in enumerate(folds) if f != fold]
        outside = [i for i, f in enumerate(folds) if f == fold]
        model = fit(x[inside], [labels[i] for i in inside], 0.3)
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
            second_rows.append(
                dict.fromkeys(second_features(groups.groups[number][1], first, position), 1.0)
            )
    second_vectorizer = DictVectorizer()
    y = second_vectorizer.fit_transform(second_rows)
    second = fit(y, labels, 0.3)
    right = sum((o > 0) == bool(t) for o, t in zip(second.decision_function(y), labels, strict=True))
    print("second", round(right / len(labels), 4))
    first_model = fit(x, labels, 0.3)
    TARGET.write_text(
        '"""Log-odds towards "value" by feature. Written by ``bench/discovery/train.py``; do not edit."""\n\n'
        "from __future__ import annotations\n\n"
        + render("FIRST", vectorizer, first_model)
        + "\n"
        + render("SECOND", second_vectorizer, second)
    )


def fit(x: object, labels: list[int], strength: float) -> LogisticRegression:
    """Fit one regression with an L2 penalty."""
    return LogisticRegression(C=strength, max_iter=400, solver="lbfgs").fit(x, labels)


def render(name: str, vectorizer: DictVectorizer, model: LogisticRegression) -> str:
    """Return the weights as a Python literal; those too small to matter are left out."""
    pairs = sorted(zip(vectorizer.feature_names_, model.coef_[0], strict=True))
    lines = [f'    "": {model.intercept_[0]:.2f},\n']
    lines += [f'    "{n}": {w:.2f},\n' for n, w in pairs if abs(w) >= 0.02]
    return f"{name}: dict[str, float] = {{\n" + "".join(lines) + "}\n"


if __name__ == "__main__":
    main()
