"""Compares eight public descriptions with seeded traffic: ``python -m bench.comparison.run FOLDER``.

Traffic that obeys its description must contradict nothing; each mutation, of the description that traffic is
made from or of the one that it is compared with, must be named.
"""

from __future__ import annotations

import copy
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from bench.comparison.corpus import FILES, read
from bench.comparison.traffic import Key, traffic

from levo.satellite.learn import Detectors, LearnSettings, State, learn_all
from levo.satellite.learn.paths.known import Override
from levo.satellite.openapi import Answer, Coverage, check, compare, served_paths
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.openapi.comparison.description import Description

KINDS = ("type", "required", "enum", "status", "media type", "path", "auth", "bound", "header", "server")
Document = dict[str, Any]


def measure(
    document: Document, described: Document, requests: int, seed: int, exercised: set[Key] | None = None
) -> Coverage:
    """Check *described* against traffic that obeys *document*; *exercised* gets what it went through."""
    settings = LearnSettings(Detectors(), b"key")
    return check(described, traffic(document, requests, seed, exercised), settings)


def measure_catalog(
    document: Document, described: Document, requests: int, seed: int, exercised: set[Key] | None = None
) -> Coverage:
    """As ``measure``, through a catalog, which decides itself which paths belong together."""
    state = State()
    learn_all(state, traffic(document, requests, seed, exercised), LearnSettings(Detectors(), b"key"))
    given = {path for side in (document, described) for path in served_paths(side)}
    return compare(described, operations_of(state, [Override("import", path) for path in sorted(given)]))


def mutated(document: Document, kind: str, rng: Random, in_traffic: bool) -> tuple[Document, str] | None:
    """Return *document* with one statement changed, and where; None where there is no such statement.

    *in_traffic*: traffic is made from it, and must break what *document* says; else the other way round.
    """
    if kind == "server":
        return {**document, "servers": [{"url": "https://elsewhere.example/other/base"}]}, "servers"
    paths = [path for path, item in document["paths"].items() if isinstance(item, dict) and "get" in item]
    rng.shuffle(paths)
    for path in paths:
        new = {**document, "paths": {**document["paths"], path: copy.deepcopy(document["paths"][path])}}
        new["components"] = {**document.get("components", {})}
        if _mutate(Description(new), new, path, kind, rng, in_traffic):
            return new, path
    return None


def _mutate(
    description: Description, new: Document, path: str, kind: str, rng: Random, in_traffic: bool
) -> bool:
    operation = new["paths"][path]["get"]
    responses = operation["responses"]
    status = next((s for s in responses if str(s).startswith("2")), None)
    if status is None or "parameters" in new["paths"][path]:
        return False
    response = responses[status] = copy.deepcopy(dict(description.resolve(responses[status])))
    content = response.get("content") or {}
    media = next((m for m in content if m == "application/json" and "schema" in content[m]), None)
    if kind == "status":
        responses.pop("default", None)
        responses["299" if status != "299" else "298"] = responses.pop(status)
        return not any(str(s).upper() in ("2XX", "DEFAULT") for s in responses)
    if kind == "path":
        new["paths"][path + "/quite/other"] = new["paths"].pop(path)
        return len(new["paths"][path + "/quite/other"]) == 1
    if kind == "auth":
        (described,) = [each for each in description.operations.values() if each.operation is operation]
        if in_traffic and not all(described.security):
            return False
        operation["security"] = [{"changed": []}]
        known = new["components"].get("securitySchemes", {})
        changed = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        new["components"]["securitySchemes"] = {**known, "changed": changed}
        return True
    if kind == "header":
        response.setdefault("headers", {})["X-Quite-Other"] = {"required": True, "schema": {"type": "string"}}
        return media is not None
    if media is None:
        return False
    if kind == "media type":
        content["application/vnd.other+json"] = content.pop(media)
        return len(content) == 1
    return _mutate_schema(description, content[media], kind, rng, in_traffic)


def _mutate_schema(
    description: Description, holder: Document, kind: str, rng: Random, in_traffic: bool
) -> bool:
    schema = holder["schema"] = copy.deepcopy(dict(description.resolve(holder["schema"])))
    if schema.get("type") == "array":
        schema["minItems"] = 1
        schema["items"] = copy.deepcopy(dict(description.resolve(schema.get("items"))))
        schema = schema["items"]
    properties, required = schema.get("properties") or {}, schema.setdefault("required", [])
    if any(word in schema for word in ("oneOf", "anyOf", "allOf")):
        return False
    names = sorted(properties)
    rng.shuffle(names)
    for name in names:
        child = description.resolve(properties[name])
        if name not in required or child.get("type") != "string":
            continue
        plain = not ({"enum", "const", "format", "nullable", "maxLength"} & child.keys())
        if kind == "type" and plain:
            properties[name] = {"type": "boolean"}
        elif kind == "required" and plain:
            if in_traffic:
                required.remove(name)
            else:
                properties["quite_other"] = {"type": "string"}
                required.append("quite_other")
        elif kind == "enum" and ("enum" in child if in_traffic else plain):
            properties[name] = {"type": "string", "enum": ["quite-another-value-than-any"]}
        elif kind == "bound" and ("maxLength" in child if in_traffic else plain):
            properties[name] = {"type": "string", "minLength": 2000, "maxLength": 2004}
        else:
            continue
        return True
    return False


