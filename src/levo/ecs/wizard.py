"""The questions of ``levo ecs add`` and ``remove`` in a terminal, one after the other, each with a way back.

    profile -> region (or: search them all) -> cluster -> task definition -> services -> settings -> size

A step whose answer was given as a flag, or that has one possible answer, is passed over in both directions.
Knows no terminal: whoever runs it brings a :class:`Terminal`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from levo.config import BY_NAME, BadValue
from levo.ecs import discover
from levo.ecs.api import (
    Account,
    ConnectionFailed,
    Credentials,
    CredentialsError,
    DeniedError,
    Ecs,
    ThrottledError,
)
from levo.ecs.model import (
    CPU_UNITS,
    LEAST_MEMORY_MIB,
    LOW_RESOURCE_CPU_UNITS,
    LOW_RESOURCE_MEMORY_MIB,
    MEMORY_MIB,
    EcsError,
    EcsInputError,
    Flag,
    Sidecar,
    check_token_secret,
    read_container,
)
from levo.ecs.plan import Target, service_problem
from levo.ecs.sizes import room
from levo.ecs.state import Cluster, Service

LEAST_CPU_UNITS = 32
"""Below this share the wizard does not offer what is left; --cpu may still say so."""
SEARCH_ALL = "Search all regions"
TOKEN_SECRET = "token-secret"
"""A setting that is no flag of the sensor."""


class GoBack(Exception):
    """The user wants the question before this one."""


class Quit(EcsError):
    """The user has had enough. Nothing was changed."""

    exit_status = 130


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a menu."""

    label: str
    detail: str = ""
    disabled: bool = False
    """Shown, with the reason as detail, but cannot be chosen."""


class Terminal(Protocol):
    """Asks. Every question may raise GoBack or Quit."""

    def choose(self, question: str, choices: Sequence[Choice], default: int | None = None) -> int: ...

    def choose_many(self, question: str, choices: Sequence[Choice]) -> list[int]: ...

    def ask(
        self, question: str, default: str | None, check: Callable[[str], object], optional: bool
    ) -> str: ...

    def say(self, text: str) -> None: ...

    def progress(self, done: int, total: int, text: str) -> None: ...


@dataclass(slots=True)
class Draft:
    """The answers so far; what the flags gave is there from the beginning."""

    profile: str | None = None
    region: str | None = None
    cluster_name: str | None = None
    family: str | None = None
    service_names: tuple[str, ...] = ()
    all_services: bool = False
    flags: tuple[Flag, ...] = ()
    endpoint: str | None = None
    token_secret: str | None = None
    """ARN; empty: none."""
    size: tuple[int, int] | None = None
    """CPU units and MiB of the sensor; None: as the flags say."""
    low_resource: bool = False
    ask_size: bool = True
    account: Account | None = None
    ecs: Ecs | None = None
    cluster: Cluster | None = None
    targets: tuple[Target, ...] = ()
    others: tuple[Service, ...] = ()
    answered: dict[str, str] = field(default_factory=dict)
    """The user's earlier answers, by question: the default when they come back to it."""


