"""Sends each event once per webhook."""

from __future__ import annotations

import asyncio
import logging

from levo.satellite.alerts.detector import AlertDetector
from levo.satellite.alerts.webhooks import WebhookSender
from levo.satellite.findings import FindingKeeper

_LOG = logging.getLogger(__name__)
INTERVAL_S = 5.0


class AlertWatcher:
    """Looks for what is worth an alert, and delivers it."""

    def __init__(
        self, detector: AlertDetector, sender: WebhookSender, keeper: FindingKeeper | None = None
    ) -> None:
        """*keeper* looks for findings first, so that the alerts are about what is there."""
        self._keeper = keeper
        self._detector = detector
        self._sender = sender

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
        if self._keeper is not None:
            self._keeper.step()
        receivers = self._sender.receivers()
        self._detector.look(bool(receivers))
        if receivers:
            self._sender.deliver(receivers)
