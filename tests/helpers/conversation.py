"""A TCP conversation from turns of octets: true sequence numbers, handshake, acknowledgements, FIN.

States of a ``Conversation``: new -> (handshake) -> established -> (fin or rst) -> closed. The builder does
not enforce them: tests of odd traffic call the methods in any order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from tests.helpers.packets import ACK, FIN, PSH, RST, SYN, Segment

Turn = tuple[bool, bytes]
"""(sent by the client?, octets): one side speaking until the other does."""


class Conversation:
    """Builds the segments of one connection, in the order the sensor sees them (``segments``)."""

    def __init__(self, *, client_isn: int = 1000, server_isn: int = 5000, mss: int = 1460) -> None:
        self.segments: list[Segment] = []
        self.mss = mss
        self._isn = {True: client_isn, False: server_isn}
        self._next = dict(self._isn)

    def next_seq(self, from_client: bool) -> int:
        """The sequence number of the next octet this side sends."""
        return self._next[from_client]

    def _emit(self, from_client: bool, flags: int, payload: bytes = b"") -> Segment:
        segment = Segment(
            from_client,
            self._next[from_client] % 2**32,
            self._next[not from_client] % 2**32 if flags & ACK else 0,
            flags,
            payload,
        )
        self._next[from_client] += segment.length
        self.segments.append(segment)
        return segment

    def handshake(self) -> Conversation:
        self._emit(True, SYN)
        self._emit(False, SYN | ACK)
        self._emit(True, ACK)
        return self

    def start_mid_stream(self) -> Conversation:
        """Count the handshake as done without a packet of it."""
        self._next = {side: isn + 1 for side, isn in self._isn.items()}
        return self

    def send(self, from_client: bool, octets: bytes, cuts: Iterable[int] = ()) -> Conversation:
        """Send *octets* in segments that end at *cuts* (offsets into them) and at the MSS."""
        edges = sorted({0, len(octets), *(cut for cut in cuts if 0 < cut < len(octets))})
        for start, end in itertools.pairwise(edges):
            for at in range(start, end, self.mss):
                piece = octets[at : min(at + self.mss, end)]
                last = at + len(piece) == len(octets)
                self._emit(from_client, ACK | (PSH if last else 0), piece)
        return self

    def client(self, octets: bytes, cuts: Iterable[int] = ()) -> Conversation:
        return self.send(True, octets, cuts)

    def server(self, octets: bytes, cuts: Iterable[int] = ()) -> Conversation:
        return self.send(False, octets, cuts)

    def ack(self, from_client: bool) -> Conversation:
        """A segment without octets that acknowledges all the other side has sent."""
        self._emit(from_client, ACK)
        return self

    def skip(self, from_client: bool, size: int) -> Conversation:
        """Move on by *size* octets that the capture will never see."""
        self._next[from_client] += size
        return self

    def fin(self, from_client: bool) -> Conversation:
        self._emit(from_client, FIN | ACK)
        return self

    def close(self, *, server_first: bool = True) -> Conversation:
        """Both FINs and the last acknowledgement."""
        self.fin(not server_first)
        self.fin(server_first)
        return self.ack(not server_first)

    def rst(self, from_client: bool) -> Conversation:
        self._emit(from_client, RST | ACK)
        return self


def converse(
    turns: Sequence[Turn],
    *,
    client_isn: int = 1000,
    server_isn: int = 5000,
    mss: int = 1460,
    cuts: Sequence[Sequence[int]] = (),
    acks: bool = False,
    close: bool = True,
) -> list[Segment]:
    """The segments of a whole connection: handshake, *turns*, both FINs.

    *cuts* holds, turn by turn, further segment ends; *acks* adds an acknowledgement without octets behind
    each turn.
    """
    talk = Conversation(client_isn=client_isn, server_isn=server_isn, mss=mss).handshake()
    for i, (from_client, octets) in enumerate(turns):
        talk.send(from_client, octets, cuts[i] if i < len(cuts) else ())
        if acks:
            talk.ack(not from_client)
    if close:
        talk.close()
    return talk.segments


def exchanges_as_turns(pairs: Iterable[tuple[bytes, bytes]]) -> list[Turn]:
    """(request octets, response octets) in keep-alive order, one at a time."""
    return [turn for request, response in pairs for turn in ((True, request), (False, response))]
