"""The benchmark's input is what it says it is, and the same every time."""

from __future__ import annotations

import json
from pathlib import Path

from bench.inputs import http1

from tests.helpers.engine_runs import run_file
from tests.helpers.lines import body


def test_every_exchange_is_whole_and_matches_its_request(tmp_path: Path):
    path = http1(tmp_path / "input.pcap", exchanges=400, connections=7)

    run = run_file(path)

    assert run.statistics["frames_received"] == 800
    assert len(run.complete) == len(run.exchanges) == 400
    assert run.statistics["connections_opened"] == 7
    for number, exchange in enumerate(run.exchanges):
        answer = json.loads(body(exchange["response"]))
        assert answer["id"] == number
        if exchange["request"]["method"] == "GET":
            assert exchange["request"]["path"] == f"/api/v1/items/{number}"
        else:
            assert json.loads(body(exchange["request"]))["name"] == answer["name"]


def test_the_same_seed_gives_the_same_octets(tmp_path: Path):
    one = http1(tmp_path / "one.pcap", exchanges=100, seed=3).read_bytes()

    assert http1(tmp_path / "two.pcap", exchanges=100, seed=3).read_bytes() == one
    assert http1(tmp_path / "other.pcap", exchanges=100, seed=4).read_bytes() != one
