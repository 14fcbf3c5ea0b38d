"""``levo learn``: captures and recordings in, an OpenAPI document out, without a Satellite."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from levo.cli.documents import formatted, left_out, read_description
from levo.cli.recordings import LEARNED, UnreadableFile, is_recording, read_recording
from levo.errors import ConfigError, LevoError, Problem
from levo.model.exchange import Exchange
from levo.satellite.learn import (
    Detectors,
    LearnSettings,
    NameRule,
    State,
    Trace,
    decide_templates,
    learn,
    load_rules,
)
from levo.satellite.learn.exchange import trace_of
from levo.satellite.learn.paths.explain import explanation
from levo.satellite.openapi import Operation, keep_texts, render_document, third_parties
from levo.satellite.openapi.catalog import operations_of

if TYPE_CHECKING:
    from levo.engine.engine import Engine

_COMMAND = "levo learn"
_SNIFFED_OCTETS = 4096
_FRAMES = 4096
_MEMORY_BYTES = 512 << 20


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
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    help="OpenAPI document whose summaries, descriptions and names are kept.",
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
    texts: Path | None,
    form: str,
    min_objects: int,
    evidence: bool,
) -> None:
    """Captures or recordings in, an OpenAPI document out on standard output.

    FILE is a pcap or pcapng capture (gzip accepted), a HAR file, a Postman collection with saved responses,
    items saved by Burp Suite (XML), flows saved by mitmproxy, or the JSON Lines of apidump.
    """
    rules = load_rules(detectors) if detectors is not None else ()
    written = read_description(texts) if texts is not None else None
    # The files are the user's own: who called is not asked.
    settings = LearnSettings(Detectors(rules), names=NameRule(min_objects, 1))
    state = State()
    skipped = 0
    recorded: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for path in files:
        recording = is_recording(path)
        for trace in read_file(path, expression):
            if hosts and trace.host not in hosts:
                skipped += 1
                continue
            learn(state, trace, settings)
            if recording:
                recorded[trace.host] += 1
                documents[trace.host] += trace.response_body[:1] in (b"{", b"[")
    foreign = set() if hosts else third_parties(recorded, documents)
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
    operations = [each for each in operations_of(state) if each.host not in foreign]
    document = render_document(title, operations, version=version, rules=rules, annotate=not plain)
    if written is not None:
        keep_texts(document, written)
    click.echo(formatted(document, form))
    for line in left_out(document, {host: recorded[host] for host in sorted(foreign)}):
        click.echo(f"{_COMMAND}: {line}", err=True)
    found = sum(len(item.keys() - {"servers"}) for item in document["paths"].values())
    unknown = round(state.unknown_path_exchanges)
    aside = f" ({unknown} with their path unknown)" if unknown else ""
    click.echo(
        f"{_COMMAND}: {state.traces} exchanges{aside}, {found} operations{_unnamed(operations)}", err=True
    )


def _unnamed(operations: list[Operation]) -> str:
    unnamed = sum(operation.unnamed for operation in operations)
    return f" and {unnamed} names not yet proven, which are not shown" if unnamed else ""


def read_file(path: Path, expression: str | None = None, command: str = _COMMAND) -> Iterator[Trace]:
    """Yield the traces in the file at *path*, whatever its format; *command* is named in what is printed.

    Raises:
        UnreadableFile: it cannot be read as any of them.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED_OCTETS)
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}") from error
    if start.lstrip().startswith(b'{"start_ns"'):
        yield from _json_lines(path)
    elif (recording := read_recording(path, start, command)) is not None:
        yield from recording
    else:
        yield from _capture(path, expression)


def _json_lines(path: Path) -> Iterator[Trace]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    exchange = Exchange.from_json(json.loads(line))
                except (KeyError, TypeError, ValueError) as error:
                    raise UnreadableFile(f"{path}:{number}: no exchange as apidump writes it") from error
                trace = trace_of(exchange, LEARNED)
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
        trace = trace_of(exchange, LEARNED)
        if trace is not None:
            yield trace
