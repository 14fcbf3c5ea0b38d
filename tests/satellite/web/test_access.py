"""Who may do what on every route: the routes come from the application, and each must have its rule here."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from starlette.routing import Route

from levo.satellite.access import Authenticator
from levo.satellite.queue import Journal
from levo.satellite.receive import Ingester
from levo.satellite.store import CatalogReader, CatalogWriter
from levo.satellite.store.userdata import UserData
from levo.satellite.web import Backup, Catalogs, Connect, LiveChannel, SiteParts, build_otlp_app, build_site
from tests.satellite.running import Answer, RunningSatellite, fetch
from tests.satellite.web.test_attempts import INJECTED
from tests.satellite.web.test_pages import ready
from tests.satellite.web.test_security import FORM, PASSWORD, Open, Person

ROLES = ("viewer", "editor", "admin")
OPEN = "open"
INGESTION = "ingestion"
RULES = {
    OPEN: "GET /healthz, GET /readyz, GET /login, POST /login, GET /setup, POST /setup, GET /static/{name}",
    INGESTION: "POST /v1/traces, POST /v1/metrics",
    "viewer": """
        GET /, GET /catalog, GET /endpoints/{identity:int}, GET /endpoints/{identity:int}/evidence,
        GET /sensors, GET /sensitive, GET /changes, GET /encrypted, GET /refused,
        GET /reference, GET /settings,
        GET /connect, GET /connect/ca.pem, GET /live, GET /metrics, GET /api, GET /api/endpoints,
        GET /api/endpoints/{identity:int}, GET /api/endpoints/{identity:int}/traffic,
        GET /api/endpoints/{identity:int}/operation, GET /api/endpoints/{identity:int}/evidence,
        GET /api/endpoints/{identity:int}/decisions, GET /api/traffic, GET /api/encrypted,
        GET /api/refused,
        GET /api/applications, GET /api/sensors, GET /api/summary, GET /api/sensitive, GET /api/findings,
        GET /api/findings/{name:finding}, GET /posture, GET /posture/{name},
        GET /api/changes, GET /api/openapi, GET /api/comparison, GET /api/events, GET /api/views,
        POST /logout, POST /settings/password
    """,
    "editor": """
        POST /api/findings/decisions, POST /posture/decide,
        POST /endpoints/{identity:int}/decide, POST /endpoints/{identity:int}/delete,
        DELETE /api/endpoints/{identity:int}, POST /decisions/{identity:int}/undo, POST /views,
        POST /views/{identity:int}/remove, POST /reference/description, PUT /api/description,
        DELETE /api/description, POST /api/endpoints/{identity:int}/decisions,
        DELETE /api/decisions/{identity:int}, POST /api/views, DELETE /api/views/{identity:int}
    """,
    "admin": """
        POST /settings/accounts, POST /settings/accounts/remove, POST /settings/tokens,
        POST /settings/tokens/revoke, POST /settings/webhooks, POST /settings/webhooks/remove,
        POST /connect, POST /api/backup, GET /api/audit, GET /api/alerts
    """,
}
"""By what it takes, the routes. A new route belongs to one of them."""
RULE_OF = {route.strip(): needed for needed, routes in RULES.items() for route in routes.split(",")}
ALLOWED = {200, 201, 303, 304, 308, 400, 403, 404, 410, 413, 415, 422, 429}
"""What text that is not meant for a route may be answered with."""
STREAM = "GET /live"
"""Does not end by itself."""


def routes_of_the_application() -> tuple[set[str], set[str]]:
    """(routes of the site, routes of the OTLP port), as ``METHOD /path``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        CatalogWriter(folder / "catalog.sqlite3").close()
        userdata = UserData(folder / "userdata.sqlite3")
        reader = CatalogReader(folder / "catalog.sqlite3", userdata.path)
        catalogs = Catalogs(reader)
        with Journal(folder / "journal", max_bytes=1 << 20) as journal:
            ingester = Ingester(journal, max_request_bytes=1, max_in_flight_bytes=1, on_accepted=lambda: None)
            accounts = (userdata.accounts, userdata.sessions, userdata.tokens, userdata.audit)
            parts = SiteParts(
                ingester=ingester,
                reader=reader,
                userdata=userdata,
                catalogs=catalogs,
                authenticator=Authenticator(*accounts, on_loopback=True),
                live=LiveChannel(catalogs.revision),
                snapshot=lambda: pytest.fail("not asked"),
                readiness=ready(),
                connections=dict,
                backup=Backup(folder),
                satellite_url="http://localhost",
                connect=Connect("http://localhost"),
                loopback_only=True,
                webhook_link_local=False,
            )
            site = build_site(parts)
            otlp = build_otlp_app(ingester=ingester, readiness=ready(), loopback_only=True)
        reader.close()
        userdata.close()
    return spelled(site.routes), spelled(otlp.routes)


