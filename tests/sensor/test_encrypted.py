"""What was read of TLS, in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from levo.ledger import TLS
from levo.sensor.encrypted import UNREAD, encrypted_sentence, unread_words

ENDPOINT: dict[str, Any] = {
    "server_address": "10.0.0.1",
    "server_port": 443,
    "server_name": "api.example",
    "certificate_names": [],
    "version": "1.3",
    "alpn": "h2",
    "connections": 1,
    "bytes": 12_345,
    "decrypted_connections": 0,
    "unread": {},
}


def test_each_state_of_the_ledger_that_is_unread_has_words() -> None:
    assert set(UNREAD) == {state.name for state in TLS.states} - {"read", "open"}


def test_reasons_come_in_one_order_and_without_those_that_did_not_happen() -> None:
    assert unread_words({"suite": 2, "no_secrets": 1_000, "memory": 0}) == (
        "1,000 without secrets, 2 with a version or suite that is not read"
    )
    assert unread_words({}) == ""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "encrypted: 10.0.0.1:443 (api.example), TLS 1.3, h2: 1 connection, 12,345 octets"),
        (
            {
                "server_name": "",
                "certificate_names": ["a.example", "b.example"],
                "alpn": "",
                "connections": 2,
            },
            "encrypted: 10.0.0.1:443 (a.example, b.example), TLS 1.3: 2 connections, 12,345 octets",
        ),
        (
            {"connections": 3, "decrypted_connections": 2, "unread": {"out_of_step": 1}},
            "encrypted: 10.0.0.1:443 (api.example), TLS 1.3, h2: 3 connections, 12,345 octets, "
            "2 read with keys; unread: 1 that lost their place in a hole",
        ),
        (
            {"server_address": None, "server_port": None, "server_name": "", "version": "", "alpn": ""},
            "encrypted: other endpoints, TLS: 1 connection, 12,345 octets",
        ),
    ],
)
def test_an_endpoint_in_words(change: dict[str, Any], expected: str) -> None:
    assert encrypted_sentence({**ENDPOINT, **change}) == expected  # type: ignore[typeddict-item]
