from collections.abc import Callable, Container

from levo.satellite.learn.trace import Origin, Trace

class SpanReader:
    def __init__(
        self,
        trace: type[Trace],
        origin: Origin,
        methods: Container[str],
        host: Callable[[str, int, str], str],
        scheme: Callable[[str], str],
        status: Callable[[object], int],
        half_read: Container[str],
        received_ns: int,
        earliest_ns: int,
        latest_ns: int,
        longest_ns: int,
    ) -> None: ...

def read_spans(octets: bytes, reader_of: Callable[[bytes], SpanReader]) -> list[Trace | None] | None: ...
