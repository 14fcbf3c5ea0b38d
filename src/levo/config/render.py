"""The documents made from the option table: reference file, reference page, ``levo config show``."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from levo.config.merge import Merged
from levo.config.options import OPTIONS, SECTIONS, Option
from levo.config.rules import IpFilter, Redaction, UrlFilter

_RULE = "# " + "-" * 92
_PAGE_INTRODUCTION = """\
A setting is a flag of `levo apidump`, an environment variable and a key of the configuration file
(`/etc/levo/sensor/config.yaml`, or `--config` / `LEVO_CONFIG`). A flag overrides the variable, the
variable the file, the file the default. `levo config show` prints each value and where it comes from;
`levo config check FILE` checks a file. Unknown keys are errors.

*Repeatable* flags are given several times; in the file they are lists, in a variable one item a line.
They are never split at commas. Times: `10`, `10s`, `500ms`, `2m`, `1m30s`; sizes: `10000000`, `64MiB`,
`10MB`. Regexes have RE2's syntax, run in linear time, and are searched, not anchored. A variable that
is set but empty counts as not set."""
_ACTIVE = ("collector-endpoint",)
"""Keys that the reference file sets; the others are shown, commented out."""


def reference_file() -> str:
    """The commented ``config.yaml``. Read as it stands, it changes nothing."""
    bar = "#" * 94
    lines = [
        bar,
        "# Sensor Configuration Settings (YAML Format)",
        "#",
        "# A line that begins with `#key:` shows the default, or an example where there is none.",
        "# Flags and LEVO_* environment variables override this file. `levo config check FILE` checks it.",
        "# A restart of the sensor is needed for changes to take effect; SIGHUP is enough for filters,",
        "# rate limits and redaction.",
        bar,
    ]
    for section, text in SECTIONS.items():
        lines += ["", _RULE, f"# {section}:", _RULE]
        options = [option for option in OPTIONS if option.section == section and option.in_file]
        if section != "Satellite Settings":
            lines += _comment(text)
        first = True
        for option in options:
            if not first or section != "Satellite Settings":
                lines.append("")
            first = False
            lines += _comment(option.help)
            lines += _setting(option)
        lines.append(_RULE)
    return "\n".join(lines) + "\n"


def reference_page() -> str:
    """``docs/reference/configuration.md``."""
    lines = [
        "# Configuration",
        "",
        "<!-- Made from the option table; `levo config reference --page` prints it. -->",
        "",
        _PAGE_INTRODUCTION,
    ]
    for section, text in SECTIONS.items():
        lines += ["", f"## {section}", "", text]
        for option in [option for option in OPTIONS if option.section == section]:
            lines += ["", f"### `{option.name}`", "", _sentence(option.help)]
            if option.note:
                lines += ["", option.note]
            lines += ["", "| flag | variable | key | default | reload |", "| --- | --- | --- | --- | --- |"]
            flag = "-" if not option.on_command_line else f"`{option.flag}`"
            if option.on_command_line and not option.switch:
                flag = f"`{option.flag} {option.metavar}`" + (", repeatable" if option.many else "")
            key = f"`{option.name}`" + (f", `{option.key_alias}`" if option.key_alias else "")
            reload = "SIGHUP" if option.reloadable else "restart"
            lines.append(f"| {flag} | `{option.variable}` | {key} | {option.describe_default()} | {reload} |")
            if option.structured:
                lines += ["", "```yaml", f"{option.name}:", textwrap.indent(_example(option), "  "), "```"]
    return "\n".join(lines) + "\n"


def show(merged: Merged) -> str:
    """Every setting, its value and its origin, in aligned columns."""
    rows = [(option.name, *_row(merged, option)) for option in OPTIONS]
    name_width = max(len(row[0]) for row in rows)
    value_width = min(44, max(len(row[1]) for row in rows))
    lines = [f"{name:<{name_width}}  {value:<{value_width}}  {origin}" for name, value, origin in rows]
    lines.append(f"{'(sends to)':<{name_width}}  {_sends_to(merged)}")
    return "\n".join(line.rstrip() for line in lines)


def show_json(merged: Merged) -> str:
    """The same as JSON: name to value (as text) and origin."""
    found = {}
    for option in OPTIONS:
        value, origin = _row(merged, option)
        unset = getattr(merged.config, option.field) in (None, ())
        found[option.name] = {"value": None if unset else value, "origin": origin}
    return json.dumps(found, indent=2)


def _row(merged: Merged, option: Option) -> tuple[str, str]:
    return describe(option, getattr(merged.config, option.field)), str(merged.origins[option.name])


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


def _setting(option: Option) -> list[str]:
    if option.structured:
        return [f"#{option.name}:", *(f"#  {line}".rstrip() for line in _example(option).splitlines())]
    if option.name in _ACTIVE:
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
