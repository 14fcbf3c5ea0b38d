"""A server with a planted weakness for each rule, and what is to be found in it."""

from __future__ import annotations

import re
from base64 import b64encode

from tests.satellite.posture.watched import BEARER, DENIED, NOT_FOUND, Request, Response, Routes, Watched

IBAN = "DE89370400440532013000"
TRACE = (
    "shop.Stock.find(Stock.java:17)\n\tat shop.Web.get(Web.java:42)\n\tat shop.Main.run(Main.java:9)\n" * 2
)
PYTHON_TRACE = b"Traceback (most recent call last):\n  File a, line 3\nKeyError"
COOKIE = ("Set-Cookie", "session=abc; Path=/")
GOOD_COOKIE = ("Set-Cookie", "session=abc; Path=/; HttpOnly; SameSite=Lax")
ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = ("Access-Control-Allow-Credentials", "true")
LAB = "lab.example"
LAB_PATHS = ("probes", "racks", "fans", "lamps", "doors")


def _person(number: int) -> dict[str, object]:
    return {"id": number, "email": f"person{number}@mail.example.org"}


def _locked(body: object, **more: object) -> object:
    def route(request: Request, match: re.Match[str]) -> Response:
        return Response(200, body(match) if callable(body) else body, **more) if request.known else DENIED  # type: ignore[arg-type]

    return route


def _open(body: object, **more: object) -> object:
    def route(_: Request, match: re.Match[str]) -> Response:
        return Response(body=body(match) if callable(body) else body, **more)  # type: ignore[arg-type]

    return route


def _profile(request: Request, _: re.Match[str]) -> Response:
    if not request.known:
        return DENIED
    role = "admin" if b'"admin"' in request.body else "user"
    return Response(201, {"id": len(request.body), "role": role})


def _ticket(request: Request, _: re.Match[str]) -> Response:
    return Response(200, {"open": 3}) if request.headers.get("x-acme-ticket") else DENIED


def _export(request: Request, _: re.Match[str]) -> Response:
    return Response(200, {"rows": 2}) if "api_key=" in request.query else DENIED


def _legacy(request: Request, _: re.Match[str]) -> Response:
    return (
        Response(200, {"size": 2})
        if request.headers.get("authorization", "").startswith("Basic ")
        else DENIED
    )


def _json_only(request: Request, _: re.Match[str]) -> Response:
    is_json = request.headers["content-type"] == "application/json"
    return Response(200, {"placed": True}) if is_json else Response(415)


def _plain_profile(request: Request, _: re.Match[str]) -> Response:
    return (
        Response(400) if b"role" in request.body else Response(201, {"id": len(request.body), "role": "user"})
    )


def _failing(text: bytes) -> object:
    def route(request: Request, _: re.Match[str]) -> Response:
        return Response(500, text, "text/plain") if request.query else Response(body={"fine": True})

    return route


def _flaky(request: Request, _: re.Match[str]) -> Response:
    return Response(500, {"error": "later"}) if request.query else Response(body={"fine": True})


