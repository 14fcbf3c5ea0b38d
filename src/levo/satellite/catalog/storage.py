"""When the room that the catalog takes is worth a warning."""

from __future__ import annotations

from levo.satellite.store.storage import Storage

LEAST_FREE_BYTES = 1 << 30
LEAST_DAYS = 30
NEAR_LIMIT = 0.9


def storage_warnings(found: Storage, limit_bytes: int) -> list[str]:
    """Return what an operator should look after, each in one line; a *limit_bytes* of 0 sets no limit."""
    lines = []
    free_gb, days = found.disk_free_bytes / 1e9, found.days_left
    if found.disk_free_bytes < LEAST_FREE_BYTES:
        lines.append(f"the disk of the catalog has {free_gb:.1f} GB left")
    elif days is not None and days < LEAST_DAYS:
        lines.append(
            f"the disk of the catalog has {free_gb:.1f} GB left; as the catalog grew lately, it is full in"
            f" {days:.0f} days"
        )
    if limit_bytes and found.stored_bytes > limit_bytes:
        lines.append("the catalog is larger than catalog-max-bytes; what is worth least is being given up")
    elif limit_bytes and found.stored_bytes > NEAR_LIMIT * limit_bytes:
        share = found.stored_bytes / limit_bytes
        lines.append(f"the catalog takes {share:.0%} of catalog-max-bytes; past it, what is worth least goes")
    return lines
