"""What is stored of the paths of a host, and what users and descriptions say about them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import cast

import msgspec

from levo.satellite.learn import Override, PathState, Scope, decide_templates
from levo.satellite.learn.paths import Template
from levo.satellite.learn.paths.known import Kind as OverrideKind
from levo.satellite.store.userdata.database import row_number
from levo.satellite.store.userdata.decisions import read_path_decisions


def read_overrides(connection: sqlite3.Connection, userdata: Path, scope: Scope) -> tuple[Override, ...]:
    """Return what descriptions and users (in *userdata*) say about the paths of *scope*; users come last."""
    rows = connection.execute(
        "SELECT document FROM description WHERE organization = ? AND environment IN (?, '')"
        " AND application = ?",
        scope[:3],
    ).fetchall()
    imported = [
        Override("import", path)
        for (document,) in rows
        for path in msgspec.json.decode(document).get("paths", {})
        if isinstance(path, str) and path.startswith("/")
    ]
    decided = [
        Override(cast(OverrideKind, kind), template)
        for kind, template in read_path_decisions(userdata, scope)
    ]
    return (*imported, *decided)


def read_template(connection: sqlite3.Connection, userdata: Path, endpoint: int) -> Template | None:
    """Return the template of *endpoint* with its evidence, decided from what is stored; None if not yet."""
    row = connection.execute(
        "SELECT organization, environment, application, host, template FROM endpoint"
        " WHERE id = ifnull((SELECT new_endpoint FROM endpoint_redirect WHERE old_endpoint = ?), ?)",
        (row_number(endpoint),) * 2,
    ).fetchone()
    if row is None:
        return None
    scope = Scope(*row[:4])
    state = connection.execute(
        "SELECT state FROM paths WHERE organization = ? AND environment = ? AND application = ? AND host = ?",
        scope,
    ).fetchone()
    if state is None:
        return None
    try:
        paths = PathState.from_bytes(state[0])
    except ValueError:
        return None
    return decide_templates(paths, read_overrides(connection, userdata, scope)).by_template.get(row[4])
