"""What the engine says of an HTTP/2 connection against what its peers said (``http2_peers``)."""

from __future__ import annotations

import struct
from typing import Any

from tests.helpers.conversation import Turn, converse
from tests.helpers.engine_runs import Run, run_frames
from tests.helpers.http2_peers import Peers, Said
from tests.helpers.lines import Exchange, body
from tests.helpers.packets import capture_segments


def run_turns(turns: list[Turn], *, cuts: list[list[int]] | None = None, **options: Any) -> Run:
    return run_frames(capture_segments(converse(turns, cuts=cuts or ())), **options)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def assert_message(message: dict[str, Any], said: Said) -> None:
    assert message["headers"] == said.fields
    assert message["version"] == "2"
    assert body(message) == said.body
    assert message["wire_body_size"] == len(said.body)
    assert [tuple(pair) for pair in message.get("trailers", [])] == [
        (n.decode(), v.decode("latin-1")) for n, v in said.trailers
    ]


def assert_exact(run: Run, peers: Peers) -> None:
    """Every stream is one exchange, and each is what the peers said."""
    assert {x["stream_id"] for x in run.exchanges} == set(peers.requests)
    assert len(run.exchanges) == len(peers.requests)
    for x in run.exchanges:
        stream = x["stream_id"]
        said = peers.requests[stream]
        assert x["protocol"] == "http/2"
        for key in ("method", "path", "scheme"):
            assert (x["request"]["target"] if key == "path" else x["request"][key]) == said.pseudo(
                b":" + key.encode()
            )
        assert x["request"]["host"] == said.pseudo(b":authority")
        assert x.get("interim", 0) == peers.interim.get(stream, 0)
        assert_message(x["request"], said)
        if stream in peers.responses:
            assert x["response"]["status"] == int(peers.responses[stream].pseudo(b":status"))
            assert_message(x["response"], peers.responses[stream])
        else:
            assert x["response"] is None
        whole = stream in peers.responses and said.ended and peers.responses[stream].ended
        assert (x["incomplete"] is None) == whole


def wrong(x: Exchange, peers: Peers) -> list[str]:
    """What *x* says that was not said. Missing values are not wrong, unless nothing marks them."""
    found = []
    for side, said in (
        ("request", peers.requests.get(x["stream_id"])),
        ("response", peers.responses.get(x["stream_id"])),
    ):
        message = x[side]
        if message is None:
            continue
        assert said is not None, f"{side} on stream {x['stream_id']} was never sent"
        if side == "request":
            for key in ("method", "target", "host"):
                sent = said.pseudo({"method": b":method", "target": b":path", "host": b":authority"}[key])
                if message[key] not in ("", sent):
                    found.append(f"{key} {message[key]} for {sent}")
        elif message["status"] not in (0, int(said.pseudo(b":status"))):
            found.append(f"status {message['status']}")
        found += [f"field {pair}" for pair in message["headers"] if pair not in said.fields]
        octets = body(message)
        if not message["missing_bytes"] and not said.body.startswith(octets):
            found.append(f"{side} body")
        marked = (
            message["missing_bytes"] or message["truncated"] or x["incomplete"] not in (None, "mid_stream")
        )
        if octets != said.body and not marked:
            found.append(f"{side} body is cut without a word")
        if x["incomplete"] is None and message["headers"] != said.fields:
            found.append(f"{side} fields are missing without a word")
    return found
