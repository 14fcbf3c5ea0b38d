"""The route that sends a backup."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from levo.errors import LevoError
from levo.satellite.access import Identity
from levo.satellite.store.backup import write_backup
from levo.satellite.web.forms import Form, form_route

_LOG = logging.getLogger(__name__)


class Backup:
    """Makes backups of one data directory."""

    def __init__(self, data_dir: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._data_dir = data_dir
        self._clock_ns = clock_ns

    def route(self) -> Route:
        """Return the route that sends a backup to an admin."""
        return form_route("/api/backup", self._send, role="admin")

    def _send(self, _request: Request, _identity: Identity, _form: Form) -> Response:
        handle, name = tempfile.mkstemp(prefix="backup-", suffix=".tar.gz", dir=self._data_dir)
        os.close(handle)
        path = Path(name)
        try:
            write_backup(self._data_dir, path)
        except (OSError, LevoError) as error:
            path.unlink(missing_ok=True)
            _LOG.warning("backup: %s", error)
            raise HTTPException(503, "the backup cannot be written; the log says why") from error
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock_ns() // 1_000_000_000))
        return FileResponse(
            path,
            filename=f"levo-satellite-{stamp}.tar.gz",
            media_type="application/gzip",
            background=BackgroundTask(path.unlink, missing_ok=True),
            headers={"cache-control": "no-store"},
        )
