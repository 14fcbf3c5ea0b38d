"""The schema of the embedded database and the steps that lead to it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from levo.errors import LevoError
from levo.satellite.learn.access import joined_access
from levo.satellite.learn.columns import joined_callers
from levo.satellite.learn.paths.known import anonymous_pattern
from levo.satellite.learn.state import counted_weight
from levo.satellite.store import names, retention, storage, traffic

DATABASE_NAME = "catalog.sqlite3"

_STEPS = (
    # 1: the catalog's first form
    """
    CREATE TABLE endpoint (
        id INTEGER PRIMARY KEY,
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        host TEXT NOT NULL,
        method TEXT NOT NULL,
        template TEXT NOT NULL,
        traces INTEGER NOT NULL,
        exchanges REAL NOT NULL,
        first_seen_ns INTEGER NOT NULL,
        last_seen_ns INTEGER NOT NULL,
        UNIQUE (organization, environment, application, host, method, template)
    ) STRICT;
    CREATE INDEX endpoint_last_seen ON endpoint (last_seen_ns);
    CREATE INDEX endpoint_exchanges ON endpoint (exchanges);

    CREATE TABLE endpoint_status (
        endpoint INTEGER NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
        status INTEGER NOT NULL,
        exchanges REAL NOT NULL,
        PRIMARY KEY (endpoint, status)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sensor (
        organization TEXT NOT NULL,
        sensor TEXT NOT NULL,
        first_seen_ns INTEGER NOT NULL,
        last_seen_ns INTEGER NOT NULL,
        report BLOB NOT NULL,
        PRIMARY KEY (organization, sensor)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE counter (name TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE checkpoint (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        segment INTEGER NOT NULL,
        offset INTEGER NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT;
    INSERT INTO checkpoint VALUES (1, 0, 0, 0);
    """,
    # 2: traffic over time
    traffic.SCHEMA,
    # 3: what the messages teach
    """
    ALTER TABLE endpoint ADD COLUMN path TEXT NOT NULL DEFAULT '';
    ALTER TABLE endpoint ADD COLUMN place TEXT NOT NULL DEFAULT '';
    ALTER TABLE endpoint ADD COLUMN confidence REAL NOT NULL DEFAULT 0;
    ALTER TABLE endpoint ADD COLUMN callers BLOB NOT NULL DEFAULT x'';
    UPDATE endpoint SET path = template, place = template;

    CREATE TABLE knowledge (
        endpoint INTEGER PRIMARY KEY REFERENCES endpoint (id) ON DELETE CASCADE,
        state BLOB NOT NULL
    ) STRICT;

    CREATE TABLE paths (
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        host TEXT NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (organization, environment, application, host)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE redirect (old INTEGER PRIMARY KEY, new INTEGER NOT NULL) STRICT;

    CREATE TABLE delivery (digest BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX delivery_age ON delivery (number);

    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        time_ns INTEGER NOT NULL,
        endpoint INTEGER NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT;
    CREATE INDEX event_time ON event (time_ns);

    CREATE TABLE description (
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        uploaded_ns INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (organization, environment, application)
    ) STRICT, WITHOUT ROWID;
    """,
    # 4: organizations, each with a revision and a sum of traffic of its own
    """
    CREATE TABLE organization (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL
    ) STRICT;
    INSERT INTO organization (name, revision)
        SELECT name, (SELECT revision FROM checkpoint)
        FROM (SELECT organization AS name FROM endpoint UNION SELECT organization FROM sensor);
    INSERT INTO rollup
        SELECT -1, size_s, start_s, exchanges, client_errors, server_errors, latency FROM rollup
        WHERE endpoint = 0 AND (SELECT count(*) FROM organization) = 1;
    """,
    # 5: runs of sensors: those that overlap are different ones, whatever they call themselves
    """
    ALTER TABLE sensor RENAME TO old_sensor;
    CREATE TABLE sensor (
        organization TEXT NOT NULL,
        sensor TEXT NOT NULL,
        instance TEXT NOT NULL,
        first_seen_ns INTEGER NOT NULL,
        last_seen_ns INTEGER NOT NULL,
        stopped_ns INTEGER NOT NULL,
        report BLOB NOT NULL,
        PRIMARY KEY (organization, sensor, instance)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO sensor
        SELECT organization, sensor, '', first_seen_ns, last_seen_ns, 0, report FROM old_sensor;
    DROP TABLE old_sensor;
    -- A number that was given again belongs to the endpoint that has it now.
    DELETE FROM redirect WHERE old IN (SELECT id FROM endpoint);
    """,
    # 6: the URL schemes of endpoints (a union of learn.trace.SCHEME_BITS); 0 of those seen before is unknown
    """
    ALTER TABLE endpoint ADD COLUMN schemes INTEGER NOT NULL DEFAULT 0;
    """,
    # 7: names of the field
    """
    ALTER TABLE endpoint RENAME COLUMN place TO path_key;
    ALTER TABLE checkpoint RENAME COLUMN one TO id;
    ALTER TABLE redirect RENAME TO endpoint_redirect;
    ALTER TABLE endpoint_redirect RENAME COLUMN old TO old_endpoint;
    ALTER TABLE endpoint_redirect RENAME COLUMN new TO new_endpoint;
    """,
    # 8: what was learned by place, of which endpoints are a read model; rollups by place, too. What earlier
    # versions put together stays together: each endpoint becomes one place.
    """
    CREATE TABLE place (
        id INTEGER PRIMARY KEY,
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        host TEXT NOT NULL,
        method TEXT NOT NULL,
        path_key TEXT NOT NULL,
        unproven INTEGER NOT NULL,
        endpoint INTEGER NOT NULL,
        traces INTEGER NOT NULL,
        exchanges REAL NOT NULL,
        schemes INTEGER NOT NULL,
        first_seen_ns INTEGER NOT NULL,
        last_seen_ns INTEGER NOT NULL,
        statuses TEXT NOT NULL,
        callers BLOB NOT NULL,
        knowledge BLOB NOT NULL
    ) STRICT;
    CREATE INDEX place_key ON place (organization, environment, application, host, method, path_key);
    CREATE INDEX place_endpoint ON place (endpoint);
    INSERT INTO place
        SELECT id, organization, environment, application, host, method, path_key, 0, id, traces,
            exchanges,
            schemes, first_seen_ns, last_seen_ns,
            (SELECT json_group_object(CAST(status AS TEXT), exchanges) FROM endpoint_status
                WHERE endpoint = endpoint.id),
            callers, ifnull((SELECT state FROM knowledge WHERE endpoint = endpoint.id), x'90')
        FROM endpoint;
    DROP TABLE knowledge;
    ALTER TABLE endpoint DROP COLUMN path_key;

    DROP TRIGGER rollup_of_deleted_endpoint;
    ALTER TABLE rollup RENAME COLUMN endpoint TO place;
    CREATE TRIGGER rollup_of_deleted_place AFTER DELETE ON place BEGIN
        DELETE FROM rollup WHERE place = old.id;
    END;

    ALTER TABLE paths ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE path_log (
        id INTEGER PRIMARY KEY,
        organization TEXT NOT NULL,
        environment TEXT NOT NULL,
        application TEXT NOT NULL,
        host TEXT NOT NULL,
        state BLOB NOT NULL
    ) STRICT;
    CREATE INDEX path_log_host ON path_log (organization, environment, application, host);

    CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    # 9: weights in the parts that they are counted in now: what is added to them is exact in any order
    """
    UPDATE place SET exchanges = counted(exchanges), statuses = counted_statuses(statuses);
    UPDATE place SET exchanges = counted((SELECT total(value) FROM json_each(statuses)))
        WHERE statuses != '{}';
    UPDATE endpoint_status SET exchanges = counted(exchanges);
    UPDATE endpoint SET exchanges = counted(
        (SELECT total(exchanges) FROM endpoint_status WHERE endpoint = endpoint.id)
    ) WHERE id IN (SELECT endpoint FROM endpoint_status);
    UPDATE counter SET value = counted(value);
    """,
    # 10: sensitive data as it was found in endpoints, and how many traces each had had by then
    """
    CREATE TABLE sensitive_field (
        id INTEGER PRIMARY KEY,
        endpoint INTEGER NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        category TEXT NOT NULL,
        location TEXT NOT NULL,
        direction TEXT NOT NULL,
        confidence REAL NOT NULL,
        contained INTEGER NOT NULL,
        UNIQUE (endpoint, location, kind)
    ) STRICT;
    CREATE INDEX sensitive_field_order ON sensitive_field (kind, confidence DESC);
    ALTER TABLE endpoint ADD COLUMN looked_traces INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX endpoint_to_look_at ON endpoint (id) WHERE 4 * traces > 5 * looked_traces;
    """,
    # 11: how well a host is proven to exist; -1 is "not known yet"
    """
    ALTER TABLE paths ADD COLUMN successes INTEGER NOT NULL DEFAULT -1;
    ALTER TABLE paths ADD COLUMN callers INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE paths ADD COLUMN first_minute INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX place_use ON place (organization, environment, application, endpoint, last_seen_ns);
    """,
    # 12: names, which need a proof from now on; those that are text stay text (``NameTable.start``)
    names.SCHEMA + "ALTER TABLE paths ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;",
    # 13: what is asked for each endpoint that goes; how much the endpoint was used that a redirect leads from
    """
    CREATE INDEX event_endpoint ON event (endpoint);
    CREATE INDEX endpoint_redirect_new ON endpoint_redirect (new_endpoint);
    ALTER TABLE endpoint_redirect ADD COLUMN exchanges REAL NOT NULL DEFAULT 0;
    """,
    # 14: when something was learned, and the room that it took; sensors by when they were heard
    retention.SCHEMA + storage.SCHEMA + "CREATE INDEX sensor_heard ON sensor (stopped_ns = 0, last_seen_ns);",
    # 15: who was let in (``learn.access``), and what messages show besides sensitive data (``learn.signs``)
    """
    ALTER TABLE place ADD COLUMN access BLOB NOT NULL DEFAULT x'';
    ALTER TABLE endpoint ADD COLUMN access BLOB NOT NULL DEFAULT x'';
    ALTER TABLE endpoint ADD COLUMN signs BLOB NOT NULL DEFAULT x'';
    """,
)

VERSION = len(_STEPS)
"""Of the schema, in ``PRAGMA user_version``."""
_ITS_ENDPOINTS = "(SELECT id FROM main.endpoint WHERE organization = {1})"
_OF_ENDPOINT = f"SELECT * FROM main.{{0}} WHERE endpoint IN {_ITS_ENDPOINTS}"
_OF_PLACE = "SELECT * FROM main.{0} WHERE place IN (SELECT id FROM main.place WHERE organization = {1})"
_OF_ORGANIZATION = "SELECT * FROM main.{0} WHERE organization = {1}"
_OF_NOBODY = "SELECT * FROM main.{0} WHERE 0"
_SEEN_BY_ONE = {
    "endpoint": _OF_ORGANIZATION,
    "sensor": _OF_ORGANIZATION,
    "description": _OF_ORGANIZATION,
    "name": _OF_ORGANIZATION,
    "paths": _OF_ORGANIZATION,
    "path_log": _OF_ORGANIZATION,
    "place": _OF_ORGANIZATION,
    "endpoint_status": _OF_ENDPOINT,
    "event": _OF_ENDPOINT,
    "sensitive_field": _OF_ENDPOINT,
    "fact": "SELECT * FROM main.{0}",
    "learned_step": _OF_NOBODY,
    "size_of_day": _OF_NOBODY,
    "rollup": _OF_PLACE + " UNION ALL SELECT * FROM main.{0} WHERE place ="
    " (SELECT -id FROM main.organization WHERE name = {1})",
    "endpoint_redirect": f"SELECT * FROM main.{{0}} WHERE new_endpoint IN {_ITS_ENDPOINTS}",
    "organization": "SELECT * FROM main.{0} WHERE name = {1}",
    "checkpoint": "SELECT id, segment, offset,"
    " ifnull((SELECT revision FROM main.organization WHERE name = {1}), 0) AS revision FROM main.{0}",
    "counter": _OF_NOBODY,
    "delivery": _OF_NOBODY,
}
"""By table, what one organization sees of it. A table that is missing here cannot be read for one at all."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database at *path*, made if absent, and bring its schema up to date.

    A commit is durable when it returns (``synchronous = FULL``): the journal deletes what was committed.

    Raises:
        LevoError: the file is no database of ours, or of a later version.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=30, cached_statements=256)
        try:
            storage.prepare(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            traffic.prepare(connection)
            connection.create_function("joined_callers", 2, joined_callers, deterministic=True)
            connection.create_function("joined_access", 2, joined_access, deterministic=True)
            connection.create_function("anonymous", 1, anonymous_template, deterministic=True)
            _migrate(connection, path)
        except BaseException:
            connection.close()  # with the transaction of a step that failed
            raise
    except (sqlite3.DatabaseError, OSError) as error:
        raise LevoError(f"{path}: cannot be used as the catalog: {error}") from error
    return connection


def open_for_reading(path: Path, userdata: Path | None = None, organization: str = "") -> sqlite3.Connection:
    """Open the database at *path*, which exists, for queries only; usable from any one thread at a time.

    The users' decisions of *userdata* are there as ``userdata.triage`` and ``userdata.decision``, and
    ``anonymous`` takes the names of parameters from a template. With an *organization*, every table is only
    what that one sees of it: the names lead to views of this connection, so that no query can forget to ask
    whose rows it reads.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False
    )
    if userdata is None:
        connection.execute("ATTACH ':memory:' AS userdata")
        connection.execute(
            "CREATE TABLE userdata.triage"
            " (organization, environment, application, host, method, template, state)"
        )
        connection.execute(
            "CREATE TABLE userdata.decision (id, kind, organization, environment, application, host, method,"
            " template, detail, undone_ns)"
        )
    else:
        connection.execute("ATTACH ? AS userdata", (f"{userdata.absolute().as_uri()}?mode=ro",))
    connection.create_function("anonymous", 1, anonymous_template, deterministic=True)
    if organization:
        _restrict(connection, organization)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _restrict(connection: sqlite3.Connection, organization: str) -> None:
    quoted = "'" + organization.replace("\0", "").replace("'", "''") + "'"
    for (table,) in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
        query = _SEEN_BY_ONE.get(table, _OF_NOBODY).format(table, quoted)
        connection.execute(f"CREATE TEMP VIEW {table} AS {query}")


def anonymous_template(template: str) -> str:
    """Return *template* without the names of its parameters: ``/users/{}``. Decisions name endpoints so."""
    return "/" + "/".join(anonymous_pattern(template))


def _counted_statuses(statuses: str) -> str:
    # In Python: SQLite writes numbers into JSON with 15 digits.
    found = msgspec.json.decode(statuses, type=dict[int, float])
    counted = {status: counted_weight(exchanges) for status, exchanges in sorted(found.items())}
    return msgspec.json.encode(counted).decode()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.create_function("counted", 1, counted_weight, deterministic=True)
    connection.create_function("counted_statuses", 1, _counted_statuses, deterministic=True)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise LevoError(
            f"{path}: was written by a later version of levo (schema {version}); upgrade to read it"
        )
    for number, step in enumerate(_STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;")
