"""``levo openapi export`` and ``diff``: documents of a catalog, and what differs between two."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from levo.cli.learn import formatted
from levo.errors import LevoError
from levo.satellite.openapi import DocumentRefused, diff, read_document


class DocumentError(LevoError):
    """A document that cannot be had or read."""

    exit_status = 2


@click.group("openapi")
def command() -> None:
    """Export documents from a catalog; compare two documents."""


@command.command("export")
@click.argument("application")
@click.option("--environment", default="", help="Needed when the application runs in several.")
@click.option("--organization", default="", help="Needed when the catalog holds several.")
@click.option("--openapi", "version", type=click.Choice(["3.0", "3.1"]), default="3.1", show_default=True)
@click.option(
    "--satellite", default="http://127.0.0.1:9999", show_default=True, help="The Satellite's pages."
)
@click.option("--plain", is_flag=True, help="Leave out counts and times, for version control.")
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
def export(
    application: str,
    environment: str,
    organization: str,
    version: str,
    satellite: str,
    plain: bool,
    form: str,
) -> None:
    """Print the OpenAPI document of APPLICATION as a running Satellite knows it."""
    wanted = {
        "application": application,
        "environment": environment,
        "organization": organization,
        "version": version,
        "plain": "1" if plain else "",
    }
    query = urllib.parse.urlencode({name: value for name, value in wanted.items() if value})
    click.echo(formatted(_fetch(f"{satellite.rstrip('/')}/api/openapi?{query}"), form))


@command.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--breaking", "only_breaking", is_flag=True, help="Show only what breaks clients.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--fail-on-breaking", is_flag=True, help="Exit with status 1 if anything breaks clients.")
def diff_command(old: Path, new: Path, only_breaking: bool, form: str, fail_on_breaking: bool) -> int:
    """Print what changed for clients from OLD to NEW: two OpenAPI documents, JSON or YAML."""
    changes = diff(_read(old), _read(new))
    shown = [change for change in changes if change.breaking or not only_breaking]
    if form == "json":
        documents = [
            {name: getattr(each, name) for name in ("path", "method", "where", "kind", "breaking", "detail")}
            for each in shown
        ]
        click.echo(json.dumps(documents, indent=2))
    else:
        for change in shown:
            click.echo(str(change))
        breaking = sum(change.breaking for change in changes)
        click.echo(f"{len(changes)} changes, {breaking} breaking", err=True)
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


def _fetch(url: str) -> Any:
    import urllib3

    try:
        response = urllib3.request("GET", url, timeout=30.0, retries=False)
    except (urllib3.exceptions.HTTPError, urllib3.exceptions.LocationValueError) as error:
        raise DocumentError(f"{url.partition('/api/')[0]}: no Satellite answers; see --satellite") from error
    try:
        document = json.loads(response.data)
    except ValueError:
        document = {}
    if response.status != 200:
        raise DocumentError(str(document.get("detail") or f"the Satellite answered {response.status}"))
    return document
