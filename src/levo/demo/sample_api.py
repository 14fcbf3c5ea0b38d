"""A small web shop's API: the application that the demo watches.

Pure: ``SampleApi.answer`` takes a request and returns a response; it opens nothing and reads no clock. It
does on purpose what real services do: paging, optional and null fields, validation errors, a corner that
fails now and then, an XML relic, and an undocumented export of personal data.
"""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar
from urllib.parse import parse_qs, unquote

from levo.demo import records
from levo.demo.messages import Headers, Response, SampleRequest
from levo.demo.records import Json, Record

GZIP_FROM_BYTES = 600
CHUNKED_FROM_BYTES = 4_000
PAGE_SIZE = 10
MAX_RECORDS = 2_000
"""Users, orders and payments kept of each; the oldest goes first."""

API_TOKEN = "demo.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl"
PARTNER_KEY = "pk_demo_51Hx3kQpZr8"


@dataclass(frozen=True, slots=True)
class Call:
    """A request taken apart for a handler."""

    request: SampleRequest
    segments: tuple[str, ...]
    """Values of the route's placeholders, in path order, percent-decoded."""
    query: dict[str, list[str]]

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def json_object(self) -> Record | None:
        """The body when it is a JSON object, else None."""
        try:
            body = json.loads(self.request.body)
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.request.body.decode("utf-8", "replace"), keep_blank_values=True)


Handler = Callable[[Call], Response]
Key = TypeVar("Key", int, str)


def _json(status: int, value: Json, *headers: tuple[str, str]) -> Response:
    fields: Headers = (("Content-Type", "application/json"), *headers)
    return Response(status, fields, json.dumps(value).encode())


def _problem(status: int, title: str, **details: Json) -> Response:
    body: Record = {"type": "about:blank", "title": title, "status": status, **details}
    return Response(status, (("Content-Type", "application/problem+json"),), json.dumps(body).encode())


