"""Findings with their life, and what was decided about them.

A finding says only what its rule does: names and counts. It is kept here, and not in the catalog, because
its life goes on when what it rests on is forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

import levo.satellite.store.filters as filters
from levo.satellite.query import EVERYTHING, FINDINGS, Expression
from levo.satellite.store.userdata.database import Subject, row_number

Verdict = Literal["accepted", "false-positive", "open"]
Scope = Literal["finding", "host", "environment"]
VERDICTS = ("accepted", "false-positive", "open")
"""*open* takes back what was decided before."""
SCOPES = ("finding", "host", "environment")
"""This finding; its rule on its host; its rule in its environment of the application's organization."""
REASONS = ("by-design", "compensating-control", "not-reachable", "planned", "test-data", "wrong")
MAX_EVENTS = 100
"""Of one finding, in its history."""


class KeptFinding(msgspec.Struct, frozen=True):
    """One finding. Its fields are the columns of the table, in order."""

    id: str
    organization: str
    environment: str
    application: str
    host: str
    method: str
    template: str
    """The path without the names of its parameters; empty if it is about a host."""
    path: str
    endpoint: int
    rule: str
    subject: str
    title: str
    rank: int
    """Of its severity, 0 to 4."""
    proof: int
    """The rank of its proof, 0 to 2."""
    kind: str
    owasp: str
    """Joined by commas, as ``cwe`` is."""
    cwe: str
    weight: float
    """Orders findings of one severity."""
    state: str
    since_ns: int
    first_ns: int
    last_ns: int
    count: float
    exchanges: float
    grown_ns: int
    grown_exchanges: float
    traffic_ns: int
    written_ns: int
    document: str
    """JSON: its text, evidence, what speaks against it, and what to do."""
    decided: str = ""
    decided_until_ns: int = 0
    """0: for good."""
    decision: int = 0

    def shown_state(self, now_ns: int) -> str:
        """Return its state, what was decided and has not expired included."""
        if self.state == "fixed" or not self.decided or 0 < self.decided_until_ns <= now_ns:
            return self.state
        return self.decided


class FindingDecision(msgspec.Struct, frozen=True):
    """What somebody decided about one finding, or a rule at a place."""

    id: int
    time_ns: int
    actor: str
    verdict: str
    scope: str
    finding: str
    rule: str
    organization: str
    environment: str
    application: str
    host: str
    reason: str
    note: str
    ticket: str
    expires_ns: int


class NewDecision(msgspec.Struct, frozen=True):
    """What is decided, before it is known about what."""

    verdict: Verdict
    scope: Scope
    reason: str
    note: str = ""
    ticket: str = ""
    expires_ns: int = 0


class FindingEvent(msgspec.Struct, frozen=True):
    """One step in the life of a finding."""

    time_ns: int
    state: str
    actor: str
    """Empty: by what traffic showed."""


def finding_name(parts: tuple[str, ...]) -> str:
    """Return the name of a finding: 16 characters of base32.

    *parts* are its rule, organization, environment, application, host, method, template and subject.
    """
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=10).digest()
    return base64.b32encode(digest).decode()


def rename_finding_hosts(
    connection: sqlite3.Connection, renamed: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]
) -> None:
    """Let findings and what was decided about them follow hosts to their names: (new, old) of each.

    For the learner, within its transaction. Each is (organization, environment, application, host).
    """
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'finding'").fetchone():
        return
    place = "organization = ? AND environment = ? AND application = ? AND host = ?"
    for new, old in renamed:
        connection.execute(f"UPDATE finding_decision SET host = ? WHERE {place}", (new[3], *old))
        rows = connection.execute(
            f"SELECT id, rule, method, template, subject FROM finding WHERE {place}", old
        ).fetchall()
        for identity, rule, method, template, subject in rows:
            name = finding_name((rule, *new, method, template, subject))
            connection.execute(
                "UPDATE OR REPLACE finding SET id = ?, host = ? WHERE id = ?", (name, new[3], identity)
            )
            _follow(connection, identity, name)


def _follow(connection: sqlite3.Connection, identity: str, name: str) -> None:
    for table in ("finding_decision", "finding_event"):
        connection.execute(f"UPDATE {table} SET finding = ? WHERE finding = ?", (name, identity))


