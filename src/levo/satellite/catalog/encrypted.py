"""Encrypted traffic, as all sensors together saw it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from levo.satellite.catalog.sensors import SensorView, sensor_view
from levo.satellite.store import SensorRow

MAX_SEEN = 200
"""Sensors with TLS connections that are kept in full."""


@dataclass(frozen=True, slots=True)
class EncryptedEndpoint:
    """One endpoint over TLS, as all sensors together saw it."""

    address: str
    """``other`` stands for all that were too many for the sensor to tell apart."""
    port: str
    server_name: str
    """As the client asked for it (SNI); empty if it was hidden or not seen."""
    protocol: str
    """As agreed on in the handshake (ALPN); empty if not seen."""
    version: str
    certificate_names: str
    connections: float
    decrypted: float
    """Connections that were read with keys."""
    octets: float
    """Both directions."""

    @property
    def unread(self) -> float:
        """Connections that stayed closed to the sensor."""
        return max(self.connections - self.decrypted, 0.0)


_ENDPOINT_LABELS = (
    "server.address",
    "server.port",
    "tls.server_name",
    "tls.next_protocol",
    "tls.protocol.version",
)
_CERTIFICATE = "tls.certificate_names"
_ENDPOINT_VALUES = (
    "levo.encrypted.connections",
    "levo.encrypted.decrypted_connections",
    "levo.encrypted.bytes",
)


def encrypted_endpoints(rows: Iterable[SensorRow]) -> list[EncryptedEndpoint]:
    """Return the endpoints over TLS that *rows* report, those with the most unread connections first."""
    sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0] * len(_ENDPOINT_VALUES))
    certificates: dict[tuple[str, ...], str] = {}
    for row in rows:
        # A sensor names the certificate from when it has seen it; the series without it is then old.
        latest: dict[tuple[str, tuple[str, ...]], tuple[int, float]] = {}
        for metric in row.metrics:
            if metric.name in _ENDPOINT_VALUES:
                key = tuple(metric.labels.get(name, "") for name in _ENDPOINT_LABELS)
                timed = (metric.time_ns, metric.value)
                latest[metric.name, key] = max(latest.get((metric.name, key), timed), timed)
                certificates[key] = metric.labels.get(_CERTIFICATE, "") or certificates.get(key, "")
        for (name, key), (_, value) in latest.items():
            sums[key][_ENDPOINT_VALUES.index(name)] += value
    found = [
        EncryptedEndpoint(key[0], key[1], key[2], key[3], key[4], certificates[key], *values)
        for key, values in sums.items()
    ]
    return sorted(found, key=lambda each: (-each.unread, -each.octets, each.address, each.port))


@dataclass(frozen=True, slots=True)
class EncryptedTraffic:
    """What sensors could not read."""

    sensors: int
    """All of them."""
    seen: tuple[SensorView, ...]
    """Those with TLS connections, up to :data:`MAX_SEEN`."""
    more: int
    """How many more have some."""
    endpoints: tuple[EncryptedEndpoint, ...]
    opaque: tuple[tuple[str, str, int], ...]
    """(stage, state, units) of the ledgers' states for what was not read, the largest first."""


def encrypted_traffic(rows: Iterable[SensorRow], now_ns: int) -> EncryptedTraffic:
    """Put together what *rows* report; only a few of them are in memory at a time."""
    opaque: Counter[tuple[str, str]] = Counter()
    seen: list[SensorView] = []
    sensors = with_tls = 0

    def counted() -> Iterator[SensorRow]:
        nonlocal sensors, with_tls
        for row in rows:
            sensors += 1
            for metric in row.metrics:
                if metric.name == "levo.sensor.ledger.units" and _is_opaque(metric.labels):
                    label = (metric.labels.get("stage", ""), metric.labels.get("state", ""))
                    opaque[label] += int(metric.value)
            view = sensor_view(row, now_ns)
            with_tls += bool(view.encrypted)
            if view.encrypted and len(seen) < MAX_SEEN:
                seen.append(view)
            yield row

    endpoints = tuple(encrypted_endpoints(counted()))
    ranked = tuple((stage, state, units) for (stage, state), units in opaque.most_common() if units)
    return EncryptedTraffic(sensors, tuple(seen), with_tls - len(seen), endpoints, ranked)


def _is_opaque(labels: dict[str, str]) -> bool:
    state = labels.get("state", "")
    return any(word in state for word in ("opaque", "tls", "encrypted"))
