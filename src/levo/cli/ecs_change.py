"""``levo ecs add`` and ``remove``, from flags to finished rollout: ask, show, apply, watch, go back."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from levo.cli.ecs_terminal import LiveView, PlainTerminal, paint
from levo.ecs import discover
from levo.ecs.api import Account, Credentials, Ecs
from levo.ecs.apply import ApplyError, apply, roll_back, unmark
from levo.ecs.model import EcsError, EcsInputError
from levo.ecs.plan import Plan, Request, plan_add, plan_remove
from levo.ecs.undo import Journal, Update, orphan, way_back
from levo.ecs.watch import Look, State, Watched, follow
from levo.ecs.wizard import Choice, Draft, GoBack, Quit, Wizard


@dataclass(frozen=True, slots=True)
class Change:
    """What the flags say, as far as it is not about the sensor's container."""

    profile: str | None
    region: str | None
    endpoint_url: str | None
    cluster: str | None
    family: str | None
    services: tuple[str, ...]
    all_services: bool
    yes: bool
    dry_run: bool
    register_only: bool
    rollback_on_failure: bool
    no_wait: bool
    timeout_s: float
    poll_s: float


def run_change(change: Change, request: Request | None) -> int:
    """Add the sensor as *request* says, or remove it where that is None.

    Returns the exit status: 0 done or nothing to do, 1 it failed or AWS refused.

    Raises:
        LevoError: before anything was changed.
    """
    asking = not change.yes and sys.stdin.isatty() and sys.stdout.isatty()
    if not asking and not change.yes and not change.dry_run:
        raise EcsInputError(
            "this is not a terminal: add --yes to go on without questions, or --dry-run to only look"
        )
    if asking and not change.register_only:
        return _wizard(change, request)
    account = Account(Credentials(change.profile, change.endpoint_url))
    region = change.region or account.region
    if region is None:
        raise EcsInputError("--region is missing, and the profile names none")
    ecs = account.ecs(region)
    found = discover.find_targets(
        ecs,
        cluster=change.cluster,
        family=change.family,
        services=change.services,
        all_services=change.all_services,
        register_only=change.register_only,
    )
    plan = _plan(ecs, found, request)
    _show(plan)
    _stop_if_stopped(plan)
    if change.dry_run or not plan.steps:
        return 0
    if asking and not click.confirm("Write this revision?", default=False):
        raise Quit("nothing was changed")
    return _carry_out(plan, ecs, change)


def _wizard(change: Change, request: Request | None) -> int:
    terminal = PlainTerminal()
    draft = Draft(
        profile=change.profile,
        region=change.region,
        cluster_name=change.cluster,
        family=change.family,
        service_names=change.services,
        all_services=change.all_services,
        flags=request.flags if request is not None else (),
        token_secret=request.token_secret if request is not None else None,
        endpoint=change.endpoint_url,
        ask_size=request is not None and not request.sized,
    )
    what = "Take the sensor out of" if request is None else "Put the sensor beside"
    click.echo(paint(f"{what} an ECS service", bold=True))
    click.echo("Nothing is changed before you have seen the plan and said yes.")
    wizard = Wizard(terminal, draft, removing=request is None)
    again = False
    while True:
        answers = wizard.run(again=again)
        assert answers.ecs is not None
        found = discover.Found(answers.targets, answers.others)
        try:
            plan = _plan(answers.ecs, found, _answered(request, answers))
        except EcsInputError as error:
            if not wizard.can_go_back:
                raise
            terminal.say(f"! {error}")
            again = True
            continue
        click.echo()
        _show(plan)
        if plan.stops and not wizard.can_go_back:
            _stop_if_stopped(plan)
        if change.dry_run or (not plan.steps and not plan.stops):
            return 0
        try:
            choices = [Choice("Go back and change an answer"), Choice("Quit")]
            if not plan.stops:
                choices.insert(0, Choice("Apply this plan"))
            answer = choices[terminal.choose("What now?", choices)].label
        except GoBack:
            answer = "Go back and change an answer"
        if answer == "Apply this plan":
            return _carry_out(plan, answers.ecs, replace(change, profile=answers.profile))
        if answer == "Quit":
            raise Quit("nothing was changed")
        again = True


def _answered(request: Request | None, answers: Draft) -> Request | None:
    """What the flags say of the sensor, and what was answered in the terminal."""
    if request is None:
        return None
    request = replace(request, flags=answers.flags, token_secret=answers.token_secret or None)
    if answers.size is None:
        return request
    cpu, memory = answers.size
    return replace(request, cpu=cpu, memory=memory, low_resource=answers.low_resource)


def _plan(ecs: Ecs, found: discover.Found, request: Request | None) -> Plan:
    if request is not None:
        return plan_add(found.targets, replace(request, region=ecs.region), others=found.others)
    return plan_remove(found.targets, ecs.region, discover.earlier_revision(ecs), others=found.others)