class Findings(Subject):
    """Findings by their name."""

    def everything(self) -> dict[str, KeptFinding]:
        """Return all findings by name."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM finding")
        return {row[0]: KeptFinding(*row) for row in rows}

    def get(self, identity: str, organization: str = "") -> KeptFinding | None:
        """Return one finding, of *organization* if one is given."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM finding WHERE id = ? AND ? IN ('', organization)", identity, organization
        )
        return KeptFinding(*rows[0]) if rows else None

    def put(self, findings: Sequence[KeptFinding], now_ns: int) -> None:
        """Keep *findings*, in place of those with their name; of each that is in another state, note so."""
        with self._database.change():
            before = self._states([each.id for each in findings])
            for each in findings:
                known = before.get(each.id)
                if known is None:
                    each = self._decided(each)
                if known != each.state:
                    self._note(each.id, each.state, "", now_ns)
                marks = ", ".join("?" * len(_NAMES))
                self._database.run(
                    f"INSERT OR REPLACE INTO finding ({_COLUMNS}) VALUES ({marks})",
                    *msgspec.structs.astuple(each),
                )

    def _states(self, identities: Sequence[str]) -> dict[str, str]:
        """Return the states of those that there are."""
        found: dict[str, str] = {}
        for at in range(0, len(identities), _BATCH):
            part = identities[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            rows = self._database.rows(f"SELECT id, state FROM finding WHERE id IN ({marks})", *part)
            found.update(rows)
        return found

    def follow(self, identity: str, to: KeptFinding) -> None:
        """Have *to* go on as what *identity* was, as when its endpoint was merged into another."""
        with self._database.change():
            known = self.get(identity)
            if known is None:
                return
            for table in ("finding_decision", "finding_event"):
                self._database.run(f"UPDATE {table} SET finding = ? WHERE finding = ?", to.id, identity)
            self._database.run("DELETE FROM finding WHERE id = ?", identity)
            self._database.run(
                "UPDATE finding SET first_ns = min(first_ns, ?) WHERE id = ?", known.first_ns, to.id
            )
            self._database.run(
                "UPDATE finding SET decided = ?, decided_until_ns = ?, decision = ?"
                " WHERE id = ? AND decided = ''",
                known.decided, known.decided_until_ns, known.decision, to.id,
            )  # fmt: skip

    def drop(self, identities: Sequence[str]) -> None:
        """Forget findings and their history; what was decided about them stays, should they come again."""
        with self._database.change():
            for identity in identities:
                self._database.run("DELETE FROM finding WHERE id = ?", identity)
                self._database.run("DELETE FROM finding_event WHERE finding = ?", identity)

    def forget(self, host: tuple[str, str, str, str], method: str, template: str) -> None:
        """Forget the findings about an endpoint that was deleted; without *method*, about its whole host."""
        rows = self._database.rows(
            "SELECT id FROM finding WHERE organization = ? AND environment = ? AND application = ?"
            " AND host = ? AND (? = '' OR (method = ? AND template = ?))",
            *host, method, method, template,
        )  # fmt: skip
        self.drop([row[0] for row in rows])

    def page(
        self, wanted: Expression = EVERYTHING, organization: str = "", *, limit: int = 100, offset: int = 0
    ) -> tuple[int, list[KeptFinding]]:
        """Return how many findings pass *wanted*, and some of them, the worst first."""
        return self.count(wanted, organization), self.some(wanted, organization, limit=limit, offset=offset)

    def some(
        self, wanted: Expression = EVERYTHING, organization: str = "", *, limit: int = 100, offset: int = 0
    ) -> list[KeptFinding]:
        """Return some of the findings that pass *wanted*, the worst first."""
        where, values = _where(wanted, organization)
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM finding WHERE {where} ORDER BY {_ORDER} LIMIT ? OFFSET ?",
            *values, limit, offset,
        )  # fmt: skip
        return [KeptFinding(*row) for row in rows]

    def count(self, wanted: Expression = EVERYTHING, organization: str = "") -> int:
        """Return how many findings pass *wanted*."""
        where, values = _where(wanted, organization)
        return int(self._database.rows(f"SELECT count(*) FROM finding WHERE {where}", *values)[0][0])

    def each(self, wanted: Expression = EVERYTHING, organization: str = "") -> Iterator[KeptFinding]:
        """Yield all findings that pass *wanted* now, in the same order, a batch in memory at a time."""
        where, values = _where(wanted, organization)
        names = [
            row[0]
            for row in self._database.rows(f"SELECT id FROM finding WHERE {where} ORDER BY {_ORDER}", *values)
        ]
        for at in range(0, len(names), _BATCH):
            part = names[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            rows = self._database.rows(f"SELECT {_COLUMNS} FROM finding WHERE id IN ({marks})", *part)
            found = {row[0]: KeptFinding(*row) for row in rows}
            yield from (found[name] for name in part if name in found)

    def by_rule(
        self, wanted: Expression = EVERYTHING, organization: str = ""
    ) -> list[tuple[str, str, int, int]]:
        """Return (rule, title, greatest rank, number) of the findings that pass *wanted*, the worst first."""
        where, values = _where(wanted, organization)
        return self._database.rows(
            f"SELECT rule, min(title), max(rank), count(*) FROM finding WHERE {where}"
            " GROUP BY rule ORDER BY 3 DESC, 4 DESC, 1",
            *values,
        )

    def of_endpoint(self, endpoint: int) -> list[KeptFinding]:
        """Return the findings about one endpoint, the worst first."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM finding WHERE endpoint = ? ORDER BY {_ORDER} LIMIT 200",
            row_number(endpoint),
        )
        return [KeptFinding(*row) for row in rows]

    def decide(self, about: KeptFinding, what: NewDecision, actor: str, now_ns: int) -> int:
        """Decide about a finding, or its rule at its place; return the number of the decision."""
        with self._database.change():
            whole = what.scope == "finding"
            rows = self._database.rows(
                "INSERT INTO finding_decision (time_ns, actor, verdict, scope, finding, rule, organization,"
                " environment, application, host, reason, note, ticket, expires_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                now_ns, actor, what.verdict, what.scope, about.id if whole else "", about.rule,
                about.organization, about.environment,
                about.application if what.scope != "environment" else "",
                about.host if what.scope != "environment" else "",
                what.reason, what.note, what.ticket, what.expires_ns,
            )  # fmt: skip
            number = int(rows[0][0])
            conditions = {
                "finding": "id = ?",
                "host": "rule = ? AND organization = ? AND environment = ? AND application = ? AND host = ?",
                "environment": "rule = ? AND organization = ? AND environment = ?",
            }
            place = (about.rule, about.organization, about.environment, about.application, about.host)
            values = {"finding": (about.id,), "host": place, "environment": place[:3]}[what.scope]
            decided = "" if what.verdict == "open" else what.verdict
            changed = self._database.rows(
                "UPDATE finding SET decided = ?, decided_until_ns = ?, decision = ?"
                f" WHERE {conditions[what.scope]} RETURNING id",
                decided, what.expires_ns, number, *values,
            )  # fmt: skip
            for (identity,) in changed:
                self._note(identity, what.verdict, actor, now_ns)
        return number

    def decisions(self, about: KeptFinding) -> list[FindingDecision]:
        """Return what was decided about a finding, the latest first."""
        rows = self._database.rows(
            f"SELECT {_DECISION} FROM finding_decision WHERE {_ABOUT} ORDER BY id DESC LIMIT 100",
            *_about(about),
        )
        return [FindingDecision(*row) for row in rows]

    def history(self, identity: str) -> list[FindingEvent]:
        """Return the steps of a finding's life, the latest first."""
        rows = self._database.rows(
            "SELECT time_ns, state, actor FROM finding_event WHERE finding = ? ORDER BY id DESC LIMIT ?",
            identity, MAX_EVENTS,
        )  # fmt: skip
        return [FindingEvent(*row) for row in rows]

    def _decided(self, each: KeptFinding) -> KeptFinding:
        """Return a new finding with what was decided about its rule at its place, or about it before."""
        rows = self._database.rows(
            "SELECT verdict, expires_ns, id FROM finding_decision"
            f" WHERE {_ABOUT} ORDER BY scope = 'finding' DESC, id DESC LIMIT 1",
            *_about(each),
        )
        if not rows or rows[0][0] == "open":
            return each
        verdict, expires_ns, number = rows[0]
        return msgspec.structs.replace(
            each, decided=str(verdict), decided_until_ns=int(expires_ns), decision=int(number)
        )

    def _note(self, identity: str, state: str, actor: str, now_ns: int) -> None:
        self._database.run(
            "INSERT INTO finding_event (finding, time_ns, state, actor) VALUES (?, ?, ?, ?)",
            identity, now_ns, state, actor,
        )  # fmt: skip
        self._database.run(
            "DELETE FROM finding_event WHERE finding = ? AND id <= (SELECT id FROM finding_event"
            " WHERE finding = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            identity, identity, MAX_EVENTS,
        )  # fmt: skip


_NAMES = tuple({"kind": "class"}.get(name, name) for name in KeptFinding.__struct_fields__)
_COLUMNS = ", ".join(_NAMES)
_DECISION = ", ".join(FindingDecision.__struct_fields__)
_ORDER = "rank DESC, weight DESC, id"
_BATCH = 500
_ABOUT = (
    "(finding = ? OR (finding = '' AND rule = ? AND organization = ? AND environment = ?"
    " AND (scope = 'environment' OR (application = ? AND host = ?))))"
)


def _about(each: KeptFinding) -> tuple[str, ...]:
    return (each.id, each.rule, each.organization, each.environment, each.application, each.host)


_STATE = (
    "CASE WHEN state != 'fixed' AND decided != '' AND (decided_until_ns = 0"
    f" OR decided_until_ns > {filters.NOW_NS}) THEN decided ELSE state END"
)
_AGE = f"(({filters.NOW_NS} - {{}}) / 1000000000.0)"
_COLUMN_OF: dict[str, filters.Column] = {
    **{
        name: filters.text(name)
        for name in (
            "organization",
            "environment",
            "application",
            "host",
            "method",
            "path",
            "rule",
            "subject",
            "id",
            "class",
        )
    },
    "owasp": filters.listed("owasp"),
    "cwe": filters.listed("cwe"),
    "severity": filters.numeric("rank", FINDINGS),
    "proof": filters.numeric("proof", FINDINGS),
    "state": filters.text(f"({_STATE})"),
    "count": filters.numeric("count", FINDINGS),
    "first-seen": filters.numeric(_AGE.format("first_ns"), FINDINGS),
    "last-seen": filters.numeric(_AGE.format("last_ns"), FINDINGS),
}


def _where(wanted: Expression, organization: str) -> tuple[str, list[str | int | float]]:
    text, values = filters.condition_of(wanted, FINDINGS, _COLUMN_OF, FINDINGS.words)
    return f"? IN ('', organization) AND {text}", [organization, *values]
