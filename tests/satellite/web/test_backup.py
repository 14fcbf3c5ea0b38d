"""The route that sends a backup."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from levo.satellite.access import Identity
from levo.satellite.access.auth import Role
from levo.satellite.store.backup import restore_backup
from levo.satellite.store.schema import DATABASE_NAME
from levo.satellite.store.userdata import USERDATA_NAME, UserData
from levo.satellite.web.backup import Backup
from levo.satellite.web.problems import on_http_exception
from tests.satellite.asgi import call
from tests.satellite.running import Answer
from tests.satellite.store.catalogs import NOW, catalog, trace


def ask(folder: Path, role: str = "admin") -> Answer:
    site = Starlette(
        routes=[Backup(folder, lambda: NOW).route()], exception_handlers={HTTPException: on_http_exception}
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["levo.identity"] = Identity("anna", Role.named(role), "t")
        await site(scope, receive, send)

    return call(app, "POST", "/api/backup", b"", {"x-form-token": "t"})


def test_what_is_sent_can_be_restored_and_nothing_is_left_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    catalog(source / DATABASE_NAME, [trace()]).close()
    userdata = UserData(source / USERDATA_NAME)
    userdata.audit.record("anna", "did", "something", "", NOW)
    userdata.close()
    answer = ask(source)
    (tmp_path / "b.tar.gz").write_bytes(answer.body)
    restore_backup(tmp_path / "b.tar.gz", tmp_path / "new", replace=False)

    assert answer.headers["content-disposition"] == (
        'attachment; filename="levo-satellite-20231114-221320.tar.gz"'
    )
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/gzip",
        "no-store",
    )
    with sqlite3.connect(tmp_path / "new" / DATABASE_NAME) as restored:
        assert restored.execute("SELECT path FROM endpoint").fetchall() == [("/users/{userId}",)]
    assert UserData(tmp_path / "new" / USERDATA_NAME).audit.page()[0] == 1
    assert not list(source.glob("backup-*"))


def test_without_data_there_is_no_backup_and_no_half_a_file(tmp_path: Path) -> None:
    answer = ask(tmp_path)

    assert (answer.status, answer.json()["detail"]) == (503, "the backup cannot be written; the log says why")
    assert not list(tmp_path.iterdir())


def test_only_admins_get_one(tmp_path: Path) -> None:
    catalog(tmp_path / DATABASE_NAME, [trace()]).close()

    assert ask(tmp_path, "editor").status == 403
