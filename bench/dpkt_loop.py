"""A peer: what one writes in an afternoon with dpkt and httptools.

In-order segments, pairing; no reassembly, no output.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

import dpkt
import httptools


class Message:
    """Collects what a parser reports of one direction."""

    def __init__(self, finished: deque[tuple[bytes, list[tuple[bytes, bytes]], bytes]]) -> None:
        self.finished = finished
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.target, self.fields, self.body = b"", [], []

    def on_url(self, octets: bytes) -> None:
        self.target += octets

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, octets: bytes) -> None:
        self.body.append(octets)

    def on_message_complete(self) -> None:
        self.finished.append((self.target, self.fields, b"".join(self.body)))


def main(path: str) -> int:
    """Number of exchanges in a capture file."""
    ways: dict[tuple[bytes, bytes, int, int], tuple[Any, deque[Any], deque[Any]]] = {}
    exchanges = 0
    with open(path, "rb") as file:
        for _, octets in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(octets).data
            tcp = ip.data
            if not tcp.data:
                continue
            key = (ip.src, ip.dst, tcp.sport, tcp.dport)
            if key not in ways:
                requests: deque[Any] = deque()
                responses: deque[Any] = deque()
                ways[key] = (httptools.HttpRequestParser(Message(requests)), requests, responses)
                back = (ip.dst, ip.src, tcp.dport, tcp.sport)
                ways[back] = (httptools.HttpResponseParser(Message(responses)), requests, responses)
            parser, requests, responses = ways[key]
            parser.feed_data(tcp.data)
            while requests and responses:
                requests.popleft()
                responses.popleft()
                exchanges += 1
    return exchanges


if __name__ == "__main__":
    print(main(sys.argv[1]))
