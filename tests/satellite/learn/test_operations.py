"""GraphQL operations and gRPC methods become endpoints of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from levo.satellite.learn import State, Trace, decide_templates, learn, learn_all
from levo.satellite.learn.operations import MAX_BATCH, parts_of
from levo.satellite.learn.paths import Catalog, Override
from levo.satellite.learn.trace import Origin
from levo.satellite.learner import learn_record
from levo.satellite.openapi import render_document
from levo.satellite.openapi.catalog import operations_of
from levo.satellite.queue import Position, Record, RecordKind
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from tests.satellite.requests import Call, traces

ORIGIN = Origin("acme", "default", "shop", "s")
JSON = (("content-type", "application/json"),)


def posted(body: object, answer: object = None, path: str = "/graphql", **more: Any) -> Trace:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    more.setdefault("request_headers", JSON)
    return Trace(
        ORIGIN, "shop.example", "POST", path, 200, 1.0, 1, 2, request_body=octets,
        response_body=b"" if answer is None else json.dumps(answer).encode(), response_headers=JSON, **more,
    )  # fmt: skip


def called(path: str, status: int = 0, http: int = 200) -> Trace:
    return Trace(ORIGIN, "shop.example", "POST", path, http, 1.0, 1, 2, grpc=True, grpc_status=status)


def shown(traces: list[Trace]) -> dict[str, set[str]]:
    """Return the methods of each template that *traces* teach."""
    state = learn_all(State(), traces)
    (paths,) = state.paths.values()
    return {t.path: set(t.methods) for t in decide_templates(paths).templates}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"query": "query GetUser { user { id } }"}, "query.GetUser"),
        ({"query": "mutation Add { add }", "variables": {"a": 1}}, "mutation.Add"),
        ({"query": "query A { a } mutation B { b }", "operationName": "B"}, "mutation.B"),
        ({"query": "{ user { id } posts { id } }"}, "query.~posts+user"),
        ({"operationName": "Feed", "extensions": {"persistedQuery": {"sha256Hash": "x"}}}, "operation.Feed"),
        ({"query": "query Zk4qT9xLm2Wv8RbY { a }"}, "query.~a"),
    ],
)
def test_posted_operations(body: object, name: str) -> None:
    (part,) = parts_of(posted(body))

    assert part.keys == ("graphql", "#", name)


@pytest.mark.parametrize(
    "body",
    [
        {"query": "shoes"},
        {"query": {"match": {"a": 1}}},
        {"query": "", "operationName": "a"},
        [],
        [1],
        b"{",
        {},
    ],
)
def test_bodies_that_only_look_alike_are_ordinary(body: object) -> None:
    assert parts_of(posted(body, path="/search")) == ()


def test_operations_asked_for_with_get_and_as_a_document_alone() -> None:
    query = "query=" + quote("query Feed { posts { id } }") + "&variables=%7B%7D"
    asked = Trace(ORIGIN, "shop.example", "GET", "/graphql", 200, 1.0, 1, 2, query)
    sent = posted(b"{ posts { id } }", request_headers=(("content-type", "application/graphql"),))

    assert parts_of(asked)[0].keys == ("graphql", "#", "query.Feed")
    assert parts_of(sent)[0].keys == ("graphql", "#", "query.~posts")


def test_a_batch_is_as_many_endpoints_with_their_own_bodies() -> None:
    batch = [{"query": "query A { a }"}, {"query": "mutation B { b }", "variables": {"x": 1}}]
    state = learn(State(), posted(batch, [{"data": {"a": 1}}, {"data": {"b": "t"}}]))
    paths = render_document("t", operations_of(state))["paths"]
    data = {
        path: set(
            item["post"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"][
                "properties"
            ]
        )
        for path, item in paths.items()
    }

    assert data == {"/graphql#query.A": {"a"}, "/graphql#mutation.B": {"b"}}
    assert state.traces == 1 and state.exchanges == 1.0


def test_a_large_batch_keeps_its_count() -> None:
    parts = parts_of(posted([{"query": f"query Q{'x' * n} {{ a }}"} for n in range(60)] * 2))

    assert len(parts) == MAX_BATCH + 1
    assert parts[-1].keys == ("graphql", "#", "{*}")


def test_operations_are_never_taken_for_values() -> None:
    names = ["Kowalski", "Brzezinski", "Oyelaran", "Takahashi", "Ndiaye", "Xiomara", "Thorvald", "Quispe"]
    traces = [posted({"query": f"query {name} {{ a }}"}) for name in names for _ in range(3)]

    assert shown(traces) == {f"/graphql#query.{name}": {"POST"} for name in names}


def test_three_hundred_operations_are_told_apart_and_a_flood_is_bounded() -> None:
    def number(n: int) -> str:
        return "".join("abcdefghij"[int(digit)] for digit in str(n))

    some = shown([posted({"query": f"query Op{number(n)} {{ a }}"}) for n in range(300)])
    many = shown([posted({"query": f"query Op{number(n)} {{ a }}"}) for n in range(3_000)])

    assert len(some) == 300
    assert len(many) == 513


def called_by_rpc(method: str, answer: object, number: int = 1) -> Trace:
    return posted({"jsonrpc": "2.0", "id": number, "method": method, "params": []}, answer, path="/rpc")


def test_methods_of_json_rpc_are_endpoints_with_their_own_bodies() -> None:
    traces = [
        called_by_rpc("user.find", {"jsonrpc": "2.0", "id": 1, "result": {"name": "n"}}) for _ in range(3)
    ]
    traces += [
        called_by_rpc("eth_blockNumber", {"jsonrpc": "2.0", "id": 1, "result": "0x1"}) for _ in range(3)
    ]

    traces += [called_by_rpc("tools/call", {"jsonrpc": "2.0", "id": 1, "result": {}}) for _ in range(3)]

    assert shown(traces) == {
        "/rpc#user.find": {"POST"},
        "/rpc#eth_blockNumber": {"POST"},
        "/rpc#tools%2Fcall": {"POST"},
    }
    state = learn_all(State(), traces)
    assert {key.place for key in state.endpoints} == {
        "/rpc/#/user.find", "/rpc/#/eth_blockNumber", "/rpc/#/tools%2Fcall",
    }  # fmt: skip


def test_answers_of_a_batch_of_json_rpc_belong_to_their_ids() -> None:
    batch = [{"jsonrpc": "2.0", "id": n, "method": name} for n, name in enumerate(("a.one", "b.two"))]
    batch.append({"jsonrpc": "2.0", "method": "c.tell"})
    answers = [{"jsonrpc": "2.0", "id": 1, "result": "b"}, {"jsonrpc": "2.0", "id": 0, "result": "a"}]
    parts = parts_of(posted(batch, answers, path="/rpc"))

    assert [part.keys[-1] for part in parts] == ["a.one", "b.two", "c.tell"]
    assert [b'"a"' in parts[0].trace.response_body, b'"b"' in parts[1].trace.response_body] == [True, True]
    assert parts[2].trace.response_body == b""


@pytest.mark.parametrize("method", ["anna.meyer@example.org", "4711", "x" * 200, 5, None])
def test_what_is_no_name_of_a_method_stays_at_its_path(method: object) -> None:
    assert parts_of(posted({"jsonrpc": "2.0", "id": 1, "method": method}, path="/rpc")) == ()


def test_a_method_of_json_rpc_that_does_not_exist_is_no_endpoint() -> None:
    missing = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}}

    assert shown([called_by_rpc("user.find", {"result": 1}), called_by_rpc("user.scan", missing)]) == {
        "/rpc#user.find": {"POST"}
    }


def test_grpc_methods_are_endpoints_whatever_their_names() -> None:
    methods = ("Get", "List", "Kowalski", "Oyelaran", "Brzezinski", "Takahashi")
    traces = [called(f"/shop.v1.Orders/{method}") for method in methods for _ in range(3)]
    traces += [called(f"/{name}.Health/Check") for name in ("alpha", "quispe", "ndiaye")]
    expected = {f"/shop.v1.Orders/{method}" for method in methods}

    assert set(shown(traces)) == expected | {
        f"/{name}.Health/Check" for name in ("alpha", "quispe", "ndiaye")
    }


def test_a_grpc_method_that_is_not_implemented_is_no_endpoint() -> None:
    state = learn_all(State(), [called("/shop.Orders/Get"), called("/shop.Orders/Scan", 12)])
    (paths,) = state.paths.values()

    assert [t.path for t in decide_templates(paths).templates] == ["/shop.Orders/Get"]
    assert paths.noise.absent == 1


def test_the_document_has_one_path_for_each_operation() -> None:
    traces = [posted({"query": "query GetUser { user }"}, {"data": {"user": 1}}), called("/shop.Orders/Get")]
    traces.append(msgspec.structs.replace(traces[0], request_body=b'{"a":1}', path="/users"))
    state = learn_all(State(), traces)

    assert sorted(render_document("t", operations_of(state))["paths"]) == [
        "/graphql#query.GetUser", "/shop.Orders/Get", "/users",
    ]  # fmt: skip


def test_users_and_descriptions_speak_of_operations_as_they_are_shown() -> None:
    state = learn_all(State(), [posted({"query": f"query {name} {{ a }}"}) for name in ("Feed", "Me")])
    (paths,) = state.paths.values()
    overrides = [Override("import", "/graphql#query.Feed"), Override("ignore", "/graphql#query.Me")]

    assert [t.path for t in Catalog(paths, overrides).templates] == ["/graphql#query.Feed"]
    assert "query.Feed" in paths.pinned


def test_a_path_with_a_hash_is_no_operation() -> None:
    sent = msgspec.structs.replace(posted({"a": 1}), path="/graphql/#/query.Feed")

    assert list(shown([sent])) == ["/graphql/%23/query.Feed"]


def test_operations_come_through_a_satellite_into_its_catalog(tmp_path: Path) -> None:
    """From OTLP over the journal's record to the rows of the catalog, before and after a decision."""
    document = json.dumps({"query": "query Feed($n: Int) { posts(n: $n) { id } }", "variables": {"n": 7}})
    graph = {
        "http.request.header.content-type": "application/json",
        "levo.http.request.body": document,
        "levo.http.response.body": '{"data": {"posts": [{"id": "p1"}]}}',
    }
    rpc = {"rpc.system": "grpc", "rpc.grpc.status_code": 0}
    calls = [
        Call(method="POST", path="/graphql", more=graph),
        Call(method="POST", path="/shop.Orders/Kowalski", more=rpc),
        Call(method="POST", path="/shop.Orders/Missing", more={**rpc, "rpc.grpc.status_code": 12}),
    ]
    with CatalogWriter(tmp_path / "catalog") as writer:
        for number in range(3):
            record = Record(RecordKind.TRACES, time.time_ns(), "acme", traces(calls).SerializeToString())
            delta = learn_record(State(), record)
            writer.commit(delta, Position(1, number), decide=None if number else lambda hosts, said: {})
    reader = CatalogReader(tmp_path / "catalog")
    _, rows = reader.endpoints(EndpointFilter())
    noise = reader.summary().counters["noise_exchanges"]
    reader.close()

    assert {(row.method, row.path, row.exchanges) for row in rows} == {
        ("POST", "/graphql#query.Feed", 3.0), ("POST", "/shop.Orders/Kowalski", 3.0),
    }  # fmt: skip
    assert noise == 3.0


