"""Limits on branches in one function: ruff's for Python (pyproject.toml), the same measure here for Cython.

A function beyond a limit has a reason in words: after its ``noqa`` in Python, in ``BEYOND`` below for Cython.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
CYTHON = sorted(path for suffix in ("*.pyx", "*.pxd") for path in (ROOT / "src").rglob(suffix))
PYTHON = sorted(
    path for folder in ("src", "tests", "bench", "fuzz", "tools") for path in (ROOT / folder).rglob("*.py")
)

MOST_BRANCHES = 15
"""As ruff's C901 counts: 1, and one for each if, elif, for, while and except."""
MOST_DECISIONS = 30
"""The same with each ``and``, ``or`` and conditional expression, which carry most of the work there."""

BEYOND = {
    "connections.take_segment": "opens, feeds and closes a connection by the flags of one segment, in order",
    "stream.stream_segment": "one case for each place that a segment can have in its stream",
    "twins.twin_of": "one list of what speaks for a twin and against it",
    "link.link_enter": "one branch for each link type",
    "spans._read": "one branch for each field of a span that OTLP defines",
    "parser.take_response": "pairing, upgrade and framing of one response depend on each other",
    "streams.take_response": "what a section can be after a loss: interim, final, trailers, repeated",
    "records.read_records": "one loop over the states of a TLS record: header, keys, content, end",
    "tunnel.gre": "one branch for each optional field of a GRE header (RFC 1701, RFC 2784) and each payload",
    "packing.read_node": "one branch for each field of the stored form",
    "pairing.find_by_causality": "one list of rules, each of which excludes what the next one assumes",
    "utf8.utf8_run": "one branch for each length of a UTF-8 sequence and its bounds (RFC 3629, section 4)",
    "frame.decode_layers": "one branch for each kind of layer",
    "parser.possible": "one case for each type of frame: its flags, length and stream (RFC 9113)",
    "head.normalize_head": "one branch for each octet on which receivers differ (RFC 9112, section 2.2)",
    "parser.take_chunk_size": "one branch for each kind of octet of a line (RFC 9112, section 7.1)",
    "spans.read_spans": "three nested protobuf messages, read in place without a call for each",
    "redact.mask_parts": "one scan for a part's name, content and end, which share their positions",
}
"""Cython functions beyond a limit, by module and name, each with its reason."""

REASON = re.compile(r"# noqa: (?=[^(]*(?:C901|PLR09))[A-Z0-9, ]+(?P<reason>.*)$", re.MULTILINE)
TEXT = re.compile(r"(\"\"\"|''')(?:.|\n)*?\1")
STRING = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'")
FUNCTION = re.compile(r"^ *(?:cdef|cpdef|def)\b[^=(]*?(\w+)\s*\(")
BRANCH = re.compile(r"^\s*(?:if|elif|for|while|except)\b")
DECISION = re.compile(r"\b(?:if|elif|for|while|except|and|or)\b")


class Function(NamedTuple):
    name: str
    place: str
    branches: int
    decisions: int


def functions(path: Path) -> list[Function]:
    """All functions of a Cython file. One inside another counts for itself."""
    text = TEXT.sub(lambda found: "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"))
    text = STRING.sub("''", text)
    found: list[list[int]] = []
    names: list[tuple[str, int]] = []
    around: list[tuple[int, int]] = []  # (indentation, index) of the functions that a line lies in
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("#")[0].rstrip()
        if not code:
            continue
        depth = len(code) - len(code.lstrip())
        while around and depth <= around[-1][0] and not code.lstrip().startswith(")"):
            around.pop()
        if begins := FUNCTION.match(code):
            around.append((depth, len(found)))
            found.append([1, 1])
            names.append((begins[1], number))
        elif around:
            found[around[-1][1]][0] += len(BRANCH.findall(code))
            found[around[-1][1]][1] += len(DECISION.findall(code))
    return [
        Function(f"{path.stem}.{name}", f"{path.relative_to(ROOT)}:{number}", branches, decisions)
        for (name, number), (branches, decisions) in zip(names, found, strict=True)
    ]


ALL = [function for path in CYTHON for function in functions(path)]


def is_beyond(function: Function) -> bool:
    return function.branches > MOST_BRANCHES or function.decisions > MOST_DECISIONS


def test_no_cython_function_is_beyond_the_limits_without_a_reason() -> None:
    wrong = [each for each in ALL if is_beyond(each) and each.name not in BEYOND]

    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("name", BEYOND)
def test_each_exception_is_still_one(name: str) -> None:
    assert any(is_beyond(each) for each in ALL if each.name == name), "simpler now: take it out of the table"


def test_each_noqa_for_complexity_gives_a_reason() -> None:
    given = {
        f"{path.relative_to(ROOT)}: {found[0]}": found["reason"]
        for path in PYTHON
        if path != Path(__file__)
        for found in REASON.finditer(path.read_text(encoding="utf-8"))
    }

    assert given
    assert not [line for line, reason in given.items() if not re.fullmatch(r"\((?:\S+ ){2,}\S+\)", reason)]


def test_the_measure_counts_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "sample.pyx"
    file.write_text(
        "cdef inline int outer(\n    int a\n) noexcept nogil:\n"
        '    """if a or b: while"""\n'
        "    if a and a > 1:  # or not\n        return 1 if a else 0\n"
        "    for i in range(a):\n        pass\n"
        "cdef class Thing:\n    def method(self):\n"
        "        while 'if' in self.text or self:\n            pass\n"
    )

    assert [(each.name, each.branches, each.decisions) for each in functions(file)] == [
        ("sample.outer", 3, 5),
        ("sample.method", 2, 3),
    ]
