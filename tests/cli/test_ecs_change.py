"""``levo ecs add`` and ``remove``: with permissions enforced, through rollouts, in a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from levo.cli.group import invoke
from tests.ecs.fake_ecs import FakeEcs, denied
from tests.ecs.moto_server import APPLICATION, TEN, MotoServer
from tests.ecs.pseudo_terminal import PseudoTerminal, as_text

ADD = ("add", "--yes", "--satellite-url", "https://s:9999", "--cluster", "prod")
REMOVE = ("remove", "--yes", "--cluster", "prod")
Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    status = invoke(["ecs", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def installer(moto: MotoServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoServer]:
    """An account with one service, used by somebody with exactly the ten permissions."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    moto.service()
    moto.user(TEN, home)
    moto.enforce()
    yield moto


class TestWithMoto:
    """Real HTTP, credentials from ``~/.aws/credentials``, permissions enforced."""

    def test_ten_permissions_are_enough_to_add_look_and_remove(
        self, installer: MotoServer, capsys: Capture
    ) -> None:
        status, out, err = run(capsys, *ADD, "--family", "web", "--no-wait")
        assert (status, err) == (0, "")
        assert "done: registered web:2" in out and "done: service web: marked" in out

        status, out, err = run(capsys, "status", "--json")
        assert (status, err) == (0, "")
        assert '"version": "0.1.1"' in out
        # moto lists regions of other partitions too, whose endpoints do not know the user.
        status, out, _ = run(capsys, "status", "--all-regions")
        assert status == 0 and "eu-west-1  prod     web      web:2            0.1.1" in out

        status, out, err = run(capsys, *REMOVE, "--service", "web", "--no-wait")
        assert (status, err) == (0, "")
        assert "done: service web: web:2 -> web:1" in out

    def test_the_new_revision_is_the_old_one_and_the_sensor(
        self, moto: MotoServer, installer: MotoServer, capsys: Capture
    ) -> None:
        assert run(capsys, *ADD, "--service", "web", "--no-wait")[0] == 0
        moto._post("reset-auth", b"1000000")
        ecs = moto.client("ecs")
        old, new = (ecs.describe_task_definition(taskDefinition=f"web:{n}", include=["TAGS"]) for n in (1, 2))

        assert new["tags"] == old["tags"] == [{"key": "team", "value": "shop"}]
        before, after = old["taskDefinition"], new["taskDefinition"]
        sensor = after["containerDefinitions"].pop()
        assert sensor["name"] == "levo-pcap-sensor"
        for answer in (before, after):
            for member in ("taskDefinitionArn", "revision"):
                answer.pop(member)
        assert after == before
        (service,) = ecs.describe_services(cluster="prod", services=["web"], include=["TAGS"])["services"]
        assert service["tags"] == [
            {"key": "levo:sensor", "value": "0.1.1"},
            {"key": "levo:previous-task-definition", "value": "web:1"},
        ]

    @pytest.mark.parametrize(
        ("missing", "arguments", "step", "undo"),
        [
            ("ecs:ListClusters", ("status",), "list the clusters", None),
            ("ecs:DescribeClusters", ("status",), "look up the names of the clusters", None),
            ("ecs:ListServices", (*ADD, "--family", "web"), "list the services", None),
            ("ecs:DescribeServices", (*ADD, "--service", "web"), "look up the services", None),
            ("ecs:DescribeTaskDefinition", (*ADD, "--service", "web"), "read the task definition", None),
            (
                "ecs:RegisterTaskDefinition",
                (*ADD, "--service", "web"),
                "write the new revision of the task definition",
                "levo: nothing was changed",
            ),
            (
                "ecs:UpdateService",
                (*ADD, "--service", "web"),
                "update the service",
                "levo: left to undo: revision web:2 was registered and no service uses it; undo it with: "
                "aws ecs deregister-task-definition --task-definition web:2 --region eu-west-1",
            ),
            (
                "ecs:TagResource",
                (*ADD, "--service", "web"),
                "mark the service",
                "levo: left to undo: service web was set to web:2 (and is not marked); undo it with: "
                "aws ecs update-service --cluster prod --service web --task-definition web:1 "
                "--region eu-west-1",
            ),
        ],
    )
    def test_a_missing_permission_is_named_with_its_step_and_what_is_left(
        self,
        moto: MotoServer,
        installer: MotoServer,
        home: Path,
        capsys: Capture,
        missing: str,
        arguments: tuple[str, ...],
        step: str,
        undo: str | None,
    ) -> None:
        moto._post("reset-auth", b"1000000")
        moto.user([action for action in TEN if action != missing], home, "lesser")
        moto.enforce()

        status, _, err = run(capsys, *arguments)

        assert status == 1
        first, *rest = err.splitlines()
        assert first.startswith(f"levo: permission {missing} is missing") and f"cannot {step};" in first
        assert rest == ([undo] if undo else [])
        moto._post("reset-auth", b"1000000")
        ecs = moto.client("ecs")
        registered = len(ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"])
        assert registered == (2 if missing in ("ecs:UpdateService", "ecs:TagResource") else 1)
        (service,) = ecs.describe_services(cluster="prod", services=["web"])["services"]
        assert service["taskDefinition"].endswith("web:2" if missing == "ecs:TagResource" else "web:1")

    def test_without_the_list_of_regions_the_built_in_one_serves(
        self, moto: MotoServer, installer: MotoServer, home: Path, capsys: Capture
    ) -> None:
        moto._post("reset-auth", b"1000000")
        moto.user([action for action in TEN if action != "ec2:DescribeRegions"], home, "lesser")
        moto.enforce()

        status, out, err = run(capsys, "status", "--all-regions", "--all")

        assert status == 0
        assert "permission ec2:DescribeRegions is missing" in err and "cannot list the AWS regions" in err
        assert "0 of 1 service in" in out and " regions with the sensor" in out

    @pytest.mark.slow
    @pytest.mark.parametrize("missing", [*TEN, ""])
    def test_the_wizard_too(self, moto: MotoServer, installer: MotoServer, home: Path, missing: str) -> None:
        """In a terminal: the action and the step are named; with all ten it goes through."""
        moto._post("reset-auth", b"1000000")
        moto.user([action for action in TEN if action != missing], home, "lesser")
        moto.enforce()
        terminal = PseudoTerminal(
            [
                "ecs",
                "add",
                "--no-wait",
                "--satellite-url",
                "https://s:9999",
                "--levo-env",
                "e",
                "--rate-limit",
                "5",
            ],
            {**os.environ, "NO_COLOR": "1"},
        )
        answers = {
            "Which AWS region?": "eu-west-1",
            "Which cluster?": "prod",
            "Which task definition?": "web",
            "organization id": "",
            "the Satellite's token": "",
            "How much of the task": "",
            "What now?": "1",
        }
        while True:
            terminal.expect_prompt("? ")
            shown = terminal.written.rpartition("\n? ")[2]
            if "Try again" in shown:
                terminal.type("Quit")
                break
            question = next(name for name in answers if name in shown)
            terminal.type(answers[question])
            if question == "What now?":
                break
        status = terminal.wait()
        text = as_text(terminal.written)

        if missing in ("", "ec2:DescribeRegions"):
            assert status == 0, text
            assert "done: service web: marked" in text
        else:
            assert status == 1, text
        if missing:
            assert f"permission {missing} is missing" in text
        moto._post("reset-auth", b"1000000")
        (service,) = moto.client("ecs").describe_services(cluster="prod", services=["web"])["services"]
        done = missing in ("", "ec2:DescribeRegions", "ecs:TagResource")
        assert service["taskDefinition"].endswith("web:2" if done else "web:1")

    def test_containers_with_much_in_them_come_through(
        self, moto: MotoServer, installer: MotoServer, capsys: Capture
    ) -> None:
        moto._post("reset-auth", b"1000000")
        rich = {
            **APPLICATION,
            "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30},
            "secrets": [{"name": "P", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/p"}],
            "linuxParameters": {"initProcessEnabled": True},
            "dockerLabels": {"a.b": "c"},
        }
        moto.service(name="rich", family="rich", containers=[rich])
        assert run(capsys, *ADD, "--service", "rich", "--no-wait")[0] == 0

        found = moto.client("ecs").describe_task_definition(taskDefinition="rich")["taskDefinition"]
        app = found["containerDefinitions"][0]
        assert {key: app[key] for key in rich} == rich


class TestRollouts:
    """Against the stand-in whose rollouts go on."""

    FAST = ("--poll", "0.1", "--family", "web")

    def prepare(self, fake: FakeEcs, outcome: str, **more: object) -> None:
        fake.add_definition("web", {"team": "shop"})
        fake.add_service("web", outcome=outcome, **more)

    def revision(self, fake: FakeEcs) -> str:
        return fake.services[0].definition.rpartition("/")[2]

    def test_success(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "success", lag=2)
        status, out, err = run(capsys, *ADD, *self.FAST)

        assert (status, err) == (0, "")
        assert "waiting for the deployment to appear" in out
        assert out.endswith("done: service web has the sensor (web:2)\n")

    def test_failure_is_left_with_the_command_that_undoes_it(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "failure")
        status, _, err = run(capsys, *ADD, *self.FAST)

        assert status == 1
        assert err.splitlines() == [
            "levo: service web: the rollout of web:2 failed: "
            "ECS deployment circuit breaker: tasks failed to start.",
            "levo: left to undo: aws ecs update-service --cluster prod --service web --task-definition web:1 "
            "--region eu-west-1",
        ]
        assert self.revision(fake) == "web:2"

    @pytest.mark.parametrize("outcome", ["failure", "stuck"])
    def test_with_rollback_it_goes_back_by_itself(self, fake: FakeEcs, capsys: Capture, outcome: str) -> None:
        self.prepare(fake, outcome)
        status, out, err = run(capsys, *ADD, *self.FAST, "--rollback-on-failure", "--timeout", "1")

        assert status == 1
        assert "done: service web: back to web:1" in out
        assert "service web is back at web:1" in out
        assert self.revision(fake) == "web:1"
        assert fake.services[0].tags["levo:sensor"] == "removed"
        assert "left to undo: revision web:2 was registered and no service uses it" in err

    def test_when_ecs_goes_back_we_do_not(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "breaker")
        status, _, err = run(capsys, *ADD, *self.FAST, "--rollback-on-failure")

        assert status == 1
        assert "the rollout of web:2 failed and was rolled back by ECS" in err
        assert len(fake.called("UpdateService")) == 1
        assert fake.services[0].tags["levo:sensor"] == "removed"
        assert "deregister-task-definition --task-definition web:2" in err

    def test_timeout(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "stuck")
        status, _, err = run(capsys, *ADD, *self.FAST, "--timeout", "1")

        assert status == 1 and "the rollout of web:2 was not finished in time" in err

    def test_replaced_by_somebody_elses_deployment(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "superseded")
        status, _, err = run(capsys, *ADD, *self.FAST, "--rollback-on-failure")

        assert status == 1 and "was replaced by another deployment" in err
        assert len(fake.called("UpdateService")) == 1

    def test_a_refused_way_back_is_said(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "failure")
        original = fake._TagResource

        def then_deny(body: dict[str, object]) -> dict[str, object]:
            fake.always["UpdateService"] = denied("ecs:UpdateService")
            return original(body)

        fake._TagResource = then_deny  # type: ignore[method-assign]
        status, _, err = run(capsys, *ADD, *self.FAST, "--rollback-on-failure")

        assert status == 1
        assert "permission ecs:UpdateService is missing" in err and "left to undo: service web was set" in err

    def test_removing_is_watched_as_well(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "success")
        assert run(capsys, *ADD, *self.FAST)[0] == 0
        status, out, err = run(capsys, *REMOVE, "--service", "web", "--poll", "0.1")

        assert (status, err) == (0, "")
        assert out.endswith("done: service web is without the sensor (web:1)\n")
        assert len(fake.definitions["web"]) == 2, "nothing new was registered"

    def test_a_second_time_nothing_happens(self, fake: FakeEcs, capsys: Capture) -> None:
        self.prepare(fake, "success")
        assert run(capsys, *ADD, *self.FAST)[0] == 0
        before = len(fake.called("RegisterTaskDefinition", "UpdateService", "TagResource"))
        status, out, _ = run(capsys, *ADD, *self.FAST)

        assert status == 0 and out.startswith("nothing to do\n")
        assert len(fake.called("RegisterTaskDefinition", "UpdateService", "TagResource")) == before


class TestFlags:
    def test_a_dry_run_changes_nothing(self, fake: FakeEcs, capsys: Capture) -> None:
        fake.add_definition("web")
        fake.add_service("web")
        arguments = [item for item in ADD if item != "--yes"]
        status, out, err = run(capsys, *arguments, "--service", "web", "--dry-run")

        assert (status, err) == (0, "")
        assert "+ container levo-pcap-sensor" in out
        assert not fake.called("RegisterTaskDefinition", "UpdateService", "TagResource")

    def test_without_a_terminal_yes_must_be_said(self, fake: FakeEcs, capsys: Capture) -> None:
        status, _, err = run(capsys, "add", "--cluster", "prod")

        assert status == 2 and err.startswith("levo: this is not a terminal: add --yes")
        assert fake.requests == []

    def test_sizes_are_checked_before_aws_is_asked(self, fake: FakeEcs, capsys: Capture) -> None:
        status, _, err = run(capsys, *ADD, "--service", "web", "--memory", "10")

        assert status == 2 and err.startswith("levo: --memory 10 is too little for the sensor")
        assert fake.requests == []

    def test_a_task_without_room_changes_nothing(self, fake: FakeEcs, capsys: Capture) -> None:
        fake.add_definition("web", cpu="256", memory="1024")
        fake.add_service("web")
        status, _, err = run(capsys, *ADD, "--service", "web")

        assert status == 2
        assert err.startswith("levo: web:1: --cpu 512 does not fit") and "nothing was changed" in err
        assert not fake.called("RegisterTaskDefinition")

    def test_for_code_deploy_the_revision_alone_is_written(self, fake: FakeEcs, capsys: Capture) -> None:
        fake.add_definition("web")
        fake.add_service("web", more={"deploymentController": {"type": "CODE_DEPLOY"}})
        status, _, err = run(capsys, *ADD, "--service", "web")
        assert status == 2 and "deployed by CodeDeploy" in err and "--register-only" in err

        status, out, err = run(capsys, *ADD, "--family", "web", "--register-only")
        assert (status, err) == (0, "")
        assert "web:2 is ready; no service uses it yet" in out
        assert "aws ecs deregister-task-definition --task-definition web:2" in out
        assert not fake.called("UpdateService", "TagResource")

    def test_a_profile_that_does_not_exist_is_named(self, fake: FakeEcs, capsys: Capture) -> None:
        status, _, err = run(capsys, *ADD, "--profile", "nobody")

        assert status == 1 and err.startswith("levo: the config profile (nobody) could not be found")


class TestTerminal:
    def start(self, *arguments: str) -> PseudoTerminal:
        return PseudoTerminal(["ecs", *arguments], {**os.environ, "NO_COLOR": "1"})

    def test_the_plan_can_be_left_and_changed(self, fake: FakeEcs) -> None:
        fake.add_definition("web")
        fake.add_service("web")
        terminal = self.start(
            *("add", "--region", "eu-west-1", "--cluster", "prod", "--service", "web", "--poll", "0.1"),
            *("--levo-env", "e", "--levoai-org-id", "o", "--rate-limit", "1", "--low-resource"),
            *("--token-secret", "arn:aws:ssm:eu-west-1:123456789012:parameter/levo"),
        )
        terminal.expect_prompt("Satellite address")
        terminal.type("ftp://wrong")
        terminal.expect("! 'ftp://wrong' has an unknown scheme")
        terminal.expect_prompt("Satellite address")
        terminal.type("http://first:1")
        terminal.expect_prompt("What now?")
        terminal.type("2")
        terminal.expect_prompt("[http://first:1]")
        terminal.type("http://second:2")
        terminal.expect_prompt("What now?")
        terminal.type("apply")
        assert terminal.wait() == 0

        (registered,) = fake.called("RegisterTaskDefinition")
        sensor = registered["containerDefinitions"][-1]
        assert "http://second:2" in sensor["entryPoint"] and sensor["cpu"] == 256
        assert sensor["secrets"][0]["valueFrom"].endswith("parameter/levo")
        assert "done: service web has the sensor (web:2)" in as_text(terminal.written)

    def test_quitting_changes_nothing(self, fake: FakeEcs) -> None:
        fake.add_definition("web")
        fake.add_service("web")
        terminal = self.start("add")
        terminal.expect_prompt("Which AWS region?")
        terminal.type("q")

        assert terminal.wait() == 130
        assert "levo: nothing was changed" in terminal.written
        assert not fake.called("RegisterTaskDefinition", "UpdateService", "TagResource")

    def test_an_interrupt_while_watching_says_that_the_rollout_goes_on(self, fake: FakeEcs) -> None:
        fake.add_definition("web")
        fake.add_service("web", outcome="stuck")
        terminal = self.start(*ADD, "--service", "web", "--poll", "0.2")
        terminal.expect("in progress")
        terminal.interrupt()

        assert terminal.wait() == 130
        assert "the rollout goes on" in terminal.written
