"""Answers a disk or a database that refuses, and faults of our own, in one line."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from levo.satellite.log_rate import RateLimited
from levo.satellite.store.faults import Fault, described, fault_of
from levo.satellite.web.problems import problem

_LOG = logging.getLogger(__name__)
_LOG.addFilter(RateLimited())


class StorageFaults:
    """ASGI middleware: what disk or database refuse is answered with 507 or 503, what else fails with 500.

    The log has one line for it, without a traceback: its text may be what was captured.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting_send(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            fault = fault_of(error)
            if begun or scope["type"] != "http":
                raise
            _LOG.error("%s", fault or f"{scope['method']} failed: {described(error)}")
            if fault is None:
                answer = problem(500, "the Satellite failed to answer; its log says why")
            elif fault is Fault.FULL:
                answer = problem(507, str(fault))
            else:
                answer = problem(503, str(fault), {"retry-after": "10"})
            await answer(scope, receive, send)
