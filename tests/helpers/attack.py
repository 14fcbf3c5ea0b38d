"""Many connections that try to use up a sensor's memory, and ordinary traffic beside them, as raw frames.

``python -m tests.helpers.attack INTERFACE SECONDS CONNECTIONS`` sends them on an interface for so long, and
longer where 200 ordinary exchanges a second were not sent by then; it prints how many were. A quarter each of
the connections sends an endless head, an endless body, a chunk of 2^62 octets, or leaves holes.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator

CLIENT, SERVER = socket.inet_aton("10.9.9.9"), socket.inet_aton("10.0.0.2")
JUNK = b"X-Junk: " + b"a" * 1390 + b"\r\n"
BEGINNINGS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4000000000000000\r\n",
    b"GET /h HTTP/1.1\r\nX",
)
HOLES = 3
GOOD_REQUEST = b"GET /good HTTP/1.1\r\nHost: g\r\n\r\n"
GOOD_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"k" * 500
SYN, SYN_ACK, PUSH = 0x02, 0x12, 0x18


def frame(
    source: bytes, destination: bytes, ports: tuple[int, int], seq: int, ack: int, payload: bytes, flags: int
) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
    length = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, source, destination)
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp + payload


class Attack:
    """The frames, without an end: each round sends some more on every connection."""

    def __init__(self, connections: int) -> None:
        self._sent = [0] * connections
        self._good = [1, 1]
        self.good_exchanges = 0

    def opening(self) -> Iterator[bytes]:
        yield from self._open(CLIENT, 6000)
        for number in range(len(self._sent)):
            yield from self._open(self._address(number), 5000)
            yield self._next(number, BEGINNINGS[number % 4])

    def rounds(self) -> Iterator[bytes]:
        while True:
            for number in range(len(self._sent)):
                if number % 4 == HOLES:
                    self._sent[number] += 1400
                yield self._next(number, JUNK)
                if number % 100 == 0:
                    yield from self._ordinary()

    @staticmethod
    def _address(number: int) -> bytes:
        return bytes((10, 1, number >> 8 & 255, number & 255))

    @staticmethod
    def _open(address: bytes, port: int) -> Iterator[bytes]:
        yield frame(address, SERVER, (port, 80), 0, 0, b"", SYN)
        yield frame(SERVER, address, (80, port), 0, 1, b"", SYN_ACK)

    def _next(self, number: int, octets: bytes) -> bytes:
        seq = 1 + self._sent[number]
        self._sent[number] += len(octets)
        return frame(self._address(number), SERVER, (5000, 80), seq, 1, octets, PUSH)

    def _ordinary(self) -> Iterator[bytes]:
        mine, yours = self._good
        yield frame(CLIENT, SERVER, (6000, 80), mine, yours, GOOD_REQUEST, PUSH)
        yield frame(SERVER, CLIENT, (80, 6000), yours, mine + len(GOOD_REQUEST), GOOD_RESPONSE, PUSH)
        self._good = [mine + len(GOOD_REQUEST), yours + len(GOOD_RESPONSE)]
        self.good_exchanges += 1


def main(interface: str, seconds: float, connections: int) -> None:
    attack = Attack(connections)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((interface, 0))
        for octets in attack.opening():
            link.send(octets)
        end = time.monotonic() + seconds
        for number, octets in enumerate(attack.rounds()):
            link.send(octets)
            if number % 200 == 0:
                time.sleep(0.005)
                if time.monotonic() > end and attack.good_exchanges > 200 * seconds:
                    break
    print(attack.good_exchanges)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
