"""The difference of two task definitions, for people: containers by name, only what changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from levo.ecs.definition import TaskDefinition

Kind = Literal["added", "removed", "changed"]
MARKS: Mapping[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """One place where two definitions differ."""

    path: str
    """``containers.web.image``; containers by their name."""
    kind: Kind
    before: Any
    """The JSON value there; None when added."""
    after: Any
    """None when removed."""


def differences(before: TaskDefinition, after: TaskDefinition) -> list[DefinitionChange]:
    """Every place where registering *after* instead of *before* makes a difference, in reading order."""
    return list(_walk("", _comparable(before), _comparable(after)))


def render(before: TaskDefinition, after: TaskDefinition, title: str) -> list[str]:
    """The difference as lines: a title, ``+``/``-``/``~`` lines, and what stays as it is."""
    changes = differences(before, after)
    lines = [title]
    for change in changes:
        mark = MARKS[change.kind]
        if change.kind == "changed":
            lines.append(f"  ~ {change.path}: {_short(change.before)} -> {_short(change.after)}")
            continue
        value = change.after if change.kind == "added" else change.before
        place = change.path.split(".")
        if place[0] == "containers" and len(place) == 2 and isinstance(value, Mapping):
            lines.append(f"  {mark} container {place[1]}")
            lines += [f"  {mark}   {line}" for line in _block(value)]
        else:
            lines.append(f"  {mark} {change.path}: {_short(value)}")
    touched = {change.path.split(".")[1] for change in changes if change.path.startswith("containers.")}
    same = [str(item["name"]) for item in before.containers if item["name"] not in touched]
    fields = sum(1 for key in before.registrable() if key not in ("containerDefinitions", "tags"))
    kept = [f"{fields} other fields" if fields != 1 else "1 other field"]
    if same:
        kept.insert(0, f"{'containers' if len(same) > 1 else 'container'} {', '.join(same)}")
    if before.tags:
        kept.append(f"{len(before.tags)} tag{'s' if len(before.tags) > 1 else ''}")
    lines.append(f"  = unchanged: {'; '.join(kept)}")
    return lines


def _comparable(definition: TaskDefinition) -> dict[str, Any]:
    body = definition.registrable()
    containers = {item["name"]: item for item in body.pop("containerDefinitions", ())}
    tags = {item["key"]: item["value"] for item in body.pop("tags", ())}
    return {**body, "containers": containers, "tags": tags}


def _walk(path: str, before: Any, after: Any) -> Iterator[DefinitionChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            here = f"{path}.{key}" if path else str(key)
            if key not in after:
                yield DefinitionChange(here, "removed", before[key], None)
            elif key not in before:
                yield DefinitionChange(here, "added", None, after[key])
            else:
                yield from _walk(here, before[key], after[key])
    elif before != after:
        if _is_environment(before) and _is_environment(after):
            yield from _walk(path, _by_name(before), _by_name(after))
        else:
            yield DefinitionChange(path, "changed", before, after)


def _is_environment(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(item, Mapping) and "name" in item and len(item) == 2 for item in value)
        and len({item["name"] for item in value}) == len(value)
    )


def _by_name(value: Any) -> dict[str, Any]:
    return {
        str(item["name"]): next(content for key, content in item.items() if key != "name") for item in value
    }


def _block(value: Mapping[str, Any]) -> list[str]:
    """The fields of a new container, one a line; lists of words as a command line."""
    lines: list[str] = []
    width = max(len(key) for key in value)
    for key, item in value.items():
        if key == "name" or item in ([], {}):
            continue
        if isinstance(item, Mapping):
            lines.append(key)
            lines += [f"  {line}" for line in _block(item)]
        elif _is_environment(item):
            lines += [f"{key:<{width}}  {name}={content}" for name, content in _by_name(item).items()]
        else:
            first, *more = _command_lines(item) if key == "entryPoint" else [_short(item)]
            lines.append(f"{key:<{width}}  {first}")
            lines += [f"{'':<{width}}  {line}" for line in more]
    return lines


def _command_lines(words: Sequence[str]) -> list[str]:
    """The program, then a line for each flag with its value."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    return [_short(line) for line in lines if line]


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return " ".join(json.dumps(item) if " " in item or not item else item for item in value)
    return json.dumps(value, separators=(", ", ": "), default=str)
