"""Kinds of alerts, and the page that each is about."""

from __future__ import annotations

from levo.satellite.store.userdata import Alert

NEW_ENDPOINT = "new-endpoint"
NEW_SENSITIVE_FIELD = "new-sensitive-field"
BREAKING_CHANGE = "breaking-change"
SENSOR_SILENT = "sensor-silent"
ENDPOINT_UNSEEN = "endpoint-unseen"
NEW_FINDING = "new-finding"
FINDING_REOPENED = "finding-reopened"
ACCEPTANCE_EXPIRED = "acceptance-expired"
KINDS = {
    NEW_ENDPOINT: "a new endpoint",
    NEW_SENSITIVE_FIELD: "new sensitive data",
    BREAKING_CHANGE: "a breaking change",
    SENSOR_SILENT: "a silent sensor",
    ENDPOINT_UNSEEN: "an endpoint that is not used any more",
    NEW_FINDING: "a new finding of high or critical severity",
    FINDING_REOPENED: "a finding that was fixed and is back",
    ACCEPTANCE_EXPIRED: "a finding that is no longer accepted",
}
"""Kinds of alerts with what they are about."""


def page_of(alert: Alert) -> str:
    """Return the path of the page about what *alert* is about."""
    if alert.kind in (NEW_FINDING, FINDING_REOPENED, ACCEPTANCE_EXPIRED):
        name = alert.subject.partition(" ")[0]
        return "/posture" if alert.subject.startswith("many ") else f"/posture/{name}"
    if alert.endpoint:
        return f"/endpoints/{alert.endpoint}"
    return {SENSOR_SILENT: "/sensors", ENDPOINT_UNSEEN: "/catalog?unseen=archived"}.get(
        alert.kind, "/changes"
    )
