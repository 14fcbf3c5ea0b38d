"""What the configuration hides, applied to whole batches before they reach any output."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from levo.config import Redaction, credentials
from levo.engine.exchange.redact import Redactor


class Masking:
    """Masks credentials, named fields and patterns; counts what it hid. Counts outlive a change of rules."""

    def __init__(self, rules: Redaction) -> None:
        """Raises ValueError for a field name that is empty or too long."""
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(
            ("credentials_masked", "fields_masked", "patterns_masked", "bodies_withheld"), 0
        )
        self.change(rules)

    def change(self, rules: Redaction) -> None:
        """Apply other *rules* from the next batch on."""
        kept = set(rules.keep)
        self._redactor = Redactor(
            rules.fields,
            [pattern.compiled for pattern in rules.patterns],
            first_look(rules),
            defaults=[name for name in credentials.FIELDS if name not in kept],
            urls=credentials.URL_HEADERS,
            url_fields={"key"} - kept,
            redirect_fields={"code"} - kept,
            headers=[*(name for name in credentials.HEADERS if name not in kept), *rules.headers],
        )

    def __call__(
        self,
        batch: Any,
        max_body: int = 10_000_000,
        max_growth: int = 64_000_000,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        """Undo content codings of *batch* and mask it in place; arguments as of ``Batch.decode_content``."""
        redactor = self._redactor
        batch.decode_content(max_body, max_growth, start, stop)
        headers, fields, patterns, withheld = redactor.redact(batch, start, stop)
        if headers or fields or patterns or withheld:
            with self._lock:
                self._counts["credentials_masked"] += headers
                self._counts["fields_masked"] += fields
                self._counts["patterns_masked"] += patterns
                self._counts["bodies_withheld"] += withheld

    def statistics(self) -> Mapping[str, int]:
        """Values hidden so far, by why; the names are counters of ``levo.ledger.NOTES``."""
        with self._lock:
            return dict(self._counts)


def first_look(rules: Redaction) -> Any:
    """One expression that matches newline-joined values whenever a pattern matches one; None if unsure.

    ``^`` and ``$`` become those of a line. What insists on the text's own ends, or switches flags off, cannot
    be looked for that way.
    """
    written = [pattern.text for pattern in rules.patterns]
    if not written or any(_PARTICULAR.search(text) for text in written):
        return None
    import re2  # type: ignore[import-untyped,unused-ignore]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile("|".join(f"(?m:{text})" for text in written), options)
    except re2.error:  # too large together, or a group's name twice
        return None


_PARTICULAR = re.compile(r"\\[AzZQ]|\(\?[a-zA-Z]*-")
