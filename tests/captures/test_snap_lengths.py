"""Truncated mirroring: every request whose request line was captured is reported at any snap length.

The count is dpkt's, over the whole capture; what a snap length leaves follows from where the octets lie.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.conversation import converse
from tests.helpers.dpkt_reader import request_lines
from tests.helpers.engine_runs import run_frames
from tests.helpers.packets import CapturedFrame, Ends, capture_segments
from tests.helpers.pcap import read_pcap, shared_captures

SNAP_LENGTHS = [96, 128, 200, 256, 300, 512]
FOLDER = shared_captures()


def captures() -> list[Path]:
    return sorted(FOLDER.rglob("*.pcap*")) if FOLDER else []


def check(frames: list[CapturedFrame], link_type: int, snap: int) -> int:
    """Compare the requests of *frames* cut at *snap* with dpkt's; return how many there are."""
    wanted = [line for line in request_lines(frames, link_type) if line.within(snap, line.line)]
    cut = [(time_ns, octets[:snap], wire) for time_ns, octets, wire in frames]
    run = run_frames(cut, link_type=link_type, decode=False)
    requests = [x["request"] for x in run.exchanges if x["request"]]

    missing = Counter((x.method, x.target) for x in wanted)
    missing -= Counter((x["method"], x["target"]) for x in requests)
    assert not missing, f"snap length {snap}"
    hosts = Counter((x.method, x.target, x.host) for x in wanted if x.within(snap, x.with_host))
    hosts -= Counter(
        (x["method"], x["target"], next((v for k, v in x["headers"] if k.lower() == "host"), None))
        for x in requests
    )
    assert not hosts, f"hosts at snap length {snap}"
    return len(wanted)


@pytest.mark.skipif(FOLDER is None, reason="needs the shared captures (LEVO_CAPTURES)")
@pytest.mark.parametrize("snap", SNAP_LENGTHS)
def test_every_captured_request_line_of_other_projects_captures_is_reported(snap):
    total = 0
    for path in captures():
        try:
            link_type, frames = read_pcap(path)
        except ValueError:
            continue
        try:
            total += check(frames, link_type, snap)
        except AssertionError as error:
            raise AssertionError(path) from error
    assert total > 80


def generated() -> list[CapturedFrame]:
    """Keep-alive connections, large heads, uploads and pipelined requests."""
    frames: list[CapturedFrame] = []
    for n in range(60):
        host = b"Host: shop-%d.example\r\n" % n
        pad = b"Cookie: " + b"c" * (n * 60) + b"\r\n"
        body = b"GET /not/a/request HTTP/1.1\r\nHost: x\r\n\r\n" * n
        get = b"GET /items/%d HTTP/1.1\r\n" % n + host + pad + b"\r\n"
        post = b"POST /orders/%d HTTP/1.1\r\n" % n + host + b"Content-Length: %d\r\n\r\n" % len(body) + body
        answer = (
            b"HTTP/1.1 200 OK\r\nX-Pad: " + b"p" * 200 + b"\r\nContent-Length: 1000\r\n\r\n" + b"r" * 1000
        )
        turns = [(True, get), (False, answer), (True, post), (False, answer), (True, get), (False, answer)]
        if n % 3 == 0:
            turns = [
                (True, get),
                (True, get),
                (False, answer),
                (False, answer),
                (True, post),
                (False, answer),
            ]
        segments = converse(turns, mss=1400)
        frames += capture_segments(segments, Ends(client_port=30000 + n))
    return frames


@pytest.mark.parametrize("snap", SNAP_LENGTHS)
def test_every_captured_request_line_of_generated_traffic_is_reported(snap):
    assert check(generated(), 1, snap) == 180
