"""The questions, by a terminal that answers from a script: order, ways back, refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from levo.ecs.api import DeniedError
from levo.ecs.model import EcsError, Flag
from levo.ecs.wizard import SEARCH_ALL, Choice, Draft, GoBack, Quit, Wizard
from tests.ecs.fake_ecs import FakeEcs, denied, serving

BACK = object()
APP = {"name": "app", "image": "nginx", "memory": 512}
SENSOR = {
    "name": "levo-pcap-sensor",
    "image": "levoai/pcap-sensor:0.0.20",
    "memory": 512,
    "essential": False,
    "entryPoint": ["./bin/init", "apidump", "--satellite-url", "http://old:9999", "--rate-limit", "7"],
}


class Script:
    """Answers in order: a label, a list of labels, a text, or BACK. Remembers what was asked and said."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.menus: dict[str, list[Choice]] = {}
        self.defaults: dict[str, str | None] = {}
        self.said: list[str] = []
        self.steps: list[int] = []

    def _next(self, question: str) -> Any:
        self.asked.append(question)
        assert self.answers, f"no answer left for: {question}"
        answer = self.answers.pop(0)
        if answer is BACK:
            raise GoBack
        return answer

    def choose(self, question: str, choices: Sequence[Choice], default: int | None = None) -> int:
        self.menus[question] = list(choices)
        self.defaults[question] = choices[default].label if default is not None else None
        answer = self._next(question)
        number = [choice.label for choice in choices].index(answer)
        assert not choices[number].disabled
        return number

    def choose_many(self, question: str, choices: Sequence[Choice]) -> list[int]:
        self.menus[question] = list(choices)
        labels = [choice.label for choice in choices]
        return [labels.index(label) for label in self._next(question)]

    def ask(self, question: str, default: str | None, check: Callable[[str], object], optional: bool) -> str:
        self.defaults[question] = default
        answer = str(self._next(question))
        if answer:
            check(answer)
        return answer

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, done: int, total: int, text: str) -> None:
        self.steps.append(done)


REGION, CLUSTER, FAMILY, SERVICES, WHAT_NOW = (
    "Which AWS region?",
    "Which cluster?",
    "Which task definition?",
    "Which services?",
    "What now?",
)
URL = "Satellite address (http(s)://host[:port] or host:port)"
SECRET = "arn:aws:ssm:eu-west-1:123456789012:parameter/levo"
SETTINGS = ("https://s:9999", "staging", "org", SECRET, "500", "Standard")


@pytest.fixture
def account(fake: FakeEcs) -> FakeEcs:
    fake.regions = ["eu-west-1", "us-east-1"]
    fake.add_definition("pay")
    fake.add_definition("web")
    fake.add_definition("web", containerDefinitions=[APP, SENSOR])
    fake.add_definition("unused")
    fake.add_cluster("empty")
    fake.add_service("api", definition="web:1")
    fake.add_service("web", definition="web:2")
    fake.add_service("pay", definition="pay:1")
    return fake


def run(script: Script, draft: Draft | None = None, *, removing: bool = False) -> Draft:
    return Wizard(script, draft or Draft(), removing=removing).run()


def chosen(draft: Draft) -> list[str]:
    return [service.name for target in draft.targets for service in target.services]


def test_all_questions_in_their_order(account: FakeEcs) -> None:
    script = Script("eu-west-1", "prod", "web", ["api"], *SETTINGS)
    draft = run(script)

    assert script.asked[:5] == [REGION, CLUSTER, FAMILY, SERVICES, URL]
    assert [choice.label for choice in script.menus[REGION]] == ["eu-west-1", SEARCH_ALL, "us-east-1"]
    assert script.defaults[REGION] == "eu-west-1"
    assert script.menus[CLUSTER] == [
        Choice("empty", "0 services, 0 tasks running"),
        Choice("prod", "3 services, 6 tasks running"),
    ]
    assert [(choice.label, choice.disabled) for choice in script.menus[FAMILY]] == [
        ("pay", False),
        ("web", False),
        ("unused", True),
    ]
    assert [choice.detail for choice in script.menus[SERVICES]] == [
        "2/2 tasks, web:1",
        "2/2 tasks, web:2, sensor 0.0.20",
    ]
    assert chosen(draft) == ["api"]
    assert [service.name for service in draft.others] == ["web"]
    assert draft.flags == (
        Flag("satellite-url", "https://s:9999"),
        Flag("levo-env", "staging"),
        Flag("levoai-org-id", "org"),
        Flag("rate-limit", "500"),
    )
    assert not any("arn:" in choice.label for menu in script.menus.values() for choice in menu)


