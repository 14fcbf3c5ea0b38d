"""The command group, and the one place that turns an exception into an exit status."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from levo import __version__
from levo.errors import LevoError, MissingPackageError

COMMANDS: dict[str, str] = {
    "apidump": "Watch network traffic, or read a capture file, and send API traces.",
    "satellite": "Receive API traces and turn them into an API catalog.",
    "ecs": "Put the sensor into an ECS service, take it out, show where it runs.",
    "config": "Show the merged configuration; check a file.",
    "doctor": "Why do I see no traffic? Findings and fixes.",
    "tls": "Probe TLS libraries for secrets; what is probed, and what is not.",
    "learn": "Capture or HAR files in, an OpenAPI document out.",
    "openapi": "Export documents from a catalog; compare two documents.",
    "demo": "Satellite, sensor and a sample API with traffic, on loopback.",
}
"""Name and short help, so that ``levo --help`` imports none of them."""


class CommandTable(click.Group):
    """Imports ``levo.cli.NAME`` and takes its ``command`` when NAME is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(f"levo.cli.{name}") is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS or importlib.util.find_spec(f"levo.cli.{cmd_name}") is None:
            return None
        found = importlib.import_module(f"levo.cli.{cmd_name}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f"did you mean levo {close[0]}?" if close else "levo --help lists the commands"
            raise click.UsageError(f"no such command '{args[0]}'; {hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])


_EXTRAS = {"levo.satellite": "satellite", "levo.ecs": "aws"}
"""What each optional part of the product needs, by the extra of the distribution that brings it."""


def missing_package(error: ModuleNotFoundError, command: str) -> LevoError:
    """One line for an import that failed, with the extra to install.

    The extra is that of the part of the product that the import leads through, so a new command needs no
    entry here.

    Raises:
        ModuleNotFoundError: a module of our own is missing that every installation has.
    """
    missing = error.name or str(error)
    through = [missing]
    frame = error.__traceback__
    while frame is not None:
        through.append(str(frame.tb_frame.f_globals.get("__name__", "")))
        frame = frame.tb_next
    for part, extra in _EXTRAS.items():
        if part == missing or (any(_within(name, part) for name in through) and not _within(missing, "levo")):
            what = "that part of the product" if part == missing else f"the package {missing}"
            return MissingPackageError(f"{command} needs {what}", f"levo-sensor[{extra}]")
    if _within(missing, "levo"):
        raise error
    return MissingPackageError(f"{command} needs the package {missing}", _distribution(missing))


def _distribution(missing: str) -> str:
    """What brings the package *missing*: our distribution, with the extra that requires it if one does."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("levo-sensor") or []
    except PackageNotFoundError:
        lines = []
    top = missing.partition(".")[0].lower().replace("_", "-")
    for line in lines:
        wanted, _, condition = line.partition(";")
        found = re.search(r"extra == [\"'](\w+)", condition)
        if found and re.match(r"[\w.-]+", wanted.lower())[0] == top:  # type: ignore[index]
            return f"levo-sensor[{found[1]}]"
    return "levo-sensor"


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


@click.command(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Find out passively which APIs run, what they accept and return, and where personal data flows.",
)
@click.version_option(__version__, prog_name="levo")
def group() -> None:
    """The ``levo`` command."""


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit: 0, 1 (it failed), 2 (bad input), 130 (interrupted). Errors are one line."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """As :func:`run`, but return the exit status."""
    try:
        result = group.main(args=arguments, prog_name="levo", standalone_mode=False)
        status = result if isinstance(result, int) else 0
        sys.stdout.flush()
        return status
    except LevoError as error:
        return fail(str(error), error.exit_status)
    except ModuleNotFoundError as error:
        words = sys.argv[1:] if arguments is None else arguments
        named = next((word for word in words if word in COMMANDS), "")
        missing = missing_package(error, f"levo {named}".rstrip())
        return fail(str(missing), missing.exit_status)
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError" and error.ctx is not None:  # click 8.2 and later
            click.echo(error.ctx.get_help(), err=True)
            return 2
        return fail(_usage(error, sys.argv[1:] if arguments is None else arguments), 2)
    except click.ClickException as error:
        return fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to say, and nothing to flush into at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


def fail(line: str, status: int) -> int:
    """Say *line* on standard error, and pass *status* on."""
    click.echo(f"levo: {line}", err=True)
    return status


def _usage(error: click.UsageError, arguments: Sequence[str]) -> str:
    message = error.format_message()
    message = message[:1].lower() + message[1:]
    command = error.ctx.command_path if error.ctx else " ".join(["levo", *arguments[:1]])
    if isinstance(error, click.NoSuchOption):
        close = f"; did you mean {error.possibilities[0]}?" if error.possibilities else ""
        return f"{error.option_name}: no such option{close or f'; {command} --help lists them'}"
    if isinstance(error, click.BadOptionUsage):
        return f"{message.rstrip('.')}; {command} --help explains it"
    if message.startswith("got unexpected extra argument"):
        return f"{message}; {command} --help shows what it takes"
    return message.rstrip(".").replace(". Did you mean", "; did you mean")
