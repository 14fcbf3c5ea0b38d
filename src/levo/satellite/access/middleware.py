"""Finds out who asks, and turns away who may not, before anything else of the site runs."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from levo.satellite.access.auth import Authenticator, Role

COOKIE = "levo_session"
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_OPEN = frozenset(("/healthz", "/readyz", "/login", "/setup"))
_OPEN_FOLDERS = ("/static/",)
_WITH_FORM_FIELD = frozenset(("/api/backup",))
"""Their form holds the token."""
_INGESTION = frozenset(("/v1/traces", "/v1/metrics"))
"""Guarded by their own tokens."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks."""

    name: str
    role: Role
    form_token: str = field(default="", repr=False)
    """What its forms must bring back; empty for bearer tokens, which no browser adds by itself."""
    session: str = field(default="", repr=False)
    """Secret of the session; empty without one."""
    organization: str = ""
    """Whose part of the catalog it may see; empty for all of it."""
    login_required: bool = False

    def may(self, role: str) -> bool:
        """Whether it has *role* or a greater one."""
        return self.role >= Role.named(role)


NOBODY = Identity("", Role.NOBODY)


def identity_of(request: Request) -> Identity:
    """Return who asks, as the middleware found out."""
    found = request.scope.get("levo.identity")
    return found if isinstance(found, Identity) else Identity("local", Role.ADMIN)


class AuthMiddleware:
    """ASGI middleware.

    A request that changes something must come from a page of this site (``Sec-Fetch-Site``, ``Origin``);
    the route checks the form token as well.
    """

    def __init__(
        self, app: ASGIApp, *, authenticator: Authenticator, problem: Callable[..., Response]
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _INGESTION or _is_file(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        identity = await run_in_threadpool(self._identify, headers, scope.get("scheme", "http"))
        scope["levo.identity"] = identity
        answer = self._refusal(scope, headers, identity)
        await (answer or self._app)(scope, receive, send)

    def _identify(self, headers: Headers, scheme: str) -> Identity:
        authenticator = self._authenticator
        required = authenticator.login_required
        bearer = bearer_token(headers.get("authorization", ""))
        if bearer:
            token = authenticator.role_token(bearer)
            if token is None:
                return NOBODY
            role, place = Role.named(token.scope), token.organization
            return Identity(f"token {token.name}", role, organization=place, login_required=required)
        secret = session_cookie(headers.getlist("cookie"), scheme)
        session = authenticator.session(secret)
        if session is not None:
            return Identity(
                session.account,
                Role.named(session.role),
                session.form_token,
                secret,
                organization=session.organization,
                login_required=required,
            )
        if required:
            return NOBODY
        return Identity("local", Role.ADMIN, authenticator.local_form_token())

    def _refusal(self, scope: Scope, headers: Headers, identity: Identity) -> Response | None:
        path: str = scope["path"]
        if scope["method"] not in SAFE_METHODS and not from_this_site(headers):
            return self._problem(403, "this request was made by another site")
        if scope["method"] not in SAFE_METHODS and path.startswith("/api/") and identity.role > Role.NOBODY:
            if not identity.may("editor"):
                return self._problem(403, "this needs the role editor")
            if path not in _WITH_FORM_FIELD and not has_form_token(headers, identity):
                return self._problem(403, "send the form token of this session as x-form-token")
        if identity.role > Role.NOBODY or path in _OPEN or path.startswith(_OPEN_FOLDERS):
            return None
        wants_page = "text/html" in headers.get("accept", "") and scope["method"] in SAFE_METHODS
        if wants_page and not headers.get("authorization"):
            if self._authenticator.setup_code:
                return RedirectResponse("/setup", 303)
            query = scope.get("query_string", b"").decode("ascii", "replace")
            target = path + (f"?{query}" if query else "")
            return RedirectResponse(
                "/login" + ("" if target == "/" else f"?next={quote(target, safe='')}"), 303
            )
        return self._problem(401, "log in, or send a bearer token", {"www-authenticate": "Bearer"})


def _is_file(scope: Scope) -> bool:
    """Whether a file of the package is asked for, which everybody may have."""
    path: str = scope["path"]
    return path.startswith(_OPEN_FOLDERS) and scope["method"] in SAFE_METHODS


def bearer_token(authorization: str) -> str:
    """Return the token of an Authorization header (RFC 6750 section 2.1), empty if it has none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def cookie_name(scheme: str) -> str:
    """Return the name of the session cookie; over TLS one that only this host can have set."""
    return f"__Host-{COOKIE}" if scheme == "https" else COOKIE


def session_cookie(values: Iterable[str], scheme: str) -> str:
    """Return the secret in the session cookie, empty if there is none."""
    name = cookie_name(scheme)
    for value in values:
        try:
            cookie = SimpleCookie(value).get(name)
        except CookieError:
            continue
        if cookie is not None:
            return cookie.value
    return ""


def from_this_site(headers: Headers) -> bool:
    """Whether a request that changes something was made by a page of this site, or by no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower()


def has_form_token(headers: Headers, identity: Identity, given: str = "") -> bool:
    """Whether a request brings back the form token of *identity*, where it has to.

    Who has no session has nothing that a browser would send along by itself, so a program that is no
    browser (no ``Origin``, no ``Sec-Fetch-Site``) needs no token then.
    """
    if not identity.form_token:
        return True
    if not identity.session and "origin" not in headers and "sec-fetch-site" not in headers:
        return True
    token = given or headers.get("x-form-token", "")
    return hmac.compare_digest(token.encode(), identity.form_token.encode())


def local_target(target: str) -> str:
    """Return *target* if it is a path of this site, else ``/``: what follows a login must not lead away."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target or "\n" in target:
        return "/"
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc and target.isprintable() else "/"
