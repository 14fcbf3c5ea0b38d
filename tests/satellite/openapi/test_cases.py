"""The shared small inputs that catalogs get wrong: each gives what is right (their README).

They lie beside the repository (``LEVO_CASES``, or ``shared/cases``); without them, nothing is tested here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from levo.cli.learn import command
from levo.satellite.learn import Origin, State, Trace, learn_all
from levo.satellite.learn.har import read_har
from levo.satellite.openapi import Answer, check, compare, render_document
from levo.satellite.openapi.catalog import operations_of

FOLDER = (
    Path(os.environ.get("LEVO_CASES", Path(__file__).resolve().parents[4] / "shared" / "cases")) / "catalog"
)
NAMES = sorted(path.stem for path in FOLDER.glob("*.har"))
pytestmark = pytest.mark.skipif(not NAMES, reason="the shared cases are not here")
Document = dict[str, Any]


def traces(name: str) -> list[Trace]:
    har = json.loads((FOLDER / f"{name}.har").read_bytes())
    return list(read_har(har, Origin("default", "default", "learned", "")))


def learned(name: str, version: str = "3.1") -> Document:
    return render_document(
        name, operations_of(learn_all(State(), traces(name))), version=version, annotate=False, shared=False
    )


def calls(document: Document) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def answer(document: Document, path: str, method: str = "get", status: str = "200") -> Any:
    return document["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]


def request(document: Document, path: str, media: str, method: str = "post") -> Any:
    return document["paths"][path][method]["requestBody"]["content"][media]["schema"]


def test_drift() -> None:
    description = json.loads((FOLDER / "drift1.desc.json").read_bytes())
    operations = operations_of(learn_all(State(), traces("drift1")))
    for found in (check(description, traces("drift1")), compare(description, operations)):
        assert found.drift == () == found.shadow
        assert found.count(Answer.AGREES) >= 20


def test_odata() -> None:
    document = learned("odata2")
    (path,) = document["paths"]
    schema = answer(document, path)

    assert {"@odata.context", "@odata.nextLink", "value"} <= schema["properties"].keys()
    assert "@odata.type" in schema["properties"]["value"]["items"]["properties"]
    assert not isinstance(schema.get("additionalProperties"), dict)


def test_digests() -> None:
    document = learned("digests")
    ((path, _),) = document["paths"].items()
    digests = answer(document, path)["properties"]["urls"]["items"]["properties"]["digests"]

    assert path.startswith("/pypi/{") and path.endswith("}/json")
    assert digests["properties"].keys() == {"md5", "sha256", "blake2b_256"}


def test_form_parameters() -> None:
    schema = request(learned("formparams"), "/login", "application/x-www-form-urlencoded")

    assert schema["properties"].keys() == {"remember", "user"}


def test_hot_operations() -> None:
    found = calls(learned("hot2"))

    assert len(found) == 20
    assert all(call.startswith("GET /orgs/{") for call in found)


def test_rare_operations() -> None:
    told = {call.partition("}/")[2] for call in calls(learned("rare40"))}

    assert {
        "brandabot/alerts",
        "arcane-scouting/alerts",
        "lore-scouting/alerts",
        "brandabot/secrets",
        "hooks",
    } <= told


def test_two_words_beside_each_other() -> None:
    reads = ("GET /httpbin/get", "GET /httpbin/headers", "GET /httpbin/json", "GET /httpbin/xml")

    assert calls(learned("apiclarity73")) == {*reads, "DELETE /httpbin/delete", "POST /httpbin/post"}


def test_a_credential_once() -> None:
    document = learned("dupauth")
    operation = document["paths"]["/d"]["get"]
    schemes = document["components"]["securitySchemes"].values()

    assert {(each["in"], each["name"]) for each in operation["parameters"]} == {
        ("query", "q"),
        ("cookie", "theme"),
    }
    assert {(each["in"], each["name"]) for each in schemes} == {
        ("query", "api_key"), ("cookie", "sessionid"), ("header", "x-session-token"),
    }  # fmt: skip


def test_methods_of_json_rpc() -> None:
    found = calls(learned("jsonrpc"))

    assert found == {"POST /rpc#eth_blockNumber", "POST /rpc#eth_getBlock"}


def test_an_image_that_is_put() -> None:
    assert "PUT /users/{userId}/avatar.png" in calls(learned("putimg"))


def test_null_in_the_old_version() -> None:
    def bare(value: Any) -> bool:
        if isinstance(value, dict):
            return ("nullable" in value and "type" not in value) or any(map(bare, value.values()))
        return isinstance(value, list) and any(map(bare, value))

    assert not bare(learned("null237", "3.0"))


def test_matrix_parameters() -> None:
    document = learned("matrix")
    ((path, item),) = document["paths"].items()
    styles = {each["name"]: each.get("style") for each in item["get"]["parameters"]}

    assert path == "/cars{color}{year}/{carId}"
    assert styles["color"] == styles["year"] == "matrix"
    assert item["get"]["summary"] == "Get a car"
    for found in (
        check(document, traces("matrix")),
        compare(document, operations_of(learn_all(State(), traces("matrix")))),
    ):
        assert found.drift == found.shadow == found.unused == ()
        assert found.count(Answer.AGREES) >= 6


def test_json_that_is_labeled_as_a_form() -> None:
    schema = request(learned("apiclarity374"), "/sub", "application/x-www-form-urlencoded")

    assert schema["properties"].keys() >= {"sst", "sd", "name"}


def test_hosts() -> None:
    path = str(FOLDER / "hosts.har")
    whole = CliRunner().invoke(command, [path, "--plain"])
    own = {trace.host for trace in traces("hosts") if "/users/" in trace.path}
    schemas = []
    for host in sorted(own):
        document = json.loads(CliRunner().invoke(command, [path, "--plain", "--host", host]).stdout)
        assert [host in each["url"] for each in document["servers"]] == [True]
        schema = answer(document, "/users/{userId}")
        name = schema.get("$ref", "").rpartition("/")[2]
        schemas.append((document["components"]["schemas"][name] if name else schema)["properties"])
    shown = json.loads(whole.stdout)

    assert len(own) == 3 and len(set(map(frozenset, schemas))) == 3
    assert "google-analytics" not in whole.stdout and "segment" not in whole.stdout
    assert "third parties: cdn.segment.io, www.google-analytics.com" in whole.stderr
    assert len(shown["servers"]) == 1 and len(shown["x-levo-other-hosts"]) == 2


COVERED: dict[str, Callable[[], None]] = {
    "apiclarity374": test_json_that_is_labeled_as_a_form,
    "apiclarity73": test_two_words_beside_each_other,
    "digests": test_digests,
    "drift1": test_drift,
    "dupauth": test_a_credential_once,
    "formparams": test_form_parameters,
    "hosts": test_hosts,
    "hot2": test_hot_operations,
    "jsonrpc": test_methods_of_json_rpc,
    "matrix": test_matrix_parameters,
    "null237": test_null_in_the_old_version,
    "odata2": test_odata,
    "putimg": test_an_image_that_is_put,
    "rare40": test_rare_operations,
}


def test_every_file_has_a_test() -> None:
    assert sorted(COVERED) == NAMES
