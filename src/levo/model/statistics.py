"""What the engine reports of itself: names and types of its counters, ports and encrypted endpoints.

Plain dicts at run time. Whoever reads them names these types, so that a misspelled counter is found by mypy.
"""

from __future__ import annotations

from typing import TypedDict


class ExchangeDrops(TypedDict):
    """Exchanges that never leave the engine, by reason (``levo.engine.engine.DROP_NAMES``)."""

    host_not_allowed: int
    host_excluded: int
    path_not_allowed: int
    path_excluded: int
    rate_limited: int
    evicted: int
    url_filter: int
    ip_filter: int
    own_export: int
    merged_hop: int


class EngineStatistics(TypedDict):
    """``Engine.statistics()``: counters since the engine was made, a few of them gauges (``core/types.pxd``).

    ``levo.ledger`` has the meanings, and which of them balance.
    """

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
    payload_bytes_parsed: int
    payload_bytes_duplicate: int
    payload_bytes_duplicate_nat: int
    payload_bytes_opaque: int
    payload_bytes_skipped: int
    payload_bytes_evicted: int
    payload_bytes_closed: int
    payload_bytes_out_of_window: int
    payload_bytes_held: int
    gap_bytes: int
    gaps: int
    gaps_overfull: int
    segments_out_of_order: int
    segments_overlap_conflict: int
    connections_opened: int
    connections_mid_stream: int
    connections_http1: int
    connections_http2: int
    connections_tls: int
    connections_websocket: int
    connections_opaque: int
    connections_evicted: int
    connections_open: int
    connections_quiet: int
    exchanges_begun: int
    exchanges_emitted: int
    exchanges_emitted_incomplete: int
    exchanges_open: int
    exchanges_dropped: ExchangeDrops
    bodies_truncated: int
    heads_incomplete: int
    heads_rejected: int
    requests_seen: int
    responses_seen: int
    hops_linked: int
    hops_hurried: int
    secrets_received: int
    secrets_used: int
    secrets_unused: int
    secrets_refused: int
    secrets_held: int
    tls_received: int
    tls_open: int
    tls_read: int
    tls_other: int
    tls_no_secrets: int
    tls_secret_lost: int
    tls_joined_late: int
    tls_suite: int
    tls_out_of_step: int
    tls_unfinished: int
    tls_memory: int
    tls_malformed: int
    memory_used_bytes: int
    memory_refused: int


class MaskingStatistics(TypedDict):
    """What was hidden before the outputs (``levo.sensor.redact``); texts are in ``levo.ledger.MASKED``."""

    credentials_masked: int
    fields_masked: int
    patterns_masked: int
    bodies_withheld: int


class SensorStatistics(EngineStatistics, MaskingStatistics):
    """The counters of the engine and of the masking after it."""


class PortUse(TypedDict):
    """One entry of ``Engine.ports()``."""

    port: int | None
    """The server's; None for all ports that have no entry of their own."""
    packets: int
    bytes: int
    """TCP payload."""
    connections: int
    exchanges: int
    """Finished, kept or not."""
    protocols: tuple[str, ...]
    """Of "http/1", "http/2", "websocket", "fastcgi", "tls", "other"; empty as long as none is known. Those
    that are not read have a name where their first octets tell: "ssh", "ftp-smtp", "imap", "pop3", "mysql",
    "redis", "postgresql"."""


class UnnamedTunnel(TypedDict):
    """One entry of ``Engine.unnamed_tunnels()``."""

    port: int | None
    """UDP, the destination's; None for all that found no room."""
    frames: int
    """Those that look like VXLAN."""


class EncryptedEndpoint(TypedDict):
    """One entry of ``Engine.encrypted()``."""

    server_address: str | None
    """None for the entry that sums endpoints the table has no room for."""
    server_port: int | None
    server_name: str
    """SNI; empty when not seen."""
    alpn: str
    """The server's choice; where that is hidden, the client's offers joined by commas."""
    version: str
    """Such as "1.3"; empty when not seen."""
    certificate_names: tuple[str, ...]
    connections: int
    decrypted_connections: int
    """Of them, those read with keys, at least for a time."""
    unread: dict[str, int]
    """Of them, those not read, or not to their end: by the names of ``levo.ledger.TLS``, above 0."""
    bytes: int
    """TCP payload, both directions."""
    first_ns: int
    last_ns: int
