"""Delivers alerts to webhooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http.client import HTTPException as HttpError
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import BaseHandler, HTTPRedirectHandler, OpenerDirector, Request, build_opener

import orjson

from levo.satellite.alerts.guarded import AddressRefused, GuardedHttp, GuardedHttps, refusal
from levo.satellite.alerts.kinds import page_of
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store.userdata import Alert, Alerts, Webhook, Webhooks

MAX_IN_ONE = 100
"""Alerts in one delivery; what is more comes with the next."""
_TIMEOUT_S = 10.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 600.0
"""Between two tries, doubled after each failure."""


class WebhookRefused(Exception):
    """The address cannot be used. The text says why."""


def checked_url(url: str, *, link_local: bool = False) -> str:
    """Return *url* if alerts can be sent there. What its name resolves to is checked at each delivery.

    Raises:
        WebhookRefused: it is no http(s) address, has credentials in it, or is an address that is refused
            without *link_local*.
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
    reason = "" if link_local else _refusal(parts.hostname)
    if reason:
        raise WebhookRefused(
            f"{parts.hostname} is {reason}; webhook-link-local of the Satellite's settings allows it"
        )
    return url


def _refusal(host: str) -> str:
    try:
        return refusal(host)
    except ValueError:
        return ""  # a name


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class WebhookSender:
    """Sends each alert to every webhook that wants it, until it has it."""

    def __init__(
        self,
        alerts: Alerts,
        webhooks: Webhooks,
        satellite_url: str,
        clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
        *,
        link_local: bool = False,
    ) -> None:
        """*clock_ns* is the time of day, *clock_s* one that is never set.

        *link_local*: whether link-local addresses and metadata services may be asked.
        """
        self._alerts = alerts
        self._webhooks = webhooks
        self._satellite_url = satellite_url.rstrip("/")
        self._clock_ns = clock_ns
        self._clock_s = clock_s
        guarded: tuple[BaseHandler, ...] = () if link_local else (GuardedHttp(), GuardedHttps())
        self._opener: OpenerDirector = build_opener(_NoRedirects, *guarded)
        self._not_before_s: dict[int, tuple[float, float]] = {}

    def receivers(self) -> list[Webhook]:
        """Return all webhooks."""
        return self._webhooks.all()

    def deliver(self, receivers: Sequence[Webhook]) -> None:
        """Send what was not sent yet. An alert counts as sent once every webhook that wants it has it."""
        alerts = self._alerts.unsent(MAX_IN_ONE)
        if not alerts:
            return
        now_s = self._clock_s()
        failed_kinds: set[str] = set()
        for webhook in receivers:
            kinds = webhook.kinds.split(",")
            wanted = [alert for alert in alerts if alert.kind in kinds]
            due_s, pause_s = self._not_before_s.get(webhook.id, (float("-inf"), _FIRST_PAUSE_S))
            if not wanted:
                continue
            if now_s < due_s:
                failed_kinds.update(alert.kind for alert in wanted)
                continue
            status = self._post(webhook.url, wanted)
            self._webhooks.set_status(webhook.id, f"{timestamp(self._clock_ns())} {status}")
            if status == "delivered":
                self._not_before_s.pop(webhook.id, None)
            else:
                self._not_before_s[webhook.id] = (now_s + pause_s, min(pause_s * 2, _LAST_PAUSE_S))
                failed_kinds.update(alert.kind for alert in wanted)
        self._alerts.mark_sent([alert.id for alert in alerts if alert.kind not in failed_kinds])

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
            reason = getattr(error, "reason", None)
            if isinstance(reason, AddressRefused):
                return f"not sent: this is {reason}"
            code = getattr(error, "code", None)
            return f"answered {code}" if code else "cannot be reached"
