"""Small inputs that were read wrong once, where the shared folder with them is present (``LEVO_CASES``)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from levo.engine.engine import Engine
from levo.sensor.capture.file import FileSource
from tests.helpers.engine_runs import run_file
from tests.helpers.lines import summary

CASES = Path(os.environ.get("LEVO_CASES", Path(__file__).resolve().parents[3] / "shared" / "cases")) / "wire"
POSTED = {("POST", "/w", 200): 1}
TENANTS = {("POST", f"/tenant/{name}/{i}", 200): 1 for name in ("alice", "bob") for i in range(3)}

WHOLE = {
    "ack_payload_2zero": {("POST", f"/ack/{i}", 201): 1 for i in range(3)},
    "ack_payload_6zero": {("POST", f"/ack/{i}", 201): 1 for i in range(3)},
    "e1_retransmit_after_close": {("POST", "/pay", 200): 1},
    "e_pbb": POSTED,
    "e_vntag": POSTED,
    "f2_fastcgi": {("GET", "/v1/items", 200): 1},
    "gso_partial_geneve": {("POST", "/g", 200): 1},
    "lead_crlf_first": {("GET", "/crlf", 200): 1},
    "longpoll_302": {("GET", "/other", 200): 61, ("GET", "/v1/kv/x?index=7&wait=10m", 200): 1},
    "lt_pktap": POSTED,
    "lt_ppi": POSTED,
    "ov_vni": {("POST", "/tenant/alice", 200): 1, ("POST", "/tenant/bob", 200): 1},
    "ov_vni_mid": TENANTS,
    "p1_proxy_v1_same_segment": {("GET", "/v1/items", 200): 1},
    "proxy1_joined": {("GET", "/p1", 200): 1, ("GET", "/p2", 200): 1},
    "proxy2_joined_single": {("POST", f"/p{i}", 200): 1 for i in range(3)},
    "seqjump_fwd": {("GET", "/first", 200): 1, **{("POST", f"/n{i}", 201): 1 for i in range(20)}},
    "t_gtpu": POSTED,
    "t_tzsp": POSTED,
    "ts_stray_future": {("POST", "/d", 200): 1},
}
"""By file: (method, target, status) of its exchanges, and how many of each. All are complete."""


@pytest.mark.parametrize("name", WHOLE)
def test_each_exchange_of_a_case_is_whole(name: str) -> None:
    path = CASES / f"{name}.pcap"
    if not path.exists():
        pytest.skip(f"no {path}: set LEVO_CASES")
    run = run_file(path)
    assert Counter(summary(x) for x in run.exchanges) == WHOLE[name]
    assert run.complete == run.exchanges


def test_tenants_with_the_same_addresses_keep_their_answers() -> None:
    path = CASES / "ov_vni.pcap"
    if not path.exists():
        pytest.skip(f"no {path}: set LEVO_CASES")
    answers = {x["request"]["path"]: x["response"]["body"] for x in run_file(path).exchanges}
    assert answers == {
        "/tenant/alice": '{"secret":"alicealicealice"}',
        "/tenant/bob": '{"secret":"bobbobbob"}',
    }


def test_vxlan_on_a_port_of_its_own_is_read_where_the_port_is_named() -> None:
    path = CASES / "t_vxlan_odd.pcap"
    if not path.exists():
        pytest.skip(f"no {path}: set LEVO_CASES")
    assert [summary(x) for x in run_file(path, vxlan_ports=[65330]).exchanges] == [("POST", "/w", 200)]


def test_a_call_of_grpc_web_has_its_service_its_method_and_its_status() -> None:
    path = CASES / "w1_grpcweb_h1.pcap"
    if not path.exists():
        pytest.skip(f"no {path}: set LEVO_CASES")
    (call,) = run_file(path).exchanges
    assert (call["request"]["path"], call["grpc"]) == ("/shop.Cart/Add", True)
    assert call["response"]["trailers"] == [["grpc-status", "0"]]


def test_the_protocol_of_a_server_that_does_not_speak_http_is_named() -> None:
    path = CASES / "h1_http_to_ssh.pcap"
    if not path.exists():
        pytest.skip(f"no {path}: set LEVO_CASES")
    engine = Engine()
    with FileSource(str(path)) as source:
        engine.pump(source, 100, 0)
    assert [(each["port"], each["protocols"]) for each in engine.ports()] == [(22, ("http/1", "ssh"))]