class Wizard:
    """Runs the steps. One use."""

    def __init__(self, terminal: Terminal, draft: Draft, *, removing: bool) -> None:
        self.terminal = terminal
        self.draft = draft
        self._removing = removing
        self._given = Draft(
            profile=draft.profile,
            region=draft.region,
            cluster_name=draft.cluster_name,
            family=draft.family,
            service_names=draft.service_names,
            all_services=draft.all_services,
            flags=draft.flags,
            token_secret=draft.token_secret,
        )
        self._services: list[Service] = []
        # Each returns whether it asked anything: one that did not is not stopped at on the way back.
        steps: list[tuple[str, Callable[[], bool]]] = [
            ("profile", self._profile),
            ("region", self._region),
            ("cluster", self._cluster),
            ("look up", self._look_up_services),
            ("family", self._family),
            ("services", self._choose_services),
        ]
        if removing:
            steps = [step for step in steps if step[0] != "family"]
        else:
            steps += [("settings", self._settings), ("size", self._size)]
        self._steps = steps
        self._asked: list[int] = []

    @property
    def can_go_back(self) -> bool:
        """Whether a question was asked that could be answered otherwise."""
        return bool(self._asked)

    def run(self, *, again: bool = False) -> Draft:
        """Ask until everything is known. With *again*, begin at the last question (back from the plan).

        Raises:
            Quit: the user gave up.
            GoBack: back from the first question, where there is nothing before.
            EcsError: AWS refused, and the user did not want to try again.
        """
        at = self._asked.pop() if again and self._asked else 0
        while at < len(self._steps):
            try:
                asked = self._steps[at][1]()
            except GoBack:
                if not self._asked:
                    raise Quit("nothing was changed") from None
                at = self._asked.pop()
                continue
            except (DeniedError, ConnectionFailed, CredentialsError, ThrottledError) as error:
                at = self._after_refusal(error, at)
                continue
            if asked:
                self._asked.append(at)
            at += 1
        return self.draft

    def _after_refusal(self, error: EcsError, at: int) -> int:
        """Where to go on when AWS refused a step: the user can repair it elsewhere, or choose otherwise."""
        self.terminal.say(f"! {error}")
        choices = [Choice("Try again")] + ([Choice("Go back")] if self._asked else []) + [Choice("Quit")]
        try:
            answer = choices[self.terminal.choose("What now?", choices)].label
        except GoBack:
            answer = "Go back" if self._asked else "Quit"
        except Quit:
            answer = "Quit"
        if answer == "Quit":
            raise error
        return at if answer == "Try again" else self._asked.pop()

    def _profile(self) -> bool:
        from levo.ecs.api import profiles

        names = profiles()
        asked = False
        if self._given.profile is None and len(names) > 1:
            default = self.draft.profile or ("default" if "default" in names else names[0])
            choices = [Choice(name) for name in names]
            chosen = self.terminal.choose("Which AWS profile?", choices, names.index(default))
            self.draft.profile = names[chosen]
            asked = True
        self.draft.account = Account(Credentials(self.draft.profile, self.draft.endpoint))
        return asked

    def _region(self) -> bool:
        account = self._account()
        self.draft.cluster = None
        if self._given.region is not None:
            self.draft.ecs = account.ecs(self._given.region)
            return False
        known = discover.regions(account)
        if known.problem:
            self.terminal.say(f"! {known.problem}")
        own = self.draft.region or account.region
        names = list(known.names)
        if own and own in names:
            names.remove(own)
            names.insert(0, own)
        choices = [Choice(names[0], "from your profile" if own == names[0] else "")]
        choices += [Choice(SEARCH_ALL, f"{len(names)} regions, a second or two each")]
        choices += [Choice(name) for name in names[1:]]
        while True:
            answer = self.terminal.choose("Which AWS region?", choices, 0)
            if choices[answer].label != SEARCH_ALL:
                self._set_region(choices[answer].label)
                return True
            try:
                self._search(names)
                return True
            except GoBack:
                continue  # from the clusters found: to the regions

    def _search(self, names: Sequence[str]) -> None:
        found = discover.search(
            self._account(), names, lambda done, name: self.terminal.progress(done, len(names), name)
        )
        if found.refused:
            skipped = ", ".join(name for name, _ in found.refused)
            self.terminal.say(f"! not looked at: {skipped} ({found.refused[0][1]})")
        if not found.places:
            self.terminal.say("! no cluster in any region; another profile may have some")
            raise GoBack
        choices = [
            Choice(place.cluster.name, f"{place.region}, {_size(place.cluster)}") for place in found.places
        ]
        chosen = found.places[self.terminal.choose("Which cluster?", choices)]
        self._set_region(chosen.region)
        self.draft.cluster = chosen.cluster
        self.draft.cluster_name = None

    def _set_region(self, name: str) -> None:
        self.draft.region = name
        self.draft.ecs = self._account().ecs(name)

    def _cluster(self) -> bool:
        ecs = self._ecs()
        asked = False
        if self._given.cluster_name is not None:
            self.draft.cluster = ecs.cluster(self._given.cluster_name)
        elif self.draft.cluster is None or self.draft.cluster_name is not None:
            clusters = ecs.clusters()
            if not clusters:
                self.terminal.say(f"! no cluster in {ecs.region}")
                raise GoBack
            choices = [Choice(cluster.name, _size(cluster)) for cluster in clusters]
            names = [cluster.name for cluster in clusters]
            last = self.draft.cluster_name
            default = names.index(last) if last in names else None
            self.draft.cluster = clusters[self.terminal.choose("Which cluster?", choices, default)]
            self.draft.cluster_name = self.draft.cluster.name
            asked = True
        return asked

    def _look_up_services(self) -> bool:
        """A step of its own, so that after a refusal it alone is tried again."""
        assert self.draft.cluster is not None
        self._services = self._ecs().services(self.draft.cluster.arn)
        return False

    def _family(self) -> bool:
        if self._given.family is not None or self._given.service_names:
            self.draft.family = self._given.family
            return False
        users: dict[str, list[str]] = {}
        for service in self._services:
            users.setdefault(service.family, []).append(service.name)
        families = self._ecs().families()
        if not any(name in users for name in families):
            self.terminal.say("! no service in this cluster runs an active task definition")
            raise GoBack
        families.sort(key=lambda name: (name not in users, name))
        choices = [
            Choice(name, f"runs {', '.join(users[name])}")
            if name in users
            else Choice(name, "no service in this cluster", disabled=True)
            for name in families
        ]
        default = families.index(self.draft.family) if self.draft.family in families else None
        self.draft.family = families[self.terminal.choose("Which task definition?", choices, default)]
        return True

    def _choose_services(self) -> bool:
        ecs = self._ecs()
        if self._given.service_names or self._given.all_services:
            assert self.draft.cluster is not None
            found = discover.find_targets(
                ecs,
                cluster=self.draft.cluster.arn,
                family=self._given.family,
                services=self._given.service_names,
                all_services=self._given.all_services,
                register_only=False,
            )
            self._keep(list(found.targets))
            return False
        on_it = [
            service for service in self._services if self._removing or service.family == self._family_name()
        ]
        targets = {
            service.arn: target
            for target in discover.group(ecs, [service for service in on_it if service.task_definition])
            for service in target.services
        }
        if self._removing:
            on_it = [service for service in on_it if _has_sensor(targets.get(service.arn))]
            if not on_it:
                self.terminal.say("! no service in this cluster has the sensor")
                raise GoBack
        choices = [_service_choice(service, targets.get(service.arn)) for service in on_it]
        if not any(not choice.disabled for choice in choices):
            for service in on_it:
                problem = service_problem(service)
                self.terminal.say(f"! {problem.text if problem else service.name}")
            raise GoBack
        asked = len(on_it) > 1 or self._removing
        chosen = self.terminal.choose_many("Which services?", choices) if asked else [0]
        if not asked:
            self.terminal.say(f"  service {on_it[0].name}")
        picked = [on_it[number] for number in chosen]
        self._keep(list(discover.group(ecs, picked)))
        return asked

    def _keep(self, targets: Sequence[Target]) -> None:
        self.draft.targets = tuple(targets)
        chosen = [service for target in targets for service in target.services]
        self.draft.others = discover.others_on(self._services, chosen)

    def _settings(self) -> bool:
        """What the sensor must be told; from an installed sensor where there is one."""
        given = {flag.name for flag in self._given.flags}
        if self._given.token_secret is not None:
            given.add(TOKEN_SECRET)
        installed = next(
            (item for item in (target.definition.sensor() for target in self.draft.targets) if item), None
        )
        before = read_container(installed) if installed is not None else None
        questions = (
            ("satellite-url", "Satellite address (http(s)://host[:port] or host:port)", None, False),
            ("levo-env", "Application environment (staging, production, ...)", "default", False),
            ("levoai-org-id", "Levo organization id (empty: none)", None, True),
            (TOKEN_SECRET, "Secret with the Satellite's token, an ARN (empty: none)", None, True),
            ("rate-limit", "Traces per minute (0 = no limit)", "1000", False),
        )
        flags = list(self._given.flags)
        pending = [question for question in questions if question[0] not in given]
        at = 0
        while at < len(pending):
            name, text, default, optional = pending[at]
            start = self.draft.answered.get(name) or (_setting(before, name) if before else None) or default
            try:
                answer = self.terminal.ask(text, start, _checker(name), optional)
            except GoBack:
                if at == 0:
                    raise
                at -= 1
                continue
            self.draft.answered[name] = answer
            at += 1
        for name, *_ in pending:
            if name == TOKEN_SECRET:
                self.draft.token_secret = self.draft.answered[name]
            elif self.draft.answered[name]:
                flags.append(Flag(name, self.draft.answered[name]))
        self.draft.flags = tuple(flags)
        return bool(pending)

    def _size(self) -> bool:
        """How much of the task the sensor may take, and which of the usual sizes fit."""
        if not self.draft.ask_size:
            return False
        definitions = [target.definition for target in self.draft.targets]
        left = [room(definition.containers, definition.cpu, definition.memory) for definition in definitions]
        cpu = min((units for units, _ in left if units is not None), default=None)
        memory = min((mib for _, mib in left if mib is not None), default=None)
        sizes = [
            ("Standard", (CPU_UNITS, MEMORY_MIB)),
            ("Low resource", (LOW_RESOURCE_CPU_UNITS, LOW_RESOURCE_MEMORY_MIB)),
        ]
        choices = [
            Choice(
                name,
                f"{size[0]} CPU units, {size[1]} MiB{_short_of(size, cpu, memory)}",
                bool(_short_of(size, cpu, memory)),
            )
            for name, size in sizes
        ]
        rest = (
            CPU_UNITS if cpu is None else min(cpu, CPU_UNITS),
            MEMORY_MIB if memory is None else min(memory, MEMORY_MIB),
        )
        if (
            all(choice.disabled for choice in choices)
            and rest[0] >= LEAST_CPU_UNITS
            and rest[1] >= LEAST_MEMORY_MIB
        ):
            sizes.append(("What is left", rest))
            choices.append(Choice("What is left", f"{rest[0]} CPU units, {rest[1]} MiB"))
        if all(choice.disabled for choice in choices):
            self.terminal.say(f"! the task has no room for the sensor: {choices[-1].detail}")
            raise GoBack
        default = next(number for number, choice in enumerate(choices) if not choice.disabled)
        answer = self.terminal.choose("How much of the task may the sensor take?", choices, default)
        self.draft.size = sizes[answer][1]
        self.draft.low_resource = sizes[answer][0] != "Standard"
        return True

    def _account(self) -> Account:
        assert self.draft.account is not None, "the profile's step comes first"
        return self.draft.account

    def _ecs(self) -> Ecs:
        assert self.draft.ecs is not None, "the region's step comes first"
        return self.draft.ecs

    def _family_name(self) -> str:
        family = self.draft.family
        if family is None:
            raise EcsInputError("no task definition was chosen")
        return family.partition(":")[0]