ENVELOPE = (
    b'<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/>'
    b'<s:Body><m:GetOrder xmlns:m="urn:shop"><id>7</id></m:GetOrder></s:Body></s:Envelope>'
)


def asked_for(path: str, *, method: str = "GET", query: str = "", body: bytes = b"", **fields: str) -> str:
    """Return the place of one exchange."""
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    (part,) = parts_of(
        Trace(
            *(ORIGIN, "shop.example", method, path, 200, 1.0, 1, 2, query, "", headers),
            request_body=body,
        )
    ) or (None,)
    return "" if part is None else "/".join(part.keys)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"soapaction": '"urn:shop#FindOrder"', "content_type": "text/xml"}, "FindOrder"),
        ({"soapaction": '"http://shop.example/IOrders/FindOrderRequest"'}, "FindOrder"),
        ({"soapaction": '""', "content_type": "text/xml; charset=utf-8"}, "GetOrder"),
        ({"content_type": "text/xml"}, "GetOrder"),
        ({"content_type": 'application/soap+xml; charset=utf-8; action="urn:shop:FindOrder"'}, "FindOrder"),
    ],
)
def test_soap_actions(fields: dict[str, str], name: str) -> None:
    assert asked_for("/orders.asmx", method="POST", body=ENVELOPE, **fields) == f"orders.asmx/#/{name}"


