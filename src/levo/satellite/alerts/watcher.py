"""Alerts: something new is told once, to every webhook that wants it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from http.client import HTTPException as HttpError
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import orjson

from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.catalog.sensors import SILENT_NS, is_replaced, sensor_view
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store import CatalogReader, EndpointFilter
from levo.satellite.store.desk import Alert, Desk, NewAlert, Webhook
from levo.satellite.store.reader import SensorKey

_LOG = logging.getLogger(__name__)
KINDS = {
    "new-endpoint": "a new endpoint",
    "new-sensitive-field": "new sensitive data",
    "breaking-change": "a breaking change",
    "sensor-silent": "a silent sensor",
}
"""Kinds of alerts with what they are about."""
INTERVAL_S = 5.0
MAX_IN_ONE = 100
"""Alerts in one delivery; what is more comes with the next."""
_TIMEOUT_S = 10.0
_LAST_PAUSE_S = 600.0
_BASELINE = "alerts since"
_KEYS = "alerts by endpoint"
"""Set once the alerts of a release that named new endpoints by their path name them by their number."""


class WebhookRefused(Exception):
    """The address cannot be used. The text says why."""


def checked_url(url: str) -> str:
    """Return *url* if alerts can be sent there.

    Raises:
        WebhookRefused: it is no http(s) address, or has credentials in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise WebhookRefused("the address of the webhook cannot be read") from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or port == 0
        or not url.isprintable()
        or " " in url
    ):
        raise WebhookRefused("a webhook has an address such as https://chat.example/hooks/1")
    if parts.username or parts.password:
        raise WebhookRefused("a webhook's address must hold no password")
    return url


_SILENT = "sensor-silent"


def _subject(key: SensorKey) -> str:
    return "/".join(filter(None, key))


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def page_of(alert: Alert) -> str:
    """Return the path of the page about what *alert* is about."""
    if alert.endpoint:
        return f"/endpoints/{alert.endpoint}"
    return "/sensors" if alert.kind == _SILENT else "/changes"


