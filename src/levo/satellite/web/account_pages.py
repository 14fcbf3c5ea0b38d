"""Log in and out, first-run set-up, and the settings: accounts, tokens, alerts, audit log, backup."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from levo.satellite.access import (
    Authenticator,
    Identity,
    LoginRefused,
    PasswordRefused,
    PasswordsBusy,
    identity_of,
)
from levo.satellite.access.auth import INGEST, ROLES, SESSION_S
from levo.satellite.access.middleware import cookie_name, local_target
from levo.satellite.alerts.kinds import KINDS, page_of
from levo.satellite.alerts.webhooks import WebhookRefused, checked_url
from levo.satellite.store.storage import Storage
from levo.satellite.store.userdata import Alerts, Webhooks
from levo.satellite.upkeep import UpkeepStatistics
from levo.satellite.web import parameters
from levo.satellite.web.connect import Sender, targets
from levo.satellite.web.forms import Form, back, field, form_route, read_form
from levo.satellite.web.render import Renderer

AUDIT_ROWS = 50


class AccountPages:
    """Pages about who may do what."""

    def __init__(
        self,
        authenticator: Authenticator,
        webhooks: Webhooks,
        alerts: Alerts,
        renderer: Renderer,
        storage: Callable[[], Storage],
        *,
        link_local: bool = False,
        upkeep: Callable[[], UpkeepStatistics | None] = lambda: None,
    ) -> None:
        """*storage* says how much room the catalog takes; *upkeep* is shown to admins.

        *link_local*: whether webhooks may have link-local addresses.
        """
        self._upkeep = upkeep
        self._authenticator = authenticator
        self._webhooks = webhooks
        self._alerts = alerts
        self._storage = storage
        self._link_local = link_local
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return the routes of the pages and of their forms."""
        return [
            Route("/login", self._login_page, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/setup", self._setup_page, methods=["GET"]),
            Route("/setup", self._setup, methods=["POST"]),
            form_route("/logout", self._logout, role="viewer"),
            Route("/settings", self._settings, methods=["GET"]),
            form_route("/settings/password", self._change_password, role="viewer"),
            form_route("/settings/accounts", self._put_account, role="admin"),
            form_route("/settings/accounts/remove", self._remove_account, role="admin"),
            form_route("/settings/tokens", self._add_token, role="admin"),
            form_route("/settings/tokens/revoke", self._revoke_token, role="admin"),
            form_route("/settings/webhooks", self._add_webhook, role="admin"),
            form_route("/settings/webhooks/remove", self._remove_webhook, role="admin"),
        ]

    def _login_page(self, request: Request) -> Response:
        parameters.only(request.query_params, "next")
        if self._authenticator.setup_code:
            return RedirectResponse("/setup", 303)
        return self._renderer.page(
            request, "login.html", error="", next=local_target(request.query_params.get("next", "/")), name=""
        )

    async def _login(self, request: Request) -> Response:
        form = await read_form(request, 8 << 10)
        name, target = form.get("name", "")[:64].strip(), local_target(form.get("next", "/"))
        client = request.client.host if request.client else ""
        try:
            secret, _ = await run_in_threadpool(
                self._authenticator.login, name, form.get("password", ""), client
            )
        except LoginRefused as refused:
            answer = self._renderer.page(
                request,
                "login.html",
                429 if refused.retry_after_s else 403,
                error=str(refused),
                next=target,
                name=name,
            )
            if refused.retry_after_s:
                answer.headers["retry-after"] = str(int(refused.retry_after_s) + 1)
            return answer
        old = identity_of(request).session
        if old:
            await run_in_threadpool(self._authenticator.logout, old)
        return self._with_session(request, RedirectResponse(target, 303), secret)

    def _setup_page(self, request: Request) -> Response:
        parameters.only(request.query_params)
        if not self._authenticator.setup_code:
            return RedirectResponse("/", 303)
        return self._renderer.page(request, "setup.html", error="", name="")

    async def _setup(self, request: Request) -> Response:
        if not await run_in_threadpool(lambda: self._authenticator.setup_code):
            raise HTTPException(410, "this Satellite is set up already")
        form = await read_form(request, 8 << 10)
        name = form.get("name", "")[:64].strip()
        try:
            await run_in_threadpool(
                self._authenticator.first_account, form.get("code", ""), name, form.get("password", "")
            )
        except PasswordsBusy as busy:
            raise _try_again(busy) from None
        except (LoginRefused, PasswordRefused) as refused:
            return self._renderer.page(request, "setup.html", 403, error=str(refused), name=name)
        secret = await run_in_threadpool(self._authenticator.open_session, name)
        return self._with_session(request, RedirectResponse("/", 303), secret)

    def _logout(self, request: Request, identity: Identity, _form: Form) -> Response:
        if identity.session:
            self._authenticator.logout(identity.session)
            self._record(identity, "logout", identity.name)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(cookie_name(request.url.scheme), path="/")
        return answer

    def _settings(self, request: Request) -> Response:
        return self._settings_page(request)

    def _settings_page(
        self,
        request: Request,
        *,
        error: str = "",
        new_token: str = "",
        sender: Sender | None = None,
        status: int = 200,
    ) -> Response:
        query = request.query_params
        parameters.only(query, "offset", "said")
        identity = identity_of(request)
        admin = identity.may("admin")
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        total, audit = self._authenticator.audit.page(AUDIT_ROWS, offset) if admin else (0, [])
        return self._renderer.page(
            request,
            "settings.html",
            status,
            error=error,
            new_token=new_token,
            targets=targets(self._renderer.connect.situation(request), sender) if sender else (),
            admin=admin,
            accounts=self._authenticator.accounts.all() if admin else [],
            tokens=self._authenticator.tokens.all() if admin else [],
            webhooks=self._webhooks.all() if admin else [],
            alerts=self._alerts.latest(12) if admin else [],
            page_of=page_of,
            storage=self._storage() if admin and not identity.organization else None,
            audit=audit,
            audit_total=total,
            offset=offset,
            audit_rows=AUDIT_ROWS,
            link=lambda **changes: f"?offset={changes.get('offset', 0)}#audit",
            roles=ROLES,
            kinds=KINDS,
            upkeep=self._upkeep() if admin else None,
        )

    def _change_password(self, request: Request, identity: Identity, form: Form) -> Response:
        account = self._authenticator.accounts.get(identity.name) if identity.session else None
        if account is None:
            raise HTTPException(403, "log in to change a password")
        try:
            if not self._authenticator.matches(form.get("old", ""), account.password):
                raise PasswordRefused("the old password is wrong")
            self._authenticator.put_account(
                account.name, account.role, form.get("new", ""), identity.name, account.organization
            )
        except PasswordsBusy as busy:
            raise _try_again(busy) from None
        except PasswordRefused as refused:
            return self._settings_page(request, error=str(refused), status=400)
        answer = RedirectResponse("/settings?said=password", 303)
        return self._with_session(request, answer, self._authenticator.open_session(account.name))

    def _put_account(self, request: Request, identity: Identity, form: Form) -> Response:
        name = field(form, "name", 64)
        try:
            self._authenticator.put_account(
                name,
                form.get("role", ""),
                form.get("password", ""),
                identity.name,
                field(form, "organization", 200, required=False),
            )
        except PasswordsBusy as busy:
            raise _try_again(busy) from None
        except PasswordRefused as refused:
            return self._settings_page(request, error=str(refused), status=400)
        if identity.session and name != identity.name:
            return back(form, "/settings", "saved")
        answer = back(form, "/settings", "saved")
        return self._with_session(request, answer, self._authenticator.open_session(name))

    def _remove_account(self, request: Request, identity: Identity, form: Form) -> Response:
        try:
            if not self._authenticator.remove_account(field(form, "name", 64), identity.name):
                raise HTTPException(404, "no such account")
        except PasswordRefused as refused:
            return self._settings_page(request, error=str(refused), status=400)
        return back(form, "/settings", "removed")

    def _add_token(self, request: Request, identity: Identity, form: Form) -> Response:
        scope = form.get("scope", INGEST)
        organization = field(form, "organization", 200, required=False)
        try:
            secret = self._authenticator.add_token(
                field(form, "name", 100), scope, organization, identity.name
            )
        except PasswordRefused as refused:
            return self._settings_page(request, error=str(refused), status=400)
        sender = Sender(secret, organization) if scope == INGEST else None
        return self._settings_page(request, new_token=secret, sender=sender)

    def _revoke_token(self, _request: Request, identity: Identity, form: Form) -> Response:
        number = field(form, "id", 12)
        if (
            not number.isascii()
            or not number.isdigit()
            or not self._authenticator.tokens.revoke(int(number), self._now())
        ):
            raise HTTPException(404, "no such token")
        self._record(identity, "revoke token", number)
        return back(form, "/settings", "removed")

    def _add_webhook(self, request: Request, identity: Identity, form: Form) -> Response:
        kinds = [kind for kind in KINDS if form.get(kind)] or list(KINDS)
        try:
            url = checked_url(field(form, "url", 1000), link_local=self._link_local)
        except WebhookRefused as refused:
            return self._settings_page(request, error=str(refused), status=400)
        self._webhooks.add(url, ",".join(kinds), identity.name, self._now())
        self._record(identity, "add webhook", url.partition("?")[0])
        return back(form, "/settings", "saved")

    def _remove_webhook(self, _request: Request, identity: Identity, form: Form) -> Response:
        number = field(form, "id", 12)
        if not number.isascii() or not number.isdigit() or not self._webhooks.remove(int(number)):
            raise HTTPException(404, "no such webhook")
        self._record(identity, "remove webhook", number)
        return back(form, "/settings", "removed")

    def _record(self, identity: Identity, action: str, subject: str, detail: str = "") -> None:
        self._authenticator.audit.record(identity.name, action, subject, detail, self._now())

    def _now(self) -> int:
        return self._renderer.clock_ns()

    def _with_session(self, request: Request, answer: Response, secret: str) -> Response:
        scheme = request.url.scheme
        answer.set_cookie(
            cookie_name(scheme),
            secret,
            max_age=SESSION_S,
            path="/",
            secure=scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer


def _try_again(busy: PasswordsBusy) -> HTTPException:
    return HTTPException(503, str(busy), {"retry-after": str(int(busy.retry_after_s))})
