"""Do what a plan says: register, update, mark; stop at the first refusal and say what is left to undo."""

from __future__ import annotations

import re
from collections.abc import Callable

from levo.ecs.api import AwsError, ConnectionFailed, Ecs, ThrottledError
from levo.ecs.definition import TaskDefinition
from levo.ecs.model import EcsError
from levo.ecs.plan import Plan, Step, tags_for
from levo.ecs.state import REMOVED, TAG_VERSION, Service
from levo.ecs.undo import UndoJournal, Update

SETTLE_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Waits between tries while a revision that was just written is not seen everywhere yet."""
_NOT_YET = re.compile(
    r"task ?definition.*(not found|not exist|unable to find|inactive)|unable to (describe|find)", re.I
)

Report = Callable[[str], None]
Sleep = Callable[[float], None]


class Interrupted(EcsError):
    """The user stopped it."""

    exit_status = 130


class ApplyError(EcsError):
    """A step was refused. Nothing after it was tried."""

    def __init__(self, cause: EcsError, journal: UndoJournal) -> None:
        self.cause = cause
        self.journal = journal
        self.exit_status = cause.exit_status
        super().__init__(str(cause))


def apply(plan: Plan, ecs: Ecs, journal: UndoJournal, *, report: Report, sleep: Sleep) -> None:
    """Carry *plan* out, noting each change in *journal* as soon as it is made.

    Raises:
        ApplyError: with the journal, from which the leftovers are known.
    """
    try:
        for step in plan.steps:
            target = step.target if step.reuse else _register(step, ecs, journal, report, sleep)
            for service in step.services:
                _update(service, target, ecs, journal, report, sleep)
                _mark(step, service, ecs, journal, report)
    except EcsError as error:
        raise ApplyError(error, journal) from None
    except KeyboardInterrupt:
        raise ApplyError(Interrupted("interrupted"), journal) from None


def roll_back(journal: UndoJournal, services: frozenset[str], ecs: Ecs, *, report: Report) -> list[Update]:
    """Set those of the updated services (by ARN) back to the revision they had; return these updates.

    Raises:
        ApplyError: AWS refused; services already set back are no longer in the journal's list.
    """
    done: list[Update] = []
    for update in list(journal.updated):
        if update.service.arn not in services:
            continue
        before = update.service.task_definition
        try:
            ecs.update(update.service, before)
            report(f"service {update.service.name}: back to {update.service.revision}")
            journal.updated.remove(update)
            done.append(update)
            if update.marked:
                unmark(update, ecs)
        except EcsError as error:
            raise ApplyError(error, journal) from None
    return done


def unmark(update: Update, ecs: Ecs) -> None:
    """Mark the service as it was marked before the update."""
    ecs.tag(update.service.arn, {TAG_VERSION: update.service.tag(TAG_VERSION) or REMOVED})


def _register(step: Step, ecs: Ecs, journal: UndoJournal, report: Report, sleep: Sleep) -> TaskDefinition:
    waits = iter(SETTLE_SECONDS)
    while True:
        try:
            written = ecs.register(step.target)
            break
        except ThrottledError:
            wait = next(waits, None)
            if wait is None:
                raise
            sleep(wait)
        except (ConnectionFailed, KeyboardInterrupt):
            journal.unanswered.append(step.base.family)
            raise
    journal.registered.append(written.arn)
    report(f"registered {written.name}")
    return written


def _update(
    service: Service, target: TaskDefinition, ecs: Ecs, journal: UndoJournal, report: Report, sleep: Sleep
) -> None:
    waits = iter(SETTLE_SECONDS)
    while True:
        try:
            ecs.update(service, target.arn)
            break
        except AwsError as error:
            wait = next(waits, None) if _NOT_YET.search(error.text) else None
            if wait is None:
                raise
            sleep(wait)
        except (ConnectionFailed, KeyboardInterrupt):
            journal.updated.append(Update(service, target.arn, sure=False))
            raise
    journal.updated.append(Update(service, target.arn))
    report(f"service {service.name}: {service.revision} -> {target.name}")


def _mark(step: Step, service: Service, ecs: Ecs, journal: UndoJournal, report: Report) -> None:
    ecs.tag(service.arn, tags_for(step, service))
    journal.mark(service)
    report(f"service {service.name}: marked")
