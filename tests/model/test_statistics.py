"""The types of the engine's statistics name what it reports, no more and no less."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_origin, get_type_hints

from levo.config import Redaction
from levo.engine.engine import DROP_NAMES, Engine
from levo.ledger import MASKED
from levo.model.statistics import (
    EncryptedEndpoint,
    EngineStatistics,
    ExchangeDrops,
    MaskingStatistics,
    PortUse,
    SensorStatistics,
)
from levo.sensor.redact.masking import Masking
from tests.helpers.conversation import Conversation
from tests.helpers.packets import Ends, capture_segments
from tests.helpers.tls_peers import TlsPeers


def test_the_counters_are_those_of_the_engine() -> None:
    reported = Engine().statistics()

    assert list(reported) == list(EngineStatistics.__annotations__)
    assert (
        set(reported["exchanges_dropped"]) == set(ExchangeDrops.__annotations__) == set(DROP_NAMES.values())
    )
    assert {name for name, value in reported.items() if type(value) is not int} == {"exchanges_dropped"}


def test_the_counters_of_masking_are_those_of_the_sensor() -> None:
    reported = Masking(Redaction()).statistics()

    assert set(reported) == set(MaskingStatistics.__annotations__) == set(MASKED)
    assert SensorStatistics.__required_keys__ == (
        EngineStatistics.__required_keys__ | MaskingStatistics.__required_keys__
    )


def test_ports_and_encrypted_endpoints_have_the_named_values(tmp_path: Path) -> None:
    """The table's sums, whose places are None, and an entry of an endpoint's own: each value of its type."""
    hello = TlsPeers(tmp_path, version=ssl.TLSVersion.TLSv1_2).handshake().talk[0][1]
    engine = Engine()
    for port in range(2000, 2600):
        segments = Conversation().handshake().client(hello).close().segments
        engine.feed(capture_segments(segments, Ends(client_port=50_000, server_port=port)))
    engine.finish()

    assert_values(engine.ports(), PortUse, empty="port")
    assert_values(engine.encrypted(), EncryptedEndpoint, empty="server_address")


def assert_values(entries: Sequence[Mapping[str, Any]], kind: type, empty: str) -> None:
    kinds = {
        name: hint if isinstance(hint, UnionType) else get_origin(hint) or hint
        for name, hint in get_type_hints(kind).items()
    }
    assert {entry[empty] is None for entry in entries} == {False, True}
    for entry in entries:
        assert set(entry) == set(kinds)
        assert {name: value for name, value in entry.items() if not isinstance(value, kinds[name])} == {}
