"""Click options made from a table of ``levo.config``, and the values that click collected by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from levo.config import Option, Table
from levo.config.merge import Flags

Function = TypeVar("Function", bound=Callable[..., Any])


def table_options(function: Function, table: Table[Any]) -> Function:
    """Add every flag of *table*, and ``--config`` where it has a file. The values stay text."""
    for option in reversed([option for option in table.options if option.on_command_line]):
        for older in option.older_flags:
            function = _older(option, older)(function)
        function = option_flag(option)(function)
    if table.config_variable is None:
        return function
    text = f"Configuration file.  [default: {table.default_path}]"
    return click.option("--config", "config", metavar="FILE", help=text)(function)


def table_flags(given: Mapping[str, Any], table: Table[Any]) -> Flags:
    """What click collected for :func:`levo.config.merge`; a flag's usual name wins over an older one."""
    return {option.name: _given(given, option) for option in table.options if option.on_command_line}


def option_flag(
    option: Option, prefix: str = "", *, with_default: bool = True
) -> Callable[[Function], Function]:
    """The flag of one option, all its names included; *prefix* stands in front of the help."""
    text = prefix + option.help
    if option.switch:
        return click.option(option.flag, option.field, is_flag=True, default=False, help=text)
    if with_default:
        text = f"{text}  [default: {option.describe_default()}]"
    return click.option(
        *option.flags,
        option.field,
        default=None,
        multiple=option.many,
        metavar=option.metavar,
        help=text,
        type=click.UNPROCESSED,
    )


def _older(option: Option, flag: str) -> Callable[[Function], Function]:
    return click.option(flag, _older_name(option, flag), hidden=True, type=click.UNPROCESSED)


def _older_name(option: Option, flag: str) -> str:
    return f"{option.field}__{flag.strip('-').replace('-', '_')}"


def _given(given: Mapping[str, Any], option: Option) -> Any:
    names = (option.field, *(_older_name(option, flag) for flag in option.older_flags))
    return next((given[name] for name in names if given.get(name) not in (None, ())), None)
