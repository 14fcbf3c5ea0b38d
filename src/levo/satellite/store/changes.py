"""What of new knowledge is news: properties, statuses, media types and authentication not seen before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from levo.satellite.learn import Knowledge
from levo.satellite.learn.schema import Node
from levo.satellite.learn.schema.names import MARK

SETTLED = 30
"""Messages after which something new is a change rather than a first acquaintance."""
MAX_CHANGES = 20
"""News of one endpoint in one commit."""


def changes(known: Knowledge, more: Knowledge) -> Iterator[tuple[str, str]]:
    """Yield (kind, detail) for what *more* adds to *known*; details are proven names, never values."""
    for number, found in enumerate(_all(known, more)):
        if number >= MAX_CHANGES:
            return
        yield found


def _all(known: Knowledge, more: Knowledge) -> Iterator[tuple[str, str]]:
    if known.accepted >= SETTLED:
        yield from _properties(known.query, more.query, "query parameter ", "")
    if known.heads >= SETTLED:
        for scheme in sorted(_proven(more.auth.keys() - known.auth.keys())):
            yield "authentication", scheme
        for media in sorted(_proven(more.bodies)):
            body, old = more.bodies[media], known.bodies.get(media)
            if old is None:
                yield "request-media-type", media
            elif old.learned >= SETTLED:
                yield from _properties(old.schema, body.schema, f"request {media} ", "")
    seen = sum(response.seen for response in known.responses.values())
    for status, response in sorted(more.responses.items()):
        before = known.responses.get(status)
        if before is None:
            if seen >= SETTLED:
                yield "status", status
            continue
        for media in sorted(_proven(response.bodies)):
            body, old = response.bodies[media], before.bodies.get(media)
            if old is None:
                if before.seen >= SETTLED:
                    yield "response-media-type", f"{status} {media}"
            elif old.learned >= SETTLED:
                yield from _properties(old.schema, body.schema, f"response {status} ", "")


def _proven(names: Iterable[str]) -> list[str]:
    return [name for name in names if MARK not in name]


def _properties(old: Node, new: Node, where: str, pointer: str) -> Iterator[tuple[str, str]]:
    for key in sorted(_proven(new.children)):
        child, before = new.children[key], old.children.get(key)
        if before is None:
            if old.objects >= SETTLED and not old.folded:
                yield "property", f"{where}{pointer}/{key}"
        else:
            yield from _properties(before, child, where, f"{pointer}/{key}")
    if new.items is not None and old.items is not None:
        yield from _properties(old.items, new.items, where, f"{pointer}/*")
