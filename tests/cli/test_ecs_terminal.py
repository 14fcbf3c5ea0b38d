"""Menus, questions and the live view, with answers on standard input."""

from __future__ import annotations

import io
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from levo.cli.ecs_terminal import LiveView, PlainTerminal
from levo.ecs.model import EcsInputError
from levo.ecs.watch import Look, RolloutState
from levo.ecs.wizard import Choice, GoBack, Quit
from tests.ecs.pseudo_terminal import as_text

Capture = pytest.CaptureFixture[str]
Answers = Callable[..., None]
MENU = [
    Choice("alpha", "first"),
    Choice("beta"),
    Choice("alphabet", "not this one", disabled=True),
    Choice("gamma"),
]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    def give(*lines: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return give


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        (["2"], 1),
        (["gam"], 3),
        (["BETA"], 1),
        (["alpha"], 0),
        (["", "nothing", "9", "0", "2"], 1),
        (["alphabet", "3", "1"], 0),
        (["a", "gamma"], 3),
    ],
)
def test_a_choice_is_a_number_or_a_part_of_a_name(
    answers: Answers, capsys: Capture, typed: list[str], chosen: int
) -> None:
    answers(*typed)

    assert PlainTerminal().choose("Which?", MENU) == chosen


def test_what_cannot_be_chosen_says_why(answers: Answers, capsys: Capture) -> None:
    answers("3", "zeta", "1")
    PlainTerminal().choose("Which?", MENU)
    out = capsys.readouterr().out

    assert "! alphabet: not this one" in out
    assert "! nothing here is called 'zeta'" in out


def test_an_unclear_name_shows_what_it_may_mean(answers: Answers, capsys: Capture) -> None:
    answers("alp", "beta")
    PlainTerminal().choose("Which?", MENU)
    second = capsys.readouterr().out.split("Which?")[2]

    assert "alphabet" in second and "gamma" not in second


def test_enter_takes_the_default(answers: Answers) -> None:
    answers("")

    assert PlainTerminal().choose("Which?", MENU, 1) == 1


@pytest.mark.parametrize(("word", "error"), [("b", GoBack), ("back", GoBack), ("q", Quit), ("QUIT", Quit)])
def test_back_and_quit_work_everywhere(answers: Answers, word: str, error: type[Exception]) -> None:
    terminal = PlainTerminal()
    for ask in (
        lambda: terminal.choose("Which?", MENU),
        lambda: terminal.choose_many("Which?", MENU),
        lambda: terminal.ask("What?", None, str, False),
    ):
        answers(word)
        with pytest.raises(error):
            ask()


def test_the_end_of_input_is_quitting(answers: Answers) -> None:
    answers()

    with pytest.raises(Quit, match="nothing was changed"):
        PlainTerminal().choose("Which?", MENU)


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        (["2, 1,2"], [0, 1]),
        (["all"], [0, 1, 3]),
        (["", "3", "1,nobody", "gamma"], [3]),
    ],
)
def test_several_are_numbers_names_or_all(answers: Answers, typed: list[str], chosen: list[int]) -> None:
    answers(*typed)

    assert PlainTerminal().choose_many("Which?", MENU) == chosen


def test_a_text_is_asked_for_until_it_is_right(answers: Answers, capsys: Capture) -> None:
    def check(text: str) -> object:
        if text != "right":
            raise EcsInputError(f"'{text}' is wrong")
        return text

    answers("", "wrong", "right")
    assert PlainTerminal().ask("What?", None, check, False) == "right"
    out = capsys.readouterr().out
    assert "! this one is needed" in out and "! 'wrong' is wrong" in out

    answers("")
    assert PlainTerminal().ask("What?", "usual", check, False) == "usual"
    answers("-")
    assert PlainTerminal().ask("What?", "usual", check, True) == ""


def test_long_menus_show_a_page_and_keep_the_default(answers: Answers, capsys: Capture) -> None:
    many = [Choice(f"service-{number:03}") for number in range(40)]
    answers("service-037")

    assert PlainTerminal().choose("Which?", many, 39) == 37
    out = capsys.readouterr().out
    assert "service-014" in out and "service-015" not in out
    assert ">" in out and "service-039" in out
    assert "and 24 more: type a part of the name" in out


def look(state: RolloutState, running: int) -> Look:
    return Look("web", "arn", state, "x/web:2", desired=4, running=running)


def test_without_a_terminal_each_change_is_a_line(capsys: Capture) -> None:
    view = LiveView(live=False)
    for waited, running in ((0.0, 1), (5.0, 1), (65.0, 2)):
        view.show([look(RolloutState.RUNNING, running)], waited)

    assert capsys.readouterr().out.splitlines() == [
        "  0:00   ... [##........] web  web:2  in progress  1/4 running",
        "  1:05   ... [#####.....] web  web:2  in progress  2/4 running",
    ]


def test_in_a_terminal_it_is_rewritten_in_place(capsys: Capture) -> None:
    view = LiveView(live=True)
    view.show([look(RolloutState.RUNNING, 1)], 0)
    view.show([look(RolloutState.DONE, 4)], 7)

    assert as_text(capsys.readouterr().out) == "  ok  [##########] web  web:2  done  4/4 running\n  0:07\n"


@pytest.mark.slow
def test_the_recordings_in_the_documentation_are_what_the_commands_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``python docs/record/ecs_wizard.py`` writes them anew."""
    script = runpy.run_path(str(Path(__file__).resolve().parents[2] / "docs" / "record" / "ecs_wizard.py"))
    page = script["PAGE"].read_text(encoding="utf-8")

    shown = script["placed"](page, script["recordings"]())
    assert script["without_clocks"](shown) == script["without_clocks"](page)
