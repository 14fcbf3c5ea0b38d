"""What an output says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OutputStatistics:
    """Immutable snapshot; every count is in traces unless its name says otherwise."""

    name: str
    received: int = 0
    """Offered by ``submit``, whatever became of them."""
    recovered: int = 0
    """Found in the spool at start, left by an earlier process."""
    exported: int = 0
    """Accepted by the destination, or written to the file."""
    queue_full: int = 0
    """Refused by ``submit``: the bound of the queue was reached."""
    failed: int = 0
    """Given up: a permanent error, or retried for too long, or left over at ``close``."""
    rejected: int = 0
    """Refused by the receiver in a partial success."""
    spooled: int = 0
    """Waiting on disk. A gauge."""
    held: int = 0
    """Waiting in memory or being sent from there. A gauge."""
    spool_evicted: int = 0
    """Dropped from a full spool, oldest first."""
    spool_damaged: int = 0
    """Lost to a damaged or vanished spool file."""
    spool_torn_records: int = 0
    """Unfinished records, found at start, whose writer died; the number of traces in them is unknown."""
    held_bytes: int = 0
    """Memory of what is held: part of the sensor's budget. A gauge."""
    spool_bytes: int = 0
    """Octets on disk. A gauge."""
    oldest_age_s: float = field(default=0.0, compare=False)
    """How long the oldest trace that is held or spooled has waited in this process; 0: none does. A gauge."""
    requests: int = 0
    """Deliveries that the destination answered with success."""
    retries: int = 0
    """Attempts that failed and are to be repeated."""
    bytes_sent: int = 0
    """Octets of the bodies of successful deliveries."""
    metrics_sent: int = 0
    """Metric messages delivered."""
    metrics_failed: int = 0
    """Metric messages given up; the next one holds newer values of the same counters."""
    last_success_ns: int | None = None
    """When the last delivery succeeded, by the clock that nobody sets (``time.monotonic_ns``)."""
    last_error: str | None = None
    """One line without captured content; kept after a later success."""
    last_error_ns: int | None = None
    """When that was, by the same clock."""
    last_loss: str | None = None
    """Why traces were given up last, in one line; None while none was."""
    organization_rejected: bool = False
    """The last answer of the receiver was that it knows neither the organization nor its token."""

    @property
    def missing(self) -> int:
        """Traces unaccounted for; 0, or there is a bug."""
        return (
            self.received
            + self.recovered
            - self.exported
            - self.queue_full
            - self.failed
            - self.rejected
            - self.spooled
            - self.held
            - self.spool_evicted
            - self.spool_damaged
        )