def unanswered(coverage: Coverage, exercised: set[Key]) -> list[Key]:
    """Return the statements that the traffic went through, by its own record, and that do not *agree*.

    They are contradicted, not yet seen, or not judged at all.
    """
    agreed = {(s.method, s.path, s.where, s.kind) for s in coverage.statements if s.answer is Answer.AGREES}
    contradicted = {(s.method, s.path, s.where, s.kind) for s in coverage.drift}
    return sorted(exercised - (agreed - contradicted))


def found(coverage: Coverage, kind: str) -> int:
    """Return how often the mutation is named."""
    kinds = {"auth": ("security",), "bound": ("minLength", "maxLength"), "header": ("required",)}.get(
        kind, (kind,)
    )
    named = [
        each
        for each in coverage.drift
        if each.kind in kinds or (kind == "server" and each.where == "servers")
    ]
    return len(named) + (len(coverage.shadow) if kind == "path" else 0)


def main(folder: Path, requests: list[int]) -> None:
    documents = {name: read(folder, name) for name in FILES}
    for count in requests:
        for name, how, document in (
            (name, how, document)
            for name, document in documents.items()
            for how in (measure, measure_catalog)
        ):
            start = time.process_time()
            exercised: set[Key] = set()
            coverage = how(document, document, count, 1, exercised)
            answers = {answer: coverage.count(answer) for answer in Answer}
            missed = unanswered(coverage, exercised)
            share = 100 * (1 - len(missed) / max(1, len(exercised)))
            took = time.process_time() - start
            way = "check" if how is measure else "catalog"
            print(f"{name:16} {count:6} requests, {way}, {took:.1f} s:", end=" ")
            print(f"contradicted {answers[Answer.CONTRADICTED]}, {share:.2f} % of {len(exercised)}", end=" ")
            print(f"exercised agree; in all {answers[Answer.AGREES]} agree,", end=" ")
            print(f"{answers[Answer.UNSEEN]} not yet seen", end=", ")
            print(f"not described {len(coverage.undescribed)}, shadow {len(coverage.shadow)}", end=", ")
            print(f"ambiguous {len(coverage.ambiguous)}", flush=True)
            for kind, times in Counter(kind for *_, kind in missed).most_common():
                example = next(each for each in missed if each[3] == kind)
                print(f"    {times} {kind} without agreement, as {' '.join(example[:3])[:150]}")
            wrong = Counter((each.kind, each.detail) for each in coverage.drift)
            for (kind, detail), times in wrong.most_common(5):
                print(f"    {times} {kind} {detail[:90]}")
    mutations(documents)


def mutations(documents: dict[str, Document]) -> None:
    """Print what becomes of 60 seeded mutations."""
    total: Counter[int] = Counter()
    names = [name for name in documents if name != "github"]
    for kind in KINDS:
        for seed in range(6):
            rng = Random(f"{kind} {seed}")
            # A bound, an enum or a header that no description has cannot be broken by its traffic.
            in_traffic = seed % 2 == 0 and kind != "header"
            for name in rng.sample(names, len(names)):
                made = mutated(documents[name], kind, rng, in_traffic)
                if made is not None:
                    break
            else:
                in_traffic = False
                name, made = next(
                    (each, m)
                    for each in names
                    if (m := mutated(documents[each], kind, rng, False)) is not None
                )
            new, where = made
            pair = (new, documents[name]) if in_traffic else (documents[name], new)
            coverage = measure(*pair, 1500, seed)
            times = found(coverage, kind)
            total[times] += 1
            if times != 1:
                side = "traffic" if in_traffic else "description"
                print(
                    f"    {kind} in the {side} of {name} {where}: named {times} times; "
                    f"{[(d.where, d.kind) for d in coverage.drift][:4]} {coverage.shadow[:5]}",
                    flush=True,
                )
    print(f"mutations: {sum(total.values())}, named once {total[1]}, never {total[0]}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]] or [1000, 10_000])
