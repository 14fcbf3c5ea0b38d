"""Handshake messages: what they say, and where they leave something out."""

from __future__ import annotations

from pathlib import Path

from tests.engine.tls.test_records import V12, endpoint, overheard
from tests.helpers.tls_peers import TlsPeers


def test_common_name_where_there_is_no_other(tmp_path: Path) -> None:
    peers = TlsPeers(tmp_path, version=V12, names=(), server_name=None).handshake()

    found = endpoint(overheard(peers.talk))

    assert (found["certificate_names"], found["server_name"], found["alpn"]) == (("cn.example",), "", "")