def _setting(installed: Sidecar, name: str) -> str | None:
    return installed.token_secret if name == TOKEN_SECRET else installed.value(name)


def _checker(name: str) -> Callable[[str], object]:
    if name == TOKEN_SECRET:
        return check_token_secret

    def check(text: str) -> object:
        try:
            return BY_NAME[name].parse(text)
        except BadValue as error:
            raise EcsInputError(str(error)) from None

    return check


def _short_of(size: tuple[int, int], cpu: int | None, memory: int | None) -> str:
    """What the task lacks for a sensor of that size, as the end of a line; empty when it fits."""
    lacks = []
    if cpu is not None and size[0] > cpu:
        lacks.append(f"{max(cpu, 0)} CPU units")
    if memory is not None and size[1] > memory:
        lacks.append(f"{max(memory, 0)} MiB")
    return f": only {' and '.join(lacks)} left in the task" if lacks else ""


def _has_sensor(target: Target | None) -> bool:
    return target is not None and target.definition.sensor() is not None


def _service_choice(service: Service, target: Target | None) -> Choice:
    problem = service_problem(service)
    if problem is not None:
        return Choice(
            service.name, problem.text.partition("; ")[0].removeprefix(f"service {service.name} "), True
        )
    details = [f"{service.running}/{service.desired} tasks", service.revision]
    container = target.definition.sensor() if target is not None else None
    if container is not None:
        details.append(f"sensor {read_container(container).version}")
    if service.on_spot:
        details.append("Spot")
    return Choice(service.name, ", ".join(details))


def _size(cluster: Cluster) -> str:
    services = f"{cluster.services} service{'s' if cluster.services != 1 else ''}"
    return f"{services}, {cluster.running_tasks} task{'s' if cluster.running_tasks != 1 else ''} running"
