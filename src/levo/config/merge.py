"""Default < file < variable < flag, in one function for every table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from levo.config.options import DEFAULT_PATH, SENSOR
from levo.config.sensor_config import SensorConfig
from levo.config.table import C, Option, Origins, Remarks, SettingOrigin, Surroundings, Table
from levo.config.values import BadValue
from levo.errors import ConfigError, Problem
from levo.files import sudo_caller, writable_by_others

Flags = Mapping[str, str | Sequence[str] | bool | None]
"""Text as given, by option name; None, () and False are not given."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C]):
    """A valid configuration and how it came about."""

    config: C
    origins: Origins
    path: str | None
    """The file that was read, if any."""
    warnings: tuple[str, ...]
    """Things that are legal and probably meant otherwise."""

    def problem(self, name: str, text: str) -> Problem:
        """What is wrong with the value of the option *name*, at the place where the user wrote it."""
        return _problem(self.origins, name, text)


Merged = Loaded[SensorConfig]
Verify = Callable[[Any, Origins], Remarks]


def load(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    path: str | None = None,
    default_path: str = DEFAULT_PATH,
    surroundings: Surroundings | None = None,
    check_filter: Callable[[str], None] | None = None,
    opened: frozenset[str] = frozenset(),
) -> Merged:
    """The sensor's configuration; as :func:`merge`.

    *check_filter* raises ConfigError for a filter of live capture that cannot be compiled. *opened* holds
    paths of files that a run has open: they may be out of reach since it gave up privileges.
    """

    def verify(config: SensorConfig, origins: Origins) -> Remarks:
        if check_filter is not None and config.filter is not None and config.read is None:
            try:
                check_filter(config.filter)
            except ConfigError as error:
                return [("filter", problem.text) for problem in error.problems]
        return []

    return merge(
        SENSOR,
        flags,
        environ,
        path=path,
        default_path=default_path,
        surroundings=surroundings,
        verify=verify,
        opened=opened,
    )


def check_file(path: str, check_filter: Callable[[str], None] | None = None) -> list[Problem]:
    """Everything that is wrong with one file of the sensor's, in the order of its lines."""
    return problems_of(
        lambda: load({}, {}, path=path, surroundings=Surroundings(), check_filter=check_filter)
    )


def problems_of(read: Callable[[], object]) -> list[Problem]:
    """What *read*, which merges a file alone, finds wrong, in the order of the file's lines."""
    try:
        read()
    except ConfigError as error:
        return sorted(error.problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return []


def merge(
    table: Table[C],
    flags: Flags,
    environ: Mapping[str, str],
    *,
    path: str | None = None,
    default_path: str | None = None,
    surroundings: Surroundings | None = None,
    verify: Verify | None = None,
    opened: frozenset[str] = frozenset(),
) -> Loaded[C]:
    """Merge *flags*, *environ* and the file into what *table* makes.

    *path* is ``--config``; without it the table's variable, else *default_path* where that exists.
    *verify* looks at the whole, after what the table itself finds impossible.

    Raises:
        ConfigError: with everything that is wrong, not only the first.
    """
    if path is not None and not path.strip():
        raise ConfigError(Problem("--config", "is empty; name a file or leave it out"))
    around = surroundings or Surroundings.here(environ)
    problems: list[Problem] = []
    found: dict[str, tuple[Any, SettingOrigin]] = {}
    for option in table.options:
        value, reason = option.live_default(around) if option.live_default else (option.default, "")
        found[option.name] = (value, SettingOrigin("default", reason))

    named = environ.get(table.config_variable) if table.config_variable else None
    usual = default_path if default_path and Path(default_path).exists() else None
    file = path or named or usual
    if file is not None:
        named_by = "--config" if path else table.config_variable or ""
        found |= _from_file(table, file, named_by, problems, opened)
    found |= _from_environment(table, environ, problems, opened)
    found |= _from_flags(table, flags, problems, opened)

    settings = {option.field: found[option.name][0] for option in table.options}
    origins = {name: origin for name, (_, origin) in found.items()}
    config = table.make(**settings)
    for check in (table.contradictions, verify):
        problems += [
            _problem(origins, name, text) for name, text in (check(config, origins) if check else ())
        ]
    if problems:
        raise ConfigError(*sorted(problems, key=lambda problem: problem.path is not None))
    idle = [
        f"{origins[name]}: {name} has no effect: {why}" for name, why in table.without_effect(config, origins)
    ]
    return Loaded(config, origins, file, (*_misspelled(table, environ), *idle, *_exposed(file, environ)))


def _exposed(file: str | None, environ: Mapping[str, str]) -> list[str]:
    if file is None:
        return []
    reason = writable_by_others(file, sudo_caller(environ))
    return [f"{file} decides what is captured, and others can change it: {reason}"] if reason else []


def _misspelled(table: Table[Any], environ: Mapping[str, str]) -> list[str]:
    unknown = [name for name in environ if name.startswith("LEVO_") and name not in table.by_variable]
    if not unknown or unknown == [table.config_variable]:
        return []
    from levo.config.misspelling import misspelled  # knows both halves: only where there is something to ask

    return misspelled(unknown)


def _from_flags(
    table: Table[Any], flags: Flags, problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, SettingOrigin]]:
    found: dict[str, tuple[Any, SettingOrigin]] = {}
    for option in table.options:
        given = flags.get(option.name)
        if given is None or given == () or given is False:
            continue
        texts = [given] if isinstance(given, str) else ["true"] if given is True else list(given)
        try:
            found[option.name] = (_value(option, texts, opened), SettingOrigin("flag", option.flag))
        except BadValue as error:
            problems.append(Problem(option.flag, str(error)))
    return found


