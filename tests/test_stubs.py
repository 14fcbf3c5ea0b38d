"""The stubs of the compiled modules: complete, equal to what is compiled, and of use to mypy."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
STUBS = sorted(SOURCE.rglob("*.pyi"))
READERS = ("src", "tests", "fuzz", "bench", "tools", "packaging")
ENVIRONMENT = {**os.environ, "MYPYPATH": str(SOURCE)}

MADE_BY_CYTHON = (
    r".*\.__pyx_capi__",
    r".*\.__test__",
    r".*\.__reduce_cython__",
    r".*\.__setstate_cython__",
)
CYTHON_IMPORT = re.compile(r"^from [\w.]+ import (\([^)]*\)|.*)$", re.MULTILINE)
CLASS = re.compile(r"^cdef class (\w+)", re.MULTILINE)
CONSTRUCTOR = re.compile(r"^    def (__cinit__|__init__)\(", re.MULTILINE)

TIMES_AND_SIZES = {
    *("timeout", "interval", "period", "age", "delay", "pause", "wait", "idle", "quiet", "linger", "now"),
    *("memory", "size", "growth", "used", "head", "message", "body", "held", "external", "octets", "buffer"),
}
UNIT = re.compile(r"_(ns|us|ms|s|seconds|bytes)$")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_each_compiled_module_that_python_imports_has_a_stub() -> None:
    compiled = {module_name(path): path for path in SOURCE.rglob("*.pyx")}
    wanted = {
        name
        for folder in READERS
        for path in (ROOT / folder).rglob("*.py")
        for name in imported(path)
        if name in compiled
    }

    assert {"levo.engine.engine", "levo.satellite.learn.spans"} <= wanted
    assert [name for name in sorted(wanted) if not compiled[name].with_suffix(".pyi").exists()] == []


def test_no_import_of_a_compiled_module_is_hidden_from_mypy() -> None:
    hidden = re.compile(r"levo\.\S+ import .*# type: ignore")

    assert [path for path in SOURCE.rglob("*.py") if hidden.search(path.read_text(encoding="utf-8"))] == []


def test_stubs_say_what_the_compiled_modules_have(tmp_path: Path) -> None:
    """mypy's stubtest compares names, parameters, defaults and kinds; constructors are the next test's."""
    # Constants that a module imports are not its own; stubtest sees that of functions and classes only.
    borrowed = [
        rf"{re.escape(module_name(path))}\.{name}"
        for path in STUBS
        for names in CYTHON_IMPORT.findall(path.with_suffix(".pyx").read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", names)
    ]
    allowed = tmp_path / "allowed"
    allowed.write_text("\n".join([*MADE_BY_CYTHON, *borrowed]))
    options = ["--concise", "--ignore-disjoint-bases", "--ignore-unused-allowlist", f"--allowlist={allowed}"]

    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *options, *map(module_name, STUBS)],
        env=ENVIRONMENT,
        cwd=ROOT,
        text=True,
        capture_output=True,
    )

    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@dataclass(frozen=True)
class Parameter:
    name: str
    keyword_only: bool
    default: str | None
    """As ``ast.dump`` shows it; None: there is none. ``...`` stands for one that has a name."""


def split(text: str) -> list[str]:
    """The parts of *text* between the commas that are in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def compiled_parameters(text: str) -> list[Parameter]:
    """The parameters of a Cython signature that begins behind its opening bracket, without the first."""
    depths = accumulate(((each in "([{") - (each in ")]}") for each in text), initial=1)
    end = next(at for at, depth in enumerate(depths) if not depth) - 1
    found, keyword_only = [], False
    for part in split(text[:end])[1:]:
        if part.startswith("*"):
            keyword_only = True
            continue
        declared, _, default = part.partition("=")
        name = re.findall(r"\w+", declared.partition(":")[0].removesuffix(" not None"))[-1]
        found.append(
            Parameter(
                name, keyword_only, shown(ast.parse(default.strip(), mode="eval").body) if default else None
            )
        )
    return found


def shown(default: ast.expr | None) -> str | None:
    if default is None:
        return None
    named = any(isinstance(node, ast.Name) for node in ast.walk(default))
    return ast.dump(ast.Constant(...)) if named else ast.dump(default)


def stub_parameters(function: ast.FunctionDef) -> list[Parameter]:
    given = function.args
    places = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(places) - len(given.defaults)) + given.defaults
    found = [Parameter(each.arg, False, shown(value)) for each, value in zip(places, defaults, strict=True)]
    named = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return found[1:] + [Parameter(each.arg, True, shown(value)) for each, value in named]


def compiled_constructors(path: Path) -> dict[str, list[Parameter]]:
    text = path.read_text(encoding="utf-8")
    found = {}
    for start in CLASS.finditer(text):
        end = re.search(r"^\S", text[start.end() :].partition("\n")[2], re.MULTILINE)
        body = text[
            start.end() : start.end() + text[start.end() :].index("\n") + 1 + end.start() if end else None
        ]
        constructor = CONSTRUCTOR.search(body)
        found[start[1]] = compiled_parameters(body[constructor.end() :]) if constructor else []
    return found


def stub_classes(path: Path) -> list[ast.ClassDef]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node for node in body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("path", STUBS, ids=module_name)
def test_constructors_take_what_their_stubs_say(path: Path) -> None:
    """Cython keeps no signature of a constructor, so its source is read."""
    compiled = compiled_constructors(path.with_suffix(".pyx"))

    for found in stub_classes(path):
        if found.name in compiled:
            constructors = [
                node
                for node in found.body
                if isinstance(node, ast.FunctionDef) and node.name in ("__new__", "__init__")
            ]
            told = [each for function in constructors for each in stub_parameters(function)]
            assert told == compiled[found.name], f"{module_name(path)}.{found.name}"


