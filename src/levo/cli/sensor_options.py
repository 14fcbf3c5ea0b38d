"""The sensor's flags as click options, made from the table in ``levo.config``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from levo.config import DEFAULT_PATH, OPTIONS, Merged, Option, load

Function = TypeVar("Function", bound=Callable[..., Any])


def sensor_options(function: Function) -> Function:
    """Add every flag of the sensor, and ``--config``. The values stay text; :func:`merged` reads them."""
    for option in reversed([option for option in OPTIONS if option.on_command_line]):
        function = _decorator(option)(function)
    return click.option(
        "--config",
        "config",
        metavar="FILE",
        help="Configuration file.  [default: /etc/levo/sensor/config.yaml]",
    )(function)


def merged(
    given: Mapping[str, Any], *, ignore_default_file: bool = False, opened: frozenset[str] = frozenset()
) -> Merged:
    """The configuration out of what click collected, the process's environment and the file.

    *opened*: files that need not be readable any more.

    Raises:
        ConfigError: one line about the first problem.
    """
    flags = {option.name: given.get(option.field) for option in OPTIONS if option.on_command_line}
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


def _decorator(option: Option) -> Callable[[Function], Function]:
    names = (option.flag, option.field)
    if option.switch:
        return click.option(*names, is_flag=True, default=False, help=option.help)
    text = f"{option.help}  [default: {option.describe_default()}]"
    return click.option(
        *names, default=None, multiple=option.many, metavar=option.metavar, help=text, type=click.UNPROCESSED
    )
