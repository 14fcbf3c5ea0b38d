"""Small captures of what HTTP/1 does in the wild, and what is right (``../shared/cases/wire/README.md``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.helpers.engine_runs import run_file
from tests.helpers.lines import Exchange

FOLDER = Path(os.environ.get("LEVO_CASES", Path(__file__).resolve().parents[3] / "shared" / "cases")) / "wire"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the shared cases (LEVO_CASES)")

Row = tuple[str | None, str | None, int | None, str | None]
"""(method, target, status, why it is incomplete)"""

USERS: list[Row] = [("GET", f"/api/v1/users/{n}", 200, "request_gap") for n in range(10)]
CASES: dict[str, list[Row]] = {
    "a1_body_without_length": [("POST", "/login", 200, None), (None, None, 400, "no_request")],
    "a3_length_too_small": [("POST", "/login", 200, None), ("GET", "/next", 200, None)],
    "aws_mirror_cut_head": [("POST", f"/jwt/{n}", 200, "request_gap") for n in range(4)],
    "b1_head_second_segment_lost": [("GET", "/account", 200, "request_gap"), ("GET", "/next", 200, None)],
    "b2_response_head_cut_by_fin": [("GET", "/account", 500, "response_cut")],
    "batch_gap": [("POST", "/$batch", 202, "response_gap")],
    "c1_get_slash_crlfcrlf": [("GET", "/", 0, None)],
    "expect_refused_secret": [("POST", "/c", 401, None), ("POST", "/c", 200, None)],
    "expect_refused_then_next": [("POST", "/c", 401, None), ("POST", "/c", 200, None)],
    "f1_gap_in_body_plus_crlf": [("POST", "/up", 200, "request_gap")],
    "g1_only_102": [("GET", "/t", 102, "no_response")],
    "h1_http_to_ssh": [("GET", "/", None, "no_response")],
    "head_seg2_lost_1each": [("POST", "/orders/0", 201, "request_gap")] * 10,
    "lead_crlf_first": [("GET", "/crlf", 200, None)],
    "snap128": USERS,
    "snap300": USERS,
}


def row(exchange: Exchange) -> Row:
    request, response = exchange["request"], exchange["response"]
    return (
        request and request["method"],
        request and request["target"],
        response and response["status"],
        exchange["incomplete"],
    )


@pytest.mark.parametrize("name", CASES)
def test_what_a_capture_holds_is_reported_and_nothing_else(name):
    exchanges = run_file(FOLDER / f"{name}.pcap").exchanges

    assert sorted(map(row, exchanges), key=str) == sorted(CASES[name], key=str)


@pytest.mark.parametrize("name", ["aws_mirror_cut_head", "snap128", "snap300", "b1_head_second_segment_lost"])
def test_a_head_that_was_cut_is_marked_and_keeps_its_host(name):
    request = run_file(FOLDER / f"{name}.pcap").exchanges[0]["request"]

    assert "head_cut" in request["anomalies"]
    assert request["host"]