class AlertWatcher:
    """Looks for what is worth telling, and delivers it. ``look`` never waits for a network."""

    def __init__(
        self,
        reader: CatalogReader,
        desk: Desk,
        derived: DerivedCatalog,
        satellite_url: str,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._reader = reader
        self._desk = desk
        self._derived = derived
        self._satellite_url = satellite_url.rstrip("/")
        self._clock_ns = clock_ns
        self._opener: OpenerDirector = build_opener(_NoRedirects)
        self._not_before_s: dict[int, tuple[float, float]] = {}
        self._watching_since_ns: int | None = None

    async def run(self) -> None:
        """Look and deliver until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.step)
            except Exception as error:
                # The next look may succeed; what it is about may be in the text of the error.
                _LOG.error("alerts: %s", type(error).__name__)
            await asyncio.sleep(INTERVAL_S)

    def step(self) -> None:
        """Look once, deliver once."""
        webhooks = self._desk.webhooks()
        self.look(bool(webhooks))
        if webhooks:
            self.deliver(webhooks)

    def look(self, anybody_listens: bool) -> int:
        """Note what is new since the first look; return how many alerts are new.

        What is there at the first look is the baseline and is not told; nor is anything while nobody listens.
        """
        now_ns = self._clock_ns()
        if self._watching_since_ns is None:
            self._watching_since_ns = now_ns
        baseline = self._desk.setting(_BASELINE)
        if not baseline:
            self._desk.set(_BASELINE, str(now_ns))
            baseline = str(now_ns)
        since_ns = int(baseline)
        found = self._new_endpoints(since_ns) + self._derived.alerts(since_ns)
        found = self._follow_merges(self._desk.unknown_alerts(found))
        found += self._silent_sensors(since_ns, now_ns)
        return self._desk.add_alerts(found, now_ns, told=not anybody_listens) if found else 0

    def _new_endpoints(self, since_ns: int) -> list[NewAlert]:
        _, rows = self._reader.endpoints(EndpointFilter(new_since_ns=since_ns), sort="first_seen", limit=500)
        if not self._desk.setting(_KEYS):
            for row in rows:
                place = f"{row.organization}/{row.environment}/{row.application}/{row.host}"
                self._desk.rename_alert("new-endpoint", f"{place} {row.method} {row.path}", str(row.id))
            self._desk.set(_KEYS, "1")
        return [
            NewAlert(
                "new-endpoint",
                str(row.id),
                f"New endpoint {row.method} {row.path} of {row.application} ({row.environment})",
                row.id,
            )
            for row in rows
        ]

    def _follow_merges(self, found: list[NewAlert]) -> list[NewAlert]:
        """Return what of *found* is news: not known of an endpoint that was merged into, or split off."""
        former = self._reader.merged_into([alert.endpoint for alert in found])
        announced = self._reader.announced([each.endpoint for each in found if each.kind == "new-endpoint"])
        news = []
        for alert in found:
            said = alert.subject.removeprefix(str(alert.endpoint))
            if any(
                self._desk.rename_alert(alert.kind, f"{old}{said}", alert.subject)
                for old in former.get(alert.endpoint, ())
            ):
                continue
            if alert.kind != "new-endpoint" or alert.endpoint in announced:
                news.append(alert)
        return news

    def _silent_sensors(self, since_ns: int, now_ns: int) -> list[NewAlert]:
        """Return the sensors that fell silent without a goodbye; what is over, is noted as such."""
        silent = {_subject(key): key for key in self._reader.silent_sensors(since_ns, now_ns - SILENT_NS)}
        known = set(self._desk.open_subjects(_SILENT))
        for subject in known - silent.keys():
            self._desk.end_alert(_SILENT, subject, now_ns)
        if now_ns - (self._watching_since_ns or now_ns) <= SILENT_NS:
            return []  # we may have been away ourselves, and have heard nobody
        rows = [self._reader.sensor(key) for subject, key in sorted(silent.items()) if subject not in known]
        others = self._reader.sensors(limit=1000)[1] if rows else []
        text = "{} has been silent for two minutes"
        return [
            NewAlert(_SILENT, _subject(row.key), text.format(sensor_view(row, now_ns).name))
            for row in rows
            if row is not None and not is_replaced(row, others)
        ]

    def deliver(self, webhooks: list[Webhook]) -> None:
        """Send what was not sent yet. An alert counts as sent once every webhook that wants it has it."""
        alerts = self._desk.untold_alerts(MAX_IN_ONE)
        if not alerts:
            return
        now_s = self._clock_ns() / 1e9
        failed_kinds: set[str] = set()
        for webhook in webhooks:
            kinds = webhook.kinds.split(",")
            wanted = [alert for alert in alerts if alert.kind in kinds]
            due_s, pause_s = self._not_before_s.get(webhook.id, (0.0, INTERVAL_S))
            if not wanted:
                continue
            if now_s < due_s:
                failed_kinds.update(alert.kind for alert in wanted)
                continue
            status = self._post(webhook.url, wanted)
            self._desk.webhook_status(webhook.id, f"{timestamp(self._clock_ns())} {status}")
            if status == "delivered":
                self._not_before_s.pop(webhook.id, None)
            else:
                self._not_before_s[webhook.id] = (now_s + pause_s, min(pause_s * 2, _LAST_PAUSE_S))
                failed_kinds.update(alert.kind for alert in wanted)
        self._desk.tell_alerts([alert.id for alert in alerts if alert.kind not in failed_kinds])

    def _post(self, url: str, alerts: list[Alert]) -> str:
        body = orjson.dumps(
            {
                "text": "\n".join(alert.text for alert in alerts),
                "satellite": self._satellite_url,
                "alerts": [
                    {
                        "id": alert.id,
                        "time": timestamp(alert.time_ns),
                        "kind": alert.kind,
                        "subject": alert.subject,
                        "text": alert.text,
                        "url": self._satellite_url + page_of(alert),
                    }
                    for alert in alerts
                ],
            }
        )
        request = Request(url, body, {"content-type": "application/json", "user-agent": "levo-satellite"})
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                answer.read(1 << 16)
            return "delivered"
        except (URLError, HttpError, OSError, ValueError) as error:
            code = getattr(error, "code", None)
            return f"answered {code}" if code else "cannot be reached"
