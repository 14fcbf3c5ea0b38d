"""``levo demo``: Satellite, sensor and a sample API with traffic, on loopback."""

import asyncio
import shutil
import sys
import time
from pathlib import Path

import click

from levo.demo.capture_file import save_capture
from levo.demo.run import Demo, DemoOptions

CAPTURE_SECONDS = 15.0
"""How much traffic ``--write-capture`` writes unless told otherwise."""


@click.command("demo")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of the pages (default: 9999 or a free one)."
)
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop by itself after this long."
)
@click.option(
    "--rate", type=click.FloatRange(0.1, 500), default=40.0, show_default=True, help="Requests a second."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Chooses the sample data and the traffic."
)
@click.option("--replay", is_flag=True, help="Replay a generated capture instead of capturing on loopback.")
@click.option(
    "--write-capture",
    "capture",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Only write the traffic ({CAPTURE_SECONDS:g} s of it, or --seconds) to a pcap file.",
)
def command(
    port: int | None, seconds: float | None, rate: float, seed: int, replay: bool, capture: Path | None
) -> None:
    """Watch a small sample API become an API catalog.

    Starts a Satellite, a sample API with traffic and the sensor, all on loopback, and prints the address
    of the pages. Nothing is kept afterwards. Where capturing is not allowed, a generated capture is
    replayed instead.
    """
    if capture is not None:
        if port is not None or replay:
            raise click.UsageError("--write-capture starts nothing: leave --port and --replay out")
        _write(capture, seed, rate, seconds or CAPTURE_SECONDS)
        return
    interactive = sys.stdout.isatty()
    rewritten = False

    def say(text: str) -> None:
        nonlocal rewritten
        click.echo(f"\n{text}" if rewritten else text)
        rewritten = False

    def show(text: str) -> None:
        nonlocal rewritten
        if interactive:
            shown = text[: shutil.get_terminal_size().columns - 1]
            click.echo(f"\r\033[K{shown}", nl=False)
            rewritten = True
        else:
            click.echo(text)

    async def main() -> None:
        await Demo(DemoOptions(port, seconds, rate, seed, replay, interactive), say, show).run()

    asyncio.run(main())


def _write(path: Path, seed: int, rate: float, seconds: float) -> None:
    exchanges = max(1, round(rate * seconds))
    save_capture(path, seed, exchanges, time.time_ns() - int(seconds * 1e9), rate)
    click.echo(f"{path}: {exchanges:,} exchanges of the sample API")