def _show(plan: Plan) -> None:
    for line in plan.describe():
        colour = {"+": "green", "-": "red", "~": "yellow"}.get(line.strip()[:1])
        click.echo(paint(line, colour) if line.startswith("  ") else paint(line, bold=True))
    for finding in plan.findings:
        if finding.stops:
            click.echo(paint(f"! {finding.text}", "red"))
        else:
            click.echo(f"note: {finding.text}")


def _stop_if_stopped(plan: Plan) -> None:
    stops = plan.stops
    if stops:
        more = f" (and {len(stops) - 1} more above)" if len(stops) > 1 else ""
        raise EcsInputError(f"{stops[0].text}{more}; nothing was changed")


def _carry_out(plan: Plan, ecs: Ecs, change: Change) -> int:
    journal = Journal(ecs.region, change.profile, plan.action)
    try:
        apply(plan, ecs, journal, report=_done, sleep=time.sleep)
    except ApplyError as error:
        return _refused(error)
    if not journal.updated:
        for arn in journal.registered:
            name = arn.rpartition("/")[2]
            click.echo(
                f"{name} is ready; no service uses it yet. {orphan(arn, ecs.region, journal.profile).undo}"
            )
        return 0
    if change.no_wait:
        click.echo("the rollout has begun; levo ecs status shows how it goes")
        return 0
    looks = _watch(journal.updated, ecs, change)
    return _conclude(looks, journal, ecs, change)


def _watch(updates: Sequence[Update], ecs: Ecs, change: Change) -> list[Look]:
    view = LiveView(live=sys.stdout.isatty())
    watched = [Watched(update.service, update.target) for update in updates]
    try:
        return follow(
            watched,
            ecs.describe,
            show=view.show,
            clock=time.monotonic,
            sleep=time.sleep,
            timeout=change.timeout_s,
            poll=change.poll_s,
        )
    except KeyboardInterrupt:
        click.echo("\nnot watching any more; the rollout goes on. levo ecs status shows how it goes")
        raise


def _conclude(looks: Sequence[Look], journal: Journal, ecs: Ecs, change: Change) -> int:
    bad = [look for look in looks if look.state is not State.DONE]
    if not bad:
        done = "has" if journal.action == "add" else "is without"
        for look in looks:
            click.echo(
                f"{paint('done', 'green')}: service {look.service} {done} the sensor ({look.target_name})"
            )
        return 0
    failed = frozenset(look.arn for look in bad if look.state.failed)
    for look in bad:
        reason = f": {look.reason}" if look.reason else ""
        click.echo(
            f"levo: service {look.service}: the rollout of {look.target_name} {look.ended}{reason}", err=True
        )
    by_itself = frozenset(look.arn for look in bad if look.state is State.ROLLED_BACK)
    if change.rollback_on_failure and failed - by_itself:
        back = _roll_back_watched(failed - by_itself, journal, ecs, change)
        if back is None:
            return 1
        for look in back:
            how = "is back at" if look.state is State.DONE else f"{look.state.value}, on its way back to"
            click.echo(f"service {look.service} {how} {look.target_name}")
    else:
        for update in journal.updated:
            if update.service.arn in failed - by_itself:
                hint = way_back(update.service, ecs.region, journal.profile)
                click.echo(f"levo: left to undo: {hint}", err=True)
    try:
        for update in [update for update in journal.updated if update.service.arn in by_itself]:
            journal.updated.remove(update)
            unmark(update, ecs)
    except EcsError as error:
        return _refused(ApplyError(error, journal))
    for arn in journal.orphans:
        click.echo(f"levo: left to undo: {orphan(arn, ecs.region, journal.profile)}", err=True)
    return 1


def _roll_back_watched(
    services: frozenset[str], journal: Journal, ecs: Ecs, change: Change
) -> list[Look] | None:
    """Set these services back and watch that too. None when AWS refused; that has been said then."""
    try:
        back = roll_back(journal, services, ecs, report=_done)
    except ApplyError as error:
        _refused(error)
        return None
    now = [replace(update.service, task_definition=update.target) for update in back]
    ways = zip(now, back, strict=True)
    return _watch([Update(service, update.service.task_definition) for service, update in ways], ecs, change)


def _refused(error: ApplyError) -> int:
    """Say what AWS refused and what is left, on standard error. Returns the exit status."""
    click.echo(f"levo: {error}", err=True)
    left = error.journal.leftovers()
    if not left:
        click.echo("levo: nothing was changed", err=True)
    for leftover in left:
        click.echo(f"levo: left to undo: {leftover}", err=True)
    return error.exit_status


def _done(text: str) -> None:
    click.echo(f"{paint('done', 'green')}: {text}")