def test_constructors_are_read_from_cython() -> None:
    text = "self, bytes key not None, int wait_ms=1, *, name: str = NAME, more=(1, 2), bint on=False):\n"

    assert compiled_parameters(text) == [
        Parameter("key", False, None),
        Parameter("wait_ms", False, ast.dump(ast.Constant(1))),
        Parameter("name", True, ast.dump(ast.Constant(...))),
        Parameter("more", True, ast.dump(ast.parse("(1, 2)", mode="eval").body)),
        Parameter("on", True, ast.dump(ast.Constant(False))),
    ]


@pytest.mark.parametrize("path", STUBS, ids=module_name)
def test_times_and_sizes_say_their_unit(path: Path) -> None:
    numbers = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.arg) and node.annotation is not None:
            numbers.append((node.arg, ast.unparse(node.annotation)))
        elif isinstance(node, ast.FunctionDef) and node.returns is not None and node.decorator_list:
            numbers.append((node.name, ast.unparse(node.returns)))
    bare = [
        name
        for name, kind in numbers
        if re.fullmatch(r"(int|float)( \| None)?", kind)
        if not TIMES_AND_SIZES.isdisjoint(name.split("_")) and not UNIT.search(name)
    ]

    assert bare == []


@pytest.mark.parametrize("path", STUBS, ids=module_name)
def test_nothing_in_a_stub_is_of_any_type(path: Path) -> None:
    assert not re.search(r"\bAny\b", path.read_text(encoding="utf-8"))


def callers_of_the_engine() -> list[Path]:
    paths = sorted((SOURCE / "levo").rglob("*.py"))
    return [path for path in paths if any(name.startswith("levo.engine.") for name in imported(path))]


@pytest.mark.parametrize("path", callers_of_the_engine(), ids=module_name)
def test_nothing_is_of_any_type_where_the_engine_is_called(path: Path) -> None:
    names = {
        node.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }

    assert "Any" not in names


MISTAKES = """\
from levo.engine.engine import Engine
from levo.engine.exchange.redact import Redactor
from levo.engine.http2.hpack import HeaderReader
from levo.ledger import Ledger
from levo.satellite.learn.schema.node import Node
from levo.satellite.learn.schema.observe import Observer
from levo.satellite.learn.spans import read_spans
from levo.sensor.capture.file import FileSource
from levo.sensor.capture.live import LiveSource
from levo.sensor.pipeline import Snapshot
from levo.wire.validation import count_spans

engine = Engine(max_message_bytes=1, rules=lambda method, host, path, target, c, cp, s, sp: 0)
with FileSource("a.pcap", filter="tcp") as source:
    engine.pump(source, 512, timeout_ms=0)
frames: int = engine.statistics()["frames_received"]
evicted: int = engine.statistics()["exchanges_dropped"]["evicted"]
ledger = Ledger.from_statistics(engine.statistics(), source.statistics())
Observer(budget=10).observe(Node(), {"a": 1})
count_spans(b"")

Engine(max_mesage=1)  # wrong
Engine(max_memory=1 << 20)  # wrong
Engine(stream_timeout_ns=0.5)  # wrong
Engine(rules=lambda method: 0)  # wrong
Engine(1 << 20)  # wrong
engine.pump("a.pcap", 512, 0)  # wrong
engine.take(octets_limit=1)  # wrong
engine.set_key_source(lambda: "text")  # wrong
engine.feed([b"frame"])  # wrong
engine.statistics()["frames_recieved"]  # wrong
engine.statistics()["exchanges_dropped"]["own_exports"]  # wrong
engine.ports()[0]["packet"]  # wrong
engine.encrypted()[0]["servername"]  # wrong
engine.take().exchanges()[0].requests  # wrong
engine.memory_used  # wrong
FileSource("a.pcap", filtre="tcp")  # wrong
LiveSource(["eth0"], buffer=1)  # wrong
Redactor(patterns=["secret"])  # wrong
encode_resource(["service.name"])  # wrong
HeaderReader(limit=1)  # wrong
Ledger.from_statistics({"frames_received": 1})  # wrong
Observer(keys=b"").observe(Node(), 1)  # wrong
read_spans(b"", lambda resource: None)  # wrong
count_spans("")  # wrong


def look(seen: Snapshot) -> None:
    print(seen.engine["exchanges_begun"], seen.capture.received, [port["packets"] for port in seen.ports])
    print(seen.engine["exchanges_began"])  # wrong
    print(seen.capture.receved)  # wrong
    print([port["octets"] for port in seen.ports])  # wrong
    print(seen.encrypted[0]["first_s"])  # wrong
"""


def test_mypy_finds_mistakes_in_the_use_of_compiled_modules(tmp_path: Path) -> None:
    """Each line marked as wrong is, for mypy as ``make lint`` calls it, and no other."""
    program = tmp_path / "mistakes.py"
    program.write_text(MISTAKES)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", str(program)],
        env=ENVIRONMENT,
        cwd=ROOT,
        text=True,
        capture_output=True,
    )

    lines = MISTAKES.splitlines()
    found = {int(number) for number in re.findall(r"mistakes\.py:(\d+): error", done.stdout)}
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert {lines[number - 1] for number in found ^ wrong} == set(), done.stdout + done.stderr
    assert done.returncode == 1
