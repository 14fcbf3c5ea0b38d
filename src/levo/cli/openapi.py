"""``levo openapi export`` and ``diff``: documents of a catalog, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from levo.cli.learn import formatted
from levo.cli.satellite_client import client_options, satellite_client
from levo.errors import LevoError
from levo.satellite.openapi import DocumentRefused, Level, diff, read_document

_FIELDS = ("path", "method", "where", "pointer", "kind", "level", "breaking", "detail")


class DocumentError(LevoError):
    """A document that cannot be had or read."""

    exit_status = 2


@click.group("openapi")
def command() -> None:
    """Export documents from a catalog; compare two documents."""


@command.command("export")
@click.argument("application")
@client_options
@click.option("--openapi", "version", type=click.Choice(["3.0", "3.1"]), default="3.1", show_default=True)
@click.option("--plain", is_flag=True, help="Leave out counts and times, for version control.")
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
def export(application: str, version: str, plain: bool, form: str, **given: Any) -> None:
    """Print the OpenAPI document of APPLICATION as a running Satellite knows it."""
    query = {"version": version, **({"plain": "1"} if plain else {})}
    document = satellite_client(given).application(application, "/api/openapi", query)
    click.echo(formatted(document, form))


@command.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--breaking", "only_breaking", is_flag=True, help="Show only what breaks clients.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--fail-on-breaking", is_flag=True, help="Exit with status 1 if anything breaks clients.")
def diff_command(old: Path, new: Path, only_breaking: bool, form: str, fail_on_breaking: bool) -> int:
    """Print what changed for clients from OLD to NEW: two OpenAPI documents, JSON or YAML.

    A change is BREAKING (a request that a client of OLD may send is refused, or a response comes that it does
    not expect), a warning (it depends on the client), or ok. Exit status: 0, 1 with --fail-on-breaking if
    anything breaks clients, 2 if a document cannot be read. With --format json: a list of objects with path,
    method, where, pointer, kind, level (breaking, warning, compatible), breaking and detail; path and method
    are * for what holds for the whole document.
    """
    changes = diff(_read(old), _read(new))
    shown = [change for change in changes if change.breaking or not only_breaking]
    if form == "json":
        documents = [{name: getattr(each, name) for name in _FIELDS} for each in shown]
        click.echo(json.dumps(documents, indent=2))
    else:
        for change in shown:
            click.echo(str(change))
        breaking = sum(change.breaking for change in changes)
        warnings = sum(change.level is Level.WARNING for change in changes)
        click.echo(f"{len(changes)} changes, {breaking} breaking, {warnings} warnings", err=True)
    return 1 if fail_on_breaking and any(change.breaking for change in changes) else 0


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return read_document(path.read_text(encoding="utf-8"), aliases=True)
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8") from error
    except DocumentRefused as error:
        raise DocumentError(f"{path}: {error}") from error
