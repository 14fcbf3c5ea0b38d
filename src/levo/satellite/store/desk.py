"""What people decided and set up: accounts, tokens, triage, views, alerts, and the audit log.

A database of its own beside the catalog, so that neither waits for the other. One process uses it, from any
of its threads. Secrets are kept as digests; what is learned from traffic is not kept here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from levo.errors import LevoError

DESK_NAME = "desk.sqlite3"

_STEPS = (
    """
    CREATE TABLE account (
        name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, created_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE session (
        digest BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        form_token TEXT NOT NULL, created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE token (
        id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, name TEXT NOT NULL, scope TEXT NOT NULL,
        organization TEXT NOT NULL, created_ns INTEGER NOT NULL, created_by TEXT NOT NULL,
        revoked_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
        subject TEXT NOT NULL, detail TEXT NOT NULL
    ) STRICT;
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL, detail TEXT NOT NULL,
        undone_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX decision_place ON decision (organization, environment, application, host, method);
    CREATE TABLE standing (
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, place TEXT NOT NULL,
        state TEXT NOT NULL, path TEXT NOT NULL,
        PRIMARY KEY (organization, environment, application, host, method, place)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE view (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, query TEXT NOT NULL, created_by TEXT NOT NULL,
        created_ns INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE webhook (
        id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, kinds TEXT NOT NULL, created_by TEXT NOT NULL,
        created_ns INTEGER NOT NULL, last_status TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
        text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, subject)
    ) STRICT;
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    # 2: accounts and views of one organisation
    """
    ALTER TABLE account ADD COLUMN organization TEXT NOT NULL DEFAULT '';
    ALTER TABLE view RENAME TO old_view;
    CREATE TABLE view (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, query TEXT NOT NULL, created_by TEXT NOT NULL,
        created_ns INTEGER NOT NULL, organization TEXT NOT NULL DEFAULT '', UNIQUE (organization, name)
    ) STRICT;
    INSERT INTO view (id, name, query, created_by, created_ns)
        SELECT id, name, query, created_by, created_ns FROM old_view;
    DROP TABLE old_view;
    """,
    # 3: alerts that are over stay, and no number is given twice. Before, they were deleted and numbers given
    # again, so the next number is well past all that may have been in use.
    """
    ALTER TABLE alert RENAME TO old_alert;
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time_ns INTEGER NOT NULL, kind TEXT NOT NULL,
        subject TEXT NOT NULL, text TEXT NOT NULL, told INTEGER NOT NULL DEFAULT 0,
        endpoint INTEGER NOT NULL DEFAULT 0, over_ns INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO alert (id, time_ns, kind, subject, text, told)
        SELECT id, time_ns, kind, subject, text, told FROM old_alert;
    DELETE FROM sqlite_sequence WHERE name = 'alert';
    INSERT INTO sqlite_sequence (name, seq)
        SELECT 'alert', 1000 + ifnull((SELECT max(id) FROM old_alert), 0)
        WHERE EXISTS (SELECT 1 FROM setting);
    DROP TABLE old_alert;
    CREATE UNIQUE INDEX alert_once ON alert (kind, subject) WHERE over_ns = 0;
    """,
)

DecisionKind = Literal["accept", "rename", "split", "merge", "ignore", "confirm", "reject"]


_Row = tuple[Any, ...]


class Account(msgspec.Struct, frozen=True):
    """Somebody who can log in."""

    name: str
    role: str
    password: str
    """As ``access.passwords`` stores it."""
    created_ns: int
    organization: str
    """Whose part of the catalog it may see; empty for all of it."""


class Session(msgspec.Struct, frozen=True):
    """Somebody who is logged in."""

    account: str
    role: str
    organization: str
    form_token: str


class Token(msgspec.Struct, frozen=True):
    """A bearer token; itself not kept."""

    id: int
    name: str
    scope: str
    """``ingest``, or a role."""
    organization: str
    """Whose traces it may bring; for a role, whose part of the catalog it may see, empty for all of it."""
    created_ns: int
    created_by: str
    revoked_ns: int


class AuditEntry(msgspec.Struct, frozen=True):
    """Something that somebody did."""

    id: int
    time_ns: int
    actor: str
    action: str
    subject: str
    detail: str


class EndpointPlace(msgspec.Struct, frozen=True):
    """An endpoint as decisions name it; outlives the endpoint's number and the names of its parameters."""

    organization: str
    environment: str
    application: str
    host: str
    method: str
    place: str
    """The template with its parameters unnamed: ``/users/{}``."""


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
    place: str
    detail: str
    """*rename*, *split*, *merge*: the template as decided; *confirm*, *reject*: ``location kind``."""
    undone_ns: int

    @property
    def endpoint(self) -> EndpointPlace:
        """What it is about."""
        return EndpointPlace(
            self.organization, self.environment, self.application, self.host, self.method, self.place
        )


class SavedView(msgspec.Struct, frozen=True):
    """A query of the catalog with a name."""

    id: int
    name: str
    query: str
    created_by: str
    created_ns: int


class Webhook(msgspec.Struct, frozen=True):
    """Where alerts are sent."""

    id: int
    url: str
    kinds: str
    created_by: str
    created_ns: int
    last_status: str


class NewAlert(msgspec.Struct, frozen=True):
    """Something worth telling, if it was not told before."""

    kind: str
    subject: str
    """What it is about, by numbers and names that do not change; the same is not told twice."""
    text: str
    endpoint: int = 0
    """Which endpoint it is about; 0: none."""


class Alert(msgspec.Struct, frozen=True):
    """Something that happened and was worth telling once."""

    id: int
    """Never given twice."""
    time_ns: int
    kind: str
    subject: str
    text: str
    told: int
    endpoint: int
    """0: it is about none."""
    over_ns: int
    """When it ceased to be so, as when a silent sensor spoke again; 0: it has not."""


class Desk:
    """Everything is durable when a method returns. Use :meth:`change` to do several things at once."""

    def __init__(self, path: Path) -> None:
        """Open or make the database.

        Raises:
            LevoError: the file cannot be used.
        """
        self.path = path
        self._lock = threading.RLock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=30
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA secure_delete = ON")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > len(_STEPS):
                raise LevoError(f"{path}: was written by a later version of levo; upgrade to read it")
            for number, step in enumerate(_STEPS[version:], start=version + 1):
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"
                )
        except (sqlite3.DatabaseError, OSError) as error:
            raise LevoError(f"{path}: cannot be used: {error}") from error

    def close(self) -> None:
        """Close the database. Legal twice."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """All that is done inside happens, or nothing of it. May be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    # accounts and sessions

    def accounts(self) -> list[Account]:
        """Return all accounts by name."""
        return [Account(*row) for row in self._rows(f"SELECT {_ACCOUNT} FROM account ORDER BY 1")]

    def account(self, name: str) -> Account | None:
        """Return one account."""
        rows = self._rows(f"SELECT {_ACCOUNT} FROM account WHERE name = ?", name)
        return Account(*rows[0]) if rows else None

    def has_accounts(self) -> bool:
        """Whether there is any account."""
        return bool(self._rows("SELECT 1 FROM account LIMIT 1"))

    def put_account(self, name: str, role: str, password: str, now_ns: int, organization: str = "") -> None:
        """Make an account, or change it and end its sessions."""
        with self.change():
            self._run("DELETE FROM session WHERE account = ?", name)
            self._run(
                "INSERT INTO account (name, role, password, created_ns, organization) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET role = excluded.role, password = excluded.password,"
                " organization = excluded.organization",
                name, role, password, now_ns, organization,
            )  # fmt: skip

    def remove_account(self, name: str) -> bool:
        """Remove an account with its sessions; return whether there was one."""
        return self._run("DELETE FROM account WHERE name = ?", name) > 0

    def add_session(self, digest: bytes, account: str, form_token: str, now_ns: int, expires_ns: int) -> None:
        """Remember a session; forget those that are over."""
        with self.change():
            self._run("DELETE FROM session WHERE expires_ns <= ?", now_ns)
            self._run(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?)", digest, account, form_token, now_ns, expires_ns
            )

    def session(self, digest: bytes, now_ns: int) -> Session | None:
        """Return a session that is not over."""
        rows = self._rows(
            "SELECT name, role, organization, form_token FROM session JOIN account ON account = name"
            " WHERE digest = ? AND expires_ns > ?",
            digest, now_ns,
        )  # fmt: skip
        return Session(*rows[0]) if rows else None

    def end_session(self, digest: bytes) -> None:
        """Forget a session."""
        self._run("DELETE FROM session WHERE digest = ?", digest)

    # tokens

    def add_token(
        self, digest: bytes, name: str, scope: str, organization: str, actor: str, now_ns: int
    ) -> int:
        """Remember a token; return its number."""
        rows = self._rows(
            "INSERT INTO token (digest, name, scope, organization, created_ns, created_by)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            digest, name, scope, organization, now_ns, actor,
        )  # fmt: skip
        return int(rows[0][0])

    def tokens(self) -> list[Token]:
        """Return all tokens, newest first, those revoked included."""
        return [Token(*row) for row in self._rows(f"SELECT {_TOKEN} FROM token ORDER BY id DESC LIMIT 1000")]

    def token(self, digest: bytes) -> Token | None:
        """Return the token, unless it was revoked."""
        rows = self._rows(f"SELECT {_TOKEN} FROM token WHERE digest = ? AND revoked_ns = 0", digest)
        return Token(*rows[0]) if rows else None

    def has_tokens(self, scope: str) -> bool:
        """Whether some token of *scope* is in force."""
        return bool(self._rows("SELECT 1 FROM token WHERE scope = ? AND revoked_ns = 0 LIMIT 1", scope))

    def revoke_token(self, identity: int, now_ns: int) -> bool:
        """Revoke; return whether it was in force."""
        return (
            self._run("UPDATE token SET revoked_ns = ? WHERE id = ? AND revoked_ns = 0", now_ns, identity) > 0
        )

    # audit

    def record(self, actor: str, action: str, subject: str, detail: str, now_ns: int) -> None:
        """Add to the audit log."""
        self._run(
            "INSERT INTO audit (time_ns, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            now_ns, actor[:200], action, subject[:1000], detail[:1000],
        )  # fmt: skip

    def audit(self, limit: int = 100, offset: int = 0) -> tuple[int, list[AuditEntry]]:
        """Return how many entries there are, and some of them, newest first."""
        (total,) = self._rows("SELECT count(*) FROM audit")[0]
        rows = self._rows(
            "SELECT id, time_ns, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT ? OFFSET ?",
            limit, offset,
        )  # fmt: skip
        return int(str(total)), [AuditEntry(*row) for row in rows]

    def each_audit(self) -> Iterator[AuditEntry]:
        """Yield all entries, newest first, a batch in memory at a time."""
        for row in self._each("SELECT id, time_ns, actor, action, subject, detail FROM audit"):
            yield AuditEntry(*row)

    # triage

    def decide(
        self, kind: DecisionKind, endpoint: EndpointPlace, detail: str, actor: str, now_ns: int
    ) -> int:
        """Remember a decision; return its number."""
        with self.change():
            rows = self._rows(
                "INSERT INTO decision (time_ns, actor, kind, organization, environment, application, host,"
                " method, place, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                now_ns, actor, kind, *msgspec.structs.astuple(endpoint), detail,
            )  # fmt: skip
            self._stand(endpoint)
        return int(rows[0][0])

    def undo(self, identity: int, now_ns: int, organization: str = "") -> Decision | None:
        """Take a decision back; return it, None if there is none or it was taken back already.

        With an *organization*, only what is about an endpoint of that one.
        """
        with self.change():
            rows = self._rows(
                "UPDATE decision SET undone_ns = ? WHERE id = ? AND undone_ns = 0"
                f" AND ? IN ('', organization) RETURNING {_DECISION}",
                now_ns, row_number(identity), organization,
            )  # fmt: skip
            if not rows:
                return None
            decision = Decision(*rows[0])
            self._stand(decision.endpoint)
        return decision

    def decisions(self, endpoint: EndpointPlace) -> list[Decision]:
        """Return all decisions about an endpoint, newest first, those taken back included."""
        rows = self._rows(
            f"SELECT {_DECISION} FROM decision WHERE {_SAME_PLACE} ORDER BY id DESC LIMIT 200",
            *msgspec.structs.astuple(endpoint),
        )
        return [Decision(*row) for row in rows]

    def decisions_in_force(self, *kinds: str) -> list[Decision]:
        """Return the decisions of *kinds* that were not taken back, oldest first."""
        marks = ",".join("?" * len(kinds))
        rows = self._rows(
            f"SELECT {_DECISION} FROM decision WHERE undone_ns = 0 AND kind IN ({marks}) ORDER BY id", *kinds
        )
        return [Decision(*row) for row in rows]

    def standing(self, endpoint: EndpointPlace) -> tuple[str, str]:
        """Return (state, path as renamed) of an endpoint: ``""``, ``accepted`` or ``ignored``."""
        rows = self._rows(
            f"SELECT state, path FROM standing WHERE {_SAME_PLACE}", *msgspec.structs.astuple(endpoint)
        )
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")

    def renamed(self) -> dict[EndpointPlace, str]:
        """Return the paths of endpoints that were renamed."""
        rows = self._rows(
            "SELECT organization, environment, application, host, method, place, path FROM standing"
            " WHERE path != '' LIMIT 20000"
        )
        return {EndpointPlace(*row[:6]): str(row[6]) for row in rows}

    def _stand(self, endpoint: EndpointPlace) -> None:
        place = msgspec.structs.astuple(endpoint)
        state = path = ""
        rows = self._rows(
            f"SELECT kind, detail FROM decision WHERE {_SAME_PLACE} AND undone_ns = 0 ORDER BY id", *place
        )
        for kind, detail in rows:
            if kind == "accept":
                state = "accepted"
            elif kind == "ignore":
                state = "ignored"
            elif kind == "rename":
                path = str(detail)
        self._run("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *place, state, path)

    # saved views

    def save_view(self, name: str, query: str, actor: str, now_ns: int, organization: str = "") -> None:
        """Keep a query under *name*, in place of the one of *organization* that had it."""
        self._run(
            "INSERT INTO view (name, query, created_by, created_ns, organization) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET query = excluded.query, created_by = excluded.created_by",
            name, query, actor, now_ns, organization,
        )  # fmt: skip

    def views(self, organization: str = "") -> list[SavedView]:
        """Return the saved views by name: those of *organization*, or all if it is empty."""
        rows = self._rows(
            "SELECT id, name, query, created_by, created_ns FROM view WHERE ? IN ('', organization)"
            " ORDER BY name, id LIMIT 200",
            organization,
        )
        return [SavedView(*row) for row in rows]

    def remove_view(self, identity: int, organization: str = "") -> bool:
        """Forget a view, of *organization* if one is named; return whether there was one."""
        gone = self._run(
            "DELETE FROM view WHERE id = ? AND ? IN ('', organization)", row_number(identity), organization
        )
        return gone > 0

    # alerts

    def add_webhook(self, url: str, kinds: str, actor: str, now_ns: int) -> None:
        """Send alerts of *kinds* (comma list) to *url* from now on."""
        self._run(
            "INSERT INTO webhook (url, kinds, created_by, created_ns) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET kinds = excluded.kinds",
            url, kinds, actor, now_ns,
        )  # fmt: skip

    def webhooks(self) -> list[Webhook]:
        """Return where alerts are sent."""
        rows = self._rows(
            "SELECT id, url, kinds, created_by, created_ns, last_status FROM webhook ORDER BY id LIMIT 100"
        )
        return [Webhook(*row) for row in rows]

    def remove_webhook(self, identity: int) -> bool:
        """Send no more; return whether there was one."""
        return self._run("DELETE FROM webhook WHERE id = ?", identity) > 0

    def webhook_status(self, identity: int, status: str) -> None:
        """Remember how the last delivery went."""
        self._run("UPDATE webhook SET last_status = ? WHERE id = ?", status[:200], identity)

    def unknown_alerts(self, alerts: Sequence[NewAlert]) -> list[NewAlert]:
        """Return those of *alerts* that are not there."""
        with self._lock:
            return [
                each
                for each in alerts
                if not self._rows(
                    "SELECT 1 FROM alert WHERE kind = ? AND subject = ? AND over_ns = 0",
                    each.kind, each.subject[:_MOST_TEXT],
                )
            ]  # fmt: skip

    def add_alerts(self, alerts: Sequence[NewAlert], now_ns: int, *, told: bool) -> int:
        """Add alerts; what was alerted before is left out. Return how many are new."""
        with self.change():
            return sum(
                self._run(
                    "INSERT INTO alert (time_ns, kind, subject, text, told, endpoint)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    now_ns, each.kind, each.subject[:_MOST_TEXT], each.text[:_MOST_TEXT], int(told),
                    each.endpoint,
                )
                for each in dict.fromkeys(alerts)
                if self.unknown_alerts([each])
            )  # fmt: skip

    def rename_alert(self, kind: str, subject: str, to: str) -> bool:
        """Have an alert be about what is now called *to*; return whether there was one and *to* had none."""
        return (
            self._run(
                "UPDATE OR IGNORE alert SET subject = ? WHERE kind = ? AND subject = ? AND over_ns = 0",
                to[:_MOST_TEXT], kind, subject[:_MOST_TEXT],
            )
            > 0
        )  # fmt: skip

    def open_subjects(self, kind: str) -> list[str]:
        """Return what the alerts of *kind* that are not over are about."""
        rows = self._rows("SELECT subject FROM alert WHERE kind = ? AND over_ns = 0", kind)
        return [str(row[0]) for row in rows]

    def end_alert(self, kind: str, subject: str, now_ns: int) -> None:
        """Let the same be alerted again, as when a silent sensor has spoken; what was not sent is not."""
        with self.change():
            self._run(
                "UPDATE alert SET over_ns = ? WHERE kind = ? AND subject = ? AND over_ns = 0",
                now_ns, kind, subject[:_MOST_TEXT],
            )  # fmt: skip
            self._run(
                "DELETE FROM alert WHERE over_ns != 0 AND id <= (SELECT max(id) FROM alert) - ?", _MOST_OVER
            )

    def untold_alerts(self, limit: int = 100) -> list[Alert]:
        """Return alerts that were not sent yet and are not over, oldest first."""
        rows = self._rows(
            f"SELECT {_ALERT} FROM alert WHERE told = 0 AND over_ns = 0 ORDER BY id LIMIT ?", limit
        )
        return [Alert(*row) for row in rows]

    def tell_alerts(self, identities: Sequence[int]) -> None:
        """Mark alerts as sent."""
        with self.change():
            for identity in identities:
                self._run("UPDATE alert SET told = 1 WHERE id = ?", identity)

    def alerts(self, limit: int = 50) -> list[Alert]:
        """Return the latest alerts, newest first, those that are over included."""
        rows = self._rows(f"SELECT {_ALERT} FROM alert ORDER BY id DESC LIMIT ?", limit)
        return [Alert(*row) for row in rows]

    def alert_page(self, limit: int, offset: int) -> tuple[int, list[Alert]]:
        """Return how many alerts there are, and some of them, newest first."""
        (total,) = self._rows("SELECT count(*) FROM alert")[0]
        rows = self._rows(f"SELECT {_ALERT} FROM alert ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)
        return int(total), [Alert(*row) for row in rows]

    def each_alert(self) -> Iterator[Alert]:
        """Yield all alerts, newest first, a batch in memory at a time."""
        for row in self._each(f"SELECT {_ALERT} FROM alert"):
            yield Alert(*row)

    # settings

    def setting(self, name: str) -> str:
        """Return a setting, empty if it was never made."""
        rows = self._rows("SELECT value FROM setting WHERE name = ?", name)
        return str(rows[0][0]) if rows else ""

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self._run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)

    def backup(self, target: Path) -> None:
        """Copy the database as it is at one moment to *target*, while it is in use."""
        with self._lock, contextlib.closing(sqlite3.connect(target)) as copy:
            self._connection.backup(copy)

    def _rows(self, sql: str, *values: object) -> list[_Row]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _each(self, select: str) -> Iterator[_Row]:
        """Yield the rows of *select*, whose first column is the table's ``id``, the latest first.

        Goes on from the last number that it has seen, so what is added meanwhile moves nothing.
        """
        last = _AFTER_ALL
        while rows := self._rows(f"{select} WHERE id < ? ORDER BY id DESC LIMIT {_BATCH}", last):
            yield from rows
            last = int(str(rows[-1][0]))

    def _run(self, sql: str, *values: object) -> int:
        with self._lock:
            return self._connection.execute(sql, values).rowcount


_BATCH = 500
_AFTER_ALL = (1 << 63) - 1
_MOST_TEXT = 500
"""Characters of an alert's subject and text."""
_MOST_OVER = 10_000
"""Alerts that are over are kept so long as no more than this came after them."""
_ALERT = "id, time_ns, kind, subject, text, told, endpoint, over_ns"
_ACCOUNT = "name, role, password, created_ns, organization"
_TOKEN = "id, name, scope, organization, created_ns, created_by, revoked_ns"
_DECISION = (
    "id, time_ns, actor, kind, organization, environment, application, host, method, place, detail, undone_ns"
)
_SAME_PLACE = (
    "organization = ? AND environment = ? AND application = ? AND host = ? AND method = ? AND place = ?"
)


def row_number(asked: int) -> int:
    """Return *asked*, or 0, which no row has, where it is more than a row's number can be.

    SQLite counts rows from 1 in 64 bits with a sign; a number from a URL may have any length.
    """
    return asked if asked < 1 << 63 else 0


def read_path_decisions(path: Path, scope: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """Return (kind, template) of the decisions in force on the paths of a host, oldest first.

    For the learner, which has its own process: *path* is opened for this call and may be absent.
    """
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT kind, CASE detail WHEN '' THEN place ELSE detail END FROM decision WHERE undone_ns = 0"
            " AND kind IN ('accept', 'rename', 'split', 'merge')"
            " AND organization = ? AND environment = ? AND application = ? AND host = ? ORDER BY id",
            scope,
        )
        return [(str(kind), str(template)) for kind, template in rows]