class SampleApi:
    """The shop's handlers over one ``Shop``. Equal seeds and requests give equal responses.

    Not thread-safe.
    """

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"api {seed}")
        self.shop = records.new_shop(self._rng)
        self._routes: list[tuple[str, re.Pattern[str], bool, Handler]] = []
        # Before the placeholders of the same shape: literal siblings win.
        self._route("GET", "/health", self._health, open_to_all=True)
        self._route("POST", "/v1/sessions", self._log_in, open_to_all=True)
        self._route("GET", "/v1/users/me", self._me)
        self._route("GET", "/v1/users", self._list_users)
        self._route("POST", "/v1/users", self._create_user)
        self._route("GET", "/v1/users/{}", self._get_user)
        self._route("PATCH", "/v1/users/{}", self._change_user)
        self._route("DELETE", "/v1/users/{}", self._delete_user)
        self._route("GET", "/v1/users/{}/orders", self._orders_of_user)
        self._route("POST", "/v1/users/{}/avatar", self._upload_avatar)
        self._route("GET", "/v1/products", self._list_products, open_to_all=True)
        self._route("GET", "/v1/products/{}", self._get_product, open_to_all=True)
        self._route("GET", "/v1/products/{}/reviews", self._reviews, open_to_all=True)
        self._route("GET", "/v1/orders", self._list_orders)
        self._route("POST", "/v1/orders", self._create_order)
        self._route("GET", "/v1/orders/{}", self._get_order)
        self._route("POST", "/v1/orders/{}/cancel", self._cancel_order)
        self._route("POST", "/v1/payments", self._create_payment)
        self._route("GET", "/v1/payments/{}", self._get_payment)
        self._route("GET", "/v1/reports/daily/{}", self._daily_report)
        self._route("POST", "/contact", self._contact, open_to_all=True)
        self._route("GET", "/legacy/stock/{}", self._legacy_stock, open_to_all=True)
        self._route("GET", "/internal/users.csv", self._export_users, open_to_all=True)

    def _route(self, method: str, template: str, handler: Handler, *, open_to_all: bool = False) -> None:
        pattern = re.compile(re.escape(template).replace(r"\{\}", "([^/]+)"))
        self._routes.append((method, pattern, open_to_all, handler))

    def answer(self, request: SampleRequest) -> Response:
        path, _, query = request.target.partition("?")
        known_path = False
        for method, pattern, open_to_all, handler in self._routes:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            known_path = True
            if method != request.method:
                continue
            if not open_to_all and not self._authorized(request):
                return _problem(401, "Unauthorized")
            segments = tuple(unquote(value) for value in found.groups())
            return _coded(request, handler(Call(request, segments, parse_qs(query))))
        return _problem(405, "Method Not Allowed") if known_path else _problem(404, "Not Found")

    @staticmethod
    def _authorized(request: SampleRequest) -> bool:
        return (
            request.header("authorization") == f"Bearer {API_TOKEN}"
            or request.header("x-api-key") == PARTNER_KEY
        )

    # --- sessions and users

    def _health(self, call: Call) -> Response:
        return Response(200, (("Content-Type", "text/plain"),), b"ok\n")

    def _log_in(self, call: Call) -> Response:
        form = call.form()
        if form.get("password", [""])[0] != "correct horse":
            return _problem(401, "Wrong user name or password")
        session = self._rng.getrandbits(96)
        return _json(
            200,
            {"accessToken": API_TOKEN, "tokenType": "Bearer", "expiresIn": 3600},
            ("Set-Cookie", f"session={session:024x}; HttpOnly; Path=/"),
            ("Cache-Control", "no-store"),
        )

    def _me(self, call: Call) -> Response:
        return _json(200, next(iter(self.shop.users.values())))

    def _list_users(self, call: Call) -> Response:
        status = call.first("status")
        found = [user for user in self.shop.users.values() if not status or user["status"] == status]
        return _page(call, found)

    def _create_user(self, call: Call) -> Response:
        body = call.json_object()
        if body is None:
            return _problem(400, "The body is no JSON object")
        errors: list[Json] = []
        email = body.get("email")
        if not isinstance(email, str) or "@" not in email:
            errors.append({"field": "email", "code": "invalid", "message": "must be an e-mail address"})
        errors += [
            {"field": name, "code": "missing", "message": "is required"}
            for name in ("firstName", "lastName")
            if not isinstance(body.get(name), str)
        ]
        if errors:
            return _problem(422, "Invalid user", errors=errors)
        known = {
            key: body[key]
            for key in ("firstName", "lastName", "email", "phone", "preferences")
            if key in body
        }
        created = records.user(self._rng) | known | {"status": "invited"}
        _keep(self.shop.users, str(created["id"]), created)
        return _json(201, created, ("Location", f"/v1/users/{created['id']}"))

    def _get_user(self, call: Call) -> Response:
        found = self.shop.users.get(call.segments[0])
        return _json(200, found) if found else _problem(404, "No such user")

    def _change_user(self, call: Call) -> Response:
        found, body = self.shop.users.get(call.segments[0]), call.json_object()
        if found is None:
            return _problem(404, "No such user")
        if body is None:
            return _problem(400, "The body is no JSON object")
        found.update({key: body[key] for key in ("email", "phone", "preferences") if key in body})
        return _json(200, found)

    def _delete_user(self, call: Call) -> Response:
        return Response(204) if self.shop.users.pop(call.segments[0], None) else _problem(404, "No such user")

    def _orders_of_user(self, call: Call) -> Response:
        return _page(
            call, [order for order in self.shop.orders.values() if order["userId"] == call.segments[0]]
        )

    def _upload_avatar(self, call: Call) -> Response:
        if not call.request.header("content-type").startswith("multipart/form-data"):
            return _problem(415, "Send multipart/form-data")
        if call.segments[0] not in self.shop.users:
            return _problem(404, "No such user")
        return _json(
            201, {"url": f"/avatars/{records.new_uuid(self._rng)}.png", "bytes": len(call.request.body)}
        )

    # --- products

    def _list_products(self, call: Call) -> Response:
        category, words = call.first("category"), call.first("q").lower()
        found = [
            product
            for product in self.shop.products.values()
            if (not category or product["category"] == category) and words in str(product["name"]).lower()
        ]
        return _page(call, found)

    def _get_product(self, call: Call) -> Response:
        number = call.segments[0]
        found = self.shop.products.get(int(number)) if number.isdecimal() else None
        return _json(200, found) if found else _problem(404, "No such product")

    def _reviews(self, call: Call) -> Response:
        reviews: list[Json] = [
            {
                "author": self._rng.choice(records.FIRST_NAMES),
                "stars": self._rng.randint(1, 5),
                "text": self._rng.choice(("Works well.", "Arrived late, otherwise fine.", None)),
                "verified": self._rng.random() < 0.7,
            }
            for _ in range(self._rng.randint(0, 5))
        ]
        return _json(200, {"productId": call.segments[0], "reviews": reviews})

    # --- orders and payments

    def _list_orders(self, call: Call) -> Response:
        status = call.first("status")
        return _page(
            call, [order for order in self.shop.orders.values() if not status or order["status"] == status]
        )

    def _create_order(self, call: Call) -> Response:
        body = call.json_object()
        if body is None:
            return _problem(400, "The body is no JSON object")
        user_id, items = body.get("userId"), body.get("items")
        if not isinstance(items, list) or not items:
            return _problem(
                422, "Invalid order", errors=[{"field": "items", "code": "empty", "message": "is empty"}]
            )
        if not isinstance(user_id, str) or user_id not in self.shop.users:
            return _problem(
                422, "Invalid order", errors=[{"field": "userId", "code": "unknown", "message": "unknown"}]
            )
        number = max(self.shop.orders) + 1
        created = records.order(self._rng, number, self.shop, user_id) | {
            "status": "pending",
            "trackingNumber": None,
        }
        _keep(self.shop.orders, number, created)
        return _json(201, created, ("Location", f"/v1/orders/{number}"))

    def _get_order(self, call: Call) -> Response:
        found = self._order(call.segments[0])
        return _json(200, found) if found else _problem(404, "No such order")

    def _cancel_order(self, call: Call) -> Response:
        found = self._order(call.segments[0])
        if found is None:
            return _problem(404, "No such order")
        if found["status"] not in ("pending", "paid"):
            return _problem(409, "Too late to cancel", orderStatus=found["status"])
        found["status"] = "cancelled"
        return _json(202, found)

    def _order(self, number: str) -> Record | None:
        return self.shop.orders.get(int(number)) if number.isdecimal() else None

    def _create_payment(self, call: Call) -> Response:
        body = call.json_object() or {}
        found, method = self._order(str(body.get("orderId"))), body.get("method")
        if found is None or not isinstance(method, dict):
            return _problem(
                422, "Invalid payment", errors=[{"field": "orderId", "code": "unknown", "message": "?"}]
            )
        if self._rng.random() < 0.12:
            return _problem(
                402, "Payment declined", reason=self._rng.choice(("insufficient_funds", "expired_card"))
            )
        created = records.payment(self._rng, found, method)
        _keep(self.shop.payments, str(created["id"]), created)
        return _json(201, created, ("Location", f"/v1/payments/{created['id']}"))

    def _get_payment(self, call: Call) -> Response:
        found = self.shop.payments.get(call.segments[0])
        return _json(200, found) if found else _problem(404, "No such payment")

    # --- the corners every service has

    def _daily_report(self, call: Call) -> Response:
        if self._rng.random() < 0.15:
            return _problem(500, "The report database did not answer", incident=records.new_uuid(self._rng))
        by_currency: Record = {
            currency: {"orders": self._rng.randint(1, 90), "revenue": round(self._rng.uniform(100, 9000), 2)}
            for currency in records.CURRENCIES
        }
        by_product: Record = {
            str(number): self._rng.randint(1, 30) for number in self._rng.sample(list(self.shop.products), 12)
        }
        return _json(200, {"date": call.segments[0], "byCurrency": by_currency, "unitsByProduct": by_product})

    def _contact(self, call: Call) -> Response:
        if not call.form().get("email", [""])[0]:
            return _problem(
                422, "Invalid form", errors=[{"field": "email", "code": "missing", "message": "required"}]
            )
        return Response(303, (("Location", "/contact/thanks"),))

    def _legacy_stock(self, call: Call) -> Response:
        quantity = self._rng.randint(0, 400)
        stock = f'<stock sku="{_escaped(call.segments[0])}"><quantity>{quantity}</quantity></stock>'
        body = f'<?xml version="1.0"?>\n{stock}\n'
        return Response(200, (("Content-Type", "application/xml"),), body.encode())

    def _export_users(self, call: Call) -> Response:
        """Nobody documented this one, and it asks for no credentials."""
        lines = ["id,name,email,iban"]
        for user in list(self.shop.users.values())[:25]:
            name = f"{user['firstName']} {user['lastName']}"
            lines.append(f"{user['id']},{name},{user['email']},{records.iban(self._rng)}")
        return Response(200, (("Content-Type", "text/csv"),), "\n".join(lines).encode() + b"\n", chunked=True)


def _page(call: Call, found: list[Record]) -> Response:
    number, size = _number(call.first("page"), 1), min(_number(call.first("pageSize"), PAGE_SIZE), 50)
    start = (number - 1) * size
    items: list[Json] = list(found[start : start + size])
    following = number + 1 if start + size < len(found) else None
    return _json(
        200, {"items": items, "page": number, "pageSize": size, "total": len(found), "next": following}
    )


def _number(text: str, default: int) -> int:
    return max(1, int(text)) if text.isdecimal() and len(text) < 6 else default


def _keep(table: dict[Key, Record], key: Key, record: Record) -> None:
    table[key] = record
    while len(table) > MAX_RECORDS:
        del table[next(iter(table))]


def _escaped(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "_", text)


def _coded(request: SampleRequest, response: Response) -> Response:
    """Long bodies leave chunked, and in gzip where the client takes it (RFC 9110 section 12.5.3)."""
    headers, body = response.headers, response.body
    if len(body) >= GZIP_FROM_BYTES and "gzip" in request.header("accept-encoding"):
        headers = (*headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
        body = gzip.compress(body, mtime=0)
    chunked = response.chunked or len(response.body) >= CHUNKED_FROM_BYTES
    return Response(response.status, headers, body, chunked)
