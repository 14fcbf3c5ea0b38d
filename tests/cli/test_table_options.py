"""Click options out of a table: every flag of it, none besides, values untouched."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from levo.cli.table_options import option_flag, table_flags, table_options
from levo.config import SENSOR, Table
from levo.config.client import CLIENT
from levo.config.satellite_settings import SATELLITE


def probe(table: Table[Any], *arguments: str) -> Any:
    """What the merge would get for *arguments*."""
    found: list[Any] = []

    @click.command()
    def command(**given: Any) -> None:
        found.append(table_flags(given, table))

    wrapped = table_options(command, table)
    CliRunner().invoke(wrapped, list(arguments), standalone_mode=False, catch_exceptions=False)
    return {name: value for name, value in found[0].items() if value not in (None, (), False)}


@pytest.mark.parametrize("table", [SENSOR, SATELLITE, CLIENT], ids=lambda table: table.title)
def test_every_flag_of_the_table_arrives_as_it_was_written(table: Table[Any]) -> None:
    for option in table.options:
        if option.on_command_line and not option.switch:
            for flag in (*option.flags, *option.older_flags):
                wanted = ("<x> é",) if option.many else "<x> é"
                assert probe(table, flag, "<x> é") == {option.name: wanted}
    assert probe(table) == {}


def test_the_usual_name_wins_over_an_older_one() -> None:
    assert probe(CLIENT, "--satellite", "a", "--satellite-url", "b") == {"satellite-url": "b"}
    assert probe(CLIENT, "--satellite-url", "b", "--satellite", "a") == {"satellite-url": "b"}


def test_a_table_without_a_file_has_no_config_flag() -> None:
    @click.command()
    def command(**given: Any) -> None: ...

    names = {name for parameter in table_options(command, CLIENT).params for name in parameter.opts}
    assert "--config" not in names


def test_the_help_says_the_default_where_it_applies() -> None:
    @click.command()
    @option_flag(SENSOR.by_name["rate-limit"], "Sensor: ", with_default=False)
    @option_flag(SENSOR.by_name["listen"])
    def command(**given: Any) -> None: ...

    shown = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "Sensor: Traces per minute" in shown and "[default: 1000]" not in shown
    assert "[default: off]" in shown
