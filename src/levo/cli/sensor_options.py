"""The sensor's flags as click options."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from levo.cli.table_options import table_flags, table_options
from levo.config import DEFAULT_PATH, SENSOR, Merged, load

Function = TypeVar("Function", bound=Callable[..., Any])


def sensor_options(function: Function) -> Function:
    """Add every flag of the sensor, and ``--config``. The values stay text; :func:`merged` reads them."""
    return table_options(function, SENSOR)


def merged(
    given: Mapping[str, Any], *, ignore_default_file: bool = False, opened: frozenset[str] = frozenset()
) -> Merged:
    """The configuration out of what click collected, the process's environment and the file.

    *opened*: files that need not be readable any more.

    Raises:
        ConfigError: one line about the first problem.
    """
    flags = table_flags(given, SENSOR)
    default_path = os.devnull if ignore_default_file else DEFAULT_PATH
    return load(
        flags,
        os.environ,
        path=given.get("config"),
        default_path=default_path,
        check_filter=check_filter,
        opened=opened,
    )


def check_filter(expression: str) -> None:
    """Raise ConfigError when *expression* cannot be compiled. Loads libpcap, so only where there is one."""
    from levo.sensor.capture.filters import check_expression

    check_expression(expression)
