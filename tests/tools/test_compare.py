"""``tools/compare-commits``: equal trees give equal answers, and whatever differs is found and named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from tools.compare import satellite
from tools.compare.__main__ import ROOT, compare
from tools.compare.commits import Tree, tree_of
from tools.compare.differences import Difference, compare_folders, differing
from tools.compare.exceptions import PARTS, Exempt, Renamed
from tools.compare.inputs import Input, files_of
from tools.compare.sensor import collect, otlp_lines
from tools.compare.traffic import KINDS, WAYS, write_traffic

from tests.helpers.pcap import read_pcap

HERE = Tree("here", ROOT / "src")
CHANGED_MAIN = """

_as_it_was = main


def main() -> None:
    import sys

    import levo

    levo.__version__ = "changed"
    more = {"apidump": ["--max-http-length", "3"], "learn": ["--title", "Changed"]}
    if "--help" not in sys.argv:
        sys.argv += more.get(sys.argv[1], [])
    _as_it_was()
"""


@pytest.fixture(scope="module")
def inputs() -> list[Input]:
    names = ("chunk-extensions-and-trailers", "100-continue")
    return [each for each in files_of("test-cases", ROOT / "tests/cases") if each.path.parent.name in names]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """This checkout, but its sensor cuts bodies, ``learn`` has another title, and the version is another."""
    source = tmp_path_factory.mktemp("changed") / "src"
    shutil.copytree(
        HERE.source, source, copy_function=os.symlink, ignore=shutil.ignore_patterns("__pycache__")
    )
    entry = source / "levo/cli/__init__.py"
    text = entry.read_text()
    entry.unlink()
    entry.write_text(text + CHANGED_MAIN)
    return Tree("changed", source)


def test_a_tree_answers_like_itself_and_unlike_a_changed_one(
    inputs: list[Input], changed: Tree, tmp_path: Path
) -> None:
    old, again, new = (tmp_path / name for name in ("old", "again", "new"))
    for tree, folder in ((HERE, old), (HERE, again), (changed, new)):
        collect(tree, inputs, folder, learns=True)

    same = compare_folders(old, again, PARTS, (), ())
    other = compare_folders(old, new, PARTS, (), ())

    assert not same.found
    assert same.compared == {"jsonl": 4, "otlp": 2, "ledger": 4, "openapi": 4}
    assert all(path.stat().st_size for path in (old / "jsonl").rglob("*.plain"))
    assert b"\nspan " in (old / "otlp" / inputs[0].name).read_bytes()
    assert {each.part for each in other.found} == {"jsonl", "otlp", "ledger", "openapi"}
    assert "/info/title" in {each.place for each in other.found if each.part == "openapi"}


@pytest.mark.slow
def test_satellites_are_compared_by_all_that_they_answer(
    inputs: list[Input], changed: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(satellite, "_SETTLED_S", 1.0)

    result = compare([HERE, changed], inputs, ("endpoints", "rest"), tmp_path, exempt=(), renamed=())

    assert [each.text for each in result.found] == ['api at /1/info/version: "0.1.0" -> "changed"']
    assert result.compared["endpoints"] > 2
    assert result.compared["rest"] > 20


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b"same", b"same", []),
        (b'{"a": 1, "b": [2, 3]}', b'{"a": 1, "b": [2, 4]}', [("/b/1", "3", "4")]),
        (b'{"a": 1}', b'{"a": 1.0}', [("/a", "1", "1.0")]),
        (b'{"a": 1}', b'{"a": true}', [("/a", "1", "true")]),
        (b'{"a": 1}', b'{"a": null, "b/c": 2}', [("/a", "1", "null"), ("/b~1c", "absent", "2")]),
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', [("/ (order of members)", '["a", "b"]', '["b", "a"]')]),
        (b'{"a":1}', b'{"a": 1}', [("octet 5", """'{"a":1}'""", """'{"a": 1}'""")]),
        (b'{"a":1}\n{"a":2}\n', b'{"a":1}\n{"a":3}\n', [("line 2/a", "2", "3")]),
        (b'{"a":1}\n{"a":2}', b'{"a":1}\n{"a":2 }', [("line 2, octet 6", """'{"a":2}'""", """'{"a":2 }'""")]),
        (b'{"a":1}\n{"a":2}', b'{"a":1}', [("line 2", '{"a": 2}', "absent")]),
        (b"one\ntwo", b"one\ntow", [("line 2, octet 1", "'two'", "'tow'")]),
        (b"one\ntwo\nsix", b"one\nsix", [("line 2", '"two"', "absent")]),
        (b'[{"a": 1}, {"b": 2}]', b'[{"x": 0}, {"a": 1}, {"b": 2}]', [("/0", "absent", '{"x": 0}')]),
    ],
)
def test_each_place_that_differs_is_named(old: bytes, new: bytes, found: list[tuple[str, str, str]]) -> None:
    assert list(differing(old, new, {})) == found


def test_a_span_that_differs_is_shown_by_its_fields() -> None:
    old, new = (f"span {Span(name=name, trace_id=b'1').SerializeToString().hex()}".encode() for name in "ab")

    assert list(differing(b"scope 1 00\n" + old, b"scope 1 00\n" + new, {})) == [
        ("line 2/name", '"a"', '"b"')
    ]


def test_where_requests_of_otlp_end_does_not_matter_and_every_octet_of_a_span_does() -> None:
    def request(*spans: bytes, instance: str = "1") -> bytes:
        message = ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(trace_id=each) for each in spans])])
        message.resource.attributes.add(key="service.instance.id").value.string_value = instance
        return ExportTraceServiceRequest(resource_spans=[message]).SerializeToString()

    whole = otlp_lines(request(b"1", b"2"))

    assert otlp_lines(request(b"1") + request(b"2")) == whole
    assert otlp_lines(request(b"1", b"2", instance="2")) == whole
    assert otlp_lines(request(b"2", b"1")) != whole
    with pytest.raises(ValueError, match="at octet 2"):
        otlp_lines(request(b"1")[:-1])


def write(folder: Path, answers: dict[str, str]) -> Path:
    for name, text in answers.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_an_exception_covers_its_differences_only_and_is_counted(tmp_path: Path) -> None:
    old = write(tmp_path / "old", {"rest/a": '{"x": 1, "y": 1}', "rest/b": '{"y": 1}', "jsonl/a": '{"y": 1}'})
    new = write(tmp_path / "new", {"rest/a": '{"x": 2, "y": 2}', "rest/b": '{"y": 2}', "jsonl/a": '{"y": 2}'})
    meant = Exempt("rest", r" at /y: 1 -> 2", "meant")

    result = compare_folders(old, new, PARTS, [meant], ())

    assert [each.text for each in result.found] == ["a at /y: 1 -> 2", "a at /x: 1 -> 2"]
    assert result.exempt == {meant: 2}


def test_a_renamed_word_is_no_difference_and_what_it_names_is_still_compared(tmp_path: Path) -> None:
    old = write(tmp_path / "old", {"rest/api/findings/1": '{"findings": [1, "x"]}', "rest/gone": "1"})
    new = write(tmp_path / "new", {"rest/api/sensitive/1": '{"sensitive": [2, "x"]}', "rest/more": "1"})
    renamed = [
        Renamed("rest", "/api/findings", "/api/sensitive", "route"),
        Renamed("rest", "findings", "sensitive", "member"),
    ]

    result = compare_folders(old, new, ("rest",), (), renamed)

    assert [each.text for each in result.found] == [
        "api/sensitive/1 at /sensitive/0: 1 -> 2",
        "gone at the whole: there -> absent",
        "more at the whole: absent -> there",
    ]


def test_generated_traffic_is_of_every_kind_and_way_and_written_once(tmp_path: Path) -> None:
    helpers = ROOT / "tests/helpers"

    folder = write_traffic(tmp_path / "traffic", 1, helpers)
    found = files_of("generated", folder)
    first = {each.path: (each.path.stat().st_mtime_ns, read_pcap(each.path)[1]) for each in found}
    write_traffic(folder, 1, helpers)

    assert len(found) == len(KINDS) * len(WAYS)
    assert {each.path.name.split("-")[0] for each in found if each.key_log} == {"tls"}
    assert all(len(frames) > 20 for _, frames in first.values())
    assert all(frames == sorted(frames, key=lambda frame: frame[0]) for _, frames in first.values())
    assert {path: path.stat().st_mtime_ns for path in first} == {
        path: time for path, (time, _) in first.items()
    }


def test_an_unknown_commit_is_said(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no-such-commit: no such commit"):
        tree_of(ROOT, tmp_path, "no-such-commit")


def test_a_kind_is_what_many_differences_have_in_common() -> None:
    places = ["/1/paths/~1users~1{id}/get", "/2/paths/~1orders/get"]

    assert {Difference("rest", "a", place, "1", "2").kind for place in places} == {"/N/paths/PATH/get"}
