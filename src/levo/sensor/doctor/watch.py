"""Looks at the traffic twice at once: all there is on every interface, and what the settings keep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from levo.config import SensorConfig
from levo.sensor.assembly import Policy, Shares, open_source, policy

if TYPE_CHECKING:
    from levo.model.statistics import EngineStatistics, PortUse, UnnamedTunnel
    from levo.sensor.capture.file import FileSource
    from levo.sensor.capture.live import LiveSource

_WAIT_MS = 50
_FRAMES = 4096
_MEMORY_BYTES = 64 << 20
_KEEP_ALL: Policy = {"traces_per_minute": 0.0, "endpoint_traces_per_minute": -1.0, "rules": None}


@dataclass(frozen=True, slots=True)
class Sight:
    """What one engine saw."""

    statistics: EngineStatistics
    """``Engine.statistics()``."""
    ports: tuple[PortUse, ...]
    """``Engine.ports()``."""
    packets: int
    """TCP packets; frames that turned out to carry none are not among them."""
    dropped: int
    """Frames that the kernel dropped."""
    unnamed_tunnels: tuple[UnnamedTunnel, ...] = ()
    """``Engine.unnamed_tunnels()``."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The same seconds with and without the settings."""

    seconds: float
    everything: Sight
    """All interfaces, no --filter, no rules, no rate limit; without our own traffic."""
    kept: Sight
    """As the sensor would see it."""
    interfaces: tuple[tuple[str, int], ...]
    """(name, packets) of every interface in ``everything``."""


class _Eye:
    """One source with its engine."""

    def __init__(self, source: FileSource | LiveSource, rules: Policy, vxlan_ports: Sequence[int]) -> None:
        from levo.engine.engine import Engine

        self.source = source
        self._looked_ns = time.monotonic_ns()
        self._engine = Engine(
            max_memory_bytes=_MEMORY_BYTES, keep_bodies=False, vxlan_ports=vxlan_ports, **rules
        )

    def look(self, wait_ms: int, live: bool) -> bool:
        """Read some frames; False at the end of the source."""
        going = self._engine.pump(self.source, _FRAMES, wait_ms) >= 0
        if live:
            now_ns = time.monotonic_ns()
            self._engine.tick(time.time_ns(), now_ns - self._looked_ns)
            self._looked_ns = now_ns
        self._engine.take()
        return going

    def close(self) -> Sight:
        self._engine.finish()
        self._engine.take()
        seen = self.source.statistics()
        self.source.close()
        numbers = self._engine.statistics()
        return Sight(
            numbers,
            tuple(self._engine.ports()),
            numbers["frames_tcp"],
            getattr(seen, "dropped", 0),
            tuple(self._engine.unnamed_tunnels()),
        )


def watch(
    config: SensorConfig,
    environ: Mapping[str, str],
    seconds: float,
    *,
    opened: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Watched:
    """Look for *seconds*, or through the file of ``--read``.

    *opened* is called before the first packet is looked at: the time to give up privileges.

    Raises:
        ConfigError, PrivilegeError, CaptureError, CaptureFileError: as the sensor would at its start.
    """
    live = config.read is None
    shares = replace(Shares.of(config.max_memory_bytes, 1), ring_bytes=4 << 20)
    kept = _Eye(open_source(config, environ, shares), policy(config), config.vxlan_ports)
    try:
        everything = _Eye(
            open_source(replace(config, filter=None, interfaces=()), environ, shares),
            _KEEP_ALL,
            config.vxlan_ports,
        )
    except BaseException:
        kept.source.close()
        raise
    started = clock()
    try:
        opened()
        going = [everything, kept]
        while going and (not live or clock() - started < seconds):
            going = [eye for eye in going if eye.look(_WAIT_MS if live else 0, live)]
    finally:
        took = clock() - started
        found = everything.source.statistics()
        sights = everything.close(), kept.close()
    interfaces = tuple((each.name, each.delivered) for each in getattr(found, "interfaces", ()))
    return Watched(took, *sights, interfaces)
