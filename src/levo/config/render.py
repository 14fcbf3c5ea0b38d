"""The documents made from the option table: reference file, reference page, ``levo config show``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from levo.config.merge import Loaded, Merged
from levo.config.options import SENSOR
from levo.config.rules import IpFilter, Redaction, UrlFilter
from levo.config.table import C, Option, Table

_RULE = "# " + "-" * 92
_SYNTAX = """\
Times: `10` (seconds), `10s`, `500ms`, `2m`, `1m30s`, `24h`, `1d`. Sizes: `10000000`, `10MB` (10,000,000
octets), `10MiB` (10,485,760), `1.5GiB`. A variable that is set but empty counts as not set; one that
begins with `LEVO_` and looks like a misspelled setting is reported. Unknown keys are errors."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the documents of one table say besides its options."""

    heading: str
    introduction: str
    """Of the page."""
    banner: tuple[str, ...]
    """Of the file, without comment signs."""
    active: tuple[str, ...] = ()
    """Keys that the file sets; the others are shown, commented out."""
    bare: tuple[str, ...] = ()
    """Sections whose banner stands without a text, and whose first setting follows at once."""


_TEXTS = {
    "Sensor": _Texts(
        "Configuration",
        """\
A setting is a flag of `levo apidump`, an environment variable and a key of the configuration file
(`/etc/levo/sensor/config.yaml`, or `--config` / `LEVO_CONFIG`). A flag overrides the variable, the
variable the file, the file the default. `levo config show` prints each value and where it comes from;
`levo config check FILE` checks a file. The [Satellite's settings](satellite-configuration.md) work in
the same way.

*Repeatable* flags are given several times; in the file they are lists, in a variable one item a line.
They are never split at commas. Regexes have RE2's syntax, run in linear time, and are searched, not
anchored.""",
        (
            "Flags and LEVO_* environment variables override this file. `levo config check FILE` checks it.",
            "A restart of the sensor is needed for changes to take effect; SIGHUP is enough for filters,",
            "rate limits and redaction.",
        ),
        ("collector-endpoint",),
        ("Satellite Settings",),
    ),
    "Satellite": _Texts(
        "Configuration of the Satellite",
        """\
A setting is a flag of `levo satellite`, an environment variable and a key of the configuration file
(`/etc/levo/satellite/config.yaml`, or `--config` / `LEVO_SATELLITE_CONFIG`). A flag overrides the
variable, the variable the file, the file the default. `levo satellite config show` prints each value
and where it comes from; `levo satellite config check FILE` checks a file. The
[sensor's settings](configuration.md) work in the same way.""",
        (
            "Flags and LEVO_SATELLITE_* environment variables override this file.",
            "`levo satellite config check FILE` checks it. A restart of the Satellite applies a change;",
            "SIGHUP is enough for certificates, backups, and what is learned and kept.",
        ),
    ),
}


def reference_file(table: Table[Any] = SENSOR) -> str:
    """The commented ``config.yaml``. Read as it stands, it changes nothing."""
    texts = _TEXTS[table.title]
    bar = "#" * 94
    lines = [
        bar,
        f"# {table.title} Configuration Settings (YAML Format)",
        "#",
        "# A line that begins with `#key:` shows the default, or an example where there is none.",
        *(f"# {line}" for line in texts.banner),
        bar,
    ]
    for section, text in table.sections.items():
        lines += ["", _RULE, f"# {section}:", _RULE]
        options = [option for option in table.options if option.section == section and option.in_file]
        if section not in texts.bare:
            lines += _comment(text)
        first = True
        for option in options:
            if not first or section not in texts.bare:
                lines.append("")
            first = False
            lines += _comment(option.help)
            lines += _setting(option, active=option.name in texts.active)
        lines.append(_RULE)
    return "\n".join(lines) + "\n"


def reference_page(table: Table[Any] = SENSOR) -> str:
    """``docs/reference/configuration.md``, or the Satellite's."""
    texts = _TEXTS[table.title]
    lines = [
        f"# {texts.heading}",
        "",
        f"<!-- Made from the option table; `{table.reference} --page` prints it. -->",
        "",
        texts.introduction,
        "",
        _SYNTAX,
    ]
    reloads = any(option.reloadable for option in table.options)
    for section, text in table.sections.items():
        lines += ["", f"## {section}", "", text]
        for option in [option for option in table.options if option.section == section]:
            lines += ["", f"### `{option.name}`", "", _sentence(option.help)]
            if option.note:
                lines += ["", option.note]
            columns = ["flag", "variable", "key", "default", *(["reload"] if reloads else [])]
            lines += ["", f"| {' | '.join(columns)} |", f"| {' | '.join('---' for _ in columns)} |"]
            cells = [_flag_cell(option), f"`{option.variable}`"]
            cells.append(f"`{option.name}`" + (f", `{option.key_alias}`" if option.key_alias else ""))
            cells.append(option.describe_default())
            if reloads:
                cells.append("SIGHUP" if option.reloadable else "restart")
            lines.append(f"| {' | '.join(cells)} |")
            if option.structured:
                lines += ["", "```yaml", f"{option.name}:", textwrap.indent(_example(option), "  "), "```"]
    return "\n".join(lines) + "\n"


