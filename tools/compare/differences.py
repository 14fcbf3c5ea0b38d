"""Finds the places in which two folders of answers differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tools.compare.exceptions import Exempt, Renamed

_ABSENT = object()
_SHOWN = 160
_PATH = re.compile(r"/[^/]*~1[^/]*")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which one answer differs."""

    part: str
    name: str
    """Of the input, with the variant."""
    place: str
    old: str
    new: str

    @property
    def kind(self) -> str:
        """Place without numbers and paths of endpoints: what many differences may have in common."""
        return _NUMBER.sub("N", _PATH.sub("/PATH", self.place))

    @property
    def text(self) -> str:
        """As it is shown, and searched by exceptions."""
        return f"{self.name} at {self.place}: {self.old} -> {self.new}"


@dataclass(slots=True)
class Comparison:
    """What was compared, and with what result."""

    compared: Counter[str] = field(default_factory=Counter)
    """Answers by part."""
    found: list[Difference] = field(default_factory=list)
    exempt: Counter[Exempt] = field(default_factory=Counter)


def compare_folders(
    old: Path, new: Path, parts: Sequence[str], exempt: Sequence[Exempt], renamed: Sequence[Renamed]
) -> Comparison:
    """Compare the answers below both folders, part by part. Those of one side only are differences too."""
    result = Comparison()
    for part in parts:
        words = {each.old: each.new for each in renamed if each.part == part}
        old_files, new_files = _files(old / part, words), _files(new / part, {})
        for name in sorted(old_files.keys() | new_files.keys()):
            result.compared[part] += 1
            before, after = old_files.get(name), new_files.get(name)
            if before is None or after is None:
                there = ("absent", "there") if before is None else ("there", "absent")
                places: Iterator[tuple[str, str, str]] = iter([("the whole", *there)])
            else:
                places = differing(before.read_bytes(), after.read_bytes(), words)
            for place, *values in places:
                difference = Difference(part, name, place, *values)
                covering = next((each for each in exempt if each.covers(part, difference.text)), None)
                if covering is None:
                    result.found.append(difference)
                else:
                    result.exempt[covering] += 1
    return result


def _files(folder: Path, words: Mapping[str, str]) -> dict[str, Path]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            name = str(path.relative_to(folder))
            for old, new in words.items():
                if "/" in old:
                    name = name.replace(old.strip("/"), new.strip("/"))
            found[name] = path
    return found


def differing(old: bytes, new: bytes, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield (place, old value, new value): in JSON by member, else by line. *words* are renamed in *old*."""
    if old == new:
        return
    old_lines, new_lines = old.split(b"\n"), new.split(b"\n")
    documents = _json(old), _json(new)
    if _ABSENT not in documents:
        before, after = _renamed(documents[0], words), documents[1]
        some = False
        for found in _walk(before, after, ""):
            some = True
            yield found
        if not some and not words:
            yield _first_octet(old, new)
        return
    for at, before, after in _aligned(old_lines, new_lines):
        yield from _in_line(at + 1, before, after, words)


def _in_line(number: int, old: Any, new: Any, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    if old is _ABSENT or new is _ABSENT:
        yield f"line {number}", _shown(_readable(old)), _shown(_readable(new))
        return
    before, after = _readable(old), _readable(new)
    if isinstance(before, dict | list) and isinstance(after, dict | list):
        some = False
        for place, *values in _walk(_renamed(before, words), after, ""):
            some = True
            yield f"line {number}{place}", values[0], values[1]
        if some or words:
            return
    place, *texts = _first_octet(old, new)
    yield f"line {number}, {place}", texts[0], texts[1]


def _first_octet(old: bytes, new: bytes) -> tuple[str, str, str]:
    at = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, at - 20)
    texts = [repr(each[start : start + _SHOWN // 2])[1:] for each in (old, new)]
    return f"octet {at}", texts[0], texts[1]


def _json(octets: bytes) -> Any:
    try:
        return json.loads(octets)
    except ValueError:
        return _ABSENT


def _readable(line: Any) -> Any:
    """What a line holds: JSON, the fields of a span in hexadecimal (see ``otlp_lines``), or text."""
    if line is _ABSENT:
        return _ABSENT
    found = _json(line)
    if found is _ABSENT and line.startswith(b"span "):
        return _fields_of(Span.FromString(bytes.fromhex(line[5:].decode())))
    return line.decode("utf-8", "replace") if found is _ABSENT else found


def _fields_of(span: Any) -> dict[str, Any]:
    named = {name.name: str(value) for name, value in span.ListFields() if name.name != "attributes"}
    return named | {each.key: str(each.value).strip() for each in span.attributes}


def _renamed(value: Any, words: Mapping[str, str]) -> Any:
    if not words:
        return value
    if isinstance(value, dict):
        return {words.get(key, key): _renamed(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, words) for item in value]
    return words.get(value, value) if isinstance(value, str) else value


def _walk(old: Any, new: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() == new.keys() and list(old) != list(new):
            yield f"{place or '/'} (order of members)", _shown(list(old)), _shown(list(new))
        for key in [*old, *(key for key in new if key not in old)]:
            escaped = key.replace("~", "~0").replace("/", "~1")
            yield from _walk(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{place}/{escaped}")
    elif isinstance(old, list) and isinstance(new, list):
        for at, before, after in _aligned(old, new):
            yield from _walk(before, after, f"{place}/{at}")
    elif old is _ABSENT or new is _ABSENT or type(old) is not type(new) or old != new:
        yield place or "/", _shown(old), _shown(new)


def _aligned(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Yield (index, old item, new item) where they differ. An item more changes none after it."""
    if len(old) == len(new):
        yield from ((at, a, b) for at, (a, b) in enumerate(zip(old, new, strict=True)) if repr(a) != repr(b))
        return
    matcher = SequenceMatcher(None, [repr(each) for each in old], [repr(each) for each in new], False)
    for what, start, end, new_start, new_end in matcher.get_opcodes():
        if what != "equal":
            pairs = zip_longest(old[start:end], new[new_start:new_end], fillvalue=_ABSENT)
            yield from ((start + i, a, b) for i, (a, b) in enumerate(pairs))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
