"""How long a connection may take to say what it wants: slow heads must not use up the room of others."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_S = 10.0
"""From the opening of a connection, or the first octet of a later request, to the end of the head."""


def patient_protocol(head_s: float = HEAD_S) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, which closes connections whose head takes longer than *head_s*.

    Bodies have their own bound (``receive.http_routes``), idle connections uvicorn's, and TLS asyncio's.
    """
    base: Any = AutoHTTPProtocol

    class PatientProtocol(base):  # type: ignore[misc]
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self.cycle is not before:
                self._stop_waiting()
            elif self._waiting is None and self._in_head():
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _in_head(self) -> bool:
            return self.cycle is None or bool(self.cycle.response_complete)

        def _wait(self) -> None:
            self._waiting = self.loop.call_later(head_s, self._end)

        def _stop_waiting(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _end(self) -> None:
            self._waiting = None
            if self._in_head() and not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol
