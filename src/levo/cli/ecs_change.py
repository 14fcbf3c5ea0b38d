"""``levo ecs add`` and ``remove`` in a terminal: shows what :class:`levo.ecs.run.Run` does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import click

from levo.cli.ecs_terminal import LiveView, PlainTerminal, paint
from levo.ecs.apply import ApplyError
from levo.ecs.model import EcsInputError
from levo.ecs.plan import Plan, Request
from levo.ecs.run import Options, Run
from levo.ecs.undo import Leftover
from levo.ecs.watch import Look, RolloutState


def run_change(options: Options, request: Request | None, *, yes: bool) -> int:
    """Add the sensor as *request* says, or remove it where that is None. With *yes*, nothing is asked.

    Returns the exit status: 0 done or nothing to do, 1 it failed or AWS refused.

    Raises:
        LevoError: before anything was changed.
    """
    asking = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    if not asking and not yes and not options.dry_run:
        raise EcsInputError(
            "this is not a terminal: add --yes to go on without questions, or --dry-run to only look"
        )
    view = ChangeView()
    run = Run(options, view)
    try:
        if not asking or options.register_only:
            return 0 if run.change(request, confirm=asking) else 1
        what = "Take the sensor out of" if request is None else "Put the sensor beside"
        click.echo(paint(f"{what} an ECS service", bold=True))
        click.echo("Nothing is changed before you have seen the plan and said yes.")
        return 0 if run.ask(request, PlainTerminal()) else 1
    except ApplyError as error:
        view.refused(error)
        return error.exit_status


class ChangeView:
    """Writes what happens to standard output, and what went wrong to standard error."""

    def planned(self, plan: Plan) -> None:
        for line in plan.describe():
            color = {"+": "green", "-": "red", "~": "yellow"}.get(line.strip()[:1])
            click.echo(paint(line, color) if line.startswith("  ") else paint(line, bold=True))
        for note in plan.notes:
            if note.stops:
                click.echo(paint(f"! {note.text}", "red"))
            else:
                click.echo(f"note: {note.text}")

    def confirm(self, question: str) -> bool:
        return click.confirm(question, default=False)

    def stepped(self, text: str) -> None:
        click.echo(f"{paint('done', 'green')}: {text}")

    def registered(self, orphans: Sequence[tuple[str, Leftover]]) -> None:
        for name, leftover in orphans:
            click.echo(f"{name} is ready; no service uses it yet. {leftover.undo}")

    def begun(self) -> None:
        click.echo("the rollout has begun; levo ecs status shows how it goes")

    def watching(self) -> Callable[[Sequence[Look], float], None]:
        return LiveView(live=sys.stdout.isatty()).show

    def unwatched(self) -> None:
        click.echo("\nnot watching any more; the rollout goes on. levo ecs status shows how it goes")

    def succeeded(self, looks: Sequence[Look], action: str) -> None:
        done = "has" if action == "add" else "is without"
        for look in looks:
            self.stepped(f"service {look.service} {done} the sensor ({look.target_name})")

    def failed(self, looks: Sequence[Look]) -> None:
        for look in looks:
            reason = f": {look.reason}" if look.reason else ""
            rollout = f"the rollout of {look.target_name} {look.ended}{reason}"
            click.echo(f"levo: service {look.service}: {rollout}", err=True)

    def returned(self, looks: Sequence[Look]) -> None:
        for look in looks:
            how = (
                "is back at" if look.state is RolloutState.DONE else f"{look.state.value}, on its way back to"
            )
            click.echo(f"service {look.service} {how} {look.target_name}")

    def refused(self, error: ApplyError) -> None:
        click.echo(f"levo: {error}", err=True)
        left = error.journal.leftovers()
        if not left:
            click.echo("levo: nothing was changed", err=True)
        for leftover in left:
            self.left(str(leftover))

    def left(self, hint: str) -> None:
        click.echo(f"levo: left to undo: {hint}", err=True)
