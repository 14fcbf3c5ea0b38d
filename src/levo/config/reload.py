"""What a changed configuration means for a running sensor."""

from __future__ import annotations

from levo.config.options import OPTIONS
from levo.config.sensor_config import SensorConfig


def changes(old: SensorConfig, new: SensorConfig) -> tuple[list[str], list[str]]:
    """Names of the settings that differ: (those that apply at once, those that need a restart)."""
    now: list[str] = []
    later: list[str] = []
    for option in OPTIONS:
        if getattr(old, option.field) != getattr(new, option.field):
            (now if option.reloadable else later).append(option.name)
    return now, later
