from collections.abc import Iterable
from typing import Any

from levo.engine.exchange.batch import Batch

class Redactor:
    def __init__(
        self, fields: Iterable[str | bytes] = ..., patterns: Iterable[Any] = ..., first_look: Any = ...
    ) -> None: ...
    def redact(self, batch: Batch, start: int = ..., stop: int | None = ...) -> tuple[int, int, int]: ...
