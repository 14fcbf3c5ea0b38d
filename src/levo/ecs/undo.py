"""What has been done so far, and the commands that undo it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace

from levo.ecs.state import Service


@dataclass(frozen=True, slots=True)
class Update:
    """A service that was set to another revision."""

    service: Service
    """As it was before."""
    target: str
    """ARN of the revision it was set to."""
    marked: bool = False
    sure: bool = True
    """False when the connection broke before AWS answered: it may have been done or not."""


@dataclass(slots=True)
class UndoJournal:
    """Grows while a plan is applied; says at any moment what is left to undo."""

    region: str
    profile: str | None = None
    action: str = "add"
    registered: list[str] = field(default_factory=list)
    """ARNs of new revisions, in order."""
    updated: list[Update] = field(default_factory=list)

    unanswered: list[str] = field(default_factory=list)
    """Families of which a revision may have been registered: the connection broke before AWS answered."""

    def mark(self, service: Service) -> None:
        self.updated = [
            replace(done, marked=True) if done.service is service else done for done in self.updated
        ]

    @property
    def orphans(self) -> list[str]:
        """New revisions that no service was set to."""
        used = {done.target for done in self.updated}
        return [arn for arn in self.registered if arn not in used]

    def leftovers(self) -> list[Leftover]:
        """What stays behind if nothing more is done."""
        left = [
            Leftover(
                f"service {done.service.name} was {'' if done.sure else 'perhaps '}set to "
                f"{_name(done.target)}{'' if done.marked else ' (and is not marked)'}",
                way_back(done.service, self.region, self.profile),
            )
            for done in self.updated
        ]
        left += [orphan(arn, self.region, self.profile) for arn in self.orphans]
        return left + [_perhaps(family, self.region, self.profile) for family in self.unanswered]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that was changed and stays so."""

    text: str
    command: str
    """A line for the shell that undoes it."""
    undoes: bool = True
    """False: the command only shows whether there is something to undo."""

    def __str__(self) -> str:
        return f"{self.text}; {self.undo}" if self.undoes else f"{self.text}: {self.command}"

    @property
    def undo(self) -> str:
        return f"undo it with: {self.command}"


def _perhaps(family: str, region: str, profile: str | None) -> Leftover:
    command = f"aws ecs list-task-definitions --family-prefix {family} --sort DESC --max-items 1"
    return Leftover(
        f"a revision of {family} was perhaps registered, AWS did not answer; the newest is shown by",
        command + _options(region, profile),
        undoes=False,
    )


def orphan(arn: str, region: str, profile: str | None) -> Leftover:
    """A revision that nothing uses."""
    return Leftover(
        f"revision {_name(arn)} was registered and no service uses it",
        f"aws ecs deregister-task-definition --task-definition {_name(arn)}{_options(region, profile)}",
    )


def way_back(service: Service, region: str, profile: str | None) -> str:
    """The command that sets *service* to the revision it had."""
    return (
        f"aws ecs update-service --cluster {shlex.quote(service.cluster)} "
        f"--service {shlex.quote(service.name)} "
        f"--task-definition {service.revision}{_options(region, profile)}"
    )


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _options(region: str, profile: str | None) -> str:
    return f" --region {region}" + (f" --profile {shlex.quote(profile)}" if profile else "")
