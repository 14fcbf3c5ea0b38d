"""``levo satellite``: receive API traces, learn the catalog, show it."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from levo.cli.config import report
from levo.cli.table_options import table_flags, table_options
from levo.config.merge import Loaded
from levo.config.render import reference_file, reference_page, show_json, show_settings
from levo.config.satellite_settings import (
    SATELLITE,
    SATELLITE_PATH,
    SatelliteSettings,
    check_satellite_file,
    load_settings,
)
from levo.satellite.app import Listening, only_satellite, run_satellite
from levo.satellite.learner import only_learner
from levo.satellite.posture import RULES
from levo.satellite.posture.pages import index_page, page_of
from levo.satellite.store.backup import BackupContents, restore_backup, verify_backup, write_backup
from levo.satellite.store.rotation import rotate_key
from levo.satellite.store.upgrade import copy_before_upgrade
from levo.sensor.notify import Notifier


def satellite_options(function: Any) -> Any:
    """Every flag of the Satellite, and ``--config``."""
    return table_options(function, SATELLITE)


@click.group("satellite", invoke_without_command=True)
@click.pass_context
@satellite_options
def command(context: click.Context, **given: Any) -> None:
    """Receive API traces and turn them into an API catalog.

    Prints one line with its addresses when it is ready. A port of 0 lets the system choose. SIGTERM ends it
    after everything received is learned; SIGHUP rereads settings, certificates and detection rules.
    """
    context.obj = given
    if context.invoked_subcommand is not None:
        return
    loaded = _loaded(given)
    if loaded.config.dry_run:
        click.echo(show_settings(SATELLITE, loaded))
        return
    settings = loaded.config
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

    asyncio.run(run_satellite(settings, on_ready, lambda: _loaded(given).config))


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def backup_command(context: click.Context, file: Path) -> None:
    """Write a backup of the data to FILE, while the Satellite runs or not.

    With the key of the installation and the detection rules: enough to move to another machine, and a secret.
    Say where the data is with --data-dir before the word backup.
    """
    write_backup(_data_dir(context), file)
    click.echo(f"Backup written: {file}")


@command.command("verify-backup")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def verify_backup_command(file: Path) -> None:
    """Read the whole of a backup and check it. Writes nothing."""
    click.echo(f"Good: {_described(verify_backup(file))}")


@command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", is_flag=True, help="Move data that is there aside first.")
@click.pass_context
def restore_command(context: click.Context, file: Path, replace: bool) -> None:
    """Put the data of a backup in place, while no Satellite runs on it."""
    data_dir = _data_dir(context)
    with only_satellite(data_dir), only_learner(data_dir):
        contents = restore_backup(file, data_dir, replace=replace)
    click.echo(f"Restored into {data_dir}: {_described(contents)}")


@command.command("rotate-key")
@click.pass_context
def rotate_key_command(context: click.Context) -> None:
    """Make a new key for the hashes of this installation, while no Satellite runs on its data.

    Counts and schemas stay. What is lost is printed; it is learned again from the traffic that follows.
    """
    data_dir = _data_dir(context)
    with only_satellite(data_dir), only_learner(data_dir):
        copy_before_upgrade(data_dir)
        rotation = rotate_key(data_dir)
    click.echo(f"New key in {data_dir}")
    for lost in (
        f"callers of {rotation.callers} places are counted anew",
        f"different objects of {rotation.objects} places are counted anew: documents say less of what is"
        " required until they are",
        f"{rotation.hosts} hosts no longer know which values responses gave out; a name in a path that was"
        " forgotten is kept again until it is found to be a value",
        f"{rotation.unproven} places without success, or of hosts or operations without a proven name, were"
        " deleted",
        f"{rotation.names} names that were not yet proven start anew",
    ):
        click.echo(f"Lost: {lost}")


@command.group("config")
def config_group() -> None:
    """Show the merged settings; check a file."""


@config_group.command("show")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@satellite_options
def show_command(form: str, **given: Any) -> None:
    """Print every setting with its value and where it comes from, as `levo satellite` would see them.

    Takes the flags of `levo satellite`.
    """
    before = click.get_current_context().find_object(dict) or {}
    loaded = _loaded({name: value or before.get(name) for name, value in given.items()})
    click.echo(show_json(loaded, SATELLITE) if form == "json" else show_settings(SATELLITE, loaded))


@config_group.command("check")
@click.argument("file", default=SATELLITE_PATH)
def check_command(file: str) -> int:
    """Check a configuration file: one line with line and column for each error. Exit status 2 if any."""
    return report(file, check_satellite_file(file))


@config_group.command("reference")
@click.option("--page", is_flag=True, help="The reference page (Markdown) instead of the file.")
def reference_command(page: bool) -> None:
    """Print the commented configuration file, with every key and its default."""
    click.echo(reference_page(SATELLITE) if page else reference_file(SATELLITE), nl=False)


@command.command("rules")
@click.argument("rule", required=False, type=click.Choice([rule.id for rule in RULES], case_sensitive=False))
@click.option("--write", "folder", metavar="FOLDER", help="Write all pages there instead.")
def rules_command(rule: str | None, folder: str | None) -> None:
    """Print what one RULE on weaknesses looks for (Markdown), or the table of all."""
    if folder is None:
        click.echo(next((page_of(each) for each in RULES if each.id == rule), index_page()), nl=False)
        return
    for name, text in {"index": index_page(), **{each.id: page_of(each) for each in RULES}}.items():
        (Path(folder) / f"{name}.md").write_text(text, encoding="utf-8")


def _loaded(given: dict[str, Any]) -> Loaded[SatelliteSettings]:
    loaded = load_settings(table_flags(given, SATELLITE), os.environ, path=given.get("config"))
    for warning in loaded.warnings:
        click.echo(f"levo satellite: warning: {warning}", err=True)
    return loaded


def _described(contents: BackupContents) -> str:
    if not contents.version:
        return "a backup of an earlier version, without the key: elsewhere, callers are counted anew"
    seconds = min(max(contents.made_ns // 10**9, 0), 4 * 10**9)  # a file may say anything
    made = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{', '.join(sorted(contents.names))} of {made}, by levo {contents.version}"


def _data_dir(context: click.Context) -> Path:
    return _loaded(context.obj).config.data_dir
