"""Hosts: named once they are proven, told apart up to a number, deleted and forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from levo.satellite.learn import Scope, State, Trace, learn_all
from levo.satellite.learn.paths.trie import ESTABLISHED
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.hosts import OTHERS, UNNAMED, WILDCARD, Limits, is_unnamed
from levo.satellite.store.userdata import UserData
from levo.satellite.store.userdata.decisions import EndpointPlace
from levo.satellite.store.writer import Retention
from tests.helpers.effort import long
from tests.satellite.store.catalogs import NOW, SECOND, trace

KEY = b"key"
DAY = 86_400 * SECOND
LIMITS = Limits(hosts=20, places=200)


class Catalog:
    """A catalog that is learned into with limits."""

    def __init__(self, folder: Path, limits: Limits = LIMITS, memory_octets: int = 1 << 62) -> None:
        self.path = folder / "catalog"
        self._options = {"key": KEY, "limits": limits, "memory_octets": memory_octets}
        self.userdata = UserData(folder / "userdata.sqlite3")
        self.writer = CatalogWriter(self.path, **self._options)  # type: ignore[arg-type]
        self._commits = 0

    def learn(self, traces: Iterable[Trace]) -> None:
        self._commits += 1
        self.writer.commit(learn_all(State(), list(traces)), Position(1, self._commits))

    def restart(self) -> None:
        self.writer.close()
        self.writer = CatalogWriter(self.path, **self._options)  # type: ignore[arg-type]

    def shown(self) -> dict[tuple[str, str], float]:
        """Exchanges by host and path."""
        reader = CatalogReader(self.path)
        rows = reader.endpoints(EndpointFilter(), limit=10_000)[1]
        reader.close()
        return {(row.host, row.path): row.exchanges for row in rows}

    def hosts(self) -> set[str]:
        return {host for host, _ in self.shown()}

    def counters(self) -> dict[str, float]:
        reader = CatalogReader(self.path)
        counters = reader.summary().counters
        reader.close()
        return counters

    def octets(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.path.parent.glob("catalog*"))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path)


def asked(
    host: str, caller: int = 1, path: str = "/orders", *, status: int = 200, end_ns: int = NOW
) -> Trace:
    made = trace(path, host=host, status=status, end_ns=end_ns)
    return msgspec.structs.replace(made, client=f"10.0.0.{caller}")


def place_of(catalog: Catalog, host: str) -> EndpointPlace:
    """Where decisions on the users of *host*, which has no name yet, stand."""
    unnamed = catalog.writer._hosts.stored(Scope("acme", "staging", "shop", host)).host
    assert is_unnamed(unnamed)
    return EndpointPlace("acme", "staging", "shop", unnamed, "GET", "/users/{}")


@pytest.mark.parametrize("at_once", [True, False])
def test_three_successes_from_two_callers_make_a_name(catalog: Catalog, at_once: bool) -> None:
    traces = [asked("shop.example", caller) for caller in (1, 2, 1)]
    if at_once:
        catalog.learn(traces)
    else:
        for each in traces:
            assert all(map(is_unnamed, catalog.hosts())) and b"shop.example" not in catalog.octets()
            catalog.learn([each])

    assert catalog.shown() == {("shop.example", "/orders"): 3}, "what came before belongs to it, too"


@pytest.mark.parametrize(
    "traces",
    [
        [asked("secret.example")] * 9,
        [asked("secret.example", 1), asked("secret.example", 2)],
        [asked("secret.example", caller, status=401) for caller in range(9)],
        [
            asked("secret.example", end_ns=NOW),
            *[asked("secret.example", end_ns=NOW + DAY - 120 * SECOND)] * 5,
        ],
        [
            msgspec.structs.replace(asked("secret.example"), client=f"2a00:db8:1:2:{n:x}::{n:x}")
            for n in range(1, 9)
        ],
    ],
)
def test_without_that_only_a_hash_is_kept(catalog: Catalog, traces: list[Trace]) -> None:
    catalog.learn(traces)
    catalog.learn([])

    assert b"secret" not in catalog.octets()
    assert all(map(is_unnamed, catalog.hosts()))


@pytest.mark.parametrize("host", ["~secret.example", "~0123456789secret", "[fe80::1%secret.example]"])
def test_a_host_that_looks_like_a_hash_or_an_address_is_hashed_too(catalog: Catalog, host: str) -> None:
    catalog.learn([asked(host)])
    catalog.learn([])

    assert b"secret" not in catalog.octets()
    assert len(catalog.hosts()) == 1


def test_hosts_with_news_make_no_room_and_stay_within_their_number(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, Limits(hosts=5))
    for successes in range(1, 8):
        hosts = [f"10.0.0.{number}" for number in range(5 + successes)]
        catalog.learn(asked(host) for host in hosts for _ in range(successes))

    assert len(catalog.hosts() - {OTHERS}) == 5


def test_a_host_with_one_caller_has_a_name_after_a_day(catalog: Catalog) -> None:
    catalog.learn([asked("shop.example", end_ns=NOW)] * 2)
    catalog.learn([asked("shop.example", end_ns=NOW + DAY)])

    assert catalog.hosts() == {"shop.example"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:80", "10.1.2.3", "[::1]:8080", ""]
)
def test_addresses_are_no_names(catalog: Catalog, host: str) -> None:
    catalog.learn([asked(host)])

    assert catalog.hosts() == {host}


def test_names_are_kept_at_once_where_that_is_asked_for(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, Limits(name_hosts=True))
    catalog.learn([asked("shop.example")])

    assert catalog.hosts() == {"shop.example"}


@pytest.mark.parametrize("first", ["real", "flood"])
@pytest.mark.parametrize(("names", "callers"), [(300, 1), (300, 50), (1_000, 50), long(100_000, 50)])
def test_a_flood_of_hosts_leaves_real_ones(catalog: Catalog, first: str, names: int, callers: int) -> None:
    """Invented hosts that each have fewer successes: the application answers them all."""
    real = [
        asked(f"api{n}.shop.example", 100 + turn % 3, "/pay" + n * "s")
        for n in range(3)
        for turn in range(20)
    ]
    if first == "real":
        catalog.learn(real)
    for start in range(0, names, 100):
        numbers = range(start, min(names, start + 100))
        catalog.learn(asked(f"kz{number}.evil{number % 40}.test", number % callers) for number in numbers)
    if first != "real":
        for each in real:
            catalog.learn([each])
    shown = catalog.shown()

    assert {(f"api{n}.shop.example", "/pay" + n * "s") for n in range(3)} <= shown.keys()
    assert len(catalog.hosts() - {OTHERS}) <= LIMITS.hosts
    counted = catalog.counters()
    assert sum(shown.values()) + counted.get("displaced_exchanges", 0.0) == names + len(real)
    assert sum(n for (host, _), n in shown.items() if host == OTHERS) == counted["host_limit_exchanges"]
    if callers == 1:
        assert b".evil" not in catalog.octets()


def test_patterns_that_are_not_known_since_a_restart_give_way_to_what_is_established(
    catalog: Catalog,
) -> None:
    for start in range(0, 1_800, 100):
        catalog.learn(asked(f"kz{n}.evil{n % 40}.test", n % 50) for n in range(start, start + 100))
    catalog.restart()
    for turn in range(ESTABLISHED + 10):
        catalog.learn([asked("api.shop.example", turn % 3, "/pay")])

    assert ("api.shop.example", "/pay") in catalog.shown()


def test_a_pattern_with_a_host_that_is_used_stays(catalog: Catalog) -> None:
    for number in range(3 * WILDCARD):
        catalog.learn([asked(f"tenant{number}.shop.example", caller % 2) for caller in range(30)])
    for number in range(2 * LIMITS.hosts):
        catalog.learn([asked(f"kz{number}.test", number % 5)] * ESTABLISHED)

    assert "*.shop.example" in catalog.hosts()


def test_many_hosts_below_a_domain_share_a_pattern(catalog: Catalog) -> None:
    for number in range(WILDCARD + 30):
        catalog.learn([asked(f"tenant{number}.shop.example", number % 5)])
    catalog.restart()
    catalog.learn([asked("tenantnew.shop.example", 7), asked("tenantnew.shop.example", 8)])
    named = {host for host in catalog.hosts() if not host.startswith(UNNAMED)}

    assert named == {"*.shop.example"}
    assert catalog.shown()["*.shop.example", "/orders"] == 33
    assert b"tenant" not in catalog.octets()


@pytest.mark.parametrize(("batch", "successes"), [(1, ESTABLISHED - 1), (30, ESTABLISHED)])
def test_a_host_that_is_used_has_its_name_however_many_were_invented_below_its_domain(
    catalog: Catalog, batch: int, successes: int
) -> None:
    """Each of those has fewer successes, or fewer callers."""
    for number in range(3 * WILDCARD):
        catalog.learn([asked(f"kzinvented{number}.shop.example", number % 5, "/invented")] * successes)
    real = [asked("api.shop.example", number % 3, "/pay") for number in range(60)]
    for start in range(0, len(real), batch):
        catalog.learn(real[start : start + batch])

    assert catalog.shown()["api.shop.example", "/pay"] > 60 - ESTABLISHED - 1
    assert b"kzinvented" not in catalog.octets()


def test_of_many_used_hosts_below_a_domain_some_are_told_apart(catalog: Catalog) -> None:
    for number in range(3 * WILDCARD):
        catalog.learn([asked(f"tenant{number}.shop.example", caller % 2) for caller in range(30)])
    named = {host for host in catalog.hosts() if not host.startswith(UNNAMED)}

    assert "*.shop.example" in named
    assert len(named) <= 1 + WILDCARD


def test_budgets_are_of_each_application(catalog: Catalog) -> None:
    catalog.learn(asked(f"kz{number}q") for number in range(100))
    other = msgspec.structs.replace(asked("bank.example"), origin=trace(application="bank").origin)
    catalog.learn([msgspec.structs.replace(other, client=f"10.0.1.{n}") for n in range(3)])

    assert ("bank.example", "/orders") in catalog.shown()


def test_hosts_leave_memory_and_are_read_again(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, Limits(hosts=500, name_hosts=True), memory_octets=1)
    catalog.learn(asked(f"h{number}.example", path=f"/word{number}") for number in range(60))
    in_memory = len(catalog.writer.paths._loaded)  # type: ignore[attr-defined]
    catalog.learn(asked(f"h{number}.example", path=f"/word{number}") for number in range(60))

    assert in_memory == 0 and len(catalog.writer.paths) == 60
    assert catalog.shown() == {(f"h{number}.example", f"/word{number}"): 2 for number in range(60)}


def test_a_failed_commit_takes_names_back(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.learn([asked("shop.example", 1), asked("shop.example", 1)])
    before = catalog.shown()
    broken = learn_all(State(), [asked("shop.example", 2)])
    with monkeypatch.context() as patch:
        patch.setattr(CatalogWriter, "_add_deliveries", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            catalog.writer.commit(broken, Position(9, 9))
    assert catalog.shown() == before

    catalog.learn([asked("shop.example", 2)])
    assert catalog.shown() == {("shop.example", "/orders"): 3}


@pytest.mark.parametrize("late", [False, True], ids=["before", "meanwhile"])
def test_decisions_follow_a_host_to_its_name(catalog: Catalog, late: bool) -> None:
    catalog.learn([asked("shop.example", 1, "/users/7"), asked("other.example", 1, "/users/7")])
    unnamed = {host: place_of(catalog, host) for host in ("shop.example", "other.example")}

    def decide() -> None:
        for host in unnamed.values():
            catalog.userdata.decisions.decide("rename", host, "/users/{customer}", "ann", NOW)
            catalog.userdata.decisions.decide("ignore", host, "", "ann", NOW)

    if not late:
        decide()
    for caller in (2, 3):
        catalog.learn([asked("shop.example", caller, "/users/7")])
    if late:
        decide()
        catalog.writer.listen()
        catalog.learn([])
    decisions = catalog.userdata.decisions
    shop = msgspec.structs.replace(unnamed["shop.example"], host="shop.example")

    assert catalog.hosts() == {"shop.example", unnamed["other.example"].host}
    assert decisions.triage(shop) == ("ignored", "/users/{customer}")
    assert [each.kind for each in decisions.of(shop)] == ["ignore", "rename"]
    assert decisions.of(unnamed["shop.example"]) == []
    assert decisions.triage(unnamed["shop.example"]) == ("", "")
    assert decisions.triage(unnamed["other.example"]) == ("ignored", "/users/{customer}")
    assert ("shop.example", "/users/{customer}") in catalog.shown()


def test_what_people_delete_of_a_host_that_has_its_name_meanwhile_is_gone(catalog: Catalog) -> None:
    catalog.learn([asked("shop.example", 1, path) for path in ("/users/7", "/orders")])
    place = place_of(catalog, "shop.example")
    for caller in (2, 3):
        catalog.learn([asked("shop.example", caller)])
    catalog.userdata.removals.remove(msgspec.structs.astuple(place)[:4], "GET", "/users/{}", NOW)
    catalog.writer.listen()

    assert catalog.shown() == {("shop.example", "/orders"): 3}


@pytest.mark.parametrize("what", ["endpoint", "host"])
def test_what_people_delete_is_gone_and_comes_back_with_traffic(tmp_path: Path, what: str) -> None:
    catalog = Catalog(tmp_path, Limits(name_hosts=True))
    catalog.learn(asked(host, path=path) for host in ("a.test", "b.test") for path in ("/users/7", "/orders"))
    place = ("acme", "staging", "shop", "a.test")
    method, template = ("GET", "/users/{}") if what == "endpoint" else ("", "")
    catalog.userdata.removals.remove(place, method, template, NOW)
    for _ in range(2):
        catalog.writer.listen()
    left = {("a.test", "/orders")} if what == "endpoint" else set()

    assert catalog.shown().keys() == left | {("b.test", "/orders"), ("b.test", "/users/{userId}")}
    assert catalog.counters()["removed_exchanges"] == (1 if what == "endpoint" else 2)
    catalog.restart()
    catalog.writer.listen()
    catalog.learn([asked("a.test", path="/users/8")])
    assert catalog.shown()["a.test", "/users/{userId}"] == 1


def test_what_nobody_uses_goes_after_its_time(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path, Limits(name_hosts=True))
    catalog.learn(
        [
            asked("old.test", end_ns=NOW),
            *(asked("new.test", end_ns=NOW + day * DAY) for day in range(1, 10)),
            asked("new.test", path="/secret", status=401, end_ns=NOW + 6 * DAY),
        ]
    )
    catalog.writer.prune(NOW + 12 * DAY, Retention(20 * DAY, 10 * DAY))
    assert catalog.hosts() == {"old.test", "new.test"}
    catalog.writer.prune(NOW + 12 * DAY, Retention(8 * DAY, 2 * DAY))  # before the latest exchange
    reader = CatalogReader(catalog.path)

    assert catalog.hosts() == {"new.test"}
    assert reader.refused()[0] == 0
    assert reader.summary().counters["noise_exchanges"] == 0
    assert {scope.host for scope in catalog.writer.paths} == {"new.test"}
