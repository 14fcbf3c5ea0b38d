"""Findings of a catalog, kept as it changes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from levo.satellite.findings import FindingKeeper
from levo.satellite.findings.life import DAY_NS
from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.posture import PostureSettings, RuleSettings
from levo.satellite.query import ENDPOINTS, parse
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from levo.satellite.store.userdata import KeptFinding, NewDecision, UserData
from tests.satellite.store.catalogs import NOW, trace

BODY = b'{"id": 1, "email": "ada%d@example.org", "iban": "DE89370400440532013000"}'


def leak(number: int, status: int = 200, path: str = "/internal/users", end_ns: int = NOW) -> Trace:
    headers = (("content-type", "application/json"),)
    return msgspec.structs.replace(
        trace(path, status=status, end_ns=end_ns), response_headers=headers, response_body=BODY % number
    )


class Kept:
    """A catalog, the keeper of its findings, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.now_ns = NOW
        self.writer = CatalogWriter(folder / "catalog")
        self.at = 0
        self.userdata = UserData(folder / "userdata.sqlite3")
        self.reader = CatalogReader(folder / "catalog", self.userdata.path)
        self.keeper = FindingKeeper(
            self.reader,
            self.userdata.findings,
            clock_ns=lambda: self.now_ns,
            clock_s=lambda: self.now_ns / 1e9,
        )

    def learn(self, *traces: Trace) -> None:
        self.at += 1
        self.writer.commit(learn_all(State(), traces), Position(1, self.at))
        self.writer.look()

    def look(self, days: float = 0) -> dict[str, KeptFinding]:
        self.now_ns += int(days * DAY_NS)
        self.keeper.look()
        return {each.rule: each for each in self.userdata.findings.everything().values()}

    def close(self) -> None:
        self.writer.close()
        self.reader.close()
        self.userdata.close()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.learn(*(leak(number) for number in range(8)))
    return made


def test_what_the_rules_find_is_kept(kept: Kept) -> None:
    found = kept.look()["AUTH-01"]

    assert (found.method, found.path, found.state, found.count) == ("GET", "/internal/users", "open", 8)
    assert found.endpoint == kept.reader.endpoints(EndpointFilter())[1][0].id
    assert [each.state for each in kept.userdata.findings.history(found.id)] == ["open"]
    (row,) = kept.reader.endpoints(
        EndpointFilter(expression=parse("finding:AUTH-01 severity>=high", ENDPOINTS))
    )[1]
    assert row.id == found.endpoint


def test_a_second_look_changes_nothing(kept: Kept) -> None:
    before = kept.look()
    assert kept.look() == before


def test_the_name_and_what_was_decided_outlive_a_restart_and_a_rename(kept: Kept) -> None:
    found = kept.look()["AUTH-01"]
    kept.userdata.findings.decide(found, NewDecision("accepted", "finding", "by-design"), "anna", NOW)
    kept.keeper = FindingKeeper(kept.reader, kept.userdata.findings, clock_ns=lambda: kept.now_ns)
    again = kept.look(days=1)["AUTH-01"]

    assert again.id == found.id
    assert again.shown_state(kept.now_ns) == "accepted"


def test_a_refusal_after_the_last_success_proves_the_repair(kept: Kept) -> None:
    kept.look()
    kept.learn(*(leak(n, 401, end_ns=NOW + DAY_NS) for n in range(3)))
    fixed = kept.look(days=2)["AUTH-01"]
    kept.learn(leak(9, end_ns=NOW + 3 * DAY_NS))

    assert fixed.state == "fixed"
    assert [each.state for each in kept.userdata.findings.history(fixed.id)] == ["fixed", "open"]


def test_it_is_looked_only_when_there_is_something_to_see(kept: Kept) -> None:
    assert kept.keeper.step()
    assert not kept.keeper.step()
    kept.learn(leak(9))
    kept.now_ns += DAY_NS
    assert kept.keeper.step()


def test_other_settings_are_used_at_once(kept: Kept) -> None:
    assert kept.keeper.step()
    kept.keeper.use(PostureSettings({"AUTH-01": RuleSettings(enabled=False)}))
    assert kept.keeper.step()
    assert not kept.keeper.step()
    (finding,) = (each for each in kept.userdata.findings.everything().values() if each.rule == "AUTH-01")
    assert finding.state == "unobserved"