def _from_environment(
    table: Table[Any], environ: Mapping[str, str], problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, SettingOrigin]]:
    """Variables that are set and not empty. Items of repeatable options stand on lines of their own."""
    found: dict[str, tuple[Any, SettingOrigin]] = {}
    for option in table.options:
        written = environ.get(option.variable, "")
        if not written.strip():
            continue
        if option.structured:
            from levo.config.document import READERS, Document

            document = Document(None)
            try:
                value = READERS[option.name](document, document.compose(written), option.variable)
            except ConfigError as error:
                problems += [Problem(option.variable, problem.text) for problem in error.problems]
                continue
            problems += document.problems
            found[option.name] = (value, SettingOrigin("environment", option.variable))
            continue
        texts = [line for line in written.split("\n") if line.strip()] if option.many else [written]
        try:
            found[option.name] = (
                _value(option, texts, opened),
                SettingOrigin("environment", option.variable),
            )
        except BadValue as error:
            problems.append(Problem(option.variable, str(error)))
    return found


def _from_file(
    table: Table[Any], file: str, named_by: str, problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, SettingOrigin]]:
    from levo.config.document import READERS, Document  # YAML costs 20 ms: only for those who have a file

    found: dict[str, tuple[Any, SettingOrigin]] = {}
    keys: dict[str, str] = {}
    document = Document(file, table.reference)
    for entry in document.read_file(Path(file), named_by):
        option = table.by_key.get(entry.key)
        if option is None:
            document.unknown(entry, table.by_key)
            continue
        first = keys.setdefault(option.name, entry.key)
        if first != entry.key:
            document.at(entry.key, f"means the same as {first} above; keep one", entry.line, entry.column)
            continue
        before = len(document.problems)
        if option.structured:
            value = READERS[option.name](document, entry.node, entry.key)
        else:
            texts = document.texts(entry.node, entry.key)
            if not texts:
                continue
            if len(texts) > 1 and not option.many:
                document.problem(entry.key, "takes one value, not a list", entry.node)
                continue
            items = []
            for written, node in texts:
                try:
                    items.append(_value(option, [written], opened))
                except BadValue as error:
                    document.problem(entry.key, str(error), node)
            value = items[0] if items and not option.many else tuple(part for item in items for part in item)
        if len(document.problems) == before:
            found[option.name] = (
                value,
                SettingOrigin("file", file, entry.line, entry.node.start_mark.column + 1),
            )
    problems += document.problems
    return found


def _value(option: Option, texts: list[str], opened: frozenset[str]) -> Any:
    if not option.many:
        written = texts[-1]
        return written if option.metavar == "FILE" and written in opened else option.parse(written)
    if option.commas:
        texts = [part for item in texts for part in item.split(",") if part.strip()]
        if not texts:
            raise BadValue("is empty; give a value or leave it out")
    return tuple(option.parse(item) for item in texts)


def _problem(origins: Origins, name: str, text: str) -> Problem:
    origin = origins[name]
    if origin.kind == "file":
        return Problem(name, text, origin.detail, origin.line, origin.column)
    return Problem(str(origin) if origin.kind != "default" else f"--{name}", text)
