from collections.abc import Callable, Iterable, Sequence
from typing import Self

from levo.engine.core.source import FrameSource
from levo.engine.exchange.batch import Batch
from levo.model.statistics import EncryptedEndpoint, EngineStatistics, PortUse, UnnamedTunnel

DROP_NAMES: dict[int, str]
SECRET_LABELS: dict[bytes, int]

_Rules = Callable[[bytes, bytes, bytes, bytes, str, int, str, int], int]

class Engine:
    def __new__(
        cls,
        *,
        max_memory_bytes: int = 256 << 20,
        max_message_bytes: int = 10_000_000,
        stream_timeout_ns: int = 10_000_000_000,
        keep_bodies: bool = True,
        max_head_bytes: int = 262_144,
        max_held_bytes: int = 8 << 20,
        max_pending: int = 1024,
        acked_gap_ns: int = 100_000_000,
        idle_ns: int = 86_400_000_000_000,
        quiet_ns: int = 300_000_000_000,
        linger_ns: int = 2_000_000_000,
        traces_per_minute: float = 0.0,
        endpoint_traces_per_minute: float = -1.0,
        rules: _Rules | None = None,
        one_network: bool = False,
        vxlan_ports: Sequence[int] = (),
        hops: str | None = None,
    ) -> Self: ...
    def feed(
        self, frames: Iterable[tuple[int, bytes | bytearray | memoryview, int | None]], link_type: int = 1
    ) -> None: ...
    def pump(self, source: FrameSource, limit: int = 4096, timeout_ms: int = 100) -> int: ...
    def set_host_addresses(self, addresses: Iterable[str]) -> None: ...
    def tick(self, now_ns: int) -> None: ...
    def finish(self) -> None: ...
    @property
    def ready(self) -> int: ...
    @property
    def ready_bytes(self) -> int: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def memory_used_bytes(self) -> int: ...
    def set_external(self, held_bytes: int) -> None: ...
    def set_policy(
        self,
        *,
        traces_per_minute: float,
        endpoint_traces_per_minute: float = -1.0,
        rules: _Rules | None = None,
    ) -> None: ...
    def take(self, limit: int = 0, limit_bytes: int = 0) -> Batch: ...
    def ports(self, most: int = 16) -> list[PortUse]: ...
    def unnamed_tunnels(self) -> list[UnnamedTunnel]: ...
    def encrypted(self) -> list[EncryptedEndpoint]: ...
    def add_secrets(self, text: bytes) -> tuple[int, int]: ...
    def set_key_source(self, source: Callable[[], bytes] | None, *, wait: bool = False) -> None: ...
    def statistics(self) -> EngineStatistics: ...