def test_back_leads_to_the_question_before_at_every_place(account: FakeEcs) -> None:
    script = Script(
        *("eu-west-1", "empty", BACK),
        *("prod", "pay", BACK, BACK, BACK),
        *("eu-west-1", "prod", "web", ["web"], "https://a:1", "staging", BACK, BACK, BACK),
        *(["api"], *SETTINGS),
    )
    # "empty" has no service: its families cannot be chosen, and the wizard goes back by itself.
    script.answers.pop(2)
    draft = run(script)

    assert script.said == ["! no service in this cluster runs an active task definition", "  service pay"]
    assert chosen(draft) == ["api"]
    assert draft.flags[0] == Flag("satellite-url", "https://s:9999")
    assert script.answers == []


def test_back_from_the_first_question_ends_it(account: FakeEcs) -> None:
    with pytest.raises(Quit, match="nothing was changed"):
        run(Script(BACK))
    assert not account.called("RegisterTaskDefinition", "UpdateService", "TagResource")


def test_what_the_flags_gave_is_not_asked(account: FakeEcs) -> None:
    draft = Draft(
        region="eu-west-1",
        cluster_name="prod",
        service_names=("api",),
        flags=(Flag("satellite-url", "https://s:9999"), Flag("levoai-org-id", "o")),
        token_secret=SECRET,
    )
    script = Script("staging", "5", "Standard")

    assert chosen(run(script, draft)) == ["api"]
    assert len(script.asked) == 3
    assert [flag.name for flag in draft.flags] == ["satellite-url", "levoai-org-id", "levo-env", "rate-limit"]
    assert not account.called("ListTaskDefinitionFamilies")


def test_a_single_service_is_not_asked_for_and_back_passes_over_it(account: FakeEcs) -> None:
    script = Script("eu-west-1", "prod", "pay", BACK, "pay", *SETTINGS)

    assert chosen(run(script)) == ["pay"]
    assert script.asked[:6] == [REGION, CLUSTER, FAMILY, URL, FAMILY, URL]


def test_an_installed_sensors_settings_are_the_defaults(account: FakeEcs) -> None:
    script = Script("eu-west-1", "prod", "web", ["web"], *SETTINGS)
    run(script)

    assert script.defaults[URL] == "http://old:9999"
    assert script.defaults["Traces per minute (0 = no limit)"] == "7"


def test_an_optional_answer_may_be_empty(account: FakeEcs) -> None:
    draft = run(Script("eu-west-1", "prod", "pay", "https://s:1", "staging", "", "", "1", "Standard"))

    assert [flag.name for flag in draft.flags] == ["satellite-url", "levo-env", "rate-limit"]
    assert not draft.token_secret


def test_a_token_is_given_as_a_secret_only(account: FakeEcs) -> None:
    assert run(Script("eu-west-1", "prod", "pay", *SETTINGS)).token_secret == SECRET
    with pytest.raises(EcsError, match="never into the task definition") as refused:
        run(Script("eu-west-1", "prod", "pay", *SETTINGS[:3], "levo_the-token-itself"))
    assert "levo_the" not in str(refused.value)


def test_an_installed_sensor_keeps_its_secret(fake: FakeEcs) -> None:
    sensor = {**SENSOR, "secrets": [{"name": "LEVO_SATELLITE_TOKEN", "valueFrom": SECRET}]}
    fake.add_definition("web", containerDefinitions=[APP, sensor])
    fake.add_service("web", definition="web:1")
    script = Script("eu-west-1", "prod", "web", *SETTINGS)
    run(script)

    assert script.defaults["Secret with the Satellite's token, an ARN (empty: none)"] == SECRET


