"""Turns templates into answers: filters for people, and what every page knows."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from levo import __version__
from levo.satellite.access import Identity, identity_of
from levo.satellite.rfc3339 import timestamp
from levo.satellite.web.assets import Assets
from levo.satellite.web.connect import Connect

FOLDER = Path(__file__).parent
SECOND_NS = 1_000_000_000

NAVIGATION = (
    ("/", "Overview", "overview"),
    ("/catalog", "Catalog", "catalog"),
    ("/posture", "Posture", "posture"),
    ("/sensitive", "Sensitive data", "sensitive"),
    ("/changes", "Changes", "changes"),
    ("/encrypted", "Encrypted", "encrypted"),
    ("/reference", "API reference", "reference"),
    ("/sensors", "Sensors", "sensors"),
    ("/settings", "Settings", "settings"),
)
"""Address, name and icon of the pages in the side bar."""


class Renderer:
    """Renders pages. Values from traffic pass through autoescape, always."""

    def __init__(
        self,
        satellite_url: str,
        clock_ns: Callable[[], int] = time.time_ns,
        assets: Assets | None = None,
        connect: Connect | None = None,
    ) -> None:
        """*satellite_url* is what a sensor on this machine would be given as ``--satellite-url``."""
        self.connect = connect or Connect(satellite_url)
        self.clock_ns = clock_ns
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Callable[..., Any]] = {
            "amount": amount,
            "octets": octets,
            "milliseconds": milliseconds,
            "percent": percent,
            "pace": pace,
            "duration": duration,
            "apart": apart,
            "kind": lambda name: name.replace("-", " "),
            "day": lambda time_ns: day(time_ns, clock_ns()),
            "timestamp": timestamp,
            "moment": moment,
            "ago": lambda time_ns: ago(time_ns, clock_ns()),
            "path_parts": path_parts,
            "spoken_place": spoken_place,
        }
        self._templates.filters.update(filters)
        self._templates.globals |= {
            "version": __version__,
            "asset": (assets or Assets()).address,
            "navigation": NAVIGATION,
        }

    def page(self, request: Request, template: str, status: int = 200, **context: Any) -> Response:
        """Return *template* as an answer that is not stored anywhere.

        Its ETag is of what it says, however long ago that was: a page that asks whether there is more to show
        than it has is told so without being sent all of it again.
        """
        identity: Identity = identity_of(request)
        section = "/" + request.url.path.split("/")[1]
        section = {"/endpoints": "/catalog", "/connect": "/sensors"}.get(section, section)
        html = self._templates.get_template(template).render(
            section=section,
            identity=identity,
            said=_NOTICES.get(request.query_params.get("said", ""), ""),
            theme=theme if (theme := request.cookies.get("theme")) in THEMES else "",
            revision=revision_of(request),
            first_command=lambda: self.connect.first_command(request),
            **context,
        )
        body = html.encode()
        tag = f'"{hashlib.blake2b(_PASSING.sub(b"", body), digest_size=12).hexdigest()}"'
        headers = {"cache-control": "no-store", "etag": tag}
        if status == 200 and request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(body, status, headers=headers)


def revision_of(request: Request) -> int:
    """Return the number of the catalog's state that the answer shows at least, 0 if it shows none."""
    return int(request.scope.get("levo.revision", 0))


THEMES = ("light", "dark")
"""What the cookie ``theme`` may say; without it the system's colors are used."""
_PASSING = re.compile(rb'(?<=">)[^<]*(?=</time>)|(?<= data-passing>)[^<]*| data-revision="\d*"')
"""What changes with the time alone."""


_NOTICES = {
    "saved": "Saved.",
    "undone": "Undone.",
    "removed": "Removed.",
    "deleted": "Deleted. It comes back when it is requested again.",
    "sent": "Sent.",
    "uploaded": "Uploaded.",
    "password": "The password was changed.",
}
"""What a page says after a form was sent, by the value of ``said``."""


def link(kept: dict[str, str], **changes: str | int) -> str:
    """Return a relative link with the query *kept*, changed; empty values leave it."""
    query = urlencode({name: value for name, value in {**kept, **changes}.items() if value not in ("", 0)})
    return f"?{query}" if query else "?"


def amount(value: float) -> str:
    """A count for people: grouped in thousands, from a million on rounded."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M")):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:,.0f}"


def octets(value: float) -> str:
    """A size for people."""
    if value < 0:
        return f"\N{MINUS SIGN}{octets(-value)}"
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


def milliseconds(value: float | None) -> str:
    """A duration for people, with two significant digits."""
    if value is None:
        return "\N{EN DASH}"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"


def percent(share: float) -> str:
    """A share for people."""
    value = share * 100
    return (
        "0 %"
        if not value
        else "< 0.1 %"
        if value < 0.1
        else f"{value:.1f} %"
        if value < 10
        else f"{value:.0f} %"
    )


def pace(per_second: float, *, short: bool = False) -> str:
    """How often, for people, by the smallest unit of time in which it happens once."""
    scales = ((1, "a second", "s"), (60, "a minute", "min"), (3600, "an hour", "h"), (86_400, "a day", "d"))
    size, words, unit = next((each for each in scales if per_second * each[0] >= 0.995), scales[-1])
    value = per_second * size
    text = f"{value:.1f}" if 0 < value < 9.95 else amount(value)
    return f"{text}/{unit}" if short else f"{text} {words}"


def duration(seconds: float) -> str:
    """A time of seconds to days for people, rounded down, with two significant digits if it is long."""
    for size, unit in ((86_400, "d"), (3600, "h")):
        if seconds >= size:
            if seconds < 10 * size and seconds % size >= size / 10:
                return f"{math.floor(seconds / size * 10) / 10:.1f} {unit}"
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def apart(seconds: float) -> str:
    """By how much one clock is ahead of another, for people."""
    return f"{duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"


def moment(time_ns: int) -> str:
    """A time in full, in the one zone that all pages use."""
    return f"{timestamp(time_ns)[:19].replace('T', ' ')} UTC"


def day(time_ns: int, now_ns: int) -> str:
    """Which day (UTC), for people."""
    passed = now_ns // (86_400 * SECOND_NS) - time_ns // (86_400 * SECOND_NS)
    date = timestamp(time_ns)[:10]
    return {0: f"Today, {date}", 1: f"Yesterday, {date}"}.get(passed, date)


def ago(time_ns: int, now_ns: int) -> str:
    """How long ago, for people; a date after a week."""
    seconds = max(0, now_ns - time_ns) // SECOND_NS
    if seconds < 5:
        return "now"
    for size, unit in ((60, "s"), (60, "min"), (24, "h"), (7, "d")):
        if seconds < size:
            return f"{seconds} {unit} ago"
        seconds //= size
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%Y-%m-%d")


def spoken_place(location: str) -> tuple[str, str]:
    """Return where sensitive data is, for people: (name of the field, what it is part of)."""
    position, _, rest = location.partition(":")
    part = position.replace("-", " ")
    status = ""
    if position.startswith("response"):
        status, _, rest = rest.partition(":")
        part = f"{status} {part}" if status.isdigit() else part
    return rest or location, part


def path_parts(template: str) -> list[tuple[str, bool]]:
    """Split a template into (text, whether it is a parameter), to be shown differently."""
    parts: list[tuple[str, bool]] = []
    for segment in template.split("/")[1:]:
        parts.append(("/", False))
        if segment:
            parts.append((segment, "{" in segment and segment.endswith("}")))
    return parts