def test_xml_that_is_no_soap_is_ordinary() -> None:
    for body in (b"<order/>", b"<Envelope/>", b"<e:Envelope><e:Body></e:Body></e:Envelope>", b""):
        assert asked_for("/orders", method="POST", body=body, content_type="text/xml") == ""
    assert asked_for("/orders", method="POST", body=b"<order/>", soapaction='"4929123412341234"') == ""


@pytest.mark.parametrize(
    ("path", "query", "place"),
    [
        ("/wp-admin/admin-ajax.php", "action=heartbeat&x=1", "wp-admin/admin-ajax.php/#/heartbeat"),
        ("/cgi-bin/tool.cgi", "cmd=list", "cgi-bin/tool.cgi/#/list"),
        ("/", "Action=DescribeInstances&Version=2016-11-15", "#/DescribeInstances"),
        ("/webhdfs/v1/logs", "user.name=x&op=LISTSTATUS", "webhdfs/v1/logs/#/LISTSTATUS"),
        ("/geo/wms", "SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap", "geo/wms/#/GetMap"),
        ("/logs", "action=login", ""),
        ("/calc", "op=add", ""),
        ("/pages/request", "request=7", ""),
        ("/index.php", "action=kX9aQ2bT7cR4dW1e", ""),
        ("/index.php", "action=", ""),
        ("/index.php", "reaction=list", ""),
    ],
)
def test_operations_that_a_parameter_chooses(path: str, query: str, place: str) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}

    assert asked_for(path, query=query) == place
    assert asked_for(path, method="POST", body=query.encode(), **form) == place


def test_grpc_web_in_a_recording() -> None:
    media = {"content_type": "application/grpc-web+proto"}

    assert (
        asked_for("/shop.Orders/Get", method="POST", body=b"\0\0\0\0\0", **media) == "#grpc/shop.Orders/Get"
    )
    assert asked_for("/shop/orders/get", method="POST", body=b"\0\0\0\0\0", **media) == ""
