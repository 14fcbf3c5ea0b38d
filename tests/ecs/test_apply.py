"""Applying a plan over HTTP: order, waiting for what lags behind, and a clean stop at the first refusal."""

from __future__ import annotations

import pytest

from levo.ecs.api import Account, ConnectionFailed, Credentials, DeniedError, Ecs
from levo.ecs.apply import SETTLE_SECONDS, ApplyError, apply, roll_back
from levo.ecs.discover import find_targets
from levo.ecs.model import Flag
from levo.ecs.plan import Plan, Request, plan_add
from levo.ecs.undo import UndoJournal
from tests.ecs.fake_ecs import HANG_UP, FakeEcs, Refusal, denied

REQUEST = Request(flags=(Flag("satellite-url", "https://s:9999"),), region="eu-west-1")
CHANGES = ("RegisterTaskDefinition", "UpdateService", "TagResource")


class Setting:
    """Two services on one definition, and the plan to put the sensor beside both."""

    def __init__(self, fake: FakeEcs) -> None:
        fake.add_definition("web", {"team": "shop", "aws:cloudformation:stack-id": "x"})
        fake.add_service("api")
        fake.add_service("web")
        self.fake = fake
        self.ecs: Ecs = Account(Credentials()).ecs("eu-west-1")
        found = find_targets(
            self.ecs, cluster="prod", family="web", services=(), all_services=True, register_only=False
        )
        self.plan: Plan = plan_add(found.targets, REQUEST)
        self.journal = UndoJournal("eu-west-1")
        self.said: list[str] = []
        self.slept: list[float] = []

    def apply(self) -> None:
        apply(self.plan, self.ecs, self.journal, report=self.said.append, sleep=self.slept.append)

    def changes(self) -> list[str]:
        return [operation for operation, _ in self.fake.requests if operation in CHANGES]


@pytest.fixture
def setting(fake: FakeEcs) -> Setting:
    return Setting(fake)


def test_one_revision_then_each_service_then_its_mark(setting: Setting) -> None:
    setting.apply()

    assert setting.changes() == [
        *("RegisterTaskDefinition", "UpdateService", "TagResource", "UpdateService", "TagResource")
    ]
    assert setting.said == [
        "registered web:2",
        "service api: web:1 -> web:2",
        "service api: marked",
        "service web: web:1 -> web:2",
        "service web: marked",
    ]
    assert setting.fake.services[0].tags == {
        "levo:sensor": "0.1.1",
        "levo:previous-task-definition": "web:1",
    }
    assert setting.fake.definition_tags["web:2"] == [{"key": "team", "value": "shop"}]
    assert setting.journal.orphans == []


def test_a_revision_that_is_not_seen_everywhere_yet_is_waited_for(setting: Setting) -> None:
    lagging = Refusal("ClientException", "TaskDefinition not found.")
    setting.fake.refusals["UpdateService"] = [lagging, lagging]

    setting.apply()

    assert setting.slept == list(SETTLE_SECONDS[:2])
    assert len(setting.journal.updated) == 2


def test_it_is_not_waited_for_without_end(setting: Setting) -> None:
    setting.fake.always["UpdateService"] = Refusal("ClientException", "TaskDefinition not found.")

    with pytest.raises(ApplyError, match="cannot update the service: TaskDefinition not found"):
        setting.apply()
    assert setting.slept == list(SETTLE_SECONDS)
    assert [left.command.split()[2] for left in setting.journal.leftovers()] == ["deregister-task-definition"]


def test_throttling_while_registering_is_waited_out_and_registers_once(setting: Setting) -> None:
    throttled = Refusal("ThrottlingException", "Rate exceeded")
    setting.fake.refusals["RegisterTaskDefinition"] = [throttled, throttled]

    setting.apply()

    assert setting.slept == list(SETTLE_SECONDS[:2])
    assert len(setting.fake.definitions["web"]) == 2


