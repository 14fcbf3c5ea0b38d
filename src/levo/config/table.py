"""What a table of options is made of. Both halves have one: flags, variables, keys, ``config show``, the
reference file and the reference page are all made from it, so a setting exists in all of them or in none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from levo.config.memory import default_budget

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a default may depend on. A value, so that tests choose it."""

    terminal: bool = False
    """Standard error is a terminal."""
    memory_budget_bytes: int = 256 << 20
    memory_reason: str = "no memory limit found"
    satellite_dir: str = "/var/lib/levo/satellite"
    satellite_dir_reason: str = "the system's"

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Surroundings:
        budget, reason = default_budget()
        return cls(os.isatty(2), budget, reason, *_satellite_dir(environ))


def _satellite_dir(environ: Mapping[str, str]) -> tuple[str, str]:
    """``/var/lib/levo/satellite`` for root, else ``$XDG_DATA_HOME/levo/satellite``; and whose it is."""
    if os.geteuid() == 0:
        return "/var/lib/levo/satellite", "the system's"
    data_home = environ.get("XDG_DATA_HOME", "")
    home = data_home if data_home.startswith("/") else os.path.expanduser("~/.local/share")
    return f"{home}/levo/satellite", "the user's"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting."""

    name: str
    """The flag without its dashes, and the key of the file."""
    section: str
    help: str
    parse: Callable[[str], Any]
    """Text to value; one item of it where *many*. For *structured* settings it is not used."""
    default: Any = None
    show: Callable[[Any], str] = str
    """Value to text that *parse* reads back; not for None."""
    metavar: str = "TEXT"
    many: bool = False
    """Repeatable; the value is a tuple. Items stand on lines of their own in a variable."""
    commas: bool = False
    """A *many* whose items may also be separated by commas."""
    switch: bool = False
    """A flag without a value."""
    structured: bool = False
    """A mapping: in the file, or as YAML in the variable; no flag."""
    on_command_line: bool = True
    in_file: bool = True
    key_alias: str | None = None
    """Another key of the same meaning; it is a flag too where the option is one."""
    older_flags: tuple[str, ...] = ()
    """Earlier names of the flag, with their dashes; read, and not shown in ``--help``."""
    variable_prefix: str = "LEVO_"
    variable_name: str | None = None
    field_name: str | None = None
    """Name of the field, where the option's own does not tell its unit (``_ns``, ``_bytes``)."""
    default_text: str | None = None
    """How the default reads in documents, where the value alone would not say it."""
    live_default: Callable[[Surroundings], tuple[Any, str]] | None = None
    """Default and reason that depend on where the process runs; replaces *default*."""
    example: str | None = None
    """A value for the reference file where the default is nothing."""
    note: str = ""
    """More to know: only in the reference page."""
    reloadable: bool = False
    """SIGHUP applies a change without a restart."""
    secret: bool = False
    """Never shown: neither the value nor what is wrong with it (its parser does not name it)."""

    @property
    def field(self) -> str:
        return self.field_name or self.name.replace("-", "_")

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def flags(self) -> tuple[str, ...]:
        """Every name that ``--help`` shows, the usual one first."""
        return (self.flag, f"--{self.key_alias}") if self.key_alias else (self.flag,)

    @property
    def variable(self) -> str:
        name = self.name.removeprefix("levo-").upper().replace("-", "_")
        return self.variable_name or self.variable_prefix + name

    def describe_default(self) -> str:
        if self.default_text is not None:
            return self.default_text
        if self.default is None or self.default == ():
            return "none"
        if self.many:
            return ", ".join(self.show(item) for item in self.default)
        return self.show(self.default)


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """Where a value comes from."""

    kind: str
    """``flag``, ``environment``, ``file`` or ``default``."""
    detail: str
    """The flag, the variable, the path of the file, or the reason of a default (else empty)."""
    line: int | None = None
    """In the file, from 1; with :attr:`column`."""
    column: int | None = None

    def __str__(self) -> str:
        if self.kind == "default":
            return f"default ({self.detail})" if self.detail else "default"
        return self.detail if self.line is None else f"{self.detail}:{self.line}"


Origins = Mapping[str, SettingOrigin]
"""By option name."""
Remarks = list[tuple[str, str]]
"""Option name, and what is wrong with its value."""


def _no_remarks(config: Any, origins: Origins) -> Remarks:
    return []


@dataclass(frozen=True)
class Table(Generic[C]):
    """The settings of one half of the product, and the frozen value that they become."""

    title: str
    """Whose they are: ``Sensor``."""
    make: Callable[..., C]
    """Takes every option by its field."""
    options: tuple[Option, ...]
    sections: Mapping[str, str]
    """Heading to what it is about, in the order of the reference."""
    reference: str = ""
    """The command that lists every key."""
    default_path: str | None = None
    """Read where it exists."""
    config_variable: str | None = None
    """Names the file; None where no file is read."""
    contradictions: Callable[[C, Origins], Remarks] = _no_remarks
    """What makes values impossible together."""
    without_effect: Callable[[C, Origins], Remarks] = _no_remarks
    """What was written and is left nothing to do by the rest."""

    @cached_property
    def by_name(self) -> dict[str, Option]:
        return {option.name: option for option in self.options}

    @cached_property
    def by_key(self) -> dict[str, Option]:
        named = ((key, option) for option in self.options for key in (option.name, option.key_alias))
        return {key: option for key, option in named if key and option.in_file}

    @cached_property
    def by_variable(self) -> dict[str, Option]:
        return {option.variable: option for option in self.options}
