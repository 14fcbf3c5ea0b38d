"""The command group: lazy, one line for every kind of error, exit statuses."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires
from pathlib import Path

import click
import pytest

from levo.cli.group import COMMANDS, group, invoke, missing_package
from levo.errors import CaptureError
from tests.cli.levo_command import SOURCE, environment, levo


def test_the_short_help_of_every_command_is_its_own() -> None:
    """The table that spares the imports says what the commands say of themselves, in one line each."""
    for name, text in COMMANDS.items():
        assert text.endswith((".", "?")) or name == "doctor"
        assert "\n" not in text and len(text) < 80


def test_only_the_chosen_command_is_imported() -> None:
    program = (
        "import sys; from levo.cli.group import invoke; invoke(['config', 'reference']);"
        "print([m for m in sys.modules if m.split('.')[0] in ('grpc', 'boto3', 'yaml', 're2', 'urllib3')"
        " or m.startswith(('levo.satellite', 'levo.engine', 'levo.cli.apidump'))], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, timeout=180, text=True
    )

    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["apidum"], "levo: no such command 'apidum'; did you mean levo apidump?"),
        (["frobnicate"], "levo: no such command 'frobnicate'; levo --help lists the commands"),
        (["config", "chek"], "levo: no such command 'chek'"),
        (["--bogus"], "levo: --bogus: no such option; levo --help lists them"),
        (
            ["config", "show", "--rate-limi", "3"],
            "levo: --rate-limi: no such option; did you mean --rate-limit?",
        ),
        (["config", "show", "--rate-limit"], "levo: option '--rate-limit' requires an argument"),
        (["config", "show", "--rate-limit", "x"], "levo: --rate-limit: 'x' is not a number"),
        (["config", "show", "surplus"], "levo: got unexpected extra argument (surplus)"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(arguments) == 2

    out, err = capsys.readouterr()
    assert err.startswith(line)
    assert err.count("\n") == 1
    assert out == ""


def test_an_error_of_ours_becomes_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**options: object) -> None:
        raise CaptureError("the interface is gone")

    monkeypatch.setattr(group, "main", refuse)

    assert invoke([]) == 1
    assert capsys.readouterr().err == "levo: the interface is gone\n"


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "main", interrupt)

    assert invoke([]) == 130


def test_help_names_the_commands_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--help"]) == 0
    listed = capsys.readouterr().out
    assert "apidump" in listed and "config" in listed


def test_version() -> None:
    done = levo("--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("levo, version ")


BLOCKER = """
import importlib.metadata, importlib.util, os, sys

blocked = set(os.environ["BLOCKED"].split())

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked or any(name == each for each in blocked):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Blocker())
"""
"""Runs first in every Python below: what the distributions of the extras bring is not there."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*extras: str) -> set[str]:
    """Distributions that *extras* bring, with what they need; without any, those of the product itself."""
    wanted, seen = [("levo-sensor", extras)], set()
    while wanted:
        name, chosen = wanted.pop()
        for line in requires(name) or []:
            extra = re.search(r"extra == [\"'](\w+)", line)
            if (extra[1] in chosen) if extra else not (name == "levo-sensor" and chosen):
                found = canonical(re.match(r"[\w.-]+", line)[0])  # type: ignore[index]
                if found not in seen and has_metadata(found):
                    seen.add(found)
                    wanted.append((found, ()))
    return seen


def has_metadata(name: str) -> bool:
    try:
        return bool(metadata(name))
    except PackageNotFoundError:
        return False


@cache
def modules_of_extras() -> set[str]:
    """Top-level modules that only the extras bring."""
    base, more = requirements(), requirements("satellite", "aws")
    owners = {
        module: {canonical(name) for name in names} for module, names in packages_distributions().items()
    }
    return {module for module, names in owners.items() if names & more and not names & base}


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand, by the words that call it."""
    found: list[tuple[str, ...]] = []

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        if words:
            found.append(words)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                walk(inner, (*words, name))

    walk(group, ())
    return found


ARGUMENTS = {
    ("satellite", "backup"): ("/nonexistent/x",),
    ("satellite", "restore"): ("{file}",),
    ("learn",): ("{file}",),
    ("openapi", "export"): ("shop",),
    ("openapi", "diff"): ("{file}", "{file}"),
    ("ecs", "add"): ("--dry-run",),
    ("ecs", "remove"): ("--dry-run",),
    ("demo",): ("--seconds", "1", "--port", "0"),
    ("apidump",): ("--read", "{file}"),
    ("doctor",): ("--read", "{file}"),
}
"""What a command cannot be called without, or would not end without. A new command needs no entry."""


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_without_the_extras_every_command_works_or_says_in_one_line_what_to_install(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    (tmp_path / "empty").write_text("{}")
    blocked = modules_of_extras()
    assert {"msgspec", "starlette", "boto3"} <= blocked and not {"click", "grpc"} & blocked
    extra = {"PYTHONPATH": f"{tmp_path}:{SOURCE}", "BLOCKED": " ".join(sorted(blocked))}
    arguments = [word.format(file=tmp_path / "empty") for word in ARGUMENTS.get(words, ())]

    done = subprocess.run(
        [sys.executable, "-m", "levo", *words, *arguments],
        env=environment(extra),
        capture_output=True,
        timeout=180,
        text=True,
        stdin=subprocess.DEVNULL,
    )

    assert "Traceback" not in done.stderr
    needed = NEEDS_EXTRA.get(words) or NEEDS_EXTRA.get(words[:1])
    if needed is None:
        assert "levo-sensor[" not in done.stderr
    else:
        assert done.returncode == 2
        assert done.stderr.startswith(f"levo: levo {needed[0]} needs the package ")
        assert done.stderr.endswith(f"pip install 'levo-sensor[{needed[1]}]'\n")
        assert done.stderr.count("\n") == 1


NEEDS_EXTRA = {
    ("satellite",): ("satellite", "satellite"),
    ("learn",): ("learn", "satellite"),
    ("openapi",): ("openapi", "satellite"),
    ("demo",): ("satellite", "satellite"),
    ("ecs", "add"): ("ecs", "aws"),
    ("ecs", "remove"): ("ecs", "aws"),
    ("ecs", "status"): ("ecs", "aws"),
}
"""By the first word all its subcommands, and what the line says: the command and the extra."""


def missing(code: str, name: str = "<string>") -> ModuleNotFoundError:
    """The error of running *code* as the module *name*."""
    with pytest.raises(ModuleNotFoundError) as caught:
        exec(code, {"__name__": name})
    return caught.value


def test_the_extra_is_that_of_the_part_of_the_product_or_of_the_package() -> None:
    """A command that nobody has listed anywhere gets the right advice."""
    new = [
        missing("import nowhere", "levo.ecs.new"),
        missing("import nowhere", "levo.satellite.new"),
        missing("import nowhere", "levo.cli.new"),
        ModuleNotFoundError("x", name="boto3.session"),
        ModuleNotFoundError("x", name="uvicorn"),
        ModuleNotFoundError("x", name="levo.satellite"),
    ]

    assert [str(missing_package(error, "levo new")).partition("pip install ")[2] for error in new] == [
        "'levo-sensor[aws]'",
        "'levo-sensor[satellite]'",
        "'levo-sensor'",
        "'levo-sensor[aws]'",
        "'levo-sensor[satellite]'",
        "'levo-sensor[satellite]'",
    ]


def test_a_module_of_ours_that_is_missing_is_a_defect_and_raises() -> None:
    with pytest.raises(ModuleNotFoundError):
        missing_package(ModuleNotFoundError("x", name="levo.ecs.missing"), "levo ecs")
