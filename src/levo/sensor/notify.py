"""Tells systemd how the service is doing (sd_notify(3)); does nothing where there is no systemd."""

from __future__ import annotations

import socket
from collections.abc import Mapping


class Notifier:
    """Sends states to ``NOTIFY_SOCKET``. Never raises: the sensor does its work untold, too."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        microseconds = environ.get("WATCHDOG_USEC", "")
        self.watchdog_s = (
            int(microseconds) / 2e6 if microseconds.isascii() and microseconds.isdigit() else None
        )
        """How often :meth:`alive` must be called, half of what the unit allows; None without a watchdog."""

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send("RELOADING=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(1.0)
                channel.sendto(message.encode(), self._address)
        except OSError:
            return
