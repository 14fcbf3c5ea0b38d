"""The engine opens what the target ``sealed`` seals, so that mutations reach what lies behind TLS."""

from __future__ import annotations

import pytest
from fuzz.sealer import SUITES, Sealer

from levo.engine.engine import Engine
from tests.helpers.conversation import Conversation
from tests.helpers.packets import Ends, capture_segments

UPDATE = bytes([1, 24, 0, 0, 1, 0])


@pytest.mark.parametrize("handshake", [False, True])
@pytest.mark.parametrize("number", range(len(SUITES)))
def test_the_engine_opens_every_suite(number: int, handshake: bool) -> None:
    sealer = Sealer(number, handshake=handshake)
    segments = list(sealer.opening())
    for turn in range(3):
        segments += [(0, b"\0GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % turn)]
        segments += [(1, b"\0HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % turn)]
        if sealer.modern:
            segments += [(turn % 2, UPDATE)]
    conversation = Conversation().handshake()
    for side, octets in segments:
        conversation.send(side == 0, sealer.seal(side, octets))
    engine = Engine()
    assert engine.add_secrets(sealer.key_log())[0] > 0

    engine.feed(capture_segments(conversation.close().segments, Ends(server_port=8443)))
    engine.finish()

    exchanges = engine.take().exchanges()
    assert [x.request.target for x in exchanges] == ["/0", "/1", "/2"]
    assert [x.response.body for x in exchanges] == [b"0", b"1", b"2"]
