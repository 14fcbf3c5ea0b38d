"""Server-sent events: tells open pages that the catalog has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from levo.satellite.access import identity_of
from levo.satellite.web.problems import problem

MAX_SUBSCRIBERS = 200
_KEEP_ALIVE_S = 15.0


class LiveChannel:
    """One number, watched by many. Lives on one event loop; slow watchers skip numbers, never queue them."""

    def __init__(self, revision_of: Callable[[str], int]) -> None:
        """*revision_of* returns the number that one organization is told; it may wait for a disk."""
        self._revision_of = revision_of
        self._revision = 0
        self._closed = False
        self._changed = asyncio.Event()
        self._subscribers = 0

    @property
    def subscribers(self) -> int:
        """How many pages are watching."""
        return self._subscribers

    def publish(self, revision: int) -> None:
        """Tell all watchers, if *revision* is new."""
        if revision != self._revision:
            self._revision = revision
            self._signal()

    def close(self) -> None:
        """End all streams. Legal twice."""
        self._closed = True
        self._signal()

    async def events(self, request: Request) -> Response:
        """Answer with the stream: an event ``catalog`` with the revision, now and after each change.

        Who sees one organization only is told of changes in that one.
        """
        if self._closed or self._subscribers >= MAX_SUBSCRIBERS:
            return problem(503, "too many pages are watching", {"retry-after": "10"})
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            self._stream(identity_of(request).organization), media_type="text/event-stream", headers=headers
        )

    def route(self) -> Route:
        """Return the route of the stream."""
        return Route("/live", self.events)

    def _signal(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _stream(self, organization: str) -> AsyncIterator[str]:
        self._subscribers += 1
        try:
            yield "retry: 2000\n\n"
            told = -1
            while not self._closed:
                changed, revision = self._changed, self._revision
                if organization:
                    revision = await run_in_threadpool(self._revision_of, organization)
                if told != revision:
                    told = revision
                    yield f"event: catalog\nid: {told}\ndata: {told}\n\n"
                try:
                    await asyncio.wait_for(changed.wait(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._subscribers -= 1
