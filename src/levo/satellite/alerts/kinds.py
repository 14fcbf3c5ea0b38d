"""Kinds of alerts, and the page that each is about."""

from __future__ import annotations

from levo.satellite.store.userdata import Alert

NEW_ENDPOINT = "new-endpoint"
NEW_SENSITIVE_FIELD = "new-sensitive-field"
BREAKING_CHANGE = "breaking-change"
SENSOR_SILENT = "sensor-silent"
ENDPOINT_UNSEEN = "endpoint-unseen"
KINDS = {
    NEW_ENDPOINT: "a new endpoint",
    NEW_SENSITIVE_FIELD: "new sensitive data",
    BREAKING_CHANGE: "a breaking change",
    SENSOR_SILENT: "a silent sensor",
    ENDPOINT_UNSEEN: "an endpoint that is not used any more",
}
"""Kinds of alerts with what they are about."""


def page_of(alert: Alert) -> str:
    """Return the path of the page about what *alert* is about."""
    if alert.endpoint:
        return f"/endpoints/{alert.endpoint}"
    return {SENSOR_SILENT: "/sensors", ENDPOINT_UNSEEN: "/catalog?unseen=archived"}.get(
        alert.kind, "/changes"
    )