def spelled(routes: list[object]) -> set[str]:
    assert all(isinstance(route, Route) for route in routes), "mounts have no rule"
    return {
        f"{method} {route.path}"
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }


SITE, OTLP = routes_of_the_application()


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(RULE_OF) == SITE
    assert {"POST /v1/traces", "POST /v1/metrics", "GET /healthz", "GET /readyz"} == OTLP


class People:
    """An open Satellite with somebody of each role, by session and by token."""

    def __init__(self, site: Open) -> None:
        self.base = site.base
        self.by_session: dict[str, Person] = {}
        self.by_token = {role: site.token(role) for role in ROLES}
        self.ingestion = site.token("ingest", "acme")
        for role in ROLES:
            account = {"name": f"x-{role}", "role": role, "password": PASSWORD}
            assert site.admin.post("/settings/accounts", account).status == 303
            self.by_session[role] = Person(site.base)
            self.by_session[role].login(f"x-{role}")

    def ask(
        self, route: str, headers: dict[str, str], form: dict[str, str] | None = None, query: str = ""
    ) -> Answer:
        method, _, path = route.partition(" ")
        path = (
            path.replace("{identity:int}", "999")
            .replace("{name:finding}", "A" * 16)
            .replace("{name}", "site.css")
            + query
        )
        body, more = None, {}
        if method not in ("GET", "HEAD"):
            body, more = urlencode(form or {}).encode(), {"content-type": FORM}
        return fetch(method, self.base + path, body, {**more, **headers})

    def as_role(
        self, role: str, route: str, form: dict[str, str] | None = None, query: str = "", **more: str
    ) -> Answer:
        """As somebody with a browser of this site."""
        person = self.by_session[role]
        headers = {"cookie": person.cookie, "x-form-token": person.form_token}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        return self.ask(route, headers, {"form_token": person.form_token, **(form or {})}, query)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with RunningSatellite(tmp_path_factory.mktemp("access"), "--listen", "0.0.0.0:0") as running:
        yield People(Open(running))
        assert "Traceback" not in running.errors


def routes(*needed: str) -> list[str]:
    return sorted(route for route in SITE - {STREAM} if RULE_OF.get(route, "viewer") in (needed or ROLES))


def changing(*needed: str) -> list[str]:
    return [route for route in routes(*needed) if not route.startswith("GET ")]


@pytest.mark.parametrize("route", [*routes(), STREAM])
def test_nobody_gets_in(people: People, route: str) -> None:
    tries: list[dict[str, str]] = [
        {},
        {"cookie": "levo_session=planted"},
        {"cookie": "__Host-levo_session=planted"},
        {"authorization": "Bearer levo_wrong"},
        {"authorization": f"Bearer {people.ingestion}"},
        {"authorization": "Basic YWRtaW46YWRtaW4="},
    ]
    for headers in tries:
        assert people.ask(route, headers).status in (401, 403)
        page = people.ask(route, {"accept": "text/html", **headers})
        assert page.status in (303, 401, 403)
        if page.status == 303:
            assert page.headers["location"].startswith("/login")


@pytest.mark.parametrize("route", routes())
def test_only_the_role_and_those_above_it_may(people: People, route: str) -> None:
    needed = ROLES.index(RULE_OF[route])
    for at, role in enumerate(ROLES):
        if route != "POST /logout":
            answer = people.as_role(role, route)
            assert (answer.status == 403) == (at < needed), (role, answer)
            assert answer.status != 401
        answer = people.ask(route, {"authorization": f"Bearer {people.by_token[role]}"})
        if route != "POST /settings/password":  # of an account, which a token is not
            assert (answer.status == 403) == (at < needed), (role, answer)
        assert answer.status < 500 or route == "GET /connect/ca.pem"