def test_removing_offers_the_services_that_have_the_sensor(account: FakeEcs) -> None:
    script = Script("eu-west-1", "empty", "prod", ["web"])
    draft = run(script, removing=True)

    assert script.asked == [REGION, CLUSTER, CLUSTER, SERVICES]
    assert script.said == ["! no service in this cluster has the sensor"]
    assert [choice.label for choice in script.menus[SERVICES]] == ["web"]
    assert chosen(draft) == ["web"]


def test_a_service_of_another_controller_is_shown_and_cannot_be_chosen(account: FakeEcs) -> None:
    account.services[0].more = {"deploymentController": {"type": "CODE_DEPLOY"}}
    script = Script("eu-west-1", "prod", "web", ["web"], *SETTINGS)
    run(script)

    assert [choice.disabled for choice in script.menus[SERVICES]] == [True, False]
    assert "is deployed by CodeDeploy" in script.menus[SERVICES][0].detail


def test_when_no_service_can_be_chosen_it_says_why_and_goes_back(account: FakeEcs) -> None:
    account.services[2].more = {"deploymentController": {"type": "EXTERNAL"}}
    script = Script("eu-west-1", "prod", "pay", "web", ["api"], *SETTINGS)
    run(script)

    assert len(script.said) == 1 and "--register-only" in script.said[0]


def test_a_search_over_all_regions_leads_to_a_cluster(home: Path) -> None:
    near, far = FakeEcs("eu-west-1"), FakeEcs("us-west-2")
    near.regions = ["eu-west-1", "us-west-2", "me-south-1"]
    far.add_definition("web")
    far.add_service("web", cluster="west")
    near.add_cluster("prod")
    script = Script(SEARCH_ALL, BACK, SEARCH_ALL, "west", "web", *SETTINGS)
    with serving(near, far) as url:
        draft = run(script, Draft(endpoint=url))

    assert draft.region == "us-west-2" and chosen(draft) == ["web"]
    assert [choice.detail for choice in script.menus[CLUSTER]] == [
        "eu-west-1, 0 services, 0 tasks running",
        "us-west-2, 1 service, 2 tasks running",
    ]
    assert script.steps[:4] == [0, 1, 2, 3]
    assert script.said[0].startswith("! not looked at: me-south-1 (permission ecs:ListClusters is missing")


@pytest.mark.parametrize(
    ("operation", "action", "step", "answers"),
    [
        ("ListClusters", "ecs:ListClusters", "list the clusters", ["eu-west-1"]),
        ("DescribeClusters", "ecs:DescribeClusters", "look up the names of the clusters", ["eu-west-1"]),
        ("ListServices", "ecs:ListServices", "list the services", ["eu-west-1", "prod"]),
        ("DescribeServices", "ecs:DescribeServices", "look up the services", ["eu-west-1", "prod"]),
        (
            "ListTaskDefinitionFamilies",
            "ecs:ListTaskDefinitionFamilies",
            "list the task definitions",
            ["eu-west-1", "prod"],
        ),
        (
            "DescribeTaskDefinition",
            "ecs:DescribeTaskDefinition",
            "read the task definition",
            ["eu-west-1", "prod", "web"],
        ),
    ],
)
def test_a_missing_permission_is_named_and_can_be_granted_meanwhile(
    account: FakeEcs, operation: str, action: str, step: str, answers: list[str]
) -> None:
    account.refusals[operation] = [denied(action)] * 2
    rest = ["eu-west-1", "prod", "web"][len(answers) :]
    script = Script(*answers, "Try again", "Try again", *rest, ["api"], *SETTINGS)
    run(script)

    assert len(script.said) == 2
    assert (
        script.said[0].startswith(f"! permission {action} is missing") and f"cannot {step};" in script.said[0]
    )

    account.always[operation] = denied(action)
    with pytest.raises(DeniedError):
        run(Script(*answers, "Quit"))
    assert not account.called("RegisterTaskDefinition", "UpdateService", "TagResource")


