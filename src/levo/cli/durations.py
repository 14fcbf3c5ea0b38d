"""Times and sizes on the command line mean what they mean in the configuration."""

from __future__ import annotations

from typing import Any

import click

from levo.config import BadValue
from levo.config.values import duration_ns


class Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions only
    """A time as the configuration writes it (``90``, ``90s``, ``15m``), as a number of seconds."""

    name = "time"

    def __init__(self, least: float = 0.0, most: float | None = None) -> None:
        self._least, self._most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float | int):
            return float(value)
        try:
            seconds = duration_ns(value) / 1e9
        except BadValue as error:
            self.fail(str(error), param, ctx)
        if seconds < self._least or (self._most is not None and seconds > self._most):
            bounds = f"at least {self._least:g}s" + (f" and at most {self._most:g}s" if self._most else "")
            self.fail(f"'{value}' is out of range; write {bounds}", param, ctx)
        return seconds
