"""Traffic made up from a seed: deliveries as sensors send them, ordinary ones and hard ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from levo.satellite.queue import Record, RecordKind
from tests.satellite.requests import attribute

APPLICATIONS = ("books", "clinic", "depot", "fleet")
COLLECTIONS = (
    "orders", "users", "invoices", "carts", "devices", "parcels", "teams", "rooms", "notes", "zimmer",
)  # fmt: skip
TAILS = ("history", "lines", "members", "events")
FIRST = ("anna", "bela", "carla", "dirk", "elena", "felix", "greta", "hugo", "ines", "jonas", "karla", "olga")
LAST = ("amsel", "birke", "dachs", "eiche", "falke", "habicht", "igel", "kranich", "lerche", "marder")
START_NS = 1_790_000_000 * 1_000_000_000
PER_DELIVERY = 20


class Corpus:
    """Deliveries of *traces* exchanges.

    In the *hard* one the bodies repeat the name of the collection, every collection can be asked for
    everything, and names of persons stand where identifiers stand.
    """

    def __init__(self, traces: int, seed: int, *, hard: bool, excess: int = 0) -> None:
        """*excess*: so many paths that nothing proves, and a hundred times as many names in responses."""
        self.traces = traces
        self._seed = seed
        self._hard = hard
        self._excess = excess

    def records(self) -> list[Record]:
        """Return the deliveries in order; the same each time."""
        rng = Random(self._seed)
        records = []
        for start in range(0, self.traces, PER_DELIVERY):
            application = rng.choice(APPLICATIONS)
            request = ExportTraceServiceRequest()
            resource = request.resource_spans.add()
            resource.resource.attributes.extend(
                [
                    attribute("service.name", application),
                    attribute("deployment.environment.name", "production"),
                    attribute("levo.sensor.id", f"sensor-{application}"),
                ]
            )
            spans = resource.scope_spans.add().spans
            for number in range(start, min(start + PER_DELIVERY, self.traces)):
                spans.append(self._span(rng, application, number))
            octets = request.SerializeToString()
            records.append(Record(RecordKind.TRACES, START_NS + 600 * 10**9, "acme", octets))
        return records

    def _span(self, rng: Random, application: str, number: int) -> Span:
        method, path, query, status, request, response = self._exchange(rng, APPLICATIONS.index(application))
        end_ns = START_NS + number * 10**6
        span = Span(
            trace_id=rng.randbytes(16),
            span_id=rng.randbytes(8),
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=end_ns - rng.randrange(10**6, 10**8),
            end_time_unix_nano=end_ns,
        )
        values: dict[str, str | int | float] = {
            "http.request.method": method,
            "url.scheme": "https",
            "url.path": path,
            "server.address": f"{application}{0 if self._excess else rng.randrange(2)}.example",
            "client.address": f"10.0.{rng.randrange(4)}.{rng.randrange(250)}",
            "http.response.status_code": status,
            "http.response.header.content-type": "application/json",
            "http.request.header.authorization": rng.choice(("Bearer ***", "Basic ***")),
            "levo.http.response.body": json.dumps(response),
            "levo.sample.weight": rng.choice((1.0, 1.0, 3.5, 7.1)),
        }
        if query:
            values["url.query"] = query
        if request is not None:
            values["http.request.header.content-type"] = "application/json"
            values["levo.http.request.body"] = json.dumps(request)
        span.attributes.extend(attribute(key, value) for key, value in values.items())
        return span

    def _exchange(
        self, rng: Random, application: int
    ) -> tuple[str, str, str, int, dict[str, object] | None, object]:
        if self._excess and rng.random() < 0.8:
            if rng.random() < 0.7:
                word = f"{rng.choice(FIRST)}x{rng.randrange(self._excess)}"
                return "GET", f"/v1/{word}/{rng.choice(TAILS)}", "", 404, None, {"error": "nothing"}
            names = [f"{rng.choice(LAST)}z{rng.randrange(100 * self._excess)}" for _ in range(400)]
            return "GET", "/v1/directory", "", 200, None, {"data": [{"name": name} for name in names]}
        mine = COLLECTIONS[application : application + 7]
        weights = [1 / (at + 1) for at in range(len(mine))]
        collection = rng.choices(mine, weights)[0]
        at = COLLECTIONS.index(collection)
        kind = (application + at) % (6 if self._hard else 3)
        what = rng.choices(range(6), weights=(5, 3, 2, 1, 1, 0.5))[0]
        if not self._hard and what > 2 and (at + what + application) % 3 == 0:
            what = 0
        name = _identifier(rng, kind)
        path, query, status, request = f"/v1/{collection}", "", 200, None
        method = "GET"
        if what == 1:
            query = f"page={rng.randrange(50)}&limit=20"
        elif what == 2:
            method, status, request = "POST", 201, self._object(rng, collection, name)
        elif what == 3:
            path = f"{path}/{name}/{TAILS[at % len(TAILS)]}"
        elif what == 4:
            method, path, request = "PUT", f"{path}/{name}", self._object(rng, collection, name)
        else:
            path = f"{path}/me" if what == 5 else f"{path}/{name}"
        if rng.random() < 0.05:
            status = rng.choice((400, 401, 404, 500))
        response: object = {"error": "something", "code": status}
        if status < 400:
            response = self._object(rng, collection, name)
            if what == 1:
                response = {
                    "data": [self._object(rng, collection, _identifier(rng, kind)) for _ in range(3)],
                    "next": None,
                }
        return method, path, query, status, request, response

    def _object(self, rng: Random, collection: str, name: str) -> dict[str, object]:
        at = COLLECTIONS.index(collection)
        found: dict[str, object] = {
            "id": name,
            "status": rng.choice(("active", "closed", "pending")),
            "createdAt": "2026-05-17T09:30:00Z",
            "total": round(rng.random() * 100, 2),
            "email": f"user{rng.randrange(1000)}@example.com",
        }
        if self._hard:
            found["kind"] = collection
        else:
            found |= {f"{collection[:-1]}{field}": at for field in ("Level", "Region", "Owner")[: 1 + at % 3]}
        if rng.random() < 0.5:
            found["note"] = "some words about this one"
        if rng.random() < 0.3:
            found["items"] = [{"sku": rng.randbytes(5).hex(), "price": {"amount": rng.random() * 10}}] * 2
        return found


def _identifier(rng: Random, kind: int) -> str:
    if kind == 0:
        return str(rng.randrange(1, 100_000))
    if kind == 1:
        digits = rng.randbytes(16).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
    if kind == 2:
        return rng.randbytes(12).hex()
    if kind == 3:
        return f"{rng.choice(FIRST)}.{rng.choice(LAST)}"
    if kind == 4:
        return f"{rng.choice(FIRST)}-{rng.choice(LAST)}-{rng.randrange(99)}"
    return rng.choice(FIRST)


def corpora(traces: int) -> Iterator[tuple[str, Corpus]]:
    """Yield the ordinary and the hard corpus by name."""
    yield "ordinary", Corpus(traces, 1, hard=False)
    yield "hard", Corpus(traces, 2, hard=True)


def excessive(traces: int) -> Corpus:
    """Return a corpus beyond bounds: unproven places of a host, and values that responses give out."""
    return Corpus(traces, 3, hard=True, excess=8_000)
