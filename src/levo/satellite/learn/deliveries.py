"""Deliveries come at least once: what came before is recognized and changes nothing."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from levo.satellite.learn.trace import Trace

MAX_SPANS = 200_000


class RecentDeliveries:
    """What came lately: whole deliveries, also before a restart, and single spans. Not part of the state.

    Both are recognized by what their sender gave them: a retry of an exporter has the same spans, a span its
    trace and span id. Spans without ids are always new.
    """

    def __init__(
        self, is_known: Callable[[bytes], bool] = lambda digest: False, limit: int = MAX_SPANS
    ) -> None:
        """*is_known* tells whether a delivery was committed before; *limit* bounds the spans remembered."""
        self._is_known = is_known
        self._limit = limit
        self._spans: set[bytes] = set()
        self._order: deque[bytes] = deque()
        self._fresh: dict[bytes, None] = {}

    @property
    def fresh(self) -> list[bytes]:
        """Digests of the deliveries since the last commit."""
        return list(self._fresh)

    def committed(self) -> None:
        """Note that the fresh deliveries are known to the catalog."""
        self._fresh.clear()

    def is_new_delivery(self, identity: bytes) -> bool:
        """Whether *identity*, which a repetition shares, has not come before; then remember its digest."""
        digest = hashlib.blake2b(identity, digest_size=16).digest()
        if digest in self._fresh or self._is_known(digest):
            return False
        self._fresh[digest] = None
        return True

    def is_new(self, trace: Trace) -> bool:
        """Whether *trace* has no identity or one that was not among the last ones; then remember it."""
        identity = trace.identity
        if len(identity) < 24:
            return True
        if identity in self._spans:
            return False
        self._spans.add(identity)
        self._order.append(identity)
        if len(self._order) > self._limit:
            self._spans.remove(self._order.popleft())
        return True
