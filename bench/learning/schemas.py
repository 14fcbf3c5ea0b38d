"""How sound and how tight learned response schemas are, on the demo's sample API; other seeds held out."""

from __future__ import annotations

import copy
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import orjson

from levo.cli.learn import read_file
from levo.demo.capture_file import write_capture
from levo.satellite.learn import State, Trace, learn
from levo.satellite.learn.paths.state import ABSENT_STATUSES
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of

KINDS = ("removed", "type", "unknown")
START_NS = 1_700_000_000 * 10**9


def capture(folder: Path, seed: int, exchanges: int) -> list[Trace]:
    """The traces of a generated capture."""
    path = folder / f"{seed}.pcap"
    with path.open("wb") as file:
        write_capture(file, seed, exchanges, START_NS, 100.0)
    return list(read_file(path))


def mutants(rng: Random, value: Any) -> Iterator[tuple[str, Any]]:
    """One mutant of each kind: a property removed, a type changed, an unknown property."""
    spots = list(_objects(value))
    if not spots:
        return
    for kind in KINDS:
        changed = copy.deepcopy(value)
        spot = rng.choice([s for s in _objects(changed) if s] or [{}])
        if not spot:
            continue
        name = rng.choice(sorted(spot))
        if kind == "removed":
            del spot[name]
        elif kind == "type":
            spot[name] = {"x": 1} if not isinstance(spot[name], dict) else 7
        else:
            spot["surprise"] = 1
        yield kind, changed


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def measure(seed: int = 1, learned: int = 5000, held_out: int = 3000) -> dict[str, float]:
    """Return the figures of :func:`compare` for the sample API."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return compare(capture(folder, seed, learned), capture(folder, seed + 1000, held_out), seed)


def compare(
    learned: Iterable[Trace],
    held_out: Iterable[Trace],
    seed: int,
    show: bool = False,
    state: State | None = None,
) -> dict[str, float]:
    """Return shares: ``valid`` of the *held_out* responses, ``rejected`` of mutants, in all and by kind.

    What is *learned* is added to what *state* knows.

    A response to an operation or with a status that was never learned from is no valid one, but those are
    counted as ``unlearned`` too. With *show*, what is wrong is printed by place, without values.
    """
    state = state if state is not None else State()
    for trace in learned:
        learn(state, trace)
    operations = operations_of(state)
    document = render_document("learned", operations, annotate=False)
    validators = _Validators(document, {operation.path for operation in operations})
    counts: Counter[str] = Counter()
    rng = Random(f"{seed}")
    for trace in held_out:
        _check(rng, trace, validators, counts, show)
    figures = {
        "valid": counts["valid"] / counts["checked"],
        "checked": float(counts["checked"]),
        "unlearned": float(counts["unlearned"]),
    }
    for kind in KINDS:
        figures[f"rejected {kind}"] = counts[f"{kind} rejected"] / max(1, counts[kind])
    figures["rejected"] = sum(counts[f"{k} rejected"] for k in KINDS) / sum(counts[k] for k in KINDS)
    if show:
        for name, count in counts.most_common():
            if "accepted" in name:
                print(f"    {count:5} {name}")
    figures["mutants"] = float(sum(counts[k] for k in KINDS))
    return figures


class _Validators:
    """The schemas of a document's JSON responses; each is compiled when it is first asked for."""

    def __init__(self, document: dict[str, Any], templates: set[str]) -> None:
        """*templates* tell which parameters span segments (``+``)."""
        self._components = document.get("components", {})
        self._schemas: dict[tuple[str, str], list[tuple[re.Pattern[str], Any]]] = {}
        self._compiled: dict[int, Any] = {}
        spanning = {template.replace("+}", "}") for template in templates if "+}" in template}
        for path, item in sorted(document["paths"].items(), key=lambda each: _generality(each[0])):
            value = ".+" if path in spanning else "[^/]+"
            pattern = re.compile(re.sub(r"\\\{[^{}]*\\\}", value, re.escape(path)))
            for method, operation in item.items():
                for status, response in operation["responses"].items() if method != "servers" else ():
                    for media, content in response.get("content", {}).items():
                        if "json" in media:
                            told = self._schemas.setdefault((method.upper(), status), [])
                            told.append((pattern, content["schema"]))

    def find(self, trace: Trace) -> tuple[re.Pattern[str], Any] | None:
        """Return the path and the validator of a response; None if nothing was learned of such."""
        for pattern, schema in self._schemas.get((trace.method, str(trace.status)), ()):
            if pattern.fullmatch(trace.path):
                if id(schema) not in self._compiled:
                    whole = {"components": self._components, **schema}
                    self._compiled[id(schema)] = jsonschema_rs.Draft202012Validator(
                        whole, validate_formats=True
                    )
                return pattern, self._compiled[id(schema)]
        return None


def _generality(path: str) -> tuple[int, int]:
    return path.count("{"), -len(path)


def _check(rng: Random, trace: Trace, validators: _Validators, counts: Counter[str], show: bool) -> None:
    if not trace.response_body or "json" not in dict(trace.response_headers).get("content-type", ""):
        return
    if trace.status in ABSENT_STATUSES:
        return
    body = orjson.loads(trace.response_body)
    counts["checked"] += 1
    place = f"{trace.method} {trace.status}"
    found = validators.find(trace)
    if found is None:
        counts["unlearned"] += 1
        if show:
            print(f"    unlearned: {place} {trace.path}")
        return
    pattern, validator = found
    place += f" {pattern.pattern}"
    valid = validator.is_valid(body)
    counts["valid"] += valid
    if not valid and show:
        error = next(validator.iter_errors(body))
        print(f"    invalid: {place}: {error.schema_path}")
    if valid and trace.status < 300:
        for kind, changed in mutants(rng, body):
            counts[kind] += 1
            rejected = not validator.is_valid(changed)
            counts[f"{kind} rejected"] += rejected
            if show and not rejected:
                counts[f"{kind} accepted: {place}"] += 1
