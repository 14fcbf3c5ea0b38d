"""Decides what is worth an alert. Each event is one, once."""

from __future__ import annotations

import time
from collections.abc import Callable

from levo.satellite.alerts.kinds import BREAKING_CHANGE, NEW_ENDPOINT, NEW_SENSITIVE_FIELD, SENSOR_SILENT
from levo.satellite.catalog.changes import shown_change
from levo.satellite.catalog.sensors import SILENT_NS, is_replaced, sensor_view
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.reader import SensorKey
from levo.satellite.store.userdata import Alerts, NewAlert, Settings

_BASELINE = "alerts since"
_KEYS = "alerts by endpoint"
"""Set once the alerts of a release that named new endpoints by their path name them by their number."""
_SURE = 0.6
"""Confidence from which sensitive data is worth an alert."""


class AlertDetector:
    """Compares the catalog with what was alerted before. Waits for no network."""

    def __init__(
        self,
        reader: CatalogReader,
        alerts: Alerts,
        settings: Settings,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._reader = reader
        self._alerts = alerts
        self._settings = settings
        self._clock_ns = clock_ns
        self._watching_since_ns: int | None = None

    def look(self, anybody_listens: bool) -> int:
        """Note what is new since the first look; return how many alerts are new.

        What is there at the first look is the baseline and is not told; nor is anything while nobody listens.
        """
        now_ns = self._clock_ns()
        if self._watching_since_ns is None:
            self._watching_since_ns = now_ns
        baseline = self._settings.get(_BASELINE)
        if not baseline:
            self._settings.set(_BASELINE, str(now_ns))
            baseline = str(now_ns)
        since_ns = int(baseline)
        found = self._new_endpoints(since_ns) + self._breaking_changes(since_ns) + self.sensitive_fields()
        found = self.follow_merges(self._alerts.unknown(found))
        found += self._silent_sensors(since_ns, now_ns)
        return self._alerts.add(found, now_ns, sent=not anybody_listens) if found else 0

    def _new_endpoints(self, since_ns: int) -> list[NewAlert]:
        _, rows = self._reader.endpoints(EndpointFilter(new_since_ns=since_ns), sort="first_seen", limit=500)
        if not self._settings.get(_KEYS):
            for row in rows:
                place = f"{row.organization}/{row.environment}/{row.application}/{row.host}"
                self._alerts.rename(NEW_ENDPOINT, f"{place} {row.method} {row.path}", str(row.id))
            self._settings.set(_KEYS, "1")
        return [
            NewAlert(
                NEW_ENDPOINT,
                str(row.id),
                f"New endpoint {row.method} {row.path} of {row.application} ({row.environment})",
                row.id,
            )
            for row in rows
        ]

    def _breaking_changes(self, since_ns: int) -> list[NewAlert]:
        found = []
        for row in self._reader.events(since_ns=since_ns, limit=200)[1]:
            change = shown_change(row)
            if change.style == "bad":
                subject = f"{row.endpoint} {row.kind} {row.detail}"
                text = f"{change.title}: {row.detail} at {row.method} {row.path} of {row.application}"
                found.append(NewAlert(BREAKING_CHANGE, subject, text, row.endpoint))
        return found

    def sensitive_fields(self) -> list[NewAlert]:
        """Return what is sure and not rejected; nothing before all endpoints have been looked at."""
        if not self._reader.is_looked_at():
            return []
        return [
            NewAlert(
                NEW_SENSITIVE_FIELD,
                f"{f.endpoint} {f.location} {f.kind}",
                f"Sensitive data: {f.kind} in {f.location} of {f.method} {f.path} ({f.application})",
                f.endpoint,
            )
            for f in self._reader.sure_sensitive(_SURE)
        ]

    def follow_merges(self, found: list[NewAlert]) -> list[NewAlert]:
        """Return what of *found* is news: not known of an endpoint that was merged into, or split off."""
        former = self._reader.merged_into([alert.endpoint for alert in found])
        announced = self._reader.announced([each.endpoint for each in found if each.kind == NEW_ENDPOINT])
        news = []
        for alert in found:
            said = alert.subject.removeprefix(str(alert.endpoint))
            if any(
                self._alerts.rename(alert.kind, f"{old}{said}", alert.subject)
                for old in former.get(alert.endpoint, ())
            ):
                continue
            if alert.kind != NEW_ENDPOINT or alert.endpoint in announced:
                news.append(alert)
        return news

    def _silent_sensors(self, since_ns: int, now_ns: int) -> list[NewAlert]:
        """Return the sensors that fell silent without a goodbye; what is over, is noted as such."""
        silent = {_subject(key): key for key in self._reader.silent_sensors(since_ns, now_ns - SILENT_NS)}
        known = set(self._alerts.open_subjects(SENSOR_SILENT))
        for subject in known - silent.keys():
            self._alerts.end(SENSOR_SILENT, subject, now_ns)
        if now_ns - (self._watching_since_ns or now_ns) <= SILENT_NS:
            return []  # we may have been away ourselves, and have heard nobody
        rows = [self._reader.sensor(key) for subject, key in sorted(silent.items()) if subject not in known]
        others = self._reader.sensors(limit=1000)[1] if rows else []
        text = "{} has been silent for two minutes"
        return [
            NewAlert(SENSOR_SILENT, _subject(row.key), text.format(sensor_view(row, now_ns).name))
            for row in rows
            if row is not None and not is_replaced(row, others)
        ]


def _subject(key: SensorKey) -> str:
    return "/".join(filter(None, key))
