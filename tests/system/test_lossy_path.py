"""A lossy path: 1 % of the packets hidden from the sensor, 1 % doubled, 1 % out of order.

Request and response of an exchange carry the same number in target, field and body. None may be mispaired,
those that lost octets say so, all others are complete. There are 4,000 of them,
and 100,000 in the long form.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.conversation import converse, exchanges_as_turns
from tests.helpers.effort import long
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.lines import Exchange, body, summaries
from tests.helpers.mutations import lossy
from tests.helpers.packets import CapturedFrame, Ends, frame
from tests.helpers.pcap import read_pcap
from tests.system.load import NUMBERED, answered, wrk
from tests.system.network import needs, veth_pair
from tests.system.nginx import PORT, serving
from tests.system.recorder import recording

COUNTS = [4_000, long(100_000)]
"""Exchanges on the path."""
CONNECTIONS = 32
MISSING = {
    "no_request",
    "no_response",
    "request_gap",
    "response_gap",
    "request_cut",
    "response_cut",
    "ambiguous",
}
"""Reasons that say that octets were lost."""


def id_of(text: str) -> str | None:
    """The number in a body, as far as it is there."""
    return text.split('"id":"', 1)[1].split('"', 1)[0] if '"id":"' in text else None


def target_number(exchange: Exchange) -> str:
    """The number in the request's target."""
    return str(exchange["request"]["target"]).rsplit("/", 1)[1]


