"""Writes what the packages carry and the product itself knows: manual pages, completion, configuration files.

documents.py FOLDER    (with the product and its libraries on PYTHONPATH)
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from levo import __version__
from levo.cli.group import COMMANDS, group
from levo.config import OPTIONS, SENSOR, Table
from levo.config.render import reference_file
from levo.config.satellite_settings import SATELLITE

SPOOL = "/var/lib/levo-sensor/spool"
SATELLITE_DATA = "/var/lib/levo-satellite"
PAGES: dict[str, tuple[str, ...]] = {
    "levo": (),
    "levo-apidump": ("apidump",),
    "levo-config": ("config",),
    "levo-satellite": ("satellite",),
}
IN_SENSOR = ("apidump", "config", "doctor", "tls")
"""Commands of the package levo-ebpf-sensor."""

STATUS = (
    ("0", "It did what was asked. A sensor that was told to stop has ended in order."),
    ("1", "It failed: one line on standard error says at what."),
    ("2", "Options or configuration are wrong: one line for each error, with file, line and column."),
)
FILES = (
    ("/etc/levo/sensor/config.yaml", "Configuration of the sensor."),
    ("/etc/default/levo-ebpf-sensor", "Environment and further options of the service."),
    ("/var/lib/levo-sensor/spool", "Traces that wait for the Satellite."),
)
SATELLITE_FILES = (
    ("/etc/levo/satellite/config.yaml", "Configuration of the Satellite."),
    ("/etc/default/levo-satellite", "Environment and further options of the service."),
    ("/var/lib/levo-satellite", "Catalog and journal."),
)


def main() -> None:
    """Write everything below the folder that is named."""
    target = Path(sys.argv[1])
    (target / "manual").mkdir(parents=True, exist_ok=True)
    (target / "completion").mkdir(exist_ok=True)
    for name, path in PAGES.items():
        (target / "manual" / f"{name}.1").write_text("\n".join(_page(name, path)) + "\n", encoding="utf-8")
    for shell, suffix in (("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")):
        found = get_completion_class(shell)
        assert found is not None
        text = found(group, {}, "levo", "_LEVO_COMPLETE").source()
        (target / "completion" / f"levo.{suffix}").write_text(text.strip("\n") + "\n", encoding="utf-8")
    sensor = {"spool-dir": SPOOL, "log-format": "text"}
    (target / "config.yaml").write_text(_configuration(reference_file(), sensor), encoding="utf-8")
    satellite = reference_file(SATELLITE).replace("`levo satellite ", "`levo-satellite ")
    text = _configuration(satellite, {"data-dir": SATELLITE_DATA})
    (target / "satellite.yaml").write_text(text, encoding="utf-8")


def _configuration(text: str, settings: dict[str, str]) -> str:
    """A reference file, with the settings that a service has and a command has not."""
    for comment, setting in ((f"#{key}: ", f"{key}: {value}") for key, value in settings.items()):
        [line] = [line for line in text.splitlines() if line.startswith(comment)]
        text = text.replace(line, setting)
    return text


def _page(name: str, path: tuple[str, ...]) -> Iterator[str]:
    command: click.Command = import_module(f"levo.cli.{path[0]}").command if path else group
    day = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    summary = (COMMANDS[path[0]] if path else group.help or "").rstrip(".")
    invocation = "levo-satellite" if path == ("satellite",) else " ".join(("levo", *path))
    yield f'.TH "{name.upper()}" 1 "{day:%Y-%m-%d}" "levo-sensor {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(summary[0].lower() + summary[1:])}"
    yield ".SH SYNOPSIS"
    yield f".B {_text(invocation)}"
    yield ".RI [ OPTIONS ]" if not isinstance(command, click.Group) else ".IR COMMAND\n.RI [ OPTIONS ]"
    yield ".SH DESCRIPTION"
    for paragraph in (command.help or "").replace("\b", "").split("\n\n"):
        yield ".PP"
        yield _text(" ".join(paragraph.split()))
    if isinstance(command, click.Group):
        yield ".SH COMMANDS"
        for each, text in sorted(_commands(command)):
            yield from _item(f"\\fB{_text(each)}\\fR", text)
        if command is group:
            yield ".PP"
            yield "Every command explains itself with \\fB\\-\\-help\\fR."
    if command is not group:
        yield ".SH OPTIONS"
        yield from _options(command)
    if path == ("satellite",):
        yield ".SH ENVIRONMENT"
        yield from _variables(SATELLITE)
    if path == ("apidump",):
        yield from _apidump()
    yield ".SH EXIT STATUS"
    for status, text in STATUS:
        yield from _item(status, text)
    yield ".SH FILES"
    for file, text in SATELLITE_FILES if path == ("satellite",) else FILES:
        yield from _item(f"\\fI{_text(file)}\\fR", text)
    yield ".SH SEE ALSO"
    others = [other for other in PAGES if other != name and (other != "levo-satellite" or not path)]
    if path == ("satellite",):
        others = []
    listed = [f".BR {_text(other)} (1)" for other in others] + [".BR systemctl (1)", ".BR journalctl (1)"]
    if path == ("apidump",):
        listed.append(".BR pcap\\-filter (7)")
    yield ",\n".join(listed).replace(" (1),\n", " (1),\n")


def _commands(command: click.Group) -> Iterator[tuple[str, str]]:
    if command is group:
        yield from ((name, COMMANDS[name]) for name in IN_SENSOR if _exists(name))
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield name, " ".join((found.help or "").split())


def _exists(name: str) -> bool:
    return group.get_command(click.Context(group), name) is not None


def _options(command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name="levo", help_option_names=["-h", "--help"])
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            names, text = record
            yield from _item(f"\\fB{_text(names)}\\fR", " ".join(text.split()))


def _apidump() -> Iterator[str]:
    yield ".SH SIGNALS"
    yield from _item(
        "SIGTERM, SIGINT", "Stop, deliver what is held, end within seconds. The second one ends at once."
    )
    reloadable = ", ".join(option.name for option in OPTIONS if option.reloadable)
    yield from _item(
        "SIGHUP",
        f"Read the configuration again. Capture goes on. These settings apply at once: {reloadable}. "
        "The others need a restart; a line in the log says which.",
    )
    yield ".SH ENVIRONMENT"
    yield from _variables(SENSOR)
    yield ".SH EXAMPLES"
    for text, line in (
        ("Watch port 8080, send to a Satellite on another machine:",
         'levo apidump --filter "port 8080" --satellite-url satellite.example.com:4317'),
        ("Read a capture file, print the exchanges:", "levo apidump --read capture.pcap --output jsonl"),
        ("Say what would run, and why:", "levo apidump --dry-run"),
    ):  # fmt: skip
        yield ".PP"
        yield text
        yield ".PP"
        yield ".nf"
        yield f".RS\n{_text(line)}\n.RE"
        yield ".fi"


def _variables(table: Table[Any]) -> Iterator[str]:
    yield "Each setting has a variable, which overrides the file and is overridden by the option:"
    for option in table.options:
        yield from _item(f"\\fB{_text(option.variable)}\\fR", f"The setting {option.name}.")
    yield from _item(f"\\fB{table.config_variable}\\fR", "The configuration file.")


def _item(head: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield head
    yield _text(text)


def _text(text: str) -> str:
    """*text* as roff: nothing in it is taken for a request or an escape."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    return "\\&" + escaped if escaped.startswith(".") else escaped


if __name__ == "__main__":
    main()
