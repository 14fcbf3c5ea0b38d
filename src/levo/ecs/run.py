"""One run of ``levo ecs add`` or ``remove``: find, plan, agree, apply, watch, go back.

Shows nothing by itself: a :class:`View` is told what happens, in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from levo.ecs import discover
from levo.ecs.api import Account, Credentials, Ecs
from levo.ecs.apply import ApplyError, apply, roll_back, unmark
from levo.ecs.arn import definition_name
from levo.ecs.model import EcsError, EcsInputError
from levo.ecs.plan import Plan, Request, plan_add, plan_remove
from levo.ecs.undo import Leftover, UndoJournal, Update, orphan, way_back
from levo.ecs.watch import Look, RolloutState, Watched, follow
from levo.ecs.wizard import Choice, Draft, GoBack, Quit, Terminal, Wizard

APPLY, GO_BACK, QUIT = "Apply this plan", "Go back and change an answer", "Quit"


@dataclass(frozen=True, slots=True)
class Options:
    """Which services are changed, and how far a run goes."""

    profile: str | None
    region: str | None
    endpoint_url: str | None
    cluster: str | None
    family: str | None
    services: tuple[str, ...]
    all_services: bool
    dry_run: bool
    register_only: bool
    rollback_on_failure: bool
    no_wait: bool
    timeout_s: float
    """How long a rollout is waited for."""
    poll_s: float
    """Time between two looks at a rollout."""


class View(Protocol):
    """Shows a run to its user."""

    def planned(self, plan: Plan) -> None:
        """A plan was made; nothing is changed yet."""

    def confirm(self, question: str) -> bool:
        """Ask whether to go on."""

    def stepped(self, text: str) -> None:
        """A step was carried out."""

    def registered(self, orphans: Sequence[tuple[str, Leftover]]) -> None:
        """These revisions were written, and no service uses them yet."""

    def begun(self) -> None:
        """The rollout has begun and is not watched."""

    def watching(self) -> Callable[[Sequence[Look], float], None]:
        """A rollout is watched: return what is given each look, and the seconds since the start."""

    def unwatched(self) -> None:
        """The user stopped watching; the rollout goes on."""

    def succeeded(self, looks: Sequence[Look], action: str) -> None:
        """Every rollout is done; *action* is ``add`` or ``remove``."""

    def failed(self, looks: Sequence[Look]) -> None:
        """These rollouts ended otherwise."""

    def returned(self, looks: Sequence[Look]) -> None:
        """What became of the services that were set back."""

    def refused(self, error: ApplyError) -> None:
        """AWS refused a step; the journal of *error* has what is left."""

    def left(self, hint: str) -> None:
        """Something is left to undo, by the command in *hint*."""


class Run:
    """Changes services as *options* say. One use."""

    def __init__(
        self,
        options: Options,
        view: View,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._view = view
        self._clock_s = clock_s
        self._sleep = sleep

    def change(self, request: Request | None, *, confirm: bool) -> bool:
        """Add the sensor as *request* says, or remove it where that is None; return whether all went well.

        Raises:
            LevoError: before anything was changed.
            ApplyError: AWS refused a step.
        """
        options = self._options
        account = Account(Credentials(options.profile, options.endpoint_url))
        region = options.region or account.region
        if region is None:
            raise EcsInputError("--region is missing, and the profile names none")
        ecs = account.ecs(region)
        found = discover.find_targets(
            ecs,
            cluster=options.cluster,
            family=options.family,
            services=options.services,
            all_services=options.all_services,
            register_only=options.register_only,
        )
        plan = make_plan(ecs, found, request)
        self._view.planned(plan)
        stop_if_stopped(plan)
        if options.dry_run or not plan.steps:
            return True
        if confirm and not self._view.confirm("Write this revision?"):
            raise Quit("nothing was changed")
        return self.carry_out(plan, ecs, options.profile)

    def ask(self, request: Request | None, terminal: Terminal) -> bool:
        """As :meth:`change`, after asking for what the options leave open."""
        options = self._options
        draft = Draft(
            profile=options.profile,
            region=options.region,
            cluster_name=options.cluster,
            family=options.family,
            service_names=options.services,
            all_services=options.all_services,
            flags=request.flags if request is not None else (),
            token_secret=request.token_secret if request is not None else None,
            endpoint=options.endpoint_url,
            ask_size=request is not None and not request.sized,
        )
        wizard = Wizard(terminal, draft, removing=request is None)
        again = False
        while True:
            answers = wizard.run(again=again)
            assert answers.ecs is not None
            found = discover.Found(answers.targets, answers.others)
            try:
                plan = make_plan(answers.ecs, found, _answered(request, answers))
            except EcsInputError as error:
                if not wizard.can_go_back:
                    raise
                terminal.say(f"! {error}")
                again = True
                continue
            terminal.say("")
            self._view.planned(plan)
            if plan.stops and not wizard.can_go_back:
                stop_if_stopped(plan)
            if options.dry_run or (not plan.steps and not plan.stops):
                return True
            answer = _what_now(terminal, may_apply=not plan.stops)
            if answer == APPLY:
                return self.carry_out(plan, answers.ecs, answers.profile)
            if answer == QUIT:
                raise Quit("nothing was changed")
            again = True

    def carry_out(self, plan: Plan, ecs: Ecs, profile: str | None) -> bool:
        """Apply *plan* and watch the rollout; return whether all went well.

        Raises:
            ApplyError: AWS refused a step.
        """
        journal = UndoJournal(ecs.region, profile, plan.action)
        apply(plan, ecs, journal, report=self._view.stepped, sleep=self._sleep)
        if not journal.updated:
            self._view.registered(
                [(definition_name(arn), orphan(arn, ecs.region, profile)) for arn in journal.registered]
            )
            return True
        if self._options.no_wait:
            self._view.begun()
            return True
        return self._conclude(self._watch(journal.updated, ecs), journal, ecs)

    def _watch(self, updates: Sequence[Update], ecs: Ecs) -> list[Look]:
        try:
            return follow(
                [Watched(update.service, update.target) for update in updates],
                ecs.describe,
                show=self._view.watching(),
                clock=self._clock_s,
                sleep=self._sleep,
                timeout=self._options.timeout_s,
                poll=self._options.poll_s,
            )
        except KeyboardInterrupt:
            self._view.unwatched()
            raise

    def _conclude(self, looks: Sequence[Look], journal: UndoJournal, ecs: Ecs) -> bool:
        bad = [look for look in looks if look.state is not RolloutState.DONE]
        if not bad:
            self._view.succeeded(looks, journal.action)
            return True
        self._view.failed(bad)
        by_itself = frozenset(look.arn for look in bad if look.state is RolloutState.ROLLED_BACK)
        failed = frozenset(look.arn for look in bad if look.state.failed) - by_itself
        if self._options.rollback_on_failure and failed:
            try:
                back = roll_back(journal, failed, ecs, report=self._view.stepped)
            except ApplyError as error:
                self._view.refused(error)
                return False
            self._view.returned(self._watch([_way_back(update) for update in back], ecs))
        else:
            for update in journal.updated:
                if update.service.arn in failed:
                    self._view.left(way_back(update.service, ecs.region, journal.profile))
        try:
            for update in [update for update in journal.updated if update.service.arn in by_itself]:
                journal.updated.remove(update)
                unmark(update, ecs)
        except EcsError as error:
            raise ApplyError(error, journal) from None
        for arn in journal.orphans:
            self._view.left(str(orphan(arn, ecs.region, journal.profile)))
        return False


def make_plan(ecs: Ecs, found: discover.Found, request: Request | None) -> Plan:
    """Return what is to be done with *found*. Raises EcsInputError."""
    if request is not None:
        return plan_add(found.targets, replace(request, region=ecs.region), others=found.others)
    return plan_remove(found.targets, ecs.region, discover.earlier_revision(ecs), others=found.others)


def stop_if_stopped(plan: Plan) -> None:
    """Raise EcsInputError if *plan* has a finding that forbids it."""
    stops = plan.stops
    if stops:
        more = f" (and {len(stops) - 1} more above)" if len(stops) > 1 else ""
        raise EcsInputError(f"{stops[0].text}{more}; nothing was changed")


def _what_now(terminal: Terminal, *, may_apply: bool) -> str:
    choices = [Choice(label) for label in ((APPLY,) if may_apply else ()) + (GO_BACK, QUIT)]
    try:
        return choices[terminal.choose("What now?", choices)].label
    except GoBack:
        return GO_BACK


def _answered(request: Request | None, answers: Draft) -> Request | None:
    """What the options say of the sensor, and what was answered in the terminal."""
    if request is None:
        return None
    request = replace(request, flags=answers.flags, token_secret=answers.token_secret or None)
    if answers.size is None:
        return request
    cpu, memory = answers.size
    return replace(request, cpu=cpu, memory=memory, low_resource=answers.low_resource)


def _way_back(update: Update) -> Update:
    """The update that sets a service back to the revision it had."""
    now = replace(update.service, task_definition=update.target)
    return Update(now, update.service.task_definition)
