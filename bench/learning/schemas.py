"""How sound and how tight learned response schemas are, on the demo's sample API; other seeds held out."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import orjson

from levo.cli.learn import read_file
from levo.demo.capture_file import write_capture
from levo.satellite.learn import State, Trace, learn
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of

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
    for kind in ("removed", "type", "unknown"):
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
    """Return shares: ``valid`` of held-out responses, ``rejected`` of mutants, in all and by kind."""
    with tempfile.TemporaryDirectory() as name:
        state = State()
        for trace in capture(Path(name), seed, learned):
            learn(state, trace)
        document = render_document("demo", operations_of(state), annotate=False)
        validators = list(_validators(document))
        counts: dict[str, int] = {}
        for trace in capture(Path(name), seed + 1000, held_out):
            _check(Random(f"{seed}"), trace, validators, counts)
    figures = {"valid": counts["valid"] / counts["checked"], "checked": float(counts["checked"])}
    kinds = ("removed", "type", "unknown")
    for kind in kinds:
        figures[f"rejected {kind}"] = counts.get(f"{kind} rejected", 0) / max(1, counts.get(kind, 0))
    figures["rejected"] = sum(counts.get(f"{k} rejected", 0) for k in kinds) / sum(
        counts.get(k, 0) for k in kinds
    )
    return figures


def _validators(document: dict[str, Any]) -> Iterator[tuple[re.Pattern[str], str, str, Any]]:
    for path, item in sorted(document["paths"].items(), key=lambda each: each[0].count("{")):
        pattern = re.compile(re.sub(r"\\\{[^{}]*\\\}", "[^/]+", re.escape(path)))
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                for media, content in response.get("content", {}).items():
                    if "json" in media:
                        validator = jsonschema_rs.Draft202012Validator(
                            content["schema"], validate_formats=True
                        )
                        yield pattern, method.upper(), status, validator


def _check(rng: Random, trace: Trace, validators: list[Any], counts: dict[str, int]) -> None:
    if (
        not trace.response_body
        or b"json" not in dict(trace.response_headers).get("content-type", "").encode()
    ):
        return
    if trace.status == 404 or trace.status == 405:
        return
    body = orjson.loads(trace.response_body)
    for pattern, method, status, validator in validators:  # noqa: B007
        if method == trace.method and status == str(trace.status) and pattern.fullmatch(trace.path):
            break
    else:
        counts["checked"] = counts.get("checked", 0) + 1
        return
    counts["checked"] = counts.get("checked", 0) + 1
    counts["valid"] = counts.get("valid", 0) + validator.is_valid(body)
    if trace.status < 300:
        for kind, changed in mutants(rng, body):
            counts[kind] = counts.get(kind, 0) + 1
            counts[f"{kind} rejected"] = counts.get(f"{kind} rejected", 0) + (not validator.is_valid(changed))
