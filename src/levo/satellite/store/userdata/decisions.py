"""What users decided about endpoints and sensitive data. All of it can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from levo.satellite.store.userdata.database import Subject, opened_once, row_number
from levo.satellite.store.userdata.findings import rename_finding_hosts

DecisionKind = Literal["accept", "rename", "split", "merge", "ignore", "confirm", "reject"]


class EndpointPlace(msgspec.Struct, frozen=True):
    """An endpoint as decisions name it; outlives the endpoint's number and the names of its parameters."""

    organization: str
    environment: str
    application: str
    host: str
    method: str
    template: str
    """With its parameters unnamed: ``/users/{}``."""


class Decision(msgspec.Struct, frozen=True):
    """One decision of a user."""

    id: int
    time_ns: int
    actor: str
    kind: str
    organization: str
    environment: str
    application: str
    host: str
    method: str
    template: str
    detail: str
    """*rename*, *split*, *merge*: the template as decided; *confirm*, *reject*: ``location kind``."""
    undone_ns: int

    @property
    def endpoint(self) -> EndpointPlace:
        """What it is about."""
        return EndpointPlace(
            self.organization, self.environment, self.application, self.host, self.method, self.template
        )


class Decisions(Subject):
    """Decisions by endpoint, and what they come to."""

    def decide(
        self, kind: DecisionKind, endpoint: EndpointPlace, detail: str, actor: str, now_ns: int
    ) -> int:
        """Remember a decision; return its number."""
        with self._database.change():
            rows = self._database.rows(
                "INSERT INTO decision (time_ns, actor, kind, organization, environment, application, host,"
                " method, template, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                now_ns, actor, kind, *msgspec.structs.astuple(endpoint), detail,
            )  # fmt: skip
            self._work_out(endpoint)
        return int(rows[0][0])

    def undo(self, identity: int, now_ns: int, organization: str = "") -> Decision | None:
        """Take a decision back; return it, None if there is none or it was taken back already.

        With an *organization*, only what is about an endpoint of that one.
        """
        with self._database.change():
            rows = self._database.rows(
                "UPDATE decision SET undone_ns = ? WHERE id = ? AND undone_ns = 0"
                f" AND ? IN ('', organization) RETURNING {_DECISION}",
                now_ns, row_number(identity), organization,
            )  # fmt: skip
            if not rows:
                return None
            decision = Decision(*rows[0])
            self._work_out(decision.endpoint)
        return decision

    def of(self, endpoint: EndpointPlace) -> list[Decision]:
        """Return all decisions about an endpoint, newest first, those taken back included."""
        rows = self._database.rows(
            f"SELECT {_DECISION} FROM decision WHERE {_SAME_ENDPOINT} ORDER BY id DESC LIMIT 200",
            *msgspec.structs.astuple(endpoint),
        )
        return [Decision(*row) for row in rows]

    def in_force(self, *kinds: str) -> list[Decision]:
        """Return the decisions of *kinds* that were not taken back, oldest first."""
        marks = ",".join("?" * len(kinds))
        rows = self._database.rows(
            f"SELECT {_DECISION} FROM decision WHERE undone_ns = 0 AND kind IN ({marks}) ORDER BY id", *kinds
        )
        return [Decision(*row) for row in rows]

    def triage(self, endpoint: EndpointPlace) -> tuple[str, str]:
        """Return (state, path as renamed) of an endpoint: ``""``, ``accepted`` or ``ignored``."""
        rows = self._database.rows(
            f"SELECT state, path FROM triage WHERE {_SAME_ENDPOINT}", *msgspec.structs.astuple(endpoint)
        )
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")

    def renamed(self) -> dict[EndpointPlace, str]:
        """Return the paths of endpoints that were renamed."""
        rows = self._database.rows(
            "SELECT organization, environment, application, host, method, template, path FROM triage"
            " WHERE path != '' LIMIT 20000"
        )
        return {EndpointPlace(*row[:6]): str(row[6]) for row in rows}

    def _work_out(self, endpoint: EndpointPlace) -> None:
        names = msgspec.structs.astuple(endpoint)
        state = path = ""
        rows = self._database.rows(
            f"SELECT kind, detail FROM decision WHERE {_SAME_ENDPOINT} AND undone_ns = 0 ORDER BY id", *names
        )
        for kind, detail in rows:
            if kind == "accept":
                state = "accepted"
            elif kind == "ignore":
                state = "ignored"
            elif kind == "rename":
                path = str(detail)
        self._database.run(
            "INSERT OR REPLACE INTO triage VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *names, state, path
        )


_DECISION = (
    "id, time_ns, actor, kind, organization, environment, application, host,"
    " method, template, detail, undone_ns"
)
_SAME_ENDPOINT = (
    "organization = ? AND environment = ? AND application = ? AND host = ? AND method = ? AND template = ?"
)
_SAME_HOST = "organization = ? AND environment = ? AND application = ? AND host = ?"
Host = tuple[str, str, str, str]
"""Organization, environment, application and host."""


def rename_hosts(path: Path, called: Callable[[Host], Host]) -> None:
    """Let what was decided about hosts follow them to their names; *called* says how a host is called now.

    For the learner, which gives hosts their names; *path* may be absent.
    """
    with opened_once(path, "triage", write=True) as connection:
        if connection is None:
            return
        place = "SELECT organization, environment, application, host FROM"
        tables = ["decision", "finding", "finding_decision"]
        known = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        select = " UNION ".join(f"{place} {table}" for table in tables if (table,) in known)
        hosts = connection.execute(select).fetchall()
        renamed = [(name, host) for host in hosts if (name := called(host)) != host]
        if not renamed:
            return
        connection.execute("BEGIN IMMEDIATE")
        for name, host in renamed:
            connection.execute(f"UPDATE decision SET host = ? WHERE {_SAME_HOST}", (name[3], *host))
            connection.execute(f"UPDATE OR REPLACE triage SET host = ? WHERE {_SAME_HOST}", (name[3], *host))
        rename_finding_hosts(connection, renamed)
        connection.execute("COMMIT")


def read_path_decisions(path: Path, host: Host | None = None) -> list[tuple[Host, str, str]]:
    """Return (host, kind, template) of the decisions in force on the paths of *host*, or all; oldest first.

    For the learner; *path* may be absent.
    """
    with opened_once(path, "decision") as connection:
        if connection is None:
            return []
        rows = connection.execute(
            "SELECT organization, environment, application, host, kind,"
            " CASE detail WHEN '' THEN template ELSE detail END FROM decision WHERE undone_ns = 0"
            " AND kind IN ('accept', 'rename', 'split', 'merge')"
            f" {'' if host is None else f'AND {_SAME_HOST}'} ORDER BY id",
            host or (),
        )
        return [(row[:4], str(row[4]), str(row[5])) for row in rows]
