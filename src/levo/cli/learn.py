"""``levo learn``: capture and HAR files in, an OpenAPI document out, without a Satellite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from levo.errors import ConfigError, LevoError, Problem
from levo.model.exchange import Exchange
from levo.satellite.learn import (
    Detectors,
    LearnSettings,
    NameRule,
    Origin,
    State,
    Trace,
    decide_templates,
    learn,
    load_rules,
)
from levo.satellite.learn.exchange import trace_of
from levo.satellite.learn.har import HarReport, read_har
from levo.satellite.learn.paths.explain import explanation
from levo.satellite.openapi import Operation, render_document
from levo.satellite.openapi.catalog import operations_of

if TYPE_CHECKING:
    from levo.engine.engine import Engine

_ORIGIN = Origin("default", "default", "learned", "")
_SNIFFED_OCTETS = 4096
_FRAMES = 4096
_MEMORY_BYTES = 512 << 20


class UnreadableFile(LevoError):
    """A file that is neither a capture, nor a HAR, nor exchanges as JSON Lines."""

    exit_status = 2


class NothingLearned(LevoError):
    """Files that can be read and have no exchange to learn from."""

    exit_status = 2


@click.command("learn")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--openapi",
    "version",
    type=click.Choice(["3.0", "3.1"]),
    default="3.1",
    show_default=True,
    help="Version.",
)
@click.option("--title", default="Learned API", show_default=True, help="Title of the document.")
@click.option("--host", "hosts", multiple=True, help="Only requests to this host. Repeatable.")
@click.option("--filter", "expression", metavar="EXPRESSION", help="pcap-filter(7) for captures.")
@click.option(
    "--detectors", type=click.Path(path_type=Path), help="YAML file with own rules for sensitive data."
)
@click.option(
    "--plain", is_flag=True, help="Leave out counts and times, so that equal traffic gives equal text."
)
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", show_default=True)
@click.option(
    "--min-objects",
    type=click.IntRange(1, 16),
    default=1,
    show_default=True,
    help="Different objects that must have a name before it is shown.",
)
@click.option("--evidence", is_flag=True, help="Print instead why each path is as it is.")
def command(  # noqa: PLR0913 (click passes each option as an argument)
    files: tuple[Path, ...],
    version: str,
    title: str,
    hosts: tuple[str, ...],
    expression: str | None,
    detectors: Path | None,
    plain: bool,
    form: str,
    min_objects: int,
    evidence: bool,
) -> None:
    """Capture or HAR files in, an OpenAPI document out on standard output.

    FILE is a pcap or pcapng capture (gzip accepted), a HAR file, or the JSON Lines of apidump.
    """
    rules = load_rules(detectors) if detectors is not None else ()
    # The files are the user's own: who called is not asked.
    settings = LearnSettings(Detectors(rules), names=NameRule(min_objects, 1))
    state = State()
    skipped = 0
    for path in files:
        for trace in read_file(path, expression):
            if hosts and trace.host not in hosts:
                skipped += 1
            else:
                learn(state, trace, settings)
    if not state.traces:
        where = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        raise NothingLearned(
            f"{where}: nothing to learn from: "
            + (f"no request of {skipped} to --host {' or '.join(hosts)}" if skipped else "no HTTP exchange")
        )
    if evidence:
        for scope, paths in sorted(state.paths.items()):
            click.echo(f"{scope.host}: {paths.learned} requests learned, {paths.noise.total} were noise")
            for template in decide_templates(paths).templates:
                click.echo(explanation(template))
        return
    operations = operations_of(state)
    document = render_document(title, operations, version=version, rules=rules, annotate=not plain)
    click.echo(formatted(document, form))
    found = sum(len(item) for item in document["paths"].values())
    click.echo(f"levo learn: {state.traces} exchanges, {found} operations{_unnamed(operations)}", err=True)


def _unnamed(operations: list[Operation]) -> str:
    unnamed = sum(operation.unnamed for operation in operations)
    return f" and {unnamed} names not yet proven, which are not shown" if unnamed else ""


def formatted(document: object, form: str) -> str:
    """Return *document* as text, keys in their order."""
    if form == "yaml":
        import yaml

        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        return text.rstrip("\n")
    return json.dumps(document, indent=2, ensure_ascii=False)


def read_file(path: Path, expression: str | None = None) -> Iterator[Trace]:
    """Yield the traces in the file at *path*, whatever its format.

    Raises:
        UnreadableFile: it cannot be read as any of them.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED_OCTETS)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}") from error
    text = start.decode(json.detect_encoding(start), "replace").lstrip()
    if text.startswith('{"start_ns"'):
        yield from _json_lines(path)
    elif text.startswith(("{", "[")):
        yield from _har(path)
    else:
        yield from _capture(path, expression)


def _har(path: Path) -> Iterator[Trace]:
    report = HarReport()
    try:
        modified_ns = path.stat().st_mtime_ns
        document = json.loads(path.read_bytes())
        yield from read_har(document, _ORIGIN, report, modified_ns)
    except (ValueError, RecursionError, OSError) as error:
        raise UnreadableFile(f"{path}: neither a capture nor a HAR file") from error
    for line in report.lines():
        click.echo(f"levo learn: {path}: {line}", err=True)


def _json_lines(path: Path) -> Iterator[Trace]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    exchange = Exchange.from_json(json.loads(line))
                except (KeyError, TypeError, ValueError) as error:
                    raise UnreadableFile(f"{path}:{number}: no exchange as apidump writes it") from error
                trace = trace_of(exchange, _ORIGIN)
                if trace is not None:
                    yield trace


def _capture(path: Path, expression: str | None) -> Iterator[Trace]:
    from levo.engine.engine import Engine
    from levo.sensor.capture.file import FileSource

    try:
        source = FileSource(str(path), filter=expression)
    except ValueError as error:
        raise ConfigError(Problem("--filter", str(error))) from error
    with source:
        engine = Engine(max_memory_bytes=_MEMORY_BYTES)
        while engine.pump(source, _FRAMES, 0) > 0:
            yield from _drain(engine)
        engine.finish()
        yield from _drain(engine)


def _drain(engine: Engine) -> Iterator[Trace]:
    batch = engine.take()
    batch.decode()
    for exchange in batch.exchanges():
        trace = trace_of(exchange, _ORIGIN)
        if trace is not None:
            yield trace
