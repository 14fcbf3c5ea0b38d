"""The files that pages need beside their HTML, named by their content: browsers keep them for good."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    media: str
    mark: str
    """Changes with the content."""
    content: bytes = field(repr=False)


class Assets:
    """All of one folder, in memory: asking for one touches no disk and no thread."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.name: _File(
                mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                hashlib.sha256(content := path.read_bytes()).hexdigest()[:12],
                content,
            )
            for path in sorted(folder.iterdir())
            if path.is_file()
        }

    def address(self, name: str) -> str:
        """Return where *name* is. Changed content has another address, so no browser has to ask again.

        Raises:
            KeyError: there is no such file.
        """
        return f"/static/{name}?{self._files[name].mark}"

    def route(self) -> Route:
        """Return the route of all files."""
        return Route("/static/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "there is no such file")
        tag = f'"{found.mark}"'
        named = request.url.query == found.mark
        headers = {"etag": tag, "cache-control": _FOR_GOOD if named else "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.media, headers=headers)