def test_a_registration_without_an_answer_is_not_repeated(setting: Setting) -> None:
    """It may have happened: a second one would leave a revision that nobody knows of."""
    setting.fake.always["RegisterTaskDefinition"] = HANG_UP
    with pytest.raises(ApplyError, match="AWS is not reached"):
        setting.apply()

    assert setting.changes() == ["RegisterTaskDefinition"]
    assert [str(left) for left in setting.journal.leftovers()] == [
        "a revision of web was perhaps registered, AWS did not answer; the newest is shown by: "
        "aws ecs list-task-definitions --family-prefix web --sort DESC --max-items 1 --region eu-west-1"
    ]


def test_an_update_without_an_answer_may_have_happened(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise ConnectionFailed("AWS is not reached: connection reset")

    monkeypatch.setattr(setting.ecs, "update", lost)
    with pytest.raises(ApplyError):
        setting.apply()

    assert [left.text for left in setting.journal.leftovers()] == [
        "service api was perhaps set to web:2 (and is not marked)"
    ]


def test_an_interrupt_says_what_is_left(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(setting.ecs, "tag", interrupted)
    with pytest.raises(ApplyError) as raised:
        setting.apply()

    assert raised.value.exit_status == 130
    assert [left.text for left in raised.value.journal.leftovers()] == [
        "service api was set to web:2 (and is not marked)"
    ]


@pytest.mark.parametrize(
    ("operation", "done", "left"),
    [
        ("RegisterTaskDefinition", [], []),
        (
            "UpdateService",
            ["RegisterTaskDefinition"],
            ["revision web:2 was registered and no service uses it"],
        ),
        (
            "TagResource",
            ["RegisterTaskDefinition", "UpdateService"],
            ["service api was set to web:2 (and is not marked)"],
        ),
    ],
)
def test_a_refusal_ends_it_and_says_what_is_left(
    setting: Setting, operation: str, done: list[str], left: list[str]
) -> None:
    setting.fake.always[operation] = denied(f"ecs:{operation}")

    with pytest.raises(ApplyError) as raised:
        setting.apply()

    assert isinstance(raised.value.cause, DeniedError)
    assert raised.value.cause.action == f"ecs:{operation}"
    assert setting.changes() == [*done, operation], "nothing after the refused call"
    assert [item.text for item in setting.journal.leftovers()] == left


def test_the_second_service_may_be_refused_when_the_first_was_not(setting: Setting) -> None:
    calls = setting.fake._UpdateService

    def only_once(body: dict[str, object]) -> dict[str, object]:
        setting.fake.always["UpdateService"] = denied("ecs:UpdateService")
        return calls(body)

    setting.fake._UpdateService = only_once  # type: ignore[method-assign]
    with pytest.raises(ApplyError):
        setting.apply()

    assert [item.text for item in setting.journal.leftovers()] == ["service api was set to web:2"]


def test_rolling_back_sets_the_named_services_back_and_unmarks_them(setting: Setting) -> None:
    setting.apply()
    api = setting.journal.updated[0].service

    back = roll_back(setting.journal, frozenset({api.arn}), setting.ecs, report=setting.said.append)

    assert [update.service.name for update in back] == ["api"]
    assert [service.definition.rpartition("/")[2] for service in setting.fake.services] == ["web:1", "web:2"]
    assert setting.fake.services[0].tags["levo:sensor"] == "removed"
    assert [update.service.name for update in setting.journal.updated] == ["web"]
    assert setting.journal.orphans == []


def test_a_refused_way_back_leaves_the_command_in_the_journal(setting: Setting) -> None:
    setting.apply()
    setting.fake.always["UpdateService"] = denied("ecs:UpdateService")
    everything = frozenset(update.service.arn for update in setting.journal.updated)

    with pytest.raises(ApplyError):
        roll_back(setting.journal, everything, setting.ecs, report=setting.said.append)

    assert [left.command for left in setting.journal.leftovers()] == [
        f"aws ecs update-service --cluster prod --service {name} --task-definition web:1 --region eu-west-1"
        for name in ("api", "web")
    ]
