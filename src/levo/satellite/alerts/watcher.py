"""Sends each event once per webhook."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.alerts.webhooks import WebhookSender
from levo.satellite.catalog.derived import DerivedCatalog
from levo.satellite.store import CatalogReader
from levo.satellite.store.desk import Desk

_LOG = logging.getLogger(__name__)
INTERVAL_S = 5.0


class AlertWatcher:
    """Looks for what is worth an alert, and delivers it."""

    def __init__(
        self,
        reader: CatalogReader,
        desk: Desk,
        derived: DerivedCatalog,
        satellite_url: str,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._desk = desk
        self.detector = AlertDetector(reader, desk, derived, clock_ns)
        self._sender = WebhookSender(desk, satellite_url, clock_ns)

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
        self.detector.look(bool(webhooks))
        if webhooks:
            self._sender.deliver(webhooks)
