"""The page Connect a sensor: commands to copy, and a token made for them."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from levo.satellite.access import Authenticator, Identity, PasswordRefused, identity_of
from levo.satellite.access.auth import INGEST
from levo.satellite.web import parameters
from levo.satellite.web.connect import Sender, targets
from levo.satellite.web.forms import Form, field, form_route
from levo.satellite.web.render import Renderer


class ConnectPage:
    """Shows the commands to everybody who may look; admins make a token in the same step."""

    def __init__(self, authenticator: Authenticator, renderer: Renderer) -> None:
        self._authenticator = authenticator
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """Return the routes of the page and of its form."""
        return [
            Route("/connect", self._connect, methods=["GET"]),
            form_route("/connect", self._make, role="admin"),
            Route("/connect/ca.pem", self._authority, methods=["GET"]),
        ]

    def _connect(self, request: Request) -> Response:
        parameters.only(request.query_params)
        return self._page(request, Sender(organization=identity_of(request).organization))

    def _make(self, request: Request, identity: Identity, form: Form) -> Response:
        organization = field(form, "organization", 200, required=False)
        environment = field(form, "environment", 200, required=False)
        if not environment.isprintable():
            return self._page(
                request, Sender("", organization), error="an environment has printable characters", status=400
            )
        try:
            token = self._authenticator.add_token(
                f"sensors of {organization}", INGEST, organization, identity.name
            )
        except PasswordRefused as refused:
            return self._page(request, Sender("", organization, environment), error=str(refused), status=400)
        return self._page(request, Sender(token, organization, environment))

    def _authority(self, request: Request) -> Response:
        parameters.only(request.query_params)
        authority = self._renderer.connect.situation(request).authority
        if not authority:
            raise HTTPException(404, "sensors need no certificate of an authority for this address")
        return PlainTextResponse(authority, media_type="application/x-pem-file")

    def _page(self, request: Request, sender: Sender, *, error: str = "", status: int = 200) -> Response:
        situation = self._renderer.connect.situation(request)
        return self._renderer.page(
            request,
            "connect.html",
            status,
            error=error,
            situation=situation,
            sender=sender,
            targets=targets(situation, sender),
            may_make=identity_of(request).may("admin"),
        )
