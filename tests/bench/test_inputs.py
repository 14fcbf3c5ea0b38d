"""The benchmark's input is what it says it is, and the same every time."""

from __future__ import annotations

import json
from pathlib import Path

from bench.inputs import bodies, http1, stream, tls

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


def test_connections_are_used_at_random_as_often_as_in_turn(tmp_path: Path):
    in_turn = run_file(http1(tmp_path / "turn.pcap", exchanges=300, connections=100))
    at_random = run_file(http1(tmp_path / "random.pcap", exchanges=300, connections=100, in_turn=False))

    ports = [[each["client"]["port"] for each in run.complete] for run in (in_turn, at_random)]
    assert ports[0] != ports[1] and sorted(ports[0]) == sorted(ports[1])
    assert ports[1][:100] != ports[1][100:200]


def test_the_same_seed_gives_the_same_octets(tmp_path: Path):
    one = http1(tmp_path / "one.pcap", exchanges=100, seed=3).read_bytes()

    assert http1(tmp_path / "two.pcap", exchanges=100, seed=3).read_bytes() == one
    assert http1(tmp_path / "other.pcap", exchanges=100, seed=4).read_bytes() != one


def test_large_answers_are_cut_at_the_mtu_and_whole(tmp_path: Path):
    run = run_file(bodies(tmp_path / "bodies.pcap", size=100_000, exchanges=6, connections=2))

    assert [len(body(exchange["response"])) for exchange in run.complete] == [100_000] * 6
    # One packet for the request, 70 for 100,000 octets and their head.
    assert run.statistics["frames_received"] == 6 * 71


def test_tls_is_recognized_on_every_connection_and_shows_no_exchange(tmp_path: Path):
    run = run_file(tls(tmp_path / "tls.pcap", packets=200, connections=4))

    assert run.exchanges == []
    assert run.statistics["connections_tls"] == 4
    assert run.statistics["frames_received"] == 200


def test_a_stream_is_a_capture_file_over_so_many_connections(tmp_path: Path):
    path = tmp_path / "stream.pcap"
    path.write_bytes(b"".join(stream(exchanges=600, connections=300)))

    run = run_file(path)

    assert len(run.complete) == 600
    assert run.statistics["connections_opened"] == 300
    assert {len(body(exchange["response"])) for exchange in run.exchanges} == {500}
