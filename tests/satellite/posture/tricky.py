"""A server without a weakness, whose traffic looks like it had some: what is found above info is wrong."""

from __future__ import annotations

import re
from urllib.parse import unquote

from tests.satellite.posture.watched import BEARER, DENIED, NOT_FOUND, Request, Response, Routes, Watched

IBAN = "DE89370400440532013000"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIiwiZXhwIjoxOTAwMDAwMDAwfQ.c2lnbmF0dXJl"
PAGE = (
    b"<html><body><h1>It failed</h1><pre>Traceback (most recent call last):\n  File 'a.py', line 3, in f\n"
    b"ValueError</pre>SELECT a FROM b, write to joe@mail.example.org</body></html>"
)


def _ticketed(body: object) -> object:
    def route(request: Request, match: re.Match[str]) -> Response:
        if "x-acme-ticket" not in request.headers:
            return DENIED
        return Response(200, body(match) if callable(body) else body)

    return route


def _bearer(body: object) -> object:
    def route(request: Request, match: re.Match[str]) -> Response:
        return Response(200, body(match) if callable(body) else body) if request.known else DENIED

    return route


def _always(body: object, status: int = 200, **more: object) -> object:
    def route(_: Request, match: re.Match[str]) -> Response:
        return Response(status, body(match) if callable(body) else body, **more)  # type: ignore[arg-type]

    return route


def _administration(request: Request, _: re.Match[str]) -> Response:
    return Response(200, {"up": True}) if request.known else Response(302, headers=(("Location", "/login"),))


def _login(request: Request, _: re.Match[str]) -> Response:
    cookie = (("Set-Cookie", "session=abc; Path=/; HttpOnly; SameSite=Lax"),)
    if b"good" in request.body:
        return Response(200, {"ok": True, "token": TOKEN}, headers=cookie)
    return Response(401, {"error": "invalid credentials"})


def _signed_up(request: Request, _: re.Match[str]) -> Response:
    address = re.search(rb'"email":"([^"]*)"', request.body)
    assert address is not None
    return Response(201, {"id": len(request.body), "email": address[1].decode()})


def _graph(request: Request, _: re.Match[str]) -> Response:
    if request.known:
        return Response(200, {"data": {"me": {"iban": IBAN}}})
    return Response(200, {"data": None, "errors": [{"message": "who are you?"}]})


ROUTES: Routes = {  # type: ignore[assignment]
    r"GET /contact": _always({"support": "help@shop.example.net", "press": "press@shop.example.net"}),
    r"GET /admin": _administration,
    r"GET /me/orders": _ticketed(
        [{"id": n, "email": f"c{n}@mail.example.org", "iban": IBAN} for n in range(3)]
    ),
    r"POST /oauth/token": _always({"access_token": TOKEN, "token_type": "bearer", "expires_in": 300}),
    r"POST /login": _login,
    r"POST /v1/sessions": _always(lambda _: {"token": TOKEN}, 201),
    r"GET /v3/api-docs": _ticketed(
        {
            "openapi": "3.0.0",
            "paths": {"/u": {"get": {"example": {"email": "a@mail.example.org", "password": "hunter2aa"}}}},
        }
    ),
    r"GET /openapi\.yaml": _always(
        {"openapi": "3.0.0", "paths": {"/u": {"get": {"example": {"iban": IBAN, "password": "hunter2aa"}}}}}
    ),
    r"POST /signup": _signed_up,
    r"GET /goods": _always([{"sku": "a", "price": 3}], headers=(("Access-Control-Allow-Origin", "*"),)),
    r"GET /help/errors\.html": _always(PAGE, media="text/html"),
    r"GET /products/(\d+)": _always(lambda match: {"id": int(match[1]), "name": "Chair", "price": 10}),
    r"GET /tickets/(\d+)": _bearer(
        lambda match: {"id": int(match[1]), "email": f"k{match[1]}@mail.example.org"}
    ),
    r"PUT /profile": _bearer({"name": "A", "role": "user"}),
    r"POST /logout": _always(None, 204, headers=(("Set-Cookie", "session=; Max-Age=0; Path=/"),)),
    r"GET /search": _always({"count": 1, "author": "Jane Roe", "city": "Oslo"}),
    r"POST /search": _always({"hits": [{"sku": "a"}]}),
    r"GET /masked": _bearer([{"id": n, "password": "********"} for n in range(4)]),
    r"GET /open-masked": _always([{"id": n, "password": "********"} for n in range(4)]),
    r"POST /webhooks/payments": _always({"ok": True}, 201),
    r"POST /graphql": _graph,
    r"GET /export\.csv": _bearer(b"sku,price\n" + b"".join(b"s%d,%d\n" % (n, n) for n in range(700))),
    r"GET /manage/\.env": _always(b"<html><body>shop</body></html>", media="text/html"),
    r"GET /health": _always({"status": "up"}),
    r"GET /metrics": _always(b"up 1\n", media="text/plain"),
    r"GET /admin/app\.js": _always(b"let a = 1;", media="text/javascript"),
    r"GET /files/\d+": lambda request, _: (
        Response(200, {"size": 3}) if "signature=" in request.query else DENIED
    ),
    r"GET /broken": lambda request, _: (
        Response(503) if "x=1" in request.query else Response(200, {"fine": True})
    ),
    r"GET /echo": lambda request, _: (
        Response(400, f"no {unquote(request.query)}".encode(), "text/plain")
        if request.query
        else Response(200, {"fine": True})
    ),
    r"GET /releases": _always(b"<html><title>Index of our releases</title></html>", media="text/html"),
    r"GET /form": _always({"ok": True}, headers=(("Set-Cookie", "csrf_token=a; SameSite=Strict"),)),
    r"OPTIONS /.*": _always(None, 204),
    r"HEAD /.*": _always(None, 200),
    r".* /missing/.*": lambda *_: NOT_FOUND,
}


