from collections.abc import Iterable
from typing import Self

from levo.engine.exchange.batch import Batch
from levo.model.regex import Regex

class Redactor:
    def __new__(
        cls,
        fields: Iterable[str | bytes] = (),
        patterns: Iterable[Regex] = (),
        first_look: Regex | None = None,
        defaults: Iterable[str | bytes] = (),
        urls: Iterable[str | bytes] = (),
        url_fields: Iterable[str | bytes] = (),
        redirect_fields: Iterable[str | bytes] = (),
        headers: Iterable[str | bytes] = (),
    ) -> Self: ...
    def redact(self, batch: Batch, start: int = ..., stop: int | None = ...) -> tuple[int, int, int, int]: ...