@pytest.mark.parametrize("route", changing())
def test_only_pages_of_this_site_change_something(people: People, route: str) -> None:
    admin = people.by_session["admin"]
    forged: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"x-form-token": "x"}, {"form_token": "x"}),
        ({"x-form-token": people.by_session["editor"].form_token}, {"form_token": "\N{SNOWMAN}"}),
    ]
    for headers, form in forged:
        assert people.ask(route, {"cookie": admin.cookie, **headers}, form).status == 403
    for name, value in (
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec_fetch_site", "cross-site"),
        ("sec_fetch_site", "same-site"),
    ):
        assert people.as_role("admin", route, **{name: value}).status == 403


@pytest.mark.parametrize("route", ["POST /login", "POST /setup"])
def test_open_forms_are_refused_to_other_sites_too(people: People, route: str) -> None:
    assert people.ask(route, {"origin": "https://evil.example"}).status == 403
    assert people.ask(route, {"sec-fetch-site": "cross-site"}).status == 403


@pytest.mark.parametrize("route", routes(INGESTION))
def test_ingestion_takes_its_own_tokens_alone(people: People, route: str) -> None:
    named = {"content-type": "application/x-protobuf"}
    method, _, path = route.partition(" ")
    for authorization, status in (
        ("", 401),
        ("Bearer levo_wrong", 401),
        (f"Bearer {people.by_token['admin']}", 401),
        (f"Bearer {people.ingestion}", 200),
    ):
        headers = {**named, "authorization": authorization} if authorization else named
        assert fetch(method, people.base + path, b"", headers).status == status


@pytest.mark.parametrize("route", [*routes(OPEN), *routes()])
def test_what_is_not_meant_for_a_route_is_refused_and_breaks_nothing(people: People, route: str) -> None:
    if route == "POST /logout":
        return
    fields = (
        "name", "id", "kind", "detail", "query", "url", "organization", "environment", "application",
        "document", "scope", "role", "password", "old", "new", "code", "next", "q", "host", "method",
        "status", "sort", "offset", "limit", "range", "format", "version",
    )  # fmt: skip
    for text in INJECTED:
        form = dict.fromkeys(fields, text)
        if route.startswith("GET "):
            for name in fields:
                answer = people.as_role("admin", route, query=f"?{name}={quote(text)}")
                assert answer.status in ALLOWED, (name, text, answer.status)
        else:
            answer = people.as_role("admin", route, form)
            assert answer.status in ALLOWED, (text, answer.status)


@pytest.mark.parametrize("route", sorted(route for route in SITE if "{" in route))
@pytest.mark.parametrize(
    "value",
    [
        "..", "../../userdata.sqlite3", "%2e%2e%2fuserdata.sqlite3", "..%5c..%5cuserdata.sqlite3", "%00",
        "-1", "1%20OR%201=1", "9" * 400, "%ff%fe", "1;2",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_its_folder_or_table(people: People, route: str, value: str) -> None:
    method, _, path = route.partition(" ")
    target = re.sub(r"\{[^}]*\}", value, path)
    admin = people.by_session["admin"]
    headers = {"cookie": admin.cookie, "x-form-token": admin.form_token, "content-type": FORM}
    body = urlencode({"form_token": admin.form_token}).encode() if method != "GET" else None
    answer = fetch(method, people.base + target, body, headers)
    assert answer.status in (303, 307, 400, 404, 405), answer
    assert b"SQLite format" not in answer.body


def test_a_session_ends_everywhere_with_its_logout(people: People) -> None:
    person = Person(people.base)
    person.login("x-viewer")
    stolen = {"cookie": person.cookie}
    assert people.ask("GET /api/summary", stolen).status == 200
    assert person.post("/logout", {}).status == 303
    for route in routes():
        assert people.ask(route, stolen).status in (401, 403), route
