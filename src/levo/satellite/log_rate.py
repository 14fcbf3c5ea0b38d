"""Keeps floods out of the log: what one place in the code reports again and again is written now and then."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

PERIOD_S = 60.0
RECORDS = 5
LOGGERS = ("asyncio", "uvicorn.error", "levo.satellite.web.headers")
"""Loggers that write a line, or a traceback, for whatever a client does."""


class RateLimited(logging.Filter):
    """Passes a few records of one place in a period; the next one that passes reports how many did not."""

    def __init__(self, records: int = RECORDS, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._records = records
        self._clock_s = clock_s
        self._seen: dict[tuple[str, str, int], list[float]] = {}
        """(start of the period, passed, withheld) by place; there are as many as lines that log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether *record* is written."""
        now_s = self._clock_s()
        seen = self._seen.setdefault((record.name, record.pathname, record.lineno), [now_s, 0, 0])
        if now_s - seen[0] >= PERIOD_S:
            withheld = int(seen[2])
            seen[:] = [now_s, 0, 0]
            if withheld:
                record.msg, record.args = f"{record.getMessage()} ({withheld} more left out)", ()
        if seen[1] < self._records:
            seen[1] += 1
            return True
        seen[2] += 1
        return False


@contextlib.contextmanager
def calm_log() -> Iterator[None]:
    """Limit the loggers of what clients do while in the context."""
    limit = RateLimited()
    for name in LOGGERS:
        logging.getLogger(name).addFilter(limit)
    try:
        yield
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(limit)
