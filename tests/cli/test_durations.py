from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from levo.cli.durations import Seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10.0), ("10s", 10.0), ("1.5", 1.5), ("500ms", 0.5), ("15m", 900.0), ("1h", 3600.0)],
)
def test_a_time_on_the_command_line_is_one_of_the_configuration(text: str, seconds: float) -> None:
    assert Seconds(0.1).convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("text", "says"), [("soon", "not a time"), ("1ms", "at least 0.1s"), ("2h", "3600s")]
)
def test_what_is_none_or_out_of_bounds_names_the_value_and_the_bounds(text: str, says: str) -> None:
    @click.command()
    @click.option("--seconds", type=Seconds(0.1, 3600), default="10s")
    def command(seconds: float) -> None:
        click.echo(repr(seconds))

    bad = CliRunner().invoke(command, ["--seconds", text])
    assert bad.exit_code == 2 and says in bad.output and f"'{text}'" in bad.output
    assert CliRunner().invoke(command).output == "10.0\n"
