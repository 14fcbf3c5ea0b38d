from collections.abc import Sequence
from types import TracebackType
from typing import Self

from levo.engine.core.source import FrameSource
from levo.sensor.capture.filters import Endpoint
from levo.sensor.capture.statistics import LiveStatistics

BUFFER_BYTES: int
ALL_BUFFERS_BYTES: int
SMALLEST_BUFFER_BYTES: int
SNAPLEN: int
BLOCK_TIMEOUT_MS: int

class LiveSource(FrameSource):
    def __new__(
        cls,
        interfaces: Sequence[str] = (),
        *,
        filter: str | None = None,
        snaplen: int = ...,
        buffer_bytes: int = ...,
        first_bytes: int = 0,
        exclude: Sequence[Endpoint] = (),
        promiscuous: bool = False,
        vxlan_ports: Sequence[int] = (),
    ) -> Self: ...
    @property
    def interfaces(self) -> list[str]: ...
    @property
    def excluded(self) -> frozenset[tuple[str, int]]: ...
    def refresh(self) -> None: ...
    def events(self) -> list[str]: ...
    def statistics(self) -> LiveStatistics: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
