"""What the configuration hides, applied to whole batches before they reach any output."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from levo.config import Redaction, credentials
from levo.engine.exchange.redact import Redactor

if TYPE_CHECKING:
    from levo.engine.exchange.batch import Batch
    from levo.model.regex import Regex
    from levo.model.statistics import MaskingStatistics


class Masking:
    """Masks credentials, named fields and patterns; counts what it hid. Counts outlive a change of rules."""

    def __init__(self, rules: Redaction) -> None:
        """Raises ValueError for a field name that is empty or too long."""
        self._lock = threading.Lock()
        self._counts: MaskingStatistics = {
            "credentials_masked": 0,
            "fields_masked": 0,
            "patterns_masked": 0,
            "bodies_withheld": 0,
        }
        self.change(rules)

    def change(self, rules: Redaction) -> None:
        """Apply other *rules* from the next batch on."""
        kept = {credentials.folded(name) for name in rules.keep}
        self._redactor = Redactor(
            rules.fields,
            [pattern.compiled for pattern in rules.patterns],
            first_look(rules),
            defaults=credentials.spellings(credentials.FIELDS, kept),
            urls=credentials.URL_HEADERS,
            url_fields={"key"} - kept,
            redirect_fields={"code"} - kept,
            headers=[*credentials.spellings(credentials.HEADERS, kept, joined=False), *rules.headers],
        )

    def __call__(
        self,
        batch: Batch,
        max_body_bytes: int = 10_000_000,
        max_growth_bytes: int = 64_000_000,
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        """Undo content codings of *batch* and mask it in place; arguments as of ``Batch.decode``."""
        redactor = self._redactor
        batch.decode(max_body_bytes, max_growth_bytes, start, stop)
        headers, fields, patterns, withheld = redactor.redact(batch, start, stop)
        if headers or fields or patterns or withheld:
            with self._lock:
                self._counts["credentials_masked"] += headers
                self._counts["fields_masked"] += fields
                self._counts["patterns_masked"] += patterns
                self._counts["bodies_withheld"] += withheld

    def statistics(self) -> MaskingStatistics:
        """Values hidden so far, by why; the names are counters of ``levo.ledger.MASKED``."""
        with self._lock:
            return self._counts.copy()


def first_look(rules: Redaction) -> Regex | None:
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
        found: Regex = re2.compile("|".join(f"(?m:{text})" for text in written), options)
        return found
    except re2.error:  # too large together, or a group's name twice
        return None


_PARTICULAR = re.compile(r"\\[AzZQ]|\(\?[a-zA-Z]*-")