def walk(watched: Watched) -> None:
    """Have callers use the server, as ordinary ones would."""
    ask = watched.ask
    for number in range(24):
        ticket = {"X-Acme-Ticket": f"ticket-{number}"}
        ask("GET /contact")
        ask("GET /admin", BEARER if number % 8 == 0 else {})
        ask("GET /me/orders", ticket if number % 5 else {})
        ask("POST /oauth/token", body={"grant_type": "password", "password": f"secret{number}x"})
        ask("POST /login", body={"user": f"u{number}", "password": "good one" if number % 3 else "bad one"})
        ask("POST /v1/sessions", body={"name": f"u{number}", "password": "good one"})
        ask("GET /v3/api-docs", ticket if number % 6 else {})
        ask("GET /openapi.yaml")
        ask("POST /signup", body={"email": f"new{number}@mail.example.org"})
        ask("GET /goods", {"Origin": f"https://o{number}.example"})
        ask("GET /help/errors.html")
        ask(f"GET /products/{number + 3}")
        ask(f"GET /tickets/{number + 70}", BEARER if number else {})
        ask("PUT /profile", BEARER, {"name": f"n{number}", **({"role": "admin"} if number % 6 == 0 else {})})
        ask("POST /logout", BEARER)
        ask("GET /search?q=chair")
        ask("POST /search", body={"q": "chair"})
        ask("GET /masked", BEARER)
        ask("GET /open-masked")
        ask("POST /webhooks/payments", {"X-Hub-Signature-256": f"sha256={number:064}"}, {"paid": True})
        question = {"query": "query Me { me { iban } }", "operationName": "Me"}
        ask("POST /graphql", BEARER if number % 2 else {}, question)
        ask("GET /export.csv", BEARER)
        ask("GET /manage/.env")
        ask("GET /health")
        ask("GET /metrics")
        ask("GET /admin/app.js")
        ask(f"GET /files/{number + 5}?signature=0123456789abcdef{number}")
        ask(f"GET /broken?x={number % 8}")
        ask(f"GET /echo{'?q=SQLSTATE[42601]: ORA-00933: ' * (number % 3)}".replace(" ", "%20"))
        ask("GET /releases")
        ask("GET /form")
        ask("OPTIONS /me/orders", {"Origin": "https://shop.example"})
        ask("HEAD /me/orders")
        ask(f"GET /missing/{number}")
