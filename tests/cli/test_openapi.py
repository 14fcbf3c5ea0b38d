"""``levo openapi``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from levo.cli.openapi import command

OLD = {"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {}}}}}
NEW = {"openapi": "3.1.0", "paths": {"/b": {"get": {"responses": {}}}}}


def test_diff(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.yaml"
    old.write_text(json.dumps(OLD))
    new.write_text(json.dumps(NEW))
    result = CliRunner().invoke(command, ["diff", str(old), str(new)])

    assert result.stdout.splitlines() == [
        "BREAKING GET /a: operation: removed",
        "ok       GET /b: operation: added",
    ]


def test_what_is_no_document(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("[]")

    assert "neither an OpenAPI 3 nor a Swagger 2.0 document" in str(
        CliRunner().invoke(command, ["diff", str(path), str(path)]).exception
    )


def test_aliases_in_a_file_do_not_explode(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    levels = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)]
    path.write_text("openapi: 3.1.0\na0: &a0 [x]\n" + "".join(levels))

    assert "when its aliases are written out" in str(
        CliRunner().invoke(command, ["diff", str(path), str(path)]).exception
    )


def entry(path: str, body: object) -> dict[str, object]:
    return {
        "startedDateTime": "2024-05-01T10:00:00Z",
        "time": 1,
        "request": {"method": "GET", "url": f"https://shop.example{path}", "headers": []},
        "response": {
            "status": 200,
            "headers": [],
            "content": {"mimeType": "application/json", "text": json.dumps(body)},
        },
    }


def checked(tmp_path: Path, *options: str, body: object = None) -> tuple[int, str, str]:
    described, traffic = tmp_path / "api.json", tmp_path / "traffic.har"
    item = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    content = {"application/json": {"schema": item}}
    operation = {"responses": {"200": {"description": "", "content": content}}}
    described.write_text(json.dumps({"openapi": "3.1.0", "paths": {"/a/{id}": {"get": operation}}}))
    entries = [entry("/a/17", body or {"id": 17}), entry("/other", {})]
    traffic.write_text(json.dumps({"log": {"entries": entries}}))
    result = CliRunner().invoke(command, ["check", str(described), str(traffic), *options])
    return result.exit_code, result.stdout, result.stderr


def test_check_of_traffic_that_obeys(tmp_path: Path) -> None:
    status, shown, summary = checked(tmp_path, "--fail-on-contradiction")

    assert (status, shown.splitlines()) == (0, ["not described GET /other"])
    assert summary.startswith("2 requests: 0 statements contradicted, ")


def test_check_of_traffic_that_does_not(tmp_path: Path) -> None:
    place = "GET /a/{id}: response 200 application/json/id"
    line = f"contradicted  {place}: type (string, described integer), 1 seen"

    assert line in checked(tmp_path, body={"id": "x"})[1].splitlines()
    assert checked(tmp_path, body={"id": "x"})[0] == 0


def test_check_as_json(tmp_path: Path) -> None:
    found = json.loads(checked(tmp_path, "--format", "json", "--all", body={"id": "x"})[1])
    answers = {(each["where"], each["kind"]): each["answer"] for each in found["statements"]}

    assert found["not_described"] == [{"method": "GET", "path": "/other"}]
    assert answers["response 200 application/json/id", "required"] == "agrees"
    assert answers["response 200 application/json/id", "type"] == "contradicted"
    assert found["answers"]["contradicted"] == 1


def test_check_says_what_it_could_not_read_of_a_recording(tmp_path: Path) -> None:
    described, traffic = tmp_path / "api.json", tmp_path / "traffic.har"
    described.write_text(json.dumps(OLD))
    broken = {name: value for name, value in entry("/a", {}).items() if name != "response"}
    traffic.write_text(json.dumps({"log": {"entries": [entry("/a", {}), broken]}}))
    result = CliRunner().invoke(command, ["check", str(described), str(traffic)])

    assert f"levo openapi check: {traffic}: 1 entry with no response" in result.stderr.splitlines()


def test_check_names_what_is_ambiguous(tmp_path: Path) -> None:
    """Files at any depth, beside paths that the description tells apart."""
    described, traffic = tmp_path / "api.json", tmp_path / "traffic.har"
    ends = ("likes", "posts")
    paths = {
        f"/files/{{a}}/{{b}}/{end}": {"get": {"responses": {"200": {"description": ""}}}} for end in ends
    }
    described.write_text(json.dumps({"openapi": "3.1.0", "paths": paths}))
    called = [
        "".join(f"/k{(7 * number + 13 * at) % 997}" for at in range(depth)) + f"/r{number}.txt"
        for number in range(8)
        for depth in range(4)
    ]
    traffic.write_text(json.dumps({"log": {"entries": [entry(f"/files{path}", {}) for path in called]}}))
    arguments = ["check", str(described), str(traffic)]
    shown = CliRunner().invoke(command, arguments)
    document = json.loads(CliRunner().invoke(command, [*arguments, "--format", "json"]).stdout)

    assert shown.stdout.splitlines() == ["ambiguous     GET /files/{path+}"]
    assert shown.stderr.endswith(", 1 ambiguous\n")
    assert document["ambiguous"] == [{"method": "GET", "path": "/files/{path+}"}]


def test_check_of_one_host_only(tmp_path: Path) -> None:
    status, shown, summary = checked(tmp_path, "--host", "else.example")

    assert (status, shown) == (0, "")
    assert summary.startswith("0 requests, 2 to other hosts: ")
