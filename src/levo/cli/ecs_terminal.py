"""The terminal side of ``levo ecs``: numbered menus, questions, progress, a live view of a rollout.

Plain lines through click, no full-screen library: they work in every terminal, in CloudShell, over a serial
line and with a screen reader, and can be recorded as text.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence

import click

from levo.ecs.model import EcsError
from levo.ecs.watch import Look, RolloutState
from levo.ecs.wizard import Choice, GoBack, Quit

PAGE = 15
"""Lines of a menu that are shown at once; the rest is reached by a word of its name."""
BACK_WORDS = ("b", "back", "<")
QUIT_WORDS = ("q", "quit", "exit")
MARKS = {
    RolloutState.WAITING: ("...", "cyan"),
    RolloutState.RUNNING: ("...", "cyan"),
    RolloutState.DONE: ("ok ", "green"),
    RolloutState.FAILED: ("!! ", "red"),
    RolloutState.ROLLED_BACK: ("!! ", "red"),
    RolloutState.SUPERSEDED: ("?? ", "yellow"),
    RolloutState.TIMEOUT: ("!! ", "red"),
}


def paint(text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """*text* in color, where color is wanted (a terminal, no NO_COLOR)."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    return click.style(text, fg=color, bold=bold, dim=dim)


class PlainTerminal:
    """Asks on standard input, answers on standard output."""

    def choose(self, question: str, choices: Sequence[Choice], default: int | None = None) -> int:
        """One of *choices*, by its number or by a part of its name."""
        shown = list(range(len(choices)))
        self._menu(question, choices, shown, default)
        while True:
            suffix = f" [{default + 1}]" if default is not None else ""
            answer = self._read(f"  Number or part of a name{suffix}; b = back, q = quit")
            if not answer and default is not None:
                return default
            if not answer:
                continue
            number = _number(answer, choices, shown)
            if isinstance(number, int):
                problem = (
                    f"{choices[number].label}: {choices[number].detail}" if choices[number].disabled else None
                )
                if problem is None:
                    return number
                click.echo(f"  ! {problem}")
            elif not number:
                click.echo(f"  ! nothing here is called '{answer}'")
            else:
                self._menu(question, choices, number, None)

    def choose_many(self, question: str, choices: Sequence[Choice]) -> list[int]:
        """Some of *choices*: numbers or names with commas between, or ``all``. Each once, in order."""
        shown = list(range(len(choices)))
        self._menu(question, choices, shown, None)
        while True:
            answer = self._read("  Numbers, with commas, or all; b = back, q = quit")
            if answer.lower() == "all":
                return [number for number in shown if not choices[number].disabled]
            picked: list[int] = []
            for word in (word.strip() for word in answer.split(",")):
                number = _number(word, choices, shown) if word else []
                if not isinstance(number, int):
                    click.echo(f"  ! '{word}' is none of these" if word else "  ! choose at least one")
                    break
                if choices[number].disabled:
                    click.echo(f"  ! {choices[number].label}: {choices[number].detail}")
                    break
                picked.append(number)
            else:
                return sorted(set(picked))

    def ask(self, question: str, default: str | None, check: Callable[[str], object], optional: bool) -> str:
        """A line of text that *check* accepts; empty takes *default*."""
        while True:
            suffix = f" [{default}]" if default else ""
            answer = self._read(f"{paint('?', 'cyan')} {question}{suffix}")
            if not answer:
                if default or optional:
                    return default or ""
                click.echo("  ! this one is needed; b = back, q = quit")
                continue
            if answer == "-" and optional:
                return ""
            try:
                check(answer)
            except EcsError as error:
                click.echo(f"  ! {error}")
                continue
            return answer

    def say(self, text: str) -> None:
        click.echo(paint(text, "yellow") if text.startswith("!") else text)

    def progress(self, done: int, total: int, text: str) -> None:
        """One line that is rewritten; gone at the end."""
        if not sys.stdout.isatty():
            return
        filled = 20 * done // max(total, 1)
        line = f"  [{'#' * filled}{'.' * (20 - filled)}] {done}/{total} {text}"
        click.echo(f"\r\x1b[2K{line}" if done < total else "\r\x1b[2K", nl=False)

    def _menu(
        self, question: str, choices: Sequence[Choice], shown: Sequence[int], default: int | None
    ) -> None:
        click.echo(f"\n{paint('?', 'cyan')} {paint(question, bold=True)}")
        some = list(shown[:PAGE])
        if default is not None and default not in some:
            some.append(default)
        width = max(len(choices[number].label) for number in some)
        for number in some:
            choice = choices[number]
            mark = ">" if number == default else " "
            line = (
                f"  {mark}{number + 1:>3}  {choice.label:<{width}}  {paint(choice.detail, dim=True)}".rstrip()
            )
            click.echo(paint(line, dim=True) if choice.disabled else line)
        left = len(shown) - len(some)
        if left > 0:
            click.echo(paint(f"        and {left} more: type a part of the name", dim=True))

    def _read(self, prompt: str) -> str:
        try:
            answer = str(click.prompt(prompt, default="", show_default=False, prompt_suffix=": ")).strip()
        except click.Abort:
            click.echo()
            raise Quit("nothing was changed") from None
        if answer.lower() in BACK_WORDS:
            raise GoBack
        if answer.lower() in QUIT_WORDS:
            raise Quit("nothing was changed")
        return answer


class LiveView:
    """Shows each look at a rollout: rewritten in place in a terminal, else a line for each change."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._lines = 0
        self._last: list[str] = []

    def show(self, looks: Sequence[Look], waited: float) -> None:
        width = max(len(look.service) for look in looks)
        lines = [_look_line(look, width) for look in looks]
        if not self._live:
            for line, old in zip(lines, self._last or [""] * len(lines), strict=True):
                if line != old:
                    click.echo(f"{int(waited) // 60:>3}:{int(waited) % 60:02} {line}")
            self._last = lines
            return
        if self._lines:
            click.echo(f"\x1b[{self._lines}A", nl=False, color=True)
        columns = shutil.get_terminal_size().columns
        clock = f"  {int(waited) // 60}:{int(waited) % 60:02}"
        for line in (*lines, paint(clock, dim=True)):
            click.echo(f"\x1b[2K{line if len(line) < columns else line[: columns - 1]}", color=True)
        self._lines = len(lines) + 1


def _look_line(look: Look, width: int) -> str:
    mark, color = MARKS[look.state]
    bar = ""
    if look.desired:
        done = min(10, 10 * look.running // look.desired)
        bar = f"[{'#' * done}{'.' * (10 - done)}] "
    return f"  {paint(mark, color)} {bar}{look.line(width)}"


def _number(answer: str, choices: Sequence[Choice], shown: Sequence[int]) -> int | list[int]:
    """The place of what *answer* names; the places of all that it may mean when it is not clear."""
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
        return int(answer) - 1
    exact = [number for number in shown if choices[number].label == answer]
    if len(exact) == 1:
        return exact[0]
    close = [number for number in shown if answer.lower() in choices[number].label.lower()]
    return close[0] if len(close) == 1 else close