def test_after_a_refusal_one_can_go_back(account: FakeEcs) -> None:
    account.refusals["ListServices"] = [denied("ecs:ListServices")]
    script = Script("eu-west-1", "prod", "Go back", "prod", "web", ["api"], *SETTINGS)

    assert chosen(run(script)) == ["api"]


def test_regions_that_may_not_be_listed_come_from_the_built_in_list(account: FakeEcs) -> None:
    account.always["DescribeRegions"] = denied("ec2:DescribeRegions")
    script = Script("eu-west-1", "prod", "pay", *SETTINGS)
    run(script)

    assert "permission ec2:DescribeRegions is missing" in script.said[0]
    assert len(script.menus[REGION]) > 20


def test_several_profiles_are_offered(account: FakeEcs, home: Path) -> None:
    with (home / ".aws" / "credentials").open("a") as file:
        file.write("\n[blue]\naws_access_key_id = a\naws_secret_access_key = b\n")
    script = Script("blue", "eu-west-1", BACK, BACK, "blue", "eu-west-1", "prod", "pay", *SETTINGS)
    script.answers = ["blue", BACK, "blue", "eu-west-1", "prod", "pay", *SETTINGS]
    draft = run(script)

    assert draft.profile == "blue"
    assert script.asked[:3] == ["Which AWS profile?", REGION, "Which AWS profile?"]


def test_again_begins_at_the_last_question(account: FakeEcs) -> None:
    script = Script("eu-west-1", "prod", "pay", *SETTINGS, BACK, "https://t:1", *SETTINGS[1:])
    wizard = Wizard(script, Draft(), removing=False)
    wizard.run()
    assert wizard.can_go_back

    draft = wizard.run(again=True)

    assert draft.flags[0].value == "https://t:1"
    assert script.asked.count(FAMILY) == 1
    assert script.defaults[URL] == "https://s:9999", "the earlier answer is the default"


def test_a_value_that_the_sensor_would_refuse_is_refused(account: FakeEcs) -> None:
    with pytest.raises(EcsError, match="unknown scheme"):
        run(Script("eu-west-1", "prod", "pay", "ftp://x"))


SIZE = "How much of the task may the sensor take?"


@pytest.mark.parametrize(
    ("cpu", "memory", "answer", "size", "details"),
    [
        (
            *("1024", "3072", "Low resource", (256, 200)),
            ["512 CPU units, 512 MiB", "256 CPU units, 200 MiB"],
        ),
        (
            *("512", "2048", "Low resource", (256, 200)),
            [
                "512 CPU units, 512 MiB: only 256 CPU units left in the task",
                "256 CPU units, 200 MiB",
            ],
        ),
        (
            *("320", "1200", "What is left", (64, 176)),
            [
                "512 CPU units, 512 MiB: only 64 CPU units and 176 MiB left in the task",
                "256 CPU units, 200 MiB: only 64 CPU units and 176 MiB left in the task",
                "64 CPU units, 176 MiB",
            ],
        ),
    ],
)
def test_sizes_are_offered_by_what_the_task_has_left(
    fake: FakeEcs, cpu: str, memory: str, answer: str, size: tuple[int, int], details: list[str]
) -> None:
    fake.add_definition("small", cpu=cpu, memory=memory)
    fake.add_service("small", definition="small:1")
    script = Script("eu-west-1", "prod", "small", *SETTINGS[:-1], answer)
    draft = run(script)

    assert draft.size == size and draft.low_resource == (answer != "Standard")
    assert [choice.detail for choice in script.menus[SIZE]] == details


def test_a_task_without_room_is_said_so(fake: FakeEcs) -> None:
    fake.add_definition("full", cpu="256", memory="1024")
    fake.add_service("full", definition="full:1")
    script = Script("eu-west-1", "prod", "full", *SETTINGS[:-1], BACK, BACK, BACK, BACK, BACK)
    with pytest.raises(Quit):
        run(script)

    assert SIZE not in script.menus
    assert script.said[-1].endswith("only 0 CPU units and 0 MiB left in the task")
