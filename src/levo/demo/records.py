"""Invented people, products and orders. One seed, one shop; no value belongs to anybody.

E-mail addresses lie under example domains (RFC 2606), telephone numbers in ranges reserved for fiction, card
numbers are the published test numbers, account numbers have right check digits over invented digits.
"""

import uuid
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Record: TypeAlias = dict[str, Json]

FIRST_NAMES = (
    "Ada",
    "Bilal",
    "Chiara",
    "Daniel",
    "Elif",
    "Farah",
    "Goran",
    "Hana",
    "Ines",
    "Jonas",
    "Kemal",
    "Lena",
    "Mateo",
    "Noor",
    "Olga",
    "Priya",
)
LAST_NAMES = (
    "Almeida",
    "Berg",
    "Costa",
    "Dimitrov",
    "Eriksen",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kaya",
    "Lindqvist",
)
CITIES = (
    ("Lisbon", "1100-148", "PT"),
    ("Leipzig", "04109", "DE"),
    ("Denver", "80202", "US"),
    ("Leeds", "LS1 4AP", "GB"),
    ("Lyon", "69002", "FR"),
    ("Oslo", "0150", "NO"),
)
STREETS = ("Harbor Road", "Mill Lane", "Station Street", "Linden Avenue", "Church Walk", "Market Square")
CATEGORIES = ("lighting", "kitchen", "garden", "office", "outdoor")
PRODUCT_NAMES = (
    "Desk Lamp", "Oak Shelf", "Garden Hose", "Steel Kettle", "Wool Blanket", "Field Notebook", "Rain Jacket",
    "Camping Stove", "Cork Board", "Paper Lantern", "Chef Knife", "Seed Box", "Office Chair", "Wall Clock",
)  # fmt: skip
CARDS = ("4242424242424242", "4111111111111111", "5555555555554444", "378282246310005", "6011111111111117")
ORDER_STATUSES = ("pending", "paid", "shipped", "delivered", "cancelled")
USER_STATUSES = ("active", "invited", "suspended")
CURRENCIES = ("EUR", "USD", "GBP")


def iban(rng: Random, country: str = "DE", digits: int = 18) -> str:
    """An IBAN with valid check digits (ISO 13616) over random digits."""
    account = "".join(rng.choice("0123456789") for _ in range(digits))
    letters = "".join(str(ord(letter) - 55) for letter in country)
    return f"{country}{98 - int(account + letters + '00') % 97:02d}{account}"


def new_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def timestamp(rng: Random) -> str:
    """A date-time of RFC 3339 within 2026."""
    return (
        f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T"
        f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z"
    )


def address(rng: Random) -> Record:
    city, postal_code, country = rng.choice(CITIES)
    street = f"{rng.randint(1, 180)} {rng.choice(STREETS)}"
    return {"street": street, "city": city, "postalCode": postal_code, "country": country}


def user(rng: Random) -> Record:
    """A user as the API shows it. ``phone`` may be null, ``dateOfBirth`` may be absent."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    record: Record = {
        "id": new_uuid(rng),
        "firstName": first,
        "lastName": last,
        "email": f"{first}.{last}{rng.randint(1, 999)}@example.{rng.choice(('com', 'org', 'net'))}".lower(),
        "phone": rng.choice(
            (None, f"+1-202-555-01{rng.randint(0, 99):02d}", f"+44 7700 900{rng.randint(0, 999):03d}")
        ),
        "status": rng.choice(USER_STATUSES),
        "addresses": [address(rng) for _ in range(rng.randint(0, 2))],
        "preferences": {"newsletter": rng.random() < 0.5, "language": rng.choice(("en", "de", "fr", "pt"))},
        "createdAt": timestamp(rng),
    }
    if rng.random() < 0.6:
        record["dateOfBirth"] = f"{rng.randint(1950, 2005)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    return record


def product(rng: Random, number: int) -> Record:
    name = PRODUCT_NAMES[number % len(PRODUCT_NAMES)]
    return {
        "id": number,
        "slug": f"{name.lower().replace(' ', '-')}-{number}",
        "name": name,
        "category": rng.choice(CATEGORIES),
        "price": {"amount": round(rng.uniform(4, 240), 2), "currency": rng.choice(CURRENCIES)},
        "stock": rng.randint(0, 500),
        "rating": rng.choice((None, round(rng.uniform(1, 5), 1))),
        "tags": rng.sample(("new", "sale", "eco", "handmade", "bestseller"), rng.randint(0, 3)),
        "dimensions": {"widthCm": rng.randint(5, 200), "heightCm": rng.randint(5, 200)},
    }


@dataclass(slots=True)
class Shop:
    """What the sample API stores. Bounded: see ``SampleApi``."""

    users: dict[str, Record]
    products: dict[int, Record]
    orders: dict[int, Record]
    payments: dict[str, Record]


def order(rng: Random, number: int, shop: Shop, user_id: str) -> Record:
    lines: list[Json] = []
    total = 0.0
    for item in rng.sample(list(shop.products.values()), rng.randint(1, 3)):
        price, quantity = item["price"], rng.randint(1, 4)
        assert isinstance(price, dict) and isinstance(price["amount"], float)
        lines.append({"productId": item["id"], "quantity": quantity, "unitPrice": price["amount"]})
        total += price["amount"] * quantity
    status = rng.choice(ORDER_STATUSES)
    return {
        "id": number,
        "userId": user_id,
        "status": status,
        "items": lines,
        "total": {"amount": round(total, 2), "currency": rng.choice(CURRENCIES)},
        "shippingAddress": address(rng),
        "note": rng.choice((None, "Please ring twice", "Leave with the neighbor")),
        "trackingNumber": f"TRK{rng.randint(10**9, 10**10 - 1)}"
        if status in ("shipped", "delivered")
        else None,
        "createdAt": timestamp(rng),
    }


def payment(rng: Random, order_record: Record, method: Record) -> Record:
    """*method* is the request's payment method; the card number comes back masked, as a decent API does."""
    shown: Record = {"type": method.get("type", "card")}
    number = method.get("number")
    if isinstance(number, str):
        shown["last4"] = number[-4:]
        shown["expires"] = method.get("expires")
    elif isinstance(method.get("iban"), str):
        shown["iban"] = method["iban"]
        shown["accountHolder"] = method.get("accountHolder")
    return {
        "id": "pay_" + "".join(rng.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(20)),
        "orderId": order_record["id"],
        "amount": order_record["total"],
        "method": shown,
        "status": "captured",
        "createdAt": timestamp(rng),
    }


def new_shop(rng: Random) -> Shop:
    """A shop with 40 users, 60 products, 80 orders and 40 payments."""
    shop = Shop({}, {number: product(rng, number) for number in range(101, 161)}, {}, {})
    for _ in range(40):
        record = user(rng)
        shop.users[str(record["id"])] = record
    for number in range(100_200, 100_280):
        shop.orders[number] = order(rng, number, shop, rng.choice(list(shop.users)))
    for record in list(shop.orders.values())[:40]:
        paid = payment(rng, record, {"type": "card", "number": rng.choice(CARDS), "expires": "11/29"})
        shop.payments[str(paid["id"])] = paid
    return shop