def numbers(exchange: Exchange) -> set[str]:
    """Every number an exchange carries, from whole places only."""
    found: set[str] = set()
    if request := exchange["request"]:
        found.add(target_number(exchange))
        found |= {value for name, value in request["headers"] if name.lower() == "x-id"}
        if request["missing_bytes"] == 0 and (number := id_of(body(request).decode())):
            found.add(number)
    if response := exchange["response"]:
        found |= {value for name, value in response["headers"] if name.lower() == "x-id"}
        if response["missing_bytes"] == 0 and exchange["incomplete"] is None:
            found.add(id_of(body(response).decode()) or "")
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the losses did."""

    whole: int
    """Exchanges in the unharmed capture."""
    complete: int
    said: Counter[str]
    """Reasons of the incomplete ones."""


def judge(frames: Sequence[CapturedFrame], mutated: list[CapturedFrame], untouched: set[str]) -> Verdict:
    """Read both captures; assert what a lossy path may and may not do.

    *untouched* are the numbers of exchanges none of whose packets was hidden.
    """
    reference = {
        x["request"]["target"].rsplit("/", 1)[1]: x for x in run_frames(frames, decode=False).exchanges
    }
    run: Run = run_frames(mutated, decode=False)

    mispaired = [x for x in run.exchanges if len(numbers(x)) > 1]
    assert summaries(mispaired[:5]) == [], f"{len(mispaired)} mispaired"
    complete = {target_number(x): x for x in run.exchanges if x["incomplete"] is None}
    altered = [
        number
        for number, x in complete.items()
        if body(x["response"]) != body(reference[number]["response"])
        or body(x["request"]) != body(reference[number]["request"])
    ]
    assert altered == []
    assert len(complete) == sum(x["incomplete"] is None for x in run.exchanges), "reported twice"
    reasons = Counter(x["incomplete"] for x in run.exchanges if x["incomplete"])
    assert set(reasons) <= MISSING, reasons
    harmed = sorted(untouched - set(complete), key=int)
    by_number: dict[str, list[Exchange]] = {}
    for x in run.exchanges:
        for number in numbers(x):
            by_number.setdefault(number, []).append(x)
    told = [[(y["incomplete"], summaries([y])) for y in by_number.get(number, [])] for number in harmed[:5]]
    assert harmed == [], (
        f"{len(harmed)} of {len(untouched)} suffered for others, such as {harmed[:5]}: {told}"
    )
    return Verdict(len(reference), len(complete), reasons)


def synthetic(count: int, seed: int) -> list[tuple[CapturedFrame, str | None]]:
    """Frames of *count* exchanges over 32 connections, interleaved, each with the number it belongs to."""
    chance = random.Random(seed)
    ways: list[list[tuple[bytes, str | None]]] = []
    for connection in range(CONNECTIONS):
        own = range(connection, count, CONNECTIONS)
        ends = Ends(client_port=20000 + connection)
        pairs, owners = [], []
        for number in own:
            pad = "p" * chance.choice([0, 40, 400, 3000])
            text = json.dumps({"id": str(number), "pad": pad}, separators=(",", ":")).encode()
            head = f"X-Id: {number}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
            if number % 3:
                asked = f"GET /echo/{number} HTTP/1.1\r\nHost: h\r\nX-Id: {number}\r\n\r\n".encode()
            else:
                asked = f"POST /echo/{number} HTTP/1.1\r\nHost: h\r\n".encode() + head + text
            pairs.append((asked, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + text))
        segments = converse(exchanges_as_turns(pairs), client_isn=chance.getrandbits(32), acks=True)
        place = {True: 0, False: 0}
        bounds = {side: _bounds(pairs, own, side) for side in (True, False)}
        for segment in segments:
            owner = None
            if segment.payload:
                while bounds[segment.from_client][0][0] <= place[segment.from_client]:
                    bounds[segment.from_client].pop(0)
                owner = bounds[segment.from_client][0][1]
                place[segment.from_client] += len(segment.payload)
            owners.append(owner)
        ways.append([(frame(s, ends), owner) for s, owner in zip(segments, owners, strict=True)])
    out: list[tuple[CapturedFrame, str | None]] = []
    cursors = [0] * CONNECTIONS
    time_ns = 1_700_000_000_000_000_000
    while open_ways := [i for i in range(CONNECTIONS) if cursors[i] < len(ways[i])]:
        for i in open_ways:
            for octets, owner in ways[i][cursors[i] : cursors[i] + chance.randint(1, 6)]:
                time_ns += 20_000
                out.append(((time_ns, octets, len(octets)), owner))
                cursors[i] += 1
    return out


def _bounds(pairs: list[tuple[bytes, bytes]], own: range, side: bool) -> list[tuple[int, str]]:
    """(end offset, number) of each message of one direction."""
    ends, at = [], 0
    for number, pair in zip(own, pairs, strict=True):
        at += len(pair[0 if side else 1])
        ends.append((at, str(number)))
    return ends


def retimed(frames: list[CapturedFrame], times: list[int]) -> list[CapturedFrame]:
    """Capture times are those of the tap: never decreasing, whatever the order of arrival."""
    step = (times[-1] - times[0]) // max(1, len(frames))
    return [(times[0] + i * step, octets, length) for i, (_, octets, length) in enumerate(frames)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("count", COUNTS)
def test_generated_traffic_over_a_lossy_path(seed, count):
    tagged = synthetic(count, seed)
    frames = [f for f, _ in tagged]
    mutated = lossy(tagged, seed)
    kept = Counter(f for f, _ in mutated)
    touched = {owner for f, owner in tagged if f not in kept}
    untouched = {str(n) for n in range(count)} - touched

    verdict = judge(frames, retimed([f for f, _ in mutated], [frames[0][0], frames[-1][0]]), untouched)

    assert verdict.whole == count
    print(f"lossy path, seed {seed}: {verdict}")


@pytest.mark.root
@pytest.mark.slow
@needs("nginx", "wrk", "tcpdump", "ethtool")
@pytest.mark.parametrize("count", COUNTS)
def test_nginx_traffic_over_a_lossy_path(tmp_path: Path, count: int):
    """Recorded from a real server over a veth pair (packets of 1,500 octets), then harmed with a seed."""
    capture = tmp_path / "recorded.pcap"
    with (
        veth_pair() as (server, client),
        serving(server, tmp_path / "nginx") as nginx,
        recording(server, capture, f"tcp port {PORT}"),
    ):
        done = run = 0
        while done < count:
            script = NUMBERED % {"first": run * 10_000_000, "limit": count - done}
            seconds = max(2, (count - done) / 8000)
            report = wrk(
                client,
                nginx.base + "/echo",
                seconds=seconds,
                connections=CONNECTIONS,
                folder=tmp_path,
                script=script,
            )
            done += answered(report)
            run += 1
    _, frames = read_pcap(capture)
    mutated = lossy(list(enumerate(frames)), seed=7)
    kept = {index for index, _ in mutated}
    whole = run_frames(frames, decode=False)
    numbers_of = {
        x["request"]["target"].rsplit("/", 1)[1] for x in whole.exchanges if x["incomplete"] is None
    }
    assert len(numbers_of) >= count

    touched = _touched(frames, kept)
    verdict = judge(
        frames, retimed([f for _, f in mutated], [frames[0][0], frames[-1][0]]), numbers_of - touched
    )

    print(f"lossy path, nginx: {verdict}")


def _touched(frames: Sequence[CapturedFrame], kept: set[int]) -> set[str]:
    """Numbers of the exchanges on a connection between whose first and last packet one was hidden.

    Worked out from the recording alone: walk each connection, and call every hidden packet's exchange the one
    whose number was last seen in a request on it (keep-alive without pipelining).
    """
    current: dict[tuple[bytes, ...], str] = {}
    touched: set[str] = set()
    for index, (_, octets, _) in enumerate(frames):
        offset = 14 + (octets[14] & 15) * 4
        client_side = octets[offset + 2 : offset + 4] == PORT.to_bytes(2, "big")
        port = octets[offset : offset + 2] if client_side else octets[offset + 2 : offset + 4]
        start = octets.find(b" /echo/", offset, offset + 80) if client_side else -1
        if start > 0:
            current[(port,)] = octets[start + 7 : octets.find(b" ", start + 7)].decode()
        if index not in kept and (port,) in current:
            touched.add(current[(port,)])
    return touched
