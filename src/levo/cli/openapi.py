"""``levo openapi``: documents of a catalog, what differs between two, and traffic against one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from levo.cli.documents import formatted, read_description
from levo.cli.learn import read_file
from levo.cli.satellite_client import client_options, satellite_client
from levo.satellite.learn import Trace
from levo.satellite.openapi import (
    Answer,
    Coverage,
    Level,
    Statement,
    check,
    diff,
    keep_texts,
)

_FIELDS = ("path", "method", "where", "pointer", "kind", "level", "breaking", "detail")
_ANSWER_FIELDS = ("path", "method", "where", "pointer", "kind", "observations", "detail")


@click.group("openapi")
def command() -> None:
    """Export documents from a catalog; compare two documents; check traffic against a document."""


@command.command("export")
@click.argument("application")
@client_options
@click.option("--openapi", "version", type=click.Choice(["3.0", "3.1"]), default="3.1", show_default=True)
@click.option("--plain", is_flag=True, help="Leave out counts and times, for version control.")
@click.option("--host", help="Only operations of this host, where an application has several.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    help="OpenAPI document whose summaries, descriptions and names are kept; an uploaded one is anyway.",
)
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
def export(
    application: str, version: str, plain: bool, host: str | None, texts: Path | None, form: str, **given: Any
) -> None:
    """Print the OpenAPI document of APPLICATION as a running Satellite knows it."""
    written = read_description(texts) if texts is not None else None
    query = {"version": version, **({"plain": "1"} if plain else {}), **({"host": host} if host else {})}
    document = satellite_client(given).application(application, "/api/openapi", query)
    if written is not None:
        keep_texts(document, written)
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
    changes = diff(read_description(old), read_description(new))
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


@command.command("check")
@click.argument("description", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--host", "hosts", multiple=True, help="Only requests to this host. Repeatable.")
@click.option("--filter", "expression", metavar="EXPRESSION", help="pcap-filter(7) for captures.")
@click.option("--all", "show_all", is_flag=True, help="Show also what agrees and what was not seen.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--fail-on-contradiction", is_flag=True, help="Exit with status 1 if traffic contradicts it.")
def check_command(
    description: Path,
    files: tuple[Path, ...],
    hosts: tuple[str, ...],
    expression: str | None,
    show_all: bool,
    form: str,
    fail_on_contradiction: bool,
) -> int:
    """Check whether traffic obeys DESCRIPTION, an OpenAPI document; FILE as for levo learn.

    Each statement of DESCRIPTION about a called operation is contradicted, agrees, or was not yet seen, with
    the number of messages or values behind the answer; what was seen and is not described is printed as well.
    Exit status: 0, 1 with --fail-on-contradiction if anything is contradicted, 2 if a file cannot be read.
    """
    document = read_description(description)
    skipped = checked = 0

    def traces() -> Iterator[Trace]:
        nonlocal skipped, checked
        for path in files:
            for trace in read_file(path, expression, "levo openapi check"):
                if hosts and trace.host not in hosts:
                    skipped += 1
                else:
                    checked += 1
                    yield trace

    found = check(document, traces())
    if form == "json":
        click.echo(json.dumps(_answers(found, show_all=show_all), indent=2))
    else:
        for line in _lines(found, show_all=show_all):
            click.echo(line)
    counts = {answer: found.count(answer) for answer in Answer}
    click.echo(
        f"{checked} requests{f', {skipped} to other hosts' if skipped else ''}: "
        f"{counts[Answer.CONTRADICTED]} statements contradicted, {counts[Answer.AGREES]} agree, "
        f"{counts[Answer.UNSEEN]} not yet seen; {len(found.shadow)} endpoints and {len(found.undescribed)} "
        f"parts of others not described, {len(found.unused)} not called"
        f"{f', {len(found.ambiguous)} ambiguous' if found.ambiguous else ''}",
        err=True,
    )
    return 1 if fail_on_contradiction and counts[Answer.CONTRADICTED] else 0


def _shown(found: Coverage, *, show_all: bool) -> list[Statement]:
    return [each for each in found.statements if show_all or each.answer is Answer.CONTRADICTED]


def _lines(found: Coverage, *, show_all: bool) -> Iterator[str]:
    for each in (*_shown(found, show_all=show_all), *found.undescribed):
        answer = "not described" if each.undescribed else str(each.answer)
        detail = f" ({each.detail})" if each.detail not in ("", answer) else ""
        place = f"{each.method} {each.path}: {each.where}"
        yield f"{answer:13} {place}: {each.kind}{detail}, {each.observations} seen"
    for answer, endpoints in (
        ("not described", found.shadow),
        ("ambiguous", found.ambiguous),
        ("not called", found.unused if show_all else ()),
        ("deprecated", found.deprecated_but_called),
    ):
        for method, path in endpoints:
            yield f"{answer:13} {method} {path}{': called' if answer == 'deprecated' else ''}"


def _answers(found: Coverage, *, show_all: bool) -> dict[str, Any]:
    def endpoints(listed: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
        return [{"method": method, "path": path} for method, path in listed]

    return {
        "answers": {answer.name.lower(): found.count(answer) for answer in Answer},
        "statements": [
            {"answer": "not described" if each.undescribed else each.answer}
            | {name: getattr(each, name) for name in _ANSWER_FIELDS}
            for each in (*_shown(found, show_all=show_all), *found.undescribed)
        ],
        "not_described": endpoints(found.shadow),
        "not_called": endpoints(found.unused),
        "ambiguous": endpoints(found.ambiguous),
        "deprecated_but_called": endpoints(found.deprecated_but_called),
    }