def _flag_cell(option: Option) -> str:
    if not option.on_command_line:
        return "-"
    if option.switch:
        return f"`{option.flag}`"
    names = ", ".join(f"`{name} {option.metavar}`" for name in option.flags)
    return names + (", repeatable" if option.many else "")


def show(merged: Merged) -> str:
    """Every setting of the sensor, its value and its origin, and where traces go, in aligned columns."""
    return show_settings(SENSOR, merged, (("(sends to)", _sends_to(merged)),))


def show_settings(table: Table[C], loaded: Loaded[C], footer: Sequence[tuple[str, str]] = ()) -> str:
    """Every setting, its value and its origin, in aligned columns; secrets hidden."""
    rows = [(option.name, *_row(loaded, option)) for option in table.options]
    name_width = max(len(row[0]) for row in (*rows, *footer))
    value_width = min(44, max(len(row[1]) for row in rows))
    lines = [f"{name:<{name_width}}  {value:<{value_width}}  {origin}" for name, value, origin in rows]
    lines += [f"{name:<{name_width}}  {text}" for name, text in footer]
    return "\n".join(line.rstrip() for line in lines)


def show_json(loaded: Loaded[Any], table: Table[Any] = SENSOR) -> str:
    """The same as JSON: name to value (as text) and origin."""
    found = {}
    for option in table.options:
        value, origin = _row(loaded, option)
        unset = getattr(loaded.config, option.field) in (None, ())
        found[option.name] = {"value": None if unset else value, "origin": origin}
    return json.dumps(found, indent=2)


def _row(loaded: Loaded[Any], option: Option) -> tuple[str, str]:
    return describe(option, getattr(loaded.config, option.field)), str(loaded.origins[option.name])


def describe(option: Option, value: Any) -> str:
    """A value of *option* for people, secrets hidden."""
    if value is None or value == ():
        return "-"
    if option.structured:
        return _describe_structure(value)
    if option.many:
        return " ".join(option.show(item) for item in value)
    return option.show(value)


def _describe_structure(value: Any) -> str:
    if isinstance(value, IpFilter):
        return f"{value.default_policy}, {_count(len(value.entries), 'entry', 'entries')}"
    if isinstance(value, UrlFilter):
        return f"{value.default_action}, {_count(len(value.rules), 'rule', 'rules')}"
    assert isinstance(value, Redaction)
    parts = [_count(len(value.headers), "header", "headers"), _count(len(value.fields), "field", "fields")]
    return ", ".join([*parts, _count(len(value.patterns), "pattern", "patterns")])


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _sends_to(merged: Merged) -> str:
    outputs = []
    for spec in merged.config.output:
        outputs.append(f"otlp {merged.config.satellite}" if spec.kind == "otlp" else str(spec))
    return ", ".join(outputs)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 90, break_on_hyphens=False)]


def _setting(option: Option, *, active: bool) -> list[str]:
    if option.structured:
        return [f"#{option.name}:", *(f"#  {line}".rstrip() for line in _example(option).splitlines())]
    if active:
        return [f"{option.name}: {option.describe_default()}"]
    if option.default is None or option.default == () or option.live_default is not None:
        text, label = option.example or "", f" # example; default: {option.describe_default()}"
    else:
        text, label = option.describe_default(), ""
    if option.many:
        return [f"#{option.name}:{label}", f"#  - {_quoted(text)}"]
    return [f"#{option.name}: {_quoted(text)}{label}"]


def _quoted(text: str) -> str:
    plain = text and text[0] not in "^[{&*!|>'\"%@`-?:#," and ": " not in text and " #" not in text
    return text if plain else "'" + text.replace("'", "''") + "'"


def _example(option: Option) -> str:
    return (option.example or "").strip("\n")


def _sentence(text: str) -> str:
    return text if text.endswith((".", ")", ":")) else text + "."
