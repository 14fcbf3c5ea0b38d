"""``levo config``: show the merged configuration, check a file, print the references."""

from __future__ import annotations

from typing import Any

import click

from levo.cli.sensor_options import check_filter, merged, sensor_options
from levo.config import DEFAULT_PATH, check_file
from levo.config.render import reference_file, reference_page, show, show_json
from levo.errors import Problem
from levo.ledger import reference as ledger_reference
from levo.sensor.metrics import reference as metrics_reference


@click.group("config", help="Show the merged configuration; check a file.")
def command() -> None:
    """The group."""


@command.command("show")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, hidden=True)
@sensor_options
def show_command(form: str, as_json: bool, **given: Any) -> None:
    """Print every setting with its value and where it comes from, as `levo apidump` would see them."""
    found = merged(given)
    for warning in found.warnings:
        click.echo(f"levo: warning: {warning}", err=True)
    click.echo(show_json(found) if as_json or form == "json" else show(found))


@command.command("check")
@click.argument("file", default=DEFAULT_PATH)
def check_command(file: str) -> int:
    """Check a configuration file: one line with line and column for each error. Exit status 2 if any.

    A file of the Satellite's is recognized by its keys, and checked as such.
    """
    from levo.config.satellite_settings import check_satellite_file, is_satellite_file

    if is_satellite_file(file):
        return report(file, check_satellite_file(file), " (as a file of the Satellite's)")
    return report(file, check_file(file, check_filter))


def report(file: str, problems: list[Problem], remark: str = "") -> int:
    """Print what is wrong with *file*; return the exit status."""
    for problem in problems:
        click.echo(str(problem) if problem.path else f"levo: {problem.text}", err=True)
    if not problems:
        click.echo(f"{file}: no errors{remark}")
    return 2 if problems else 0


@command.command("reference")
@click.option("--page", "kind", flag_value="page", help="The reference page (Markdown) instead of the file.")
@click.option("--ledger", "kind", flag_value="ledger", help="The ledger's reference page (Markdown).")
@click.option("--metrics", "kind", flag_value="metrics", help="The metrics' reference page (Markdown).")
def reference_command(kind: str | None) -> None:
    """Print the commented configuration file, with every key and its default."""
    pages = {"page": reference_page, "ledger": ledger_reference, "metrics": metrics_reference}
    text = pages.get(kind or "", reference_file)()
    click.echo(text, nl=False)
