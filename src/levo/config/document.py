"""Reads the YAML file into text with positions, and the structured settings out of it.

Nothing is converted by YAML: a scalar stays the text that was written (``rate-limit: 010`` is not eight),
so a file, a variable and a flag are read by the same parsers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml

from levo.config.credentials import NAMES, is_masked
from levo.config.rules import IpFilter, IpRule, Redaction, UrlFilter, UrlRule
from levo.config.values import BadValue, choice, network, pattern, port_range, shown, text
from levo.errors import ConfigError, Problem

_NULL = "tag:yaml.org,2002:null"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A method or a field name (RFC 9110 section 5.6.2)."""
MOST_BYTES = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, its value and where both stand."""

    key: str
    node: Any
    """A ``yaml.Node``."""
    line: int
    column: int


class Document:
    """One file (or one variable that holds YAML) while it is being read. Collects what is wrong with it."""

    def __init__(self, path: str | None, reference: str = "levo config reference") -> None:
        """*reference* is the command that lists every key."""
        self.path = path
        self.reference = reference
        self.problems: list[Problem] = []

    def read_file(self, path: Path, named_by: str) -> list[Entry]:
        """The top-level entries of the file; *named_by* is the flag or variable that names it.

        Raises:
            ConfigError: it cannot be read, is not YAML, or not a mapping.
        """
        try:
            with path.open("rb") as stream:
                raw = stream.read(MOST_BYTES + 1)
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise ConfigError(Problem(named_by, f"{shown(str(path))}: {reason}")) from None
        if len(raw) > MOST_BYTES:
            raise ConfigError(Problem("", "is larger than 1MiB: no configuration file", self.path))
        return self.entries(self.compose(raw))

    def compose(self, source: str | bytes) -> Any:
        try:
            return yaml.compose(source, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = error.problem or "not YAML"
            raise ConfigError(Problem("", f"is not YAML: {what}", self.path, line, column)) from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(Problem("", f"is not YAML: {str(error).splitlines()[0]}", self.path)) from None

    def entries(self, node: Any, where: str = "") -> list[Entry]:
        """The entries of a mapping, in order; a key that comes twice is a problem."""
        if node is None or node.tag == _NULL:
            return []
        if not isinstance(node, yaml.MappingNode):
            self.problem(where, "must be a mapping: lines of `key: value`", node)
            return []
        found: dict[str, Entry] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            mark = key.start_mark
            if name in found:
                self.problem(name, f"comes twice (first in line {found[name].line}); keep one", key)
                continue
            found[name] = Entry(name, value, mark.line + 1, mark.column + 1)
        return list(found.values())

    def texts(self, node: Any, where: str) -> list[tuple[str, Any]]:
        """One scalar, or a list of scalars, as text with its node; nothing for an empty value."""
        if node.tag == _NULL and isinstance(node, yaml.ScalarNode) and not node.value.strip("~nulNUL"):
            return []
        if isinstance(node, yaml.ScalarNode):
            return [(node.value, node)]
        if isinstance(node, yaml.SequenceNode):
            found = []
            for item in node.value:
                if isinstance(item, yaml.ScalarNode):
                    found.append((item.value, item))
                else:
                    self.problem(where, "must be a list of plain values", item)
            return found
        self.problem(where, "must be a value or a list of values", node)
        return []

    def parsed(self, node: Any, where: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Every text of *node* through *parse*; what fails becomes a problem at its place."""
        values = []
        for written, item in self.texts(node, where):
            try:
                values.append(parse(written))
            except BadValue as error:
                self.problem(where, str(error), item)
        return tuple(values)

    def one(self, node: Any, where: str, parse: Callable[[str], T], default: T) -> T:
        """The single value of *node*, or *default* where it is empty or wrong (then with a problem)."""
        if isinstance(node, yaml.SequenceNode):
            self.problem(where, "takes one value, not a list", node)
            return default
        found = self.parsed(node, where, parse)
        return found[0] if found else default

    def unknown(self, entry: Entry, known: Mapping[str, object] | list[str], prefix: str = "") -> None:
        close = get_close_matches(entry.key, list(known), 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else f"; `{self.reference}` lists all keys"
        self.at(prefix, f"unknown key {shown(entry.key)}{hint}", entry.line, entry.column)

    def problem(self, where: str, what: str, node: Any) -> None:
        mark = node.start_mark
        self.at(where, what, mark.line + 1, mark.column + 1)

    def at(self, where: str, what: str, line: int, column: int) -> None:
        if self.path is None:
            self.problems.append(Problem(where, what))
        else:
            self.problems.append(Problem(where, what, self.path, line, column))


def ip_filter(document: Document, node: Any, where: str) -> IpFilter:
    """``default-policy``, and ``entries`` of policy, host-ports, peer-ports, host-network, peer-network."""
    policy: Any = "accept"
    rules: list[IpRule] = []
    for entry in document.entries(node, where):
        if entry.key == "default-policy":
            policy = document.one(entry.node, f"{where}.default-policy", choice("accept", "drop"), policy)
        elif entry.key == "entries":
            for item, place in _items(document, entry, f"{where}.entries"):
                rules.append(_ip_rule(document, item, place))
        else:
            document.unknown(entry, ["default-policy", "entries"], where)
    return IpFilter(policy, tuple(rules))


def _ip_rule(document: Document, node: Any, where: str) -> IpRule:
    parts: dict[str, Any] = {"host-ports": (), "peer-ports": (), "host-network": (), "peer-network": ()}
    policy: Any = None
    for entry in document.entries(node, where):
        if entry.key == "policy":
            policy = document.one(entry.node, f"{where}.policy", choice("accept", "drop"), "drop")
        elif entry.key.endswith("-ports") and entry.key in parts:
            parts[entry.key] = document.parsed(entry.node, f"{where}.{entry.key}", port_range)
        elif entry.key in parts:
            parts[entry.key] = document.parsed(entry.node, f"{where}.{entry.key}", network)
        else:
            document.unknown(entry, ["policy", *parts], where)
    if policy is None:
        document.problem(where, "has no policy; add `policy: drop` or `policy: accept`", node)
    if not document.problems and not any(parts.values()):
        document.problem(where, f"matches nothing in particular; give one of {', '.join(parts)}", node)
    return IpRule(policy or "accept", *parts.values())


def url_filter(document: Document, node: Any, where: str) -> UrlFilter:
    """``default-url-action``, and ``rules`` of action, methods, request-uri, host."""
    action: Any = "trace"
    rules: list[UrlRule] = []
    for entry in document.entries(node, where):
        if entry.key in ("default-url-action", "default-action"):
            action = document.one(entry.node, f"{where}.{entry.key}", choice("trace", "ignore"), action)
        elif entry.key == "rules":
            for item, place in _items(document, entry, f"{where}.rules"):
                rules.append(_url_rule(document, item, place))
        else:
            document.unknown(entry, ["default-url-action", "rules"], where)
    return UrlFilter(action, tuple(rules))


def _url_rule(document: Document, node: Any, where: str) -> UrlRule:
    action: Any = None
    methods: tuple[str, ...] = ()
    uri = host = None
    for entry in document.entries(node, where):
        place = f"{where}.{entry.key}"
        if entry.key == "action":
            action = document.one(entry.node, place, choice("trace", "ignore"), "ignore")
        elif entry.key == "methods":
            methods = document.parsed(entry.node, place, _method)
        elif entry.key == "request-uri":
            uri = document.one(entry.node, place, pattern, None)
        elif entry.key == "host":
            host = document.one(entry.node, place, _lower_text, None)
        else:
            document.unknown(entry, ["action", "methods", "request-uri", "host"], where)
    if action is None:
        document.problem(where, "has no action; add `action: ignore` or `action: trace`", node)
    if not document.problems and not (methods or uri or host):
        document.problem(where, "matches nothing in particular; give methods, request-uri or host", node)
    return UrlRule(action or "ignore", methods, uri, host)


def redaction(document: Document, node: Any, where: str) -> Redaction:
    """``headers``, ``fields`` (JSON members, form fields, query parameters), ``patterns`` and ``keep``."""
    parts: dict[str, Any] = {"headers": (), "fields": (), "patterns": (), "keep": ()}
    for entry in document.entries(node, where):
        place = f"{where}.{entry.key}"
        if entry.key == "headers":
            parts["headers"] = document.parsed(entry.node, place, _field_name)
        elif entry.key == "fields":
            parts["fields"] = document.parsed(entry.node, place, _lower_text)
        elif entry.key == "patterns":
            parts["patterns"] = document.parsed(entry.node, place, pattern)
        elif entry.key == "keep":
            parts["keep"] = document.parsed(entry.node, place, _credential)
        else:
            document.unknown(entry, list(parts), where)
    return Redaction(**parts)


def _items(document: Document, entry: Entry, where: str) -> Iterator[tuple[Any, str]]:
    if entry.node.tag == _NULL:
        return
    if not isinstance(entry.node, yaml.SequenceNode):
        document.problem(where, "must be a list: lines that begin with `- `", entry.node)
        return
    for number, item in enumerate(entry.node.value):
        if isinstance(item, yaml.MappingNode):
            yield item, f"{where}[{number}]"
        else:
            document.problem(f"{where}[{number}]", "must be a mapping: lines of `key: value`", item)


def _method(value: str) -> str:
    written = value.strip()
    if not _TOKEN.fullmatch(written):
        raise BadValue(f"{shown(value)} is not an HTTP method; write for example GET")
    return written.upper()


def _field_name(value: str) -> str:
    written = value.strip()
    if not _TOKEN.fullmatch(written):
        raise BadValue(f"{shown(value)} is not a header name; write for example x-session")
    return written.lower()


def _credential(value: str) -> str:
    written = text(value).lower()
    if not is_masked(written):
        close = get_close_matches(written, sorted(NAMES), 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else "; `levo config reference --page` lists them"
        raise BadValue(f"{shown(value)} is not masked by default{hint}")
    return written


def _lower_text(value: str) -> str:
    return text(value).lower()


READERS: dict[str, Callable[[Document, Any, str], Any]] = {
    "ip-filter-list": ip_filter,
    "url-filter": url_filter,
    "redact": redaction,
}
"""How each structured setting is read out of its YAML node, by option name."""
