"""Default < file < variable < flag, in one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from levo.config.options import BY_KEY, BY_VARIABLE, DEFAULT_PATH, OPTIONS, Option, Surroundings
from levo.config.rules import Redaction
from levo.config.sensor_config import SensorConfig
from levo.config.values import BadValue, shown
from levo.errors import ConfigError, Problem

CONFIG_VARIABLE = "LEVO_CONFIG"


@dataclass(frozen=True, slots=True)
class Origin:
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


@dataclass(frozen=True, slots=True)
class Merged:
    """A valid configuration and how it came about."""

    config: SensorConfig
    origins: Mapping[str, Origin]
    """By option name."""
    path: str | None
    """The file that was read, if any."""
    warnings: tuple[str, ...]
    """Things that are legal and probably meant otherwise."""

    def problem(self, name: str, text: str) -> Problem:
        """What is wrong with the value of the option *name*, at the place where the user wrote it."""
        return _problem(self.origins, name, text)


def load(
    flags: Mapping[str, str | Sequence[str] | bool | None],
    environ: Mapping[str, str],
    *,
    path: str | None = None,
    default_path: str = DEFAULT_PATH,
    surroundings: Surroundings | None = None,
    check_filter: Callable[[str], None] | None = None,
    opened: frozenset[str] = frozenset(),
) -> Merged:
    """Merge *flags* (text as given, by option name; None or () is not given), *environ* and the file.

    *path* is ``--config``; without it ``LEVO_CONFIG``, else *default_path* where that exists.
    *check_filter* raises ConfigError for a filter of live capture that cannot be compiled. *opened* holds
    paths of files that a run has open: they may be out of reach since it gave up privileges.

    Raises:
        ConfigError: with everything that is wrong, not only the first.
    """
    if path is not None and not path.strip():
        raise ConfigError(Problem("--config", "is empty; name a file or leave it out"))
    around = surroundings or Surroundings.here()
    problems: list[Problem] = []
    found: dict[str, tuple[Any, Origin]] = {}
    for option in OPTIONS:
        value, reason = option.live_default(around) if option.live_default else (option.default, "")
        found[option.name] = (value, Origin("default", reason))

    file = path or environ.get(CONFIG_VARIABLE) or (default_path if Path(default_path).exists() else None)
    if file is not None:
        found |= _from_file(file, "--config" if path else CONFIG_VARIABLE, problems, opened)
    found |= _from_environment(environ, problems, opened)
    found |= _from_flags(flags, problems, opened)

    settings = {option.field: found[option.name][0] for option in OPTIONS}
    origins = {name: origin for name, (_, origin) in found.items()}
    config = SensorConfig(**settings)
    problems += _contradictions(config, origins)
    if check_filter is not None and config.filter is not None and config.read is None:
        try:
            check_filter(config.filter)
        except ConfigError as error:
            problems += [_problem(origins, "filter", problem.text) for problem in error.problems]
    if problems:
        raise ConfigError(*sorted(problems, key=lambda problem: problem.path is not None))
    return Merged(config, origins, file, (*_misspelt(environ), *_without_effect(config, origins)))


def check_file(path: str, check_filter: Callable[[str], None] | None = None) -> list[Problem]:
    """Everything that is wrong with one file, in the order of its lines; flags and variables play no part."""
    try:
        load({}, {}, path=path, surroundings=Surroundings(), check_filter=check_filter)
    except ConfigError as error:
        return sorted(error.problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    return []


def _from_flags(
    flags: Mapping[str, str | Sequence[str] | bool | None], problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, Origin]]:
    found: dict[str, tuple[Any, Origin]] = {}
    for option in OPTIONS:
        given = flags.get(option.name)
        if given is None or given == () or given is False:
            continue
        texts = [given] if isinstance(given, str) else ["true"] if given is True else list(given)
        try:
            found[option.name] = (_value(option, texts, opened), Origin("flag", option.flag))
        except BadValue as error:
            problems.append(Problem(option.flag, str(error)))
    return found


def _from_environment(
    environ: Mapping[str, str], problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, Origin]]:
    """Variables that are set and not empty. Items of repeatable options stand on lines of their own."""
    found: dict[str, tuple[Any, Origin]] = {}
    for option in OPTIONS:
        written = environ.get(option.variable, "")
        if not written.strip():
            continue
        if option.structured:
            from levo.config.document import Document

            document = Document(None)
            try:
                value = _structure(option, document, document.compose(written), option.variable)
            except ConfigError as error:
                problems += [Problem(option.variable, problem.text) for problem in error.problems]
                continue
            problems += document.problems
            found[option.name] = (value, Origin("environment", option.variable))
            continue
        texts = [line for line in written.split("\n") if line.strip()] if option.many else [written]
        try:
            found[option.name] = (_value(option, texts, opened), Origin("environment", option.variable))
        except BadValue as error:
            problems.append(Problem(option.variable, str(error)))
    return found


def _from_file(
    file: str, named_by: str, problems: list[Problem], opened: frozenset[str]
) -> dict[str, tuple[Any, Origin]]:
    from levo.config.document import Document  # YAML costs 20 ms: only for those who have a file

    found: dict[str, tuple[Any, Origin]] = {}
    keys: dict[str, str] = {}
    document = Document(file)
    for entry in document.read_file(Path(file), named_by):
        option = BY_KEY.get(entry.key)
        if option is None:
            document.unknown(entry, BY_KEY)
            continue
        first = keys.setdefault(option.name, entry.key)
        if first != entry.key:
            document.at(entry.key, f"means the same as {first} above; keep one", entry.line, entry.column)
            continue
        before = len(document.problems)
        if option.structured:
            value = _structure(option, document, entry.node, entry.key)
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
            found[option.name] = (value, Origin("file", file, entry.line, entry.node.start_mark.column + 1))
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


def _structure(option: Option, document: Any, node: Any, where: str) -> Any:
    from levo.config import document as readers

    read = {
        "ip-filter-list": readers.ip_filter,
        "url-filter": readers.url_filter,
        "redact": readers.redaction,
    }[option.name]
    return read(document, node, where)


def _contradictions(config: SensorConfig, origins: Mapping[str, Origin]) -> list[Problem]:
    problems = []

    def complain(name: str, what: str) -> None:
        problems.append(_problem(origins, name, what))

    on_stdout = [spec for spec in config.output if spec.on_stdout]
    if len(on_stdout) > 1:
        complain(
            "output", f"{' and '.join(map(str, on_stdout))} both write to standard output; give one a PATH"
        )
    paths = [spec.path for spec in config.output if spec.path is not None]
    if len(set(paths)) < len(paths):
        complain("output", "two outputs write to the same file; give each its own")
    kinds = [spec.kind for spec in config.output]
    if kinds.count("otlp") > 1:
        complain("output", "otlp is given twice; there is one Satellite")
    if config.no_redact and "otlp" in kinds:
        complain(
            "no-redact", "sends credentials to the Satellite; use it with jsonl, har or null outputs only"
        )
    if config.tls_client_key_path and not config.tls_client_cert_path:
        complain("tls-client-key-path", "needs tls-client-cert-path beside it")
    if config.read is not None and config.interfaces:
        complain("interfaces", "cannot go with --read: capture, or read a file")
    if config.max_http_length > config.max_memory and origins["max-http-length"].kind != "default":
        complain("max-http-length", "is larger than max-memory; no such message could be kept")
    return problems


def _problem(origins: Mapping[str, Origin], name: str, text: str) -> Problem:
    origin = origins[name]
    if origin.kind == "file":
        return Problem(name, text, origin.detail, origin.line, origin.column)
    return Problem(str(origin) if origin.kind != "default" else f"--{name}", text)


def _without_effect(config: SensorConfig, origins: Mapping[str, Origin]) -> list[str]:
    """Settings that were written and that the others leave nothing to do."""
    warnings = []
    if all(spec.kind != "otlp" for spec in config.output):
        for name in ("satellite-url", "spool-dir"):
            if origins[name].kind != "default":
                warnings.append(f"{origins[name]}: {name} has no effect: no output is otlp")
    if config.no_redact and config.redact != Redaction():
        warnings.append(f"{origins['redact']}: redact has no effect: --no-redact masks nothing")
    return warnings


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    warnings = []
    for name in sorted(environ):
        if name.startswith("LEVO_") and name not in BY_VARIABLE and name != CONFIG_VARIABLE:
            close = get_close_matches(name, BY_VARIABLE, 1, 0.85)
            if close:
                warnings.append(f"environment variable {shown(name)} is not known; did you mean {close[0]}?")
    return warnings
