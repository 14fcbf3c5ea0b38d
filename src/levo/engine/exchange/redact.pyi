from collections.abc import Iterable
from typing import Any

from levo.engine.exchange.batch import Batch

class Redactor:
    def __init__(
        self,
        fields: Iterable[str | bytes] = ...,
        patterns: Iterable[Any] = ...,
        first_look: Any = ...,
        defaults: Iterable[str | bytes] = ...,
        urls: Iterable[str | bytes] = ...,
        url_fields: Iterable[str | bytes] = ...,
        redirect_fields: Iterable[str | bytes] = ...,
        headers: Iterable[str | bytes] = ...,
    ) -> None: ...
    def redact(self, batch: Batch, start: int = ..., stop: int | None = ...) -> tuple[int, int, int, int]: ...
