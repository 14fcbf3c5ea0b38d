"""The tables of what users decided and set up, by version."""

from __future__ import annotations

STEPS = (
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
    # 2: accounts and views of one organization
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
    # 4: names of the field
    """
    DROP INDEX decision_place;
    ALTER TABLE decision RENAME COLUMN place TO template;
    CREATE INDEX decision_endpoint ON decision (organization, environment, application, host, method);
    UPDATE decision SET detail = replace(detail, ' driving-licence', ' driving-license')
        WHERE kind IN ('confirm', 'reject') AND detail LIKE '% driving-licence';
    ALTER TABLE standing RENAME TO triage;
    ALTER TABLE triage RENAME COLUMN place TO template;
    UPDATE alert SET subject = replace(subject, ' driving-licence', ' driving-license')
        WHERE subject LIKE '% driving-licence';
    DROP INDEX alert_once;
    ALTER TABLE alert RENAME COLUMN told TO sent;
    ALTER TABLE alert RENAME COLUMN over_ns TO ended_ns;
    CREATE UNIQUE INDEX alert_open ON alert (kind, subject) WHERE ended_ns = 0;
    """,
    # 5: what was deleted from the catalog
    """
    CREATE TABLE removal (
        id INTEGER PRIMARY KEY AUTOINCREMENT, time_ns INTEGER NOT NULL,
        organization TEXT NOT NULL, environment TEXT NOT NULL, application TEXT NOT NULL,
        host TEXT NOT NULL, method TEXT NOT NULL, template TEXT NOT NULL
    ) STRICT;
    """,
    # 6: sessions by a clock that nobody sets. Those before went by the time of day and end here.
    """
    DROP TABLE IF EXISTS session;
    CREATE TABLE session (
        digest BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        form_token TEXT NOT NULL, boot TEXT NOT NULL, begun_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)
