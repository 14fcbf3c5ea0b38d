"""The command group: lazy, one line for every kind of error, exit statuses."""

from __future__ import annotations

import subprocess
import sys

import pytest

from levo.cli import group as module
from levo.cli.group import COMMANDS, group, invoke
from levo.errors import CaptureError
from tests.cli.levo_command import environment, levo


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
        [sys.executable, "-c", program], env=environment(), capture_output=True, timeout=60, text=True
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


def test_a_missing_extra_says_what_to_install() -> None:
    error = ModuleNotFoundError("No module named 'boto3'", name="boto3")

    assert "pip install 'levo-sensor[aws]'" in str(module._missing_extra("ecs", error))
    with pytest.raises(ModuleNotFoundError):
        module._missing_extra("ecs", ModuleNotFoundError("x", name="levo.ecs.missing"))
