"""Whose traces come in: bearer tokens of organizations, checked against ``x-levo-organization-id``."""

from __future__ import annotations

import time
from collections.abc import Callable

from levo.satellite.access.auth import Authenticator, digest
from levo.satellite.access.middleware import bearer_token
from levo.satellite.receive.ingest import Refusal, RefusalReason

_BELIEVED_S = 3.0
"""For so long the answer of the database is believed: a revoked token works no longer than this."""
_MAX_BELIEVED = 10_000


class IngestionTokens:
    """Says under which organization a request is taken in. Usable from any thread, cheaply."""

    def __init__(
        self, authenticator: Authenticator, *, required: bool, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        """*required*: refuse what has no token, even while there are none."""
        self._authenticator = authenticator
        self._required = required
        self._clock_s = clock_s
        self._believed: dict[bytes, tuple[float, str | None]] = {}
        self._any: tuple[float, bool] = (float("-inf"), False)

    @property
    def asked_for(self) -> bool:
        """Whether a request without a token is refused."""
        return self._required or self._tokens_exist()

    def admit(self, authorization: str, organization: str) -> str:
        """Return the organization that the traces are of.

        Args:
            authorization: the Authorization header, may be empty.
            organization: the organization header, may be empty.

        Raises:
            Refusal: there is no token, it is not valid, or it is another organization's.
        """
        secret = bearer_token(authorization)
        if not secret:
            if self.asked_for:
                raise Refusal(
                    RefusalReason.UNAUTHENTICATED,
                    "send Authorization: Bearer with your organization's token; Connect a sensor makes one",
                )
            return organization
        owner = self._owner(secret)
        if owner is None:
            raise Refusal(RefusalReason.UNAUTHENTICATED, "the token is not valid for ingestion")
        if organization and organization != owner:
            raise Refusal(RefusalReason.FORBIDDEN, "the token is another organization's")
        return owner

    def _owner(self, secret: str) -> str | None:
        now_s = self._clock_s()
        key = digest(secret)  # a made-up token may be as long as a head
        known = self._believed.get(key)
        if known is not None and now_s - known[0] < _BELIEVED_S:
            return known[1]
        if len(self._believed) >= _MAX_BELIEVED:
            self._believed.clear()
        owner = self._authenticator.organization_of_token(secret)
        self._believed[key] = now_s, owner
        return owner

    def _tokens_exist(self) -> bool:
        now_s = self._clock_s()
        if now_s - self._any[0] >= _BELIEVED_S:
            self._any = now_s, self._authenticator.has_ingestion_tokens()
        return self._any[1]
