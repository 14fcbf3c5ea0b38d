"""Clients of the sample API: an endless, seeded mix of requests, in the proportions a shop would see."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random
from urllib.parse import urlencode

from levo.demo import records
from levo.demo.messages import Headers, SampleRequest
from levo.demo.records import Json, Record, Shop
from levo.demo.sample_api import API_TOKEN, PARTNER_KEY

HOST = "shop.example"

AGENTS = (
    "ShopWeb/4.2 (Mozilla/5.0; compatible)",
    "ShopApp/7.1 (Android 14)",
    "warehouse-sync/1.9",
)

SCANNER_TARGETS = ("/.env", "/wp-login.php", "/admin/config.php", "/favicon.ico", "/.git/config")


class Traffic:
    """Requests for a ``SampleApi`` over *shop*; equal seeds and equal shops give equal requests."""

    def __init__(self, seed: int, shop: Shop) -> None:
        self._rng = Random(f"traffic {seed}")
        self._shop = shop
        self._kinds: list[Callable[[], SampleRequest]] = []
        self._weights: list[int] = []
        for weight, kind in (
            (4, self._health),
            (3, self._log_in),
            (8, self._me),
            (8, self._list_users),
            (5, self._create_user),
            (2, self._create_bad_user),
            (14, self._get_user),
            (3, self._get_lost_user),
            (4, self._change_user),
            (2, self._delete_user),
            (6, self._orders_of_user),
            (2, self._upload_avatar),
            (14, self._list_products),
            (16, self._get_product),
            (5, self._reviews),
            (6, self._list_orders),
            (7, self._create_order),
            (12, self._get_order),
            (3, self._cancel_order),
            (6, self._create_payment),
            (5, self._get_payment),
            (5, self._daily_report),
            (3, self._contact),
            (3, self._legacy_stock),
            (1, self._export_users),
            (1, self._without_token),
            (2, self._scan),
        ):
            self._kinds.append(kind)
            self._weights.append(weight)

    def __iter__(self) -> Iterator[SampleRequest]:
        """Every kind of request once, so that the catalog fills at once, then the mix without end."""
        opening = list(self._kinds)
        self._rng.shuffle(opening)
        for kind in opening:
            yield kind()
        while True:
            yield self._rng.choices(self._kinds, self._weights)[0]()

    # --- parts

    def _request(
        self, method: str, target: str, *headers: tuple[str, str], body: bytes = b"", token: bool = True
    ) -> SampleRequest:
        fields: Headers = (("Host", HOST), ("User-Agent", self._rng.choice(AGENTS)), ("Accept", "*/*"))
        if self._rng.random() < 0.5:
            fields += (("Accept-Encoding", "gzip"),)
        if token and self._rng.random() < 0.2:
            fields += (("X-Api-Key", PARTNER_KEY),)
        elif token:
            fields += (("Authorization", f"Bearer {API_TOKEN}"),)
        return SampleRequest(method, target, fields + headers, body)

    def _json(self, method: str, target: str, value: Json) -> SampleRequest:
        return self._request(
            method, target, ("Content-Type", "application/json"), body=json.dumps(value).encode()
        )

    def _form(self, target: str, values: dict[str, str]) -> SampleRequest:
        kind = ("Content-Type", "application/x-www-form-urlencoded")
        return self._request("POST", target, kind, body=urlencode(values).encode(), token=False)

    def _user_id(self) -> str:
        return self._rng.choice(list(self._shop.users) or [records.new_uuid(self._rng)])

    def _order_id(self) -> int:
        return self._rng.choice(list(self._shop.orders))

    def _product_id(self) -> int:
        return self._rng.choice(list(self._shop.products))

    def _new_user(self) -> Record:
        made = records.user(self._rng)
        chosen = {key: made[key] for key in ("firstName", "lastName", "email", "preferences")}
        return chosen | ({"phone": made["phone"]} if self._rng.random() < 0.7 else {})

    # --- kinds of requests

    def _health(self) -> SampleRequest:
        return self._request("GET", "/health", token=False)

    def _log_in(self) -> SampleRequest:
        password = "correct horse" if self._rng.random() < 0.8 else "letmein"
        name = str(self._new_user()["email"])
        return self._form("/v1/sessions", {"grant_type": "password", "username": name, "password": password})

    def _me(self) -> SampleRequest:
        return self._request("GET", "/v1/users/me")

    def _list_users(self) -> SampleRequest:
        query: dict[str, str | int] = {
            "page": self._rng.randint(1, 4),
            "pageSize": self._rng.choice((10, 25)),
        }
        if self._rng.random() < 0.4:
            query["status"] = self._rng.choice(records.USER_STATUSES)
        return self._request("GET", f"/v1/users?{urlencode(query)}")

    def _create_user(self) -> SampleRequest:
        return self._json("POST", "/v1/users", self._new_user())

    def _create_bad_user(self) -> SampleRequest:
        return self._json("POST", "/v1/users", {"firstName": "Nobody", "email": "not an address"})

    def _get_user(self) -> SampleRequest:
        return self._request("GET", f"/v1/users/{self._user_id()}")

    def _get_lost_user(self) -> SampleRequest:
        return self._request("GET", f"/v1/users/{records.new_uuid(self._rng)}")

    def _change_user(self) -> SampleRequest:
        changes: Record = {"phone": f"+1-202-555-01{self._rng.randint(0, 99):02d}"}
        if self._rng.random() < 0.5:
            changes["preferences"] = {"newsletter": False, "language": "en"}
        return self._json("PATCH", f"/v1/users/{self._user_id()}", changes)

    def _delete_user(self) -> SampleRequest:
        return self._request("DELETE", f"/v1/users/{self._user_id()}")

    def _orders_of_user(self) -> SampleRequest:
        return self._request("GET", f"/v1/users/{self._user_id()}/orders")

    def _upload_avatar(self) -> SampleRequest:
        boundary = f"part-{self._rng.getrandbits(64):016x}"
        picture = _picture(self._rng)
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="caption"\r\n\r\nMy picture\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="me.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        ).encode() + picture
        kind = ("Content-Type", f"multipart/form-data; boundary={boundary}")
        body += f"\r\n--{boundary}--\r\n".encode()
        return self._request("POST", f"/v1/users/{self._user_id()}/avatar", kind, body=body)

    def _list_products(self) -> SampleRequest:
        query: dict[str, str | int] = {}
        if self._rng.random() < 0.5:
            query["category"] = self._rng.choice(records.CATEGORIES)
        if self._rng.random() < 0.3:
            query["q"] = self._rng.choice(("lamp", "steel", "garden"))
        if self._rng.random() < 0.5:
            query["page"] = self._rng.randint(1, 5)
        return self._request("GET", f"/v1/products?{urlencode(query)}".rstrip("?"), token=False)

    def _get_product(self) -> SampleRequest:
        number = self._product_id() if self._rng.random() < 0.95 else 999_999
        return self._request("GET", f"/v1/products/{number}", token=False)

    def _reviews(self) -> SampleRequest:
        return self._request("GET", f"/v1/products/{self._product_id()}/reviews", token=False)

    def _list_orders(self) -> SampleRequest:
        return self._request("GET", f"/v1/orders?status={self._rng.choice(records.ORDER_STATUSES)}")

    def _create_order(self) -> SampleRequest:
        items: list[Json] = [
            {"productId": self._product_id(), "quantity": self._rng.randint(1, 4)}
            for _ in range(self._rng.choice((0, 1, 1, 2, 3)))
        ]
        body: Record = {
            "userId": self._user_id(),
            "items": items,
            "shippingAddress": records.address(self._rng),
        }
        if self._rng.random() < 0.3:
            body["note"] = "Please ring twice"
        return self._json("POST", "/v1/orders", body)

    def _get_order(self) -> SampleRequest:
        return self._request("GET", f"/v1/orders/{self._order_id()}")

    def _cancel_order(self) -> SampleRequest:
        return self._json("POST", f"/v1/orders/{self._order_id()}/cancel", {"reason": "changed my mind"})

    def _create_payment(self) -> SampleRequest:
        person = self._new_user()
        name = f"{person['firstName']} {person['lastName']}"
        method: Record = {"type": "sepa", "iban": records.iban(self._rng), "accountHolder": name}
        if self._rng.random() < 0.7:
            number = self._rng.choice(records.CARDS)
            method = {"type": "card", "number": number, "expires": "11/29", "cvc": "123", "holder": name}
        return self._json("POST", "/v1/payments", {"orderId": self._order_id(), "method": method})

    def _get_payment(self) -> SampleRequest:
        return self._request("GET", f"/v1/payments/{self._rng.choice(list(self._shop.payments))}")

    def _daily_report(self) -> SampleRequest:
        return self._request(
            "GET", f"/v1/reports/daily/2026-{self._rng.randint(1, 12):02d}-{self._rng.randint(1, 28):02d}"
        )

    def _contact(self) -> SampleRequest:
        person = self._new_user()
        values = {
            "name": str(person["firstName"]),
            "email": str(person["email"]),
            "message": "When do you open?",
        }
        return self._form("/contact", values)

    def _legacy_stock(self) -> SampleRequest:
        return self._request("GET", f"/legacy/stock/SKU-{self._rng.randint(1000, 1080)}", token=False)

    def _export_users(self) -> SampleRequest:
        return self._request("GET", "/internal/users.csv", token=False)

    def _without_token(self) -> SampleRequest:
        return self._request("GET", "/v1/users", token=False)

    def _scan(self) -> SampleRequest:
        return self._request("GET", self._rng.choice(SCANNER_TARGETS), token=False)


def _picture(rng: Random) -> bytes:
    """A gray PNG image of random noise (ISO/IEC 15948), up to 48 by 48."""
    side = rng.randint(8, 48)
    rows = b"".join(b"\0" + rng.randbytes(side) for _ in range(side))
    chunks = (
        (b"IHDR", struct.pack("!IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
