from typing import final

from levo.satellite.learn.naming import Proven
from levo.satellite.learn.schema.node import Node

MAX_MEDIA_TYPES: int
MAX_AUTH_SETS: int
MATRIX: str
OTHER_MEDIA: str

@final
class Body:
    seen: int
    learned: int
    """Of ``seen``: complete and readable, so that they are in ``schema``."""
    schema: Node
    def __init__(self, seen: int = 0, learned: int = 0, schema: Node | None = None) -> None: ...
    def absorb(self, other: Body) -> None: ...

@final
class Response:
    seen: int
    headers: Node
    bodies: dict[str, Body]
    def __init__(
        self, seen: int = 0, headers: Node | None = None, bodies: dict[str, Body] | None = None
    ) -> None: ...
    def absorb(self, other: Response) -> None: ...

@final
class Knowledge:
    accepted: int
    """Requests that succeeded, all of which taught the request's side."""
    query: Node
    headers: Node
    cookies: Node
    segments: dict[str, Node]
    """Values of path parameters by position, and (:data:`MATRIX` before it) parameters of that segment."""
    bodies: dict[str, Body]
    responses: dict[str, Response]
    auth: dict[str, int]
    refused: int
    """Responses 401 and 403."""
    skipped: int
    """Exchanges whose messages were counted but not looked into."""
    unsettled: bool
    """A name in it may have to be made a mark, or a mark a name (:meth:`settle`). Not stored."""
    heads_cut: int
    """Requests among ``accepted`` whose head was not captured whole: they taught path and query only."""
    def __init__(
        self,
        accepted: int = 0,
        query: Node | None = None,
        headers: Node | None = None,
        cookies: Node | None = None,
        segments: dict[str, Node] | None = None,
        bodies: dict[str, Body] | None = None,
        responses: dict[str, Response] | None = None,
        auth: dict[str, int] | None = None,
        refused: int = 0,
        skipped: int = 0,
        heads_cut: int = 0,
    ) -> None: ...
    @property
    def heads(self) -> int: ...
    def names(self) -> set[str]: ...
    def names_all_of(self, more: Knowledge) -> bool: ...
    def absorb(self, other: Knowledge) -> None: ...
    def settle(self, names: Proven) -> None: ...
    def reveal(self, names: Proven) -> int: ...

def join_rare_bodies(bodies: dict[str, Body]) -> None: ...
def keep_auth_sets(auth: dict[str, int]) -> None: ...
