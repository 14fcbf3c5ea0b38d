"""A large catalog, written straight into the tables: what it holds was learned once and is there often."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import msgspec

from levo.satellite.learn import (
    BodyBudget,
    Detectors,
    LearnSettings,
    Origin,
    SensorReport,
    State,
    Trace,
    learn_all,
    learn_sensor,
)
from levo.satellite.learn.traffic import MINUTE_S
from levo.satellite.queue import Position
from levo.satellite.store import CatalogWriter
from levo.satellite.store.retention import DAY_S, HOUR_S
from levo.satellite.store.traffic import WHOLE_CATALOG

SECOND = 1_000_000_000
ORGANIZATION = "acme"
NOUNS = ("orders", "users", "invoices", "carts", "devices", "reports", "teams", "rooms", "parcels", "notes")
KINDS = ("property", "status", "authentication", "request-media-type", "response-media-type")
_JSON = (("content-type", "application/json"),)


def seed(  # noqa: PLR0913 (sizes of one catalog, each with a default)
    path: Path, *, endpoints: int = 5000, days: int = 90, applications: int = 20, events: int = 20_000,
    sensors: int = 40, now_ns: int, looked: bool = True, hours: int = 24, minutes: int = 0,
) -> None:  # fmt: skip
    """Make a catalog at *path*: rollups of *days* days, the last *hours* and *minutes* for each endpoint.

    Not *looked*: no sensitive data is found yet, as after an upgrade that finds it in other ways.
    """
    latency = msgspec.msgpack.encode([{40: 5.0, 48: 2.0, 56: 1.0}])
    now_s = now_ns // SECOND
    steps = ((DAY_S, days), (HOUR_S, hours), (MINUTE_S, minutes))
    with CatalogWriter(path) as writer:
        state = learn_all(
            State(), _traces(ORGANIZATION, now_ns), LearnSettings(Detectors(), b"k", BodyBudget())
        )
        for number in range(sensors):
            learn_sensor(state, ORGANIZATION, f"sensor-{number:02}", _report(number, now_ns))
        writer.commit(state, Position(1, 1))
    with sqlite3.connect(path) as connection:
        shapes = connection.execute("SELECT knowledge, method, callers FROM place ORDER BY id").fetchall()
        for table in ("rollup", "event", "place", "endpoint_status", "endpoint"):
            connection.execute(f"DELETE FROM {table}")
        for number in range(1, endpoints + 1):
            state_of, method, callers = shapes[number % len(shapes)]
            noun = NOUNS[number % len(NOUNS)]
            place = f"/v1/{noun}{number // len(NOUNS)}/{{}}"
            row = (
                number, ORGANIZATION, ("production", "staging")[number % 2], f"app {number % applications}",
                f"h{number % 50}.example", method, place, 100, 100.0 + number, now_ns - number * 10**12,
                now_ns,
                place.replace("{}", f"{{{noun[:-1]}Id}}"), 0.9, callers,
            )  # fmt: skip
            connection.execute(
                "INSERT INTO endpoint (id, organization, environment, application, host, method, template,"
                " traces, exchanges, first_seen_ns, last_seen_ns, path, confidence, callers)"
                f" VALUES ({','.join('?' * len(row))})",
                row,
            )
            connection.execute(
                "INSERT INTO place (id, organization, environment, application, host, method, path_key,"
                " unproven, endpoint, traces, exchanges, schemes, first_seen_ns, last_seen_ns,"
                " statuses, callers, knowledge)"
                " SELECT id, organization, environment, application, host, method, template, 0, id,"
                " traces, exchanges, schemes, first_seen_ns, last_seen_ns, '{\"200\":100.0}',"
                " callers, ? FROM endpoint WHERE id = ?",
                (state_of, number),
            )
            statuses = [(number, 200, 90.0), (number, 500 if number % 7 == 0 else 404, 10.0)]
            connection.executemany("INSERT INTO endpoint_status VALUES (?, ?, ?)", statuses)
        connection.executemany(
            "INSERT INTO rollup VALUES (?, ?, ?, 8, 1, 1, ?)",
            (
                (endpoint, size, now_s // size * size - at * size, latency)
                for endpoint in (-1, *range(WHOLE_CATALOG, endpoints + 1))
                for size, times in steps
                for at in range(times)
            ),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO learned_step VALUES (?, ?)",
            ((size, now_s // size * size - at * size) for size, times in steps for at in range(times)),
        )
        connection.executemany(
            "INSERT INTO event (time_ns, endpoint, kind, detail) VALUES (?, ?, ?, ?)",
            (
                (
                    now_ns - at * 10**11,
                    at % endpoints + 1,
                    KINDS[at % len(KINDS)],
                    f"response 200 /field{at % 97}",
                )
                for at in range(events)
            ),
        )
    if looked:
        with CatalogWriter(path) as writer:
            writer.look()


def _traces(organization: str, now_ns: int) -> list[Trace]:
    """Ten shapes of endpoints, each with parameters, nested bodies, errors, and some with personal data."""
    origin = Origin(organization, "production", "shop", "sensor")
    made = []
    for number in range(len(NOUNS) * 30):
        noun, shape = NOUNS[number % len(NOUNS)], number % len(NOUNS)
        body: dict[str, object] = {
            "id": number, "status": ("active", "closed")[number % 2], "created": "2024-05-01T10:00:00Z",
            "lines": [{"sku": f"a-{number}", "quantity": 2, "price": {"amount": 1.5, "currency": "EUR"}}],
            **{f"field{at}": at for at in range(shape * 2)},
        }  # fmt: skip
        if shape % 2:
            body |= {"email": f"u{number}@example.org", "iban": "DE89370400440532013000"}
        octets = json.dumps(body).encode()
        method = ("GET", "POST", "PUT")[shape % 3]
        path, status = f"/v1/{noun}/{number + 1000}", 200 if number % 5 else 404
        made.append(
            Trace(
                origin,
                "shop.example",
                method,
                path,
                status,
                1.0,
                now_ns - 10**7,
                now_ns,
                "expand=lines&page=2",
                "",
                (*_JSON, ("authorization", "Bearer ***")),
                _JSON,
                octets if method != "GET" else b"",
                octets,
            )
        )
    return made


def _report(number: int, now_ns: int) -> SensorReport:
    values = {}
    for stage in ("frames", "payload_bytes", "exchanges", "traces"):
        values["levo.sensor.ledger.received", (("stage", stage),)] = (now_ns, 1e6)
        for state, fate in (
            ("exported", "kept"),
            ("filtered", "intended"),
            ("gap", "lost"),
            ("opaque_tls", "lost"),
        ):
            labels = (("fate", fate), ("stage", stage), ("state", state))
            values["levo.sensor.ledger.units", labels] = (now_ns, 2.5e5)
    for server in range(10):
        labels = (
            ("server.address", f"10.0.{number}.{server}"), ("server.port", "443"),
            ("tls.next_protocol", "h2"), ("tls.protocol.version", "1.3"),
            ("tls.server_name", f"s{server}.example"),
        )  # fmt: skip
        values["levo.encrypted.connections", labels] = (now_ns, 12.0)
        values["levo.encrypted.bytes", labels] = (now_ns, 1e6)
    attributes = {
        "service.name": f"app {number % 20}",
        "host.name": f"web-{number}",
        "service.version": "0.1.0",
    }
    return SensorReport(
        now_ns - DAY_S * SECOND, now_ns, {k: (now_ns, v) for k, v in attributes.items()}, values
    )
