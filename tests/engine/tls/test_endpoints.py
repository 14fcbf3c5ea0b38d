"""The table of encrypted endpoints: bounded, and nothing is missing from its sums."""

from __future__ import annotations

from pathlib import Path

from levo.engine.engine import Engine

from tests.engine.tls.test_records import V12
from tests.helpers.conversation import Conversation
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.tls_peers import TlsPeers


def test_the_table_is_bounded_and_says_what_found_no_room(tmp_path: Path) -> None:
    hello = TlsPeers(tmp_path, version=V12).handshake().talk[0][1]
    engine = Engine()
    for port in range(2000, 2600):
        segments = Conversation().handshake().client(hello).close().segments
        engine.feed(capture_segments(segments, Ends(client_port=50_000, server_port=port)))
    engine.finish()

    found = engine.encrypted()

    assert len(found) == 513
    assert found[-1]["server_address"] is None
    assert sum(each["connections"] for each in found) == 600
    assert sum(each["bytes"] for each in found) == 600 * len(hello)
