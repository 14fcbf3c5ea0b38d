"""Cache of values that cost time to make. The time to live grows with the cost."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")
MAX_VALUES = 64
_SHARE = 10.0
"""Making values costs no more than one part in so many of the time, however often they are asked for."""
_AT_MOST_S = 60.0


class TtlCache(Generic[_T]):
    """Usable from any thread. What two threads ask for at once may be made twice."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._values: OrderedDict[tuple[str, ...], tuple[float, _T]] = OrderedDict()

    def get(self, key: tuple[str, ...], make: Callable[[], _T]) -> _T:
        """Return the value of *key*, made by *make* unless it was made a short while ago."""
        start_s = self._clock_s()
        with self._lock:
            known = self._values.get(key)
        if known is not None and start_s < known[0]:
            return known[1]
        value = make()
        now_s = self._clock_s()
        with self._lock:
            self._values[key] = now_s + min(_AT_MOST_S, _SHARE * (now_s - start_s)), value
            self._values.move_to_end(key)
            while len(self._values) > MAX_VALUES:
                self._values.popitem(last=False)
        return value
