"""Decides what is worth an alert. Each event is one, once; many of a kind at a time are one together.

What is new is known by its number, not by its time: neither our clock nor that of a sensor decides on it.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable

from levo.satellite.alerts.kinds import (
    ACCEPTANCE_EXPIRED,
    BREAKING_CHANGE,
    ENDPOINT_UNSEEN,
    FINDING_REOPENED,
    NEW_ENDPOINT,
    NEW_FINDING,
    NEW_SENSITIVE_FIELD,
    SENSOR_SILENT,
)
from levo.satellite.catalog.changes import shown_change
from levo.satellite.catalog.sensors import SILENT_NS, is_replaced, sensor_view
from levo.satellite.query import FINDINGS, parse
from levo.satellite.query.fields import SEVERITIES
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.reader import NewEndpoints, SensorKey
from levo.satellite.store.userdata import Alerts, Findings, NewAlert, Settings

_ALERTING = parse("state:open,reopened class:security -proof:hint", FINDINGS)
_HIGH = SEVERITIES.index("high")
_BASELINE = "alerts since"
_ENDPOINTS, _CHANGES = "alerts after endpoint", "alerts after change"
"""Numbers of the last endpoint and the last change that were looked at."""
_KEYS = "alerts by endpoint"
"""Set once the alerts of a release that named new endpoints by their path name them by their number."""
_SURE = 0.6
"""Confidence from which sensitive data is worth an alert."""
MOST_ALONE = 20
"""Alerts of one kind, each for itself, …"""
WINDOW_S = 600.0
"""… in so much time. More are told together, new endpoints once no more come, or after that time."""
_CHANGES_AT_ONCE = 1_000
_NAMED = 3
"""Applications and endpoints that are named where many are told together."""
_STEP_S = 5.0
"""By so much a clock has to be off to have been set."""
_DAY_NS = 86_400 * 1_000_000_000
_SLOW_S = 3600.0
_UNSEEN_AT_ONCE = 10_000
_MANY = "many "
"""Begins the subject of an alert about many."""


class AlertDetector:
    """Compares the catalog with what was alerted before. Waits for no network."""

    def __init__(
        self,
        reader: CatalogReader,
        alerts: Alerts,
        settings: Settings,
        clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        archive_ns: int = 90 * _DAY_NS,
        kept_ns: int = 400 * _DAY_NS,
        findings: Findings | None = None,
    ) -> None:
        """*clock_ns* is the time of day, *clock_s* one that is never set.

        After *archive_ns* it is told that an endpoint is not used any more; alerts that are over, or about
        what happens once, are kept for *kept_ns*.
        """
        self._reader = reader
        self._findings = findings
        self._alerts = alerts
        self._settings = settings
        self._clock_ns = clock_ns
        self._clock_s = clock_s
        self._watching_since_s: float | None = None
        """Since when we have heard sensors by a clock that was not set."""
        self._last_look: tuple[int, float] = (0, 0.0)
        self._alone: dict[str, deque[float]] = {}
        """When alerts of a kind were raised, each for itself."""
        self._archive_ns = archive_ns
        self._kept_ns = kept_ns
        self._next_slow_s = float("-inf")
        """When it is looked again for what happens over days."""
        self._looked_at: dict[str, int] = {}
        """Settings that are to be kept together with what was found."""
        self._burst: tuple[float, int] | None = None
        """When more new endpoints came than are told one by one, and how many there are by now."""

    def look(self, anybody_listens: bool) -> int:
        """Note what is new since the first look; return how many alerts are new.

        What is there at the first look is the baseline and is not told; nor is anything while nobody listens.
        """
        now_ns, now_s = self._clock_ns(), self._clock_s()
        self._watch_clock(now_ns, now_s)
        since_ns = self._begin(now_ns)
        found = [*self._new_endpoints(now_s), *self._breaking_changes(), *self.sensitive_fields()]
        found += self.changed_findings(now_ns)
        found = self.follow_merges(self._alerts.unknown(found))
        found += self._silent_sensors(since_ns, now_ns, now_s)
        if now_s >= self._next_slow_s:
            self._next_slow_s = now_s + _SLOW_S
            found += self._unseen_endpoints(now_ns)
            self._alerts.forget(now_ns - self._kept_ns, (NEW_ENDPOINT, BREAKING_CHANGE))
        added = 0
        with self._alerts.change():
            for name, number in self._looked_at.items():
                self._settings.set(name, str(number))
            for kind, news in _by_kind(found).items():
                alone, together = self._paced(kind, news, now_ns, now_s)
                added += self._alerts.add(alone, now_ns, sent=not anybody_listens)
                self._alerts.add(together, now_ns, sent=True)
        self._looked_at.clear()
        return added

    def _watch_clock(self, now_ns: int, now_s: float) -> None:
        """Notice that the clock was set: until sensors have spoken by it, it says nothing about them."""
        last_ns, last_s = self._last_look
        was_set = abs((now_ns - last_ns) / 1e9 - (now_s - last_s)) > _STEP_S
        if self._watching_since_s is None or was_set:
            self._watching_since_s = now_s
        self._last_look = (now_ns, now_s)

    def _begin(self, now_ns: int) -> int:
        """Make the baseline if there is none; return from when on silent sensors are told."""
        since = self._settings.get(_BASELINE)
        since_ns = int(since or now_ns)
        if not since:
            self._settings.set(_BASELINE, str(now_ns))
        if not self._settings.get(_CHANGES):
            # A release before this one looked by time; what it has told is not told again.
            endpoint, change = self._reader.newest(since_ns if since else None)
            told = self._alerts.last_endpoint(NEW_ENDPOINT)
            self._settings.set(_ENDPOINTS, str(max(endpoint, told)))
            self._settings.set(_CHANGES, str(change))
        if not self._settings.get(_KEYS):
            rows = self._reader.endpoints(EndpointFilter(new_since_ns=since_ns), limit=500)[1]
            for row in rows:
                place = f"{row.organization}/{row.environment}/{row.application}/{row.host}"
                self._alerts.rename(NEW_ENDPOINT, f"{place} {row.method} {row.path}", str(row.id))
            self._settings.set(_KEYS, "1")
        # A first look with a clock that was ahead must not keep us waiting for that time.
        return since_ns if since_ns <= now_ns else 0

    def _new_endpoints(self, now_s: float) -> list[NewAlert]:
        """Return the endpoints that are new; while very many come, nothing, and then one alert about all."""
        after = int(self._settings.get(_ENDPOINTS))
        found = self._reader.found_after(after, MOST_ALONE + 1)
        count = sum(found.applications.values())
        if not count:
            self._burst = None
            return []
        if self._burst is not None or count > self._room(NEW_ENDPOINT, now_s):
            begun_s, before = self._burst or (now_s, 0)
            if count > before and now_s - begun_s < WINDOW_S:
                self._burst = (begun_s, count)
                return []
        told = self._burst is not None
        self._burst = None
        self._looked_at[_ENDPOINTS] = found.last
        if told:
            return [NewAlert(NEW_ENDPOINT, f"{_MANY}{after}-{found.last}", _many_endpoints(found, count))]
        return [
            NewAlert(
                NEW_ENDPOINT,
                str(row.id),
                f"New endpoint {row.method} {row.path} of {row.application} ({row.environment})",
                row.id,
            )
            for row in found.rows
        ]

    def _breaking_changes(self) -> list[NewAlert]:
        found = []
        rows = self._reader.events_after(int(self._settings.get(_CHANGES)), _CHANGES_AT_ONCE)
        for row in rows:
            change = shown_change(row)
            if change.style == "bad":
                subject = f"{row.endpoint} {row.kind} {row.detail}"
                text = f"{change.title}: {row.detail} at {row.method} {row.path} of {row.application}"
                found.append(NewAlert(BREAKING_CHANGE, subject, text, row.endpoint))
        if rows:
            self._looked_at[_CHANGES] = rows[-1].id
        return found

    def _unseen_endpoints(self, now_ns: int) -> list[NewAlert]:
        """Return the endpoints that nobody has used for long; of those that are used again, it is over."""
        rows = self._reader.each_endpoint(EndpointFilter(unseen_ns=self._archive_ns))
        unseen = {str(row.id): row for row in itertools.islice(rows, _UNSEEN_AT_ONCE)}
        known = set(self._alerts.open_subjects(ENDPOINT_UNSEEN))
        if len(unseen) < _UNSEEN_AT_ONCE:
            for subject in known - unseen.keys():
                if not subject.startswith(_MANY):
                    self._alerts.end(ENDPOINT_UNSEEN, subject, now_ns)
        days = self._archive_ns // _DAY_NS
        return [
            NewAlert(
                ENDPOINT_UNSEEN,
                subject,
                f"{row.method} {row.path} of {row.application} has not been used for {days} days",
                row.id,
            )
            for subject, row in unseen.items()
            if subject not in known
        ]

    def _room(self, kind: str, now_s: float) -> int:
        """Return how many alerts of *kind* may be raised now, each for itself."""
        raised = self._alone.setdefault(kind, deque())
        while raised and now_s - raised[0] >= WINDOW_S:
            raised.popleft()
        return MOST_ALONE - len(raised)

    def _paced(
        self, kind: str, news: list[NewAlert], now_ns: int, now_s: float
    ) -> tuple[list[NewAlert], list[NewAlert]]:
        """Return what is told of *news*, and what is noted only, since one alert tells of all of it."""
        if any(each.subject.startswith(_MANY) for each in news):
            return news, []
        if len(news) <= self._room(kind, now_s):
            self._alone[kind].extend([now_s] * len(news))
            return news, []
        text = f"{len(news):,} more alerts of this kind, such as: {news[0].text}"
        return [NewAlert(kind, f"{_MANY}{now_ns}", text)], news

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

    def changed_findings(self, now_ns: int) -> list[NewAlert]:
        """Return the findings that are worth an alert: bad and open, back, or not accepted any more."""
        if self._findings is None:
            return []
        alerts = []
        for each in self._findings.each(_ALERTING):
            place = f"{each.method} {each.path}".strip() or each.host or "a host without a name"
            what = f"{SEVERITIES[each.rank]}: {each.title} at {place} of {each.application}"
            text = f"{what} ({each.environment})"
            if each.decided and 0 < each.decided_until_ns <= now_ns:
                kind, subject, news = ACCEPTANCE_EXPIRED, f"{each.id} {each.decision}", "No longer accepted"
            elif each.state == "reopened":
                kind, subject, news = FINDING_REOPENED, f"{each.id} {each.since_ns}", "Back"
            elif not each.decided and each.rank >= _HIGH:
                kind, subject, news = NEW_FINDING, each.id, "New finding"
            else:
                continue
            alerts.append(NewAlert(kind, subject, f"{news}, {text}", each.endpoint))
        return alerts

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
            if alert.kind != NEW_ENDPOINT or not alert.endpoint or alert.endpoint in announced:
                news.append(alert)
        return news

    def _silent_sensors(self, since_ns: int, now_ns: int, now_s: float) -> list[NewAlert]:
        """Return the sensors that fell silent without a goodbye; what is over, is noted as such."""
        if (now_s - (self._watching_since_s or now_s)) * 1e9 <= SILENT_NS:
            return []  # we may have been away ourselves, and have heard nobody
        silent = {_subject(key): key for key in self._reader.silent_sensors(since_ns, now_ns - SILENT_NS)}
        known = set(self._alerts.open_subjects(SENSOR_SILENT))
        for subject in known - silent.keys():
            if not subject.startswith(_MANY) or not silent:
                self._alerts.end(SENSOR_SILENT, subject, now_ns)
        found = (self._reader.sensor(key) for subject, key in sorted(silent.items()) if subject not in known)
        rows = [row for row in found if row is not None]
        nameless = [row for row in rows if not row.run.instance]
        replaced = {row.key for row in nameless if is_replaced(row, self._reader.each_sensor())}
        text = "{} has been silent for two minutes"
        return [
            NewAlert(SENSOR_SILENT, _subject(row.key), text.format(sensor_view(row, now_ns).name))
            for row in rows
            if row.key not in replaced
        ]


def _by_kind(found: list[NewAlert]) -> dict[str, list[NewAlert]]:
    kinds: dict[str, list[NewAlert]] = {}
    for each in found:
        kinds.setdefault(each.kind, []).append(each)
    return kinds


def _many_endpoints(found: NewEndpoints, count: int) -> str:
    named = [f"{application} ({number:,})" for application, number in found.applications.items()]
    others = f" and {len(named) - _NAMED:,} more" if len(named) > _NAMED else ""
    examples = ", ".join(f"{row.method} {row.path}" for row in found.rows[:_NAMED])
    return f"{count:,} new endpoints: of {', '.join(named[:_NAMED])}{others}, such as {examples}"


def _subject(key: SensorKey) -> str:
    return "/".join(filter(None, key))
