"""Ports in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from levo.sensor.doctor.ports import describe, unnamed_tunnel


def port(number: int | None, packets: int, exchanges: int, *protocols: str) -> dict[str, Any]:
    return {"port": number, "packets": packets, "exchanges": exchanges, "protocols": protocols}


@pytest.mark.parametrize(
    ("given", "packets", "sentence"),
    [
        (
            port(8080, 53, 1204, "http/1"),
            100,
            "TCP port 8080: 53 % of the packets, HTTP/1.1, 1,204 exchanges",
        ),
        (
            port(443, 1, 0, "tls"),
            1000,
            "TCP port 443: below 1 % of the packets, encrypted (TLS), no exchanges",
        ),
        (
            port(80, 1, 1, "http/1", "websocket"),
            1,
            "TCP port 80: 100 % of the packets, HTTP/1.1 and WebSocket, 1 exchange",
        ),
        (port(None, 0, 0), 0, "other TCP ports: 0 % of the packets, protocol not recognized, no exchanges"),
    ],
)
def test_sentences(given: dict[str, Any], packets: int, sentence: str) -> None:
    assert describe([given], packets) == [sentence]


def test_a_tunnel_that_nobody_named_is_named_with_the_option_that_reads_it() -> None:
    assert unnamed_tunnel({"port": 6789, "frames": 1}) == (
        "UDP to port 6789 looks like VXLAN (1 packet): to read it, set --vxlan-port 6789"
    )
    assert unnamed_tunnel({"port": None, "frames": 1200}) == (
        "UDP to further ports looks like VXLAN (1,200 packets)"
    )
