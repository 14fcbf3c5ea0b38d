"""The learned model: log-odds towards "value" by the name of a feature.

``model.json`` holds it; ``bench/discovery/train.py`` writes that file.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

import msgspec

FILE = "model.json"


class Model(msgspec.Struct, frozen=True):
    """Two logistic regressions. The second sees what the first found out about the siblings."""

    first: dict[str, float]
    """Weight by feature; the intercept is that of the empty name."""
    second: dict[str, float]


@cache
def model() -> Model:
    """Return the model of this release, read once."""
    return msgspec.json.decode(files(__package__).joinpath(FILE).read_bytes(), type=Model)


def encode_model(made: Model) -> bytes:
    """Return *made* as the file holds it: a feature a line, sorted, so that changes can be reviewed."""
    document = {
        "about": "Log-odds towards a value, by feature. Written by bench/discovery/train.py; do not edit.",
        "first": dict(sorted(made.first.items())),
        "second": dict(sorted(made.second.items())),
    }
    return json.dumps(document, indent=0, ensure_ascii=False).encode() + b"\n"
