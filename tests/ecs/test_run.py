"""A whole run against the stand-in for ECS, seen by a view that writes down what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from levo.ecs.apply import ApplyError
from levo.ecs.model import EcsInputError, Flag
from levo.ecs.plan import Plan, Request
from levo.ecs.run import Options, Run
from levo.ecs.undo import Leftover
from levo.ecs.watch import Look
from levo.ecs.wizard import Quit
from tests.ecs.fake_ecs import FakeEcs, denied

REQUEST = Request(flags=(Flag("satellite-url", "https://s:9999"),), region="eu-west-1")
CHANGES = ("RegisterTaskDefinition", "UpdateService", "TagResource")


class Notes:
    """A view; each event is a line."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.lines: list[str] = []
        self.interrupt = False
        self._agrees = agrees

    def planned(self, plan: Plan) -> None:
        self.lines.append(f"plan of {len(plan.steps)}")

    def confirm(self, question: str) -> bool:
        self.lines.append(question)
        return self._agrees

    def stepped(self, text: str) -> None:
        self.lines.append(text)

    def registered(self, orphans: Sequence[tuple[str, Leftover]]) -> None:
        self.lines += [f"{name}: {leftover.command}" for name, leftover in orphans]

    def begun(self) -> None:
        self.lines.append("begun")

    def watching(self) -> Callable[[Sequence[Look], float], None]:
        self.lines.append("watching")
        return self._looked

    def unwatched(self) -> None:
        self.lines.append("unwatched")

    def succeeded(self, looks: Sequence[Look], action: str) -> None:
        self.lines += [f"{action} done: {look.service} {look.target_name}" for look in looks]

    def failed(self, looks: Sequence[Look]) -> None:
        self.lines += [f"failed: {look.service} {look.target_name}" for look in looks]

    def returned(self, looks: Sequence[Look]) -> None:
        self.lines += [f"returned: {look.service} {look.target_name}" for look in looks]

    def refused(self, error: ApplyError) -> None:
        self.lines.append(f"refused, left: {len(error.journal.leftovers())}")

    def left(self, hint: str) -> None:
        self.lines.append(f"left: {hint.partition(' --')[0]}")

    def _looked(self, looks: Sequence[Look], waited: float) -> None:
        if self.interrupt:
            raise KeyboardInterrupt


def options(**changed: object) -> Options:
    given: dict[str, object] = {
        "profile": None, "region": "eu-west-1", "endpoint_url": None, "cluster": "prod", "family": "web",
        "services": (), "all_services": False, "dry_run": False, "register_only": False,
        "rollback_on_failure": False, "no_wait": False, "timeout_s": 900.0, "poll_s": 5.0,
    }  # fmt: skip
    return Options(**{**given, **changed})  # type: ignore[arg-type]


def run(notes: Notes, **changed: object) -> Run:
    """A run whose clock goes on by itself, so that no test waits."""
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds

    return Run(options(**changed), notes, clock_s=lambda: now_s[0], sleep=sleep)


@pytest.fixture
def web(fake: FakeEcs) -> Callable[[str], FakeEcs]:
    def prepare(outcome: str) -> FakeEcs:
        fake.add_definition("web", {"team": "shop"})
        fake.add_service("web", outcome=outcome)
        return fake

    return prepare


APPLIED = ["plan of 1", "registered web:2", "service web: web:1 -> web:2", "service web: marked", "watching"]


def test_a_rollout_that_succeeds(web: Callable[[str], FakeEcs]) -> None:
    web("success")
    notes = Notes()

    assert run(notes).change(REQUEST, confirm=False)
    assert notes.lines == [*APPLIED, "add done: web web:2"]


@pytest.mark.parametrize("outcome", ["failure", "stuck"])
def test_a_failed_rollout_is_said_before_it_is_set_back_and_watched(
    web: Callable[[str], FakeEcs], outcome: str
) -> None:
    web(outcome)
    notes = Notes()

    assert not run(notes, rollback_on_failure=True).change(REQUEST, confirm=False)
    assert notes.lines[len(APPLIED) :] == [
        "failed: web web:2",
        "service web: back to web:1",
        "watching",
        "returned: web web:1",
        "left: revision web:2 was registered and no service uses it; undo it with: "
        "aws ecs deregister-task-definition",
    ]


def test_without_rollback_the_command_is_left(web: Callable[[str], FakeEcs]) -> None:
    web("failure")
    notes = Notes()

    assert not run(notes).change(REQUEST, confirm=False)
    assert notes.lines[len(APPLIED) :] == ["failed: web web:2", "left: aws ecs update-service"]


def test_what_aws_refuses_ends_the_run_with_its_journal(web: Callable[[str], FakeEcs]) -> None:
    web("success").always["UpdateService"] = denied("ecs:UpdateService")

    with pytest.raises(ApplyError) as refused:
        run(Notes()).change(REQUEST, confirm=False)
    assert [each.undoes for each in refused.value.journal.leftovers()] == [True]


def test_nothing_is_written_by_a_dry_run_or_without_consent(web: Callable[[str], FakeEcs]) -> None:
    fake = web("success")
    notes = Notes(agrees=False)

    assert run(notes, dry_run=True).change(REQUEST, confirm=True)
    with pytest.raises(Quit):
        run(notes).change(REQUEST, confirm=True)
    assert notes.lines == ["plan of 1", "plan of 1", "Write this revision?"]
    assert not fake.called(*CHANGES)


def test_a_plan_that_may_not_be_applied_is_shown_and_refused(web: Callable[[str], FakeEcs]) -> None:
    fake = web("success")
    notes = Notes()

    with pytest.raises(EcsInputError, match="nothing was changed"):
        run(notes).change(Request(flags=REQUEST.flags, region="", cpu=1 << 20), confirm=False)
    assert notes.lines[0].startswith("plan of") and not fake.called(*CHANGES)


def test_a_run_may_end_before_the_rollout(web: Callable[[str], FakeEcs]) -> None:
    web("success")
    unwatched, interrupted = Notes(), Notes()
    interrupted.interrupt = True

    assert run(unwatched, no_wait=True).change(REQUEST, confirm=False)
    assert unwatched.lines[-1] == "begun"
    with pytest.raises(KeyboardInterrupt):
        run(interrupted).change(None, confirm=False)
    assert interrupted.lines[-2:] == ["watching", "unwatched"]


def test_a_revision_alone_can_be_registered(web: Callable[[str], FakeEcs]) -> None:
    web("success")
    notes = Notes()

    assert run(notes, register_only=True).change(REQUEST, confirm=False)
    assert notes.lines[-1].startswith("web:2: aws ecs deregister-task-definition --task-definition web:2")