class Smells:
    """The server's routes; *hardened* names the rules whose weakness is taken out."""

    def __init__(self, *hardened: str) -> None:
        self.is_ledger_open = False
        self._hardened = hardened

    def _ledger(self, request: Request, _: re.Match[str]) -> Response:
        return Response(200, {"total": 4}) if request.known or self.is_ledger_open else DENIED

    def _stock(self, request: Request, _: re.Match[str]) -> Response:
        return DENIED if request.headers.get("x-zone") == "staging" else Response(200, {"left": 3})

    def routes(self) -> Routes:
        weak = {
            "AUTH-00": (r"GET /tickets", _ticket, _locked({"open": 3})),
            "AUTH-01": (r"GET /members", _open(lambda _: [_person(n) for n in range(3)]), _locked([])),
            "AUTH-01 critical": (
                r"GET /invoices/(\d+)",
                _open(lambda match: {"id": int(match[1]), "iban": IBAN, "owner": match[1]}),
                _locked(lambda match: {"id": int(match[1]), "iban": IBAN, "owner": match[1]}),
            ),
            "AUTH-02": (r"PUT /settings/\d+", _open({"saved": True}), _locked({"saved": True})),
            "AUTH-03": (r"GET /admin/flags", _open({"dark": True}), _locked({"dark": True})),
            "AUTH-04": (r"GET /catalog", _open({"chairs": 3}), _locked({"chairs": 3})),
            "AUTH-05": (r"GET /ledger", self._ledger, _locked({"total": 4})),
            "AUTH-07": (r"GET /legacy", _legacy, _locked({"size": 2})),
            "AUTH-08": (r"GET /stock", self._stock, _locked({"left": 3})),
            "AUTH-09": (
                rf"(?:GET|PUT) /(?:{'|'.join(LAB_PATHS)})/state",
                _open({"ok": True}),
                _locked({"ok": True}),
            ),
            "BOLA-03": (
                r"GET /accounts/(.+)",
                _locked(lambda match: _person(int(match[1]))),
                _locked(lambda match: {"id": int(match[1])}),
            ),
            "COOK-01": (
                r"POST /enter",
                _locked({"ok": True}, headers=(COOKIE,)),
                _locked({"ok": True}, headers=(GOOD_COOKIE,)),
            ),
            "CORS-01": (
                r"GET /widgets",
                _locked({"n": 1}, headers=((ORIGIN, "null"), CREDENTIALS)),
                _locked({"n": 1}, headers=((ORIGIN, "https://a.example"), CREDENTIALS)),
            ),
            "CRED-01": (r"GET /export", _export, _locked({"rows": 2})),
            "CT-01": (r"POST /orders", _locked({"placed": True}), _json_only),
            "DATA-02": (r"GET /search", _locked({"hits": 1}), lambda *_: Response(400)),
            "DATA-03": (
                r"GET /staff",
                _locked([{"id": n, "password": f"$2b$12$abcdefghijklmnopqrst{n}v"} for n in range(4)]),
                _locked([{"id": n} for n in range(4)]),
            ),
            "DATA-05": (
                r"GET /people",
                _locked([{"id": n, "iban": IBAN} for n in range(150)]),
                _locked([{"id": n, "iban": IBAN} for n in range(20)]),
            ),
            "ERR-01": (
                r"GET /crash",
                lambda r, _: Response(400, {"trace": TRACE}) if r.query else Response(body={"fine": True}),
                lambda r,
                _: Response(400, {"trace": "see 4711"}) if r.query else Response(body={"fine": True}),
            ),
            "ERR-01 text": (r"GET /broken", _failing(PYTHON_TRACE), _failing(b"see 4711")),
            "ERR-02": (r"GET /rows", _failing(b"SQLSTATE[42601]: near WHERE"), _failing(b"see 4711")),
            "EXP-01": (r"GET /actuator/env", _open({"profiles": ["live"]}), _locked({"profiles": ["live"]})),
            "EXP-02": (
                r"GET /openapi\.json",
                _open({"openapi": "3.1.0", "paths": {}}),
                _locked({"openapi": "3.1.0", "paths": {}}),
            ),
            "EXP-03": (
                r"GET /pub/",
                _locked(b"<html><head><title>Index of /pub/</title></head></html>", media="text/html"),
                _locked(b"<html><head><title>Public</title></head></html>", media="text/html"),
            ),
            "EXP-04": (r"TRACE /", _open(b"TRACE /", media="message/http"), lambda *_: Response(405)),
            "GRPC-01": (
                r"POST /grpc\.reflection\.v1\.ServerReflection/ServerReflectionInfo",
                _locked(b"\0\0\0\0\0", media="application/grpc"),
                lambda *_: Response(404),
            ),
            "HDR-02": (
                r"GET /about",
                _locked({"n": 1}, headers=(("Server", "shopd/1.18.0"),)),
                _locked({"n": 1}, headers=(("Server", "shopd"),)),
            ),
            "INV-02": (
                r"GET /old",
                _locked({"size": 1}, headers=(("Deprecation", "@1688169599"),)),
                _locked({"size": 1}),
            ),
            "INV-02 hint": (r"GET /v1/chairs", _locked({"chairs": 1}), lambda *_: NOT_FOUND),
            "LIM-02": (
                r"GET /events",
                _open([{"sku": n} for n in range(600)]),
                _open([{"sku": n} for n in range(50)]),
            ),
            "MASS-01": (r"POST /profiles", _profile, _plain_profile),
            "OPS-01": (r"GET /flaky", _flaky, _locked({"fine": True})),
            "SSRF-01": (r"POST /imports", _locked({"queued": True}), lambda *_: Response(400)),
            "UPL-01": (r"POST /files", _locked({"size": 3}), lambda *_: Response(415)),
        }  # fmt: skip
        routes = {
            pattern: (twin if rule in self._hardened else route)
            for rule, (pattern, route, twin) in weak.items()
        }
        routes[r"GET /v2/chairs"] = _locked({"chairs": 1})
        routes[r"GET /"] = _locked({"shop": "open"})
        return routes  # type: ignore[return-value]


