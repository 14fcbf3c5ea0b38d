"""All sensors in figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from levo.satellite.catalog.encrypted import encrypted_endpoints
from levo.satellite.catalog.sensors import SensorView, sensor_view
from levo.satellite.store import SensorRow

_LATEST_SENSORS = 6


@dataclass(slots=True)
class Fleet:
    """All sensors in figures."""

    latest: list[SensorView]
    sensors: int = 0
    silent: int = 0
    lost: float = 0.0
    hidden: int = 0
    """Servers over TLS with connections that no sensor could read."""
    unread: float = 0.0


def fleet_of(rows: Iterable[SensorRow], now_ns: int) -> Fleet:
    """Return the figures of every sensor; only a few sensors are in memory at a time."""
    fleet = Fleet([])
    encrypted = 0.0

    def counted() -> Iterator[SensorRow]:
        nonlocal encrypted
        for row in rows:
            view = sensor_view(row, now_ns)
            fleet.sensors += 1
            fleet.silent += view.silent
            fleet.lost += view.lost
            encrypted += view.encrypted
            if fleet.sensors <= _LATEST_SENSORS:
                fleet.latest.append(view)
            yield row

    hidden = [each.unread for each in encrypted_endpoints(counted()) if each.unread]
    fleet.hidden, fleet.unread = len(hidden), sum(hidden) or encrypted
    return fleet
