"""Catalogs with known content."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.trace import Origin
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, schema

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def trace(  # noqa: PLR0913 (each names a column, with a default)
    path: str = "/users/1",
    *,
    method: str = "GET",
    status: int = 200,
    weight: float = 1.0,
    application: str = "shop",
    environment: str = "staging",
    host: str = "shop.example",
    organization: str = "acme",
    end_ns: int = NOW,
    scheme: str = "",
) -> Trace:
    origin = Origin(organization, environment, application, "sensor-1")
    return Trace(origin, host, method, path, status, weight, end_ns, end_ns, scheme=scheme)


def older_catalog(path: Path, version: int) -> sqlite3.Connection:
    """Make an empty catalog as an earlier release had it, by the number of its schema."""
    connection = sqlite3.connect(path, isolation_level=None)
    for step in schema._STEPS[:version]:
        connection.executescript(step)
    connection.execute(f"PRAGMA user_version = {version}")
    return connection


def catalog(path: Path, traces: Iterable[Trace | None], *, looked: bool = True) -> CatalogReader:
    """Write *traces*, look for sensitive data unless not *looked*, and open the catalog for reading."""
    with CatalogWriter(path) as writer:
        writer.commit(learn_all(State(), traces), Position(1, 1))
        if looked:
            writer.look()
    return CatalogReader(path)