def walk(watched: Watched, smells: Smells) -> None:
    """Have callers use the server, as ordinary ones would."""
    ask = watched.ask
    for number in range(12):
        ask("GET /tickets", {"X-Acme-Ticket": f"t-{number}"} if number % 4 else {})
        ask("GET /members")
        ask(f"GET /invoices/{number + 100}")
        ask(f"PUT /settings/{number + 10}", body={"dark": True})
        ask("GET /admin/flags")
        ask("GET /catalog", BEARER if number % 2 else {})
        ask("GET /legacy", {"Authorization": "Basic " + b64encode(b"joe:secret").decode()})
        ask("GET /export?api_key=0123456789abcdef")
        ask(f"GET /search?email=someone{number}%40mail.example.org", BEARER)
        ask("GET /staff", BEARER)
        ask(f"GET /crash{'?when=now' * (number % 2)}", BEARER)
        ask("GET /actuator/env")
        ask("GET /openapi.json")
        ask("TRACE /")
        ask("GET /old", BEARER)
        ask("GET /events")
        ask(
            "POST /profiles", BEARER, {"name": f"n{number}", **({"role": "admin"} if number % 4 == 0 else {})}
        )
        ask(f"GET /flaky{'?when=now' * (number % 2)}", BEARER)
        ask("GET /", BEARER)
        ask("POST /enter", BEARER, {"a": 1})
        for path in ("widgets", "pub/", "about"):
            ask(f"GET /{path}", BEARER)
        for path in ("broken", "rows"):
            ask(f"GET /{path}{'?when=now' * (number % 6 == 5)}", BEARER)
        ask("POST /imports", BEARER, {"url": f"https://files.example/{number}"})
        ask("POST /orders", BEARER, {"chair": 1})
        grpc = {**BEARER, "Content-Type": "application/grpc"}
        ask("POST /grpc.reflection.v1.ServerReflection/ServerReflectionInfo", grpc, b"\0\0\0\0\0")
        form = {**BEARER, "Content-Type": "multipart/form-data; boundary=x"}
        part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc\r\n--x--\r\n'
        ask("POST /files", form, part)
    for _ in range(2):
        ask("GET /people", BEARER)
        ask("POST /orders", {**BEARER, "Content-Type": "application/x-www-form-urlencoded"}, b"chair=1")
    for number in range(24):
        ask(f"GET /accounts/{number + 40}", BEARER)
        ask("GET /stock")
        ask("GET /stock", BEARER if number else {"X-Zone": "staging"}, environment="staging")
        ask(f"GET /v{number % 2 + 1}/chairs", BEARER)
        ask("GET /ledger", BEARER if number > 3 else {})
    smells.is_ledger_open = True
    for _ in range(4):
        ask("GET /ledger")
    for number in range(55):
        method = "PUT" if number % 11 == 0 else "GET"
        ask(f"{method} /{LAB_PATHS[number % len(LAB_PATHS)]}/state", host=LAB)


EXPECTED = {
    "AUTH-00": [("info", "GET /tickets", "x-acme-ticket")],
    "AUTH-01": [("high", "GET /members", "")],
    "AUTH-01 critical": [("critical", "GET /invoices/{invoiceId}", "")],
    "AUTH-02": [("medium", "PUT /settings/{settingId}", "")],
    "AUTH-03": [("high", "GET /admin/flags", "")],
    "AUTH-04": [("info", "GET /catalog", "")],
    "AUTH-05": [("high", "GET /ledger", "")],
    "AUTH-07": [("info", "shop.example", "basic")],
    "AUTH-08": [("high", "GET /stock", "")],
    "AUTH-09": [("low", LAB, "")],
    "BOLA-03": [("info", "GET /accounts/{accountId}", "segment 2")],
    "COOK-01": [("low", "shop.example", "HttpOnly"), ("low", "shop.example", "SameSite")],
    "CORS-01": [("medium", "shop.example", "null")],
    "CRED-01": [("high", "GET /export", "api_key")],
    "CT-01": [("info", "POST /orders", "application/x-www-form-urlencoded")],
    "DATA-02": [("medium", "GET /search", "email")],
    "DATA-03": [("high", "GET /staff", "response-body:200:*/password")],
    "DATA-05": [("low", "GET /people", "")],
    "ERR-01": [("medium", "GET /crash", "trace")],
    "ERR-01 text": [("medium", "GET /broken", "")],
    "ERR-02": [("medium", "GET /rows", "")],
    "EXP-01": [("high", "GET /actuator/env", "")],
    "EXP-02": [("info", "GET /openapi.json", "")],
    "EXP-03": [("medium", "GET /pub/", "")],
    "EXP-04": [("medium", "shop.example", "TRACE")],
    "GRPC-01": [("low", "shop.example", "")],
    "HDR-02": [("info", "shop.example", "")],
    "INV-02": [("low", "GET /old", "deprecation")],
    "INV-02 hint": [("info", "shop.example", "v1")],
    "LIM-02": [("low", "GET /events", "")],
    "MASS-01": [("medium", "POST /profiles", "role")],
    "OPS-01": [("medium", "GET /flaky", "")],
    "SSRF-01": [("info", "POST /imports", "url")],
    "UPL-01": [("info", "POST /files", "")],
}
"""By rule: severity, place and subject of what is to be found."""
