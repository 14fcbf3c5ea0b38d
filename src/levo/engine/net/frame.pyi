from typing import Self, TypedDict

class _Segment(TypedDict):
    time_ns: int
    family: int
    source: str
    destination: str
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    urgent_pointer: int
    options: bytes
    payload: bytes
    missing_length: int

class _Counters(TypedDict):
    frames_received: int
    frame_bytes_received: int
    frames_tcp: int
    frames_not_ip: int
    frames_not_tcp: int
    frames_malformed: int
    frames_unsupported_link: int
    frames_fragment_joined: int
    frames_fragment_lost: int
    payload_bytes_received: int
    memory_used_bytes: int
    memory_refused: int

OUTCOMES: dict[int, str]

class FrameDecoder:
    network: int
    def __new__(cls, max_memory_bytes: int = 64 << 20) -> Self: ...
    def feed(
        self,
        link_type: int,
        octets: bytes,
        wire_length: int | None = None,
        time_ns: int = 0,
        interface: int = 0,
    ) -> _Segment | str: ...
    def tick(self, now_ns: int) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...
    def statistics(self) -> _Counters: ...

def decode(link_type: int, octets: bytes, wire_length: int | None = None) -> _Segment | str: ...
