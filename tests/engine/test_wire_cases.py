"""Small captures that were read wrong once, where the shared folder with them is present (``LEVO_CASES``).

What each must give is a line of ``README.md`` there. Every file has its exchanges here, and a test of its own
where its line says more than that.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from openapi_spec_validator import validate

from levo.cli.learn import command as learn
from levo.config import Redaction
from levo.engine.engine import Engine
from levo.sensor.capture.file import FileSource
from levo.sensor.redact.masking import Masking
from tests.helpers.engine_runs import run_file
from tests.helpers.lines import Exchange

CASES = Path(os.environ.get("LEVO_CASES", Path(__file__).resolve().parents[3] / "shared" / "cases")) / "wire"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the shared cases (LEVO_CASES)")

Row = tuple[str | None, str | None, int | None, str | None]
"""(method, target, status, why it is incomplete)"""


def whole(method: str, *targets: str, status: int = 200) -> list[Row]:
    return [(method, target, status, None) for target in targets]


ACKNOWLEDGED = whole("POST", *(f"/ack/{n}" for n in range(3)), status=201)
ITEMS = whole("POST", *["/items"] * 6, status=201)
POSTED = whole("POST", "/w")
REFUSED = [*whole("POST", "/c", status=401), *whole("POST", "/c")]
STRANGE = whole("GET", "/t", status=0)
USERS: list[Row] = [("GET", f"/api/v1/users/{n}", 200, "request_gap") for n in range(10)]
EXCHANGES: dict[str, list[Row]] = {
    "a1_body_without_length": [("POST", "/login", 200, None), (None, None, 400, "no_request")],
    "a3_length_too_small": [("POST", "/login", 200, None), ("GET", "/next", 200, None)],
    "ack_payload_2zero": ACKNOWLEDGED,
    "ack_payload_6zero": ACKNOWLEDGED,
    "aws_mirror_cut_head": [("POST", f"/jwt/{n}", 200, "request_gap") for n in range(4)],
    "b1_head_second_segment_lost": [("GET", "/account", 200, "request_gap"), ("GET", "/next", 200, None)],
    "b2_response_head_cut_by_fin": [("GET", "/account", 500, "response_cut")],
    "batch_gap": [("POST", "/$batch", 202, "response_gap")],
    "c1_get_slash_crlfcrlf": [("GET", "/", 0, None)],
    "cs_bom": ITEMS,
    "cs_gbk": ITEMS,
    "cs_latin1": ITEMS,
    "d1_status_2XX": STRANGE,
    "d2_status_1000": STRANGE,
    "e1_retransmit_after_close": whole("POST", "/pay"),
    "e_pbb": POSTED,
    "e_vntag": POSTED,
    "expect_refused_secret": REFUSED,
    "expect_refused_then_next": REFUSED,
    "f1_gap_in_body_plus_crlf": [("POST", "/up", 200, "request_gap")],
    "f2_fastcgi": whole("GET", "/v1/items"),
    "g1_only_102": [("GET", "/t", 102, "no_response")],
    "gso_partial_geneve": whole("POST", "/g"),
    "h1_http_to_ssh": [("GET", "/", None, "no_response")],
    "head_seg2_lost_1each": [("POST", "/orders/0", 201, "request_gap")] * 10,
    "lead_crlf_first": whole("GET", "/crlf"),
    "longpoll_302": whole("GET", *["/other"] * 61, "/v1/kv/x?index=7&wait=10m"),
    "lt_pktap": POSTED,
    "lt_ppi": POSTED,
    "ov_vni": whole("POST", "/tenant/alice", "/tenant/bob"),
    "ov_vni_mid": whole("POST", *(f"/tenant/{name}/{n}" for name in ("alice", "bob") for n in range(3))),
    "p1_proxy_v1_same_segment": whole("GET", "/v1/items"),
    "proxy1_joined": whole("GET", "/p1", "/p2"),
    "proxy2_joined_single": whole("POST", "/p0", "/p1", "/p2"),
    "seqjump_fwd": [*whole("GET", "/first"), *whole("POST", *(f"/n{n}" for n in range(20)), status=201)],
    "snap128": USERS,
    "snap300": USERS,
    "st_2": STRANGE,
    "st_999": STRANGE,
    "t_gtpu": POSTED,
    "t_tzsp": POSTED,
    "t_vxlan_odd": [],
    "te_gzip": whole("GET", "/a"),
    "te_redact": whole("POST", "/te", "/ce"),
    "ts_stray_future": whole("POST", "/d"),
    "w1_grpcweb_h1": whole("POST", "/shop.Cart/Add"),
}
"""By file, in any order."""

SIDES = ("request", "response")
OTHERWISE = {"ack_payload_2zero", "ack_payload_6zero"}
"""Of these, ``expected.json`` says GET and 200 where the octets of the capture say POST and 201."""


def exchanges_of(name: str, **options: Any) -> list[Exchange]:
    return run_file(CASES / f"{name}.pcap", **options).exchanges


def masked(name: str, rules: Redaction) -> list[str]:
    """What every output is given, as JSON Lines and as OTLP."""
    engine = Engine()
    with FileSource(str(CASES / f"{name}.pcap")) as source:
        engine.pump(source, 1000, 0)
    engine.finish()
    batch = engine.take()
    Masking(rules)(batch)
    return [batch.jsonl().decode(), bytes(batch.otlp(b"")).decode("latin-1")]


def document_of(name: str, *beside: Path) -> dict[str, Any]:
    result = CliRunner().invoke(learn, [str(CASES / f"{name}.pcap"), *map(str, beside), "--plain"])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    validate(document)
    return document


def row(exchange: Exchange) -> Row:
    request, response = exchange["request"], exchange["response"]
    return (
        request and request["method"],
        request and request["target"],
        response and response["status"],
        exchange["incomplete"],
    )


def test_every_file_has_an_expectation_and_every_expectation_a_file() -> None:
    present = {path.stem for path in CASES.iterdir() if path.suffix not in (".md", ".json")}
    assert present == set(EXCHANGES)
    assert {path.name for path in CASES.iterdir() if path.suffix in (".md", ".json")} == {
        "README.md",
        "expected.json",
    }
    told = (CASES / "README.md").read_text()
    assert [name for name in EXCHANGES if f"`{name}`" not in told] == []


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_capture_gives_its_exchanges_and_nothing_else(name: str) -> None:
    assert Counter(map(row, exchanges_of(name))) == Counter(EXCHANGES[name])


def test_the_expectations_agree_with_those_that_a_script_reads() -> None:
    expected = orjson.loads((CASES / "expected.json").read_bytes())
    for name, rows in expected.items():
        ours = Counter(each[:3] for each in EXCHANGES[name])
        if name in OTHERWISE:
            assert [(target, count) for _, target, _, count in rows] == [
                (target, count) for (_, target, _), count in ours.items()
            ]
        else:
            assert {(method, target, status): count for method, target, status, count in rows} == ours


@pytest.mark.parametrize(
    "name",
    ["aws_mirror_cut_head", "snap128", "snap300", "b1_head_second_segment_lost", "head_seg2_lost_1each"],
)
def test_a_head_that_was_cut_is_marked_and_keeps_its_host(name: str) -> None:
    cut = [x["request"] for x in exchanges_of(name) if x["incomplete"]]
    assert all("head_cut" in request["anomalies"] for request in cut)
    assert all(request["host"] for request in cut)
    for request in (x["request"] for x in exchanges_of(name) if not x["incomplete"]):
        assert "anomalies" not in request


def test_the_whole_lines_in_front_of_a_hole_are_there() -> None:
    first = exchanges_of("b1_head_second_segment_lost")[0]["request"]
    octets = (CASES / "b1_head_second_segment_lost.pcap").read_bytes()
    begun = octets[octets.index(b"GET /account") :].split(b"\r\n")
    assert first["headers"] == [["Host", "api.test"]] == [begun[1].decode().split(": ")]


def test_what_a_server_of_http_0_9_answers_is_content() -> None:
    (exchange,) = exchanges_of("c1_get_slash_crlfcrlf")
    assert (exchange["protocol"], exchange["response"]["body"]) == ("http/0.9", "<html>up</html>")


@pytest.mark.parametrize("name", ["cs_bom", "cs_gbk", "cs_latin1"])
def test_properties_are_learned_in_the_charset_of_the_content(name: str) -> None:
    document = document_of(name)
    operation = document["paths"]["/items"]["post"]
    for content in (operation["requestBody"]["content"], operation["responses"]["201"]["content"]):
        schema = content["application/json"]["schema"]
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert {key: value["type"] for key, value in schema["properties"].items()} == {
            "name": "string",
            "age": "integer",
        }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("d1_status_2XX", "2XX OK"),
        ("d2_status_1000", "1000 OK"),
        ("st_2", "2 Denied"),
        ("st_999", "999 Denied"),
    ],
)
def test_what_is_no_status_code_is_a_finding_and_default_in_documents(
    name: str, words: str, tmp_path: Path
) -> None:
    (exchange,) = exchanges_of(name)
    response = exchange["response"]
    assert (response["reason"], response["anomalies"], response["body"]) == (words, ["bad_status"], "ok")
    assert document_of(name)["paths"] == {}, "it makes no endpoint by itself"
    succeeded = json.loads(masked(name, Redaction())[0])
    succeeded["response"] |= {"status": 200, "reason": "OK", "anomalies": []}
    (tmp_path / "success.jsonl").write_text(json.dumps(succeeded) + "\n")
    document = document_of(name, tmp_path / "success.jsonl")
    assert list(document["paths"]["/t"]["get"]["responses"]) == ["200", "default"]


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("expect_refused_secret", ["VERYSECRET123", "TOPSECRET"]),
        ("expect_refused_then_next", ["eA=="]),
    ],
)
def test_no_credential_behind_a_refused_expectation_leaves(name: str, secrets: list[str]) -> None:
    octets = (CASES / f"{name}.pcap").read_bytes()
    assert all(each.encode() in octets for each in secrets)
    first, _second = exchanges_of(name)
    assert (first["request"]["body"], first["request"]["wire_body_size"]) == ("", 0)
    for output in masked(name, Redaction()):
        assert "authorization" in output.lower()
        assert [each for each in secrets if each in output] == []


def test_the_protocol_of_a_server_that_does_not_speak_http_is_named() -> None:
    engine = Engine()
    with FileSource(str(CASES / "h1_http_to_ssh.pcap")) as source:
        engine.pump(source, 100, 0)
    assert [(each["port"], each["protocols"]) for each in engine.ports()] == [(22, ("http/1", "ssh"))]


@pytest.mark.parametrize("name", ["ov_vni", "ov_vni_mid"])
def test_tenants_with_the_same_addresses_keep_their_answers(name: str) -> None:
    secrets = {"alice": "alicealicealice", "bob": "bobbobbob"}
    for x in exchanges_of(name):
        tenant = x["request"]["path"].split("/")[2]
        assert x["response"]["body"] == f'{{"secret":"{secrets[tenant]}"}}'


@pytest.mark.parametrize(
    ("name", "client"),
    [
        ("p1_proxy_v1_same_segment", "203.0.113.7"),
        ("proxy1_joined", "198.51.100.7"),
        ("proxy2_joined_single", "198.51.100.7"),
    ],
)
def test_the_client_is_the_one_that_a_load_balancer_names(name: str, client: str) -> None:
    for x in exchanges_of(name):
        assert (x["client"]["address"], x["peer"]["address"]) == (client, "10.0.0.1")


def test_vxlan_on_a_port_of_its_own_is_named_and_read_where_the_port_is_given() -> None:
    path = CASES / "t_vxlan_odd.pcap"
    engine = Engine()
    with FileSource(str(path)) as source:
        engine.pump(source, 100, 0)
    assert [each["port"] for each in engine.unnamed_tunnels()] == [65330]
    assert [row(x) for x in run_file(path, vxlan_ports=[65330]).exchanges] == POSTED


def test_a_transfer_coding_is_undone() -> None:
    (exchange,) = exchanges_of("te_gzip")
    assert exchange["response"]["body"] == '{"a":1}'


def test_no_password_leaves_under_a_transfer_coding() -> None:
    secrets = {json.loads(x[side]["body"])["password"] for x in exchanges_of("te_redact") for side in SIDES}
    assert secrets
    for output in masked("te_redact", Redaction(fields=("password",))):
        assert "password" in output
        assert [each for each in secrets if each in output] == []


def test_a_call_of_grpc_web_has_its_service_its_method_and_its_status() -> None:
    (call,) = exchanges_of("w1_grpcweb_h1")
    assert (call["request"]["path"], call["grpc"]) == ("/shop.Cart/Add", True)
    assert call["response"]["trailers"] == [["grpc-status", "0"]]
