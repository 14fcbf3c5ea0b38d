"""``levo satellite``: receive API traces, learn the catalog, show it."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import click

from levo.satellite.app import Listening, only_satellite, run_satellite
from levo.satellite.settings import load_settings
from levo.satellite.store.backup import restore_backup, write_backup
from levo.sensor.notify import Notifier


@click.group("satellite", invoke_without_command=True)
@click.pass_context
@click.option("--data-dir", metavar="DIR", help="Where catalog and journal are kept.")
@click.option(
    "--listen", metavar="HOST:PORT", help="Web pages, REST and OTLP/HTTP. [default: 127.0.0.1:9999]"
)
@click.option("--otlp-grpc", metavar="HOST:PORT", help="OTLP over gRPC. [default: 127.0.0.1:4317]")
@click.option("--otlp-http", metavar="HOST:PORT", help="OTLP over HTTP. [default: 127.0.0.1:4318]")
@click.option("--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="YAML file.")
def command(
    context: click.Context,
    data_dir: str | None,
    listen: str | None,
    otlp_grpc: str | None,
    otlp_http: str | None,
    config_path: Path | None,
) -> None:
    """Receive API traces and turn them into an API catalog.

    Prints one line with its addresses when it is ready. A port of 0 lets the system choose. SIGTERM ends it
    after everything received is learned.
    """
    context.obj = data_dir, config_path
    if context.invoked_subcommand is not None:
        return
    flags = {"data-dir": data_dir, "listen": listen, "otlp-grpc": otlp_grpc, "otlp-http": otlp_http}
    settings = load_settings(flags, config_path, os.environ)
    logging.basicConfig(level=logging.WARNING, format="levo satellite: %(message)s")

    def on_ready(where: Listening) -> None:
        Notifier(os.environ).ready(str(where))
        click.echo(f"Satellite ready: {where}")
        if where.setup_code:
            click.echo(
                f"levo satellite: first run on {settings.listen}: open {where.web_url}setup"
                f" and enter the code {where.setup_code}",
                err=True,
            )

    asyncio.run(run_satellite(settings, on_ready))


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def backup_command(context: click.Context, file: Path) -> None:
    """Write a backup of the data to FILE, while the Satellite runs or not.

    Say where the data is with --data-dir before the word backup.
    """
    write_backup(_data_dir(context), file)
    click.echo(f"Backup written: {file}")


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Move data that is there aside first.")
@click.pass_context
def restore_command(context: click.Context, file: Path, replace: bool) -> None:
    """Put the data of a backup in place, while no Satellite runs on it."""
    data_dir = _data_dir(context)
    with only_satellite(data_dir):
        restore_backup(file, data_dir, replace=replace)
    click.echo(f"Restored into {data_dir}")


def _data_dir(context: click.Context) -> Path:
    data_dir, config_path = context.obj
    return load_settings({"data-dir": data_dir}, config_path, os.environ).data_dir
