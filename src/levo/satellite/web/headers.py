"""Security headers of every response of the site.

Headers keep browsers strict; the Host header is checked while there is no login.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from levo.satellite.web.host import LOOPBACK_NAMES, names_loopback, read_host
from levo.satellite.web.problems import problem

_LOG = logging.getLogger(__name__)
_PORTS = {"listen": 9999, "otlp-http": 4318}
"""The usual ones, by setting."""
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware.

    A Satellite on loopback answers only to loopback names, so that a foreign web page cannot read the catalog
    through a DNS name that it points at 127.0.0.1.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool, setting: str = "listen") -> None:
        """*setting*: the one that says where this port listens."""
        self._app = app
        self._loopback_only = loopback_only
        self._refusal = (
            f"this Satellite listens on loopback and is asked by {LOOPBACK_NAMES} only; to be asked by other"
            f" names, set {setting} to an address that other machines reach, such as"
            f" 0.0.0.0:{_PORTS[setting]}"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if "location" in headers:
                    headers["location"] = _within_site(headers["location"])
            await send(message)

        host = Headers(scope=scope).get("host", "")
        if self._loopback_only and not names_loopback(host):
            address = read_host(host)  # anything else is not fit for a log
            _LOG.warning("421: asked as %s: %s", address or "what is no host name", self._refusal)
            await problem(421, self._refusal)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _within_site(location: str) -> str:
    """Return *location* without scheme and host: a redirect stays here, and repeats no Host header."""
    parts = urlsplit(location)
    if not parts.scheme and not parts.netloc:
        return location
    return "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
