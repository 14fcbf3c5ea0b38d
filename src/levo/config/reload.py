"""What a changed configuration means for a process that runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from levo.config.options import OPTIONS
from levo.config.table import Option

Config = TypeVar("Config")


def changes(old: Config, new: Config, options: Iterable[Option] = OPTIONS) -> tuple[list[str], list[str]]:
    """Names of the settings that differ: (those that apply at once, those that need a restart)."""
    now: list[str] = []
    later: list[str] = []
    for option in options:
        if getattr(old, option.field) != getattr(new, option.field):
            (now if option.reloadable else later).append(option.name)
    return now, later
