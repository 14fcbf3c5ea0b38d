"""What is new about endpoints, in words."""

from __future__ import annotations

from dataclasses import dataclass

from levo.satellite.store.learned import EventRow


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is new about an endpoint."""

    time_ns: int
    endpoint: int
    organization: str
    environment: str
    application: str
    method: str
    path: str
    kind: str
    title: str
    detail: str
    style: str
    """Badge: ``bad`` when it breaks clients, else ``warn`` or ``info``."""


_TITLES = {
    "endpoint": ("New endpoint", "info"),
    "property": ("New property", "info"),
    "status": ("New status", "warn"),
    "authentication": ("New authentication", "bad"),
    "request-media-type": ("New request format", "info"),
    "response-media-type": ("New response format", "bad"),
}


def shown_change(row: EventRow) -> Change:
    """Return an event for people."""
    title, style = _TITLES.get(row.kind, (row.kind.replace("-", " ").capitalize(), "warn"))
    if row.kind == "status" and row.detail.startswith("5"):
        style = "bad"
    return Change(
        row.time_ns,
        row.endpoint,
        row.organization,
        row.environment,
        row.application,
        row.method,
        row.path,
        row.kind,
        title,
        row.detail,
        style,
    )
