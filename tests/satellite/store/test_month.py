"""A month in which hosts come and go: 1,000,000 in the long form, and an API that grows among them."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.hosts import Limits
from levo.satellite.store.retention import DAY_NS, Retention
from tests.helpers.effort import long
from tests.satellite.store.catalogs import NOW, trace

DAYS = 30
LIMITS = Limits()
MEMORY_OCTETS = 16 << 20
"""Of the paths of hosts, where a Satellite takes 256 MiB by default: less than those hosts would take."""
OF_AN_ENDPOINT = 772 * 85 + 9_000
"""The formula of docs/satellite.md, for one that is always in use."""
EMPTY_OCTETS = 4 << 20
CALLERS, REAL_HOSTS = 7, 5
NOUNS = """
    orders customers products invoices payments refunds carts coupons reviews shipments returns suppliers
    warehouses prices taxes currencies countries languages brands categories campaigns newsletters tickets
    messages comments ratings reports exports webhooks sessions
"""
"""A new one each day."""


def resident() -> int:
    """Octets of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def tenants(numbers: range, at_ns: int, chance: random.Random) -> Iterator[Trace]:
    """Hosts that are seen once, or a few times by two callers; some below domains of their own."""
    for number in numbers:
        domain = "tenants.test" if number % 3 else f"of{number % 1000}.test"
        host = f"t{number}.{domain}"
        times = 4 if number % 10 == 0 else 1
        path, status = chance.choice([("/orders", 200), (f"/orders/{number}", 200), ("/.env", 404)])
        for turn in range(times):
            made = trace(path, host=host, status=status, end_ns=at_ns)
            yield msgspec.structs.replace(made, client=f"10.0.1.{turn % 2}")


def real(day: int, at_ns: int) -> Iterator[Trace]:
    """An API that is used at each turn, and has a new endpoint each day."""
    for number, noun in enumerate(NOUNS.split()[: day + 1]):
        made = trace(f"/{noun}/list", host=f"api{number % REAL_HOSTS}.shop.example", end_ns=at_ns)
        yield msgspec.structs.replace(made, client=f"10.0.0.{(at_ns // 10**9 // 3600) % CALLERS}")


@pytest.mark.parametrize(("hosts", "turns"), [(1_500, 4), long(1_000_000, 24)])
def test_hosts_of_a_month_stay_within_bounds_and_hide_nothing_real(
    tmp_path: Path, hosts: int, turns: int
) -> None:
    """*turns*: times a day at which something is committed."""
    path, chance = tmp_path / "catalog", random.Random(1)
    learned, memory = 0, []
    reader = None
    a_turn = hosts // (DAYS * turns)
    with CatalogWriter(path, limits=LIMITS, memory_octets=MEMORY_OCTETS) as writer:
        for day in range(DAYS):
            for turn in range(turns):
                at_ns = NOW + day * DAY_NS + turn * DAY_NS // turns
                first = (day * turns + turn) * a_turn
                seen = [*tenants(range(first, first + a_turn), at_ns, chance), *real(day, at_ns)]
                learned += len(seen)
                writer.commit(learn_all(State(), seen), Position(1, day * turns + turn))
            writer.prune(at_ns, Retention())
            memory.append(resident())
            reader = reader or CatalogReader(path)
            shop = reader.endpoints(EndpointFilter(search="shop.example"), limit=1000)[1]
            newest = {row.path for row in shop if row.last_seen_ns == at_ns}
            assert newest == {f"/{noun}/list" for noun in NOUNS.split()[: day + 1]}, (
                "each from its first day on"
            )
        assert reader is not None
        summary = reader.summary()
        counters = summary.counters
        rows = reader.endpoints(EndpointFilter(), limit=1)[0]
        names = {row.host for row in reader.endpoints(EndpointFilter(), limit=100_000)[1]}
        reader.close()
    octets = os.path.getsize(path)
    told = f"{octets / 1e6:.1f} MB, {rows} endpoints, {len(names)} hosts, {counters}"
    print(told, [each >> 20 for each in memory])

    assert counters["learned_exchanges"] == learned
    assert rows <= LIMITS.places and len(names) <= LIMITS.hosts + 1, told
    assert octets < EMPTY_OCTETS + rows * OF_AN_ENDPOINT, told
    assert max(memory[10:]) - memory[9] < MEMORY_OCTETS, told
