"""Records ``levo ecs add`` and ``remove`` in a pseudo-terminal, from first question to finished rollout.

    python docs/record/ecs_wizard.py            rewrites the recordings in docs/fargate.md
    python docs/record/ecs_wizard.py --print    writes them to standard output

The account is a small stand-in for ECS on loopback whose rollouts progress; nothing is asked of AWS.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.ecs.fake_ecs import FakeEcs, serving  # noqa: E402
from tests.ecs.moto_server import write_credentials  # noqa: E402
from tests.ecs.pseudo_terminal import PseudoTerminal, as_text  # noqa: E402

PAGE = ROOT / "docs" / "fargate.md"
MARK = "<!-- recording: {} -->\n```text\n"


def account() -> tuple[FakeEcs, FakeEcs]:
    """Two regions with clusters, services and an application that looks like one."""
    near, far = FakeEcs("eu-west-1"), FakeEcs("us-west-2")
    near.regions = ["eu-west-1", "us-west-2"]
    app = {
        "name": "shop",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:2.14.0",
        "cpu": 512,
        "memory": 2048,
        "essential": True,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
    }
    role = "arn:aws:iam::123456789012:role/shop"
    near.add_definition(
        "shop", {"team": "checkout"}, containerDefinitions=[app], memory="4096", taskRoleArn=role
    )
    near.add_definition("worker", containerDefinitions=[app], memory="4096")
    near.add_service("shop-api", cluster="production", definition="shop:1", desired=4, steps=4, lag=1)
    near.add_service("shop-admin", cluster="production", definition="shop:1", desired=1, steps=3)
    near.add_service("worker", cluster="production", definition="worker:1")
    for service in near.services:
        service.more = {
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
        }
    near.add_cluster("staging")
    far.add_cluster("playground")
    return near, far


def add(terminal: PseudoTerminal) -> None:
    """The answers; one of them is taken back."""
    for question, answer in (
        ("Which AWS region?", "Search all"),
        ("Which cluster?", "b"),
        ("Which AWS region?", ""),
        ("Which cluster?", "production"),
        ("Which task definition?", "shop"),
        ("Which services?", "all"),
        ("Satellite address", "http://satellite.internal:9999"),
        ("Application environment", "production"),
        ("organization id", "b"),
        ("Application environment", ""),
        ("organization id", "3f1c6f0e-0000-4000-8000-000000000000"),
        ("Satellite's token", "arn:aws:ssm:eu-west-1:123456789012:parameter/levo-token"),
        ("Traces per minute", ""),
        ("How much of the task", ""),
        ("What now?", "1"),
    ):
        terminal.expect_prompt(question)
        terminal.type(answer)


def remove(terminal: PseudoTerminal) -> None:
    for question, answer in (
        ("Which AWS region?", ""),
        ("Which cluster?", "production"),
        ("Which services?", "all"),
        ("What now?", "1"),
    ):
        terminal.expect_prompt(question)
        terminal.type(answer)


def record(
    name: str, arguments: list[str], play: Callable[[PseudoTerminal], None] | None, url: str, home: str
) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "AWS_ENDPOINT_URL": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
    }
    terminal = PseudoTerminal(arguments, environment)
    if play is not None:
        play(terminal)
    status = terminal.wait(120)
    if status:
        raise SystemExit(f"{name}: exit status {status}\n{terminal.written}")
    return f"$ levo {' '.join(arguments)}\n{as_text(terminal.written, keep_frames=True)}"


def recordings() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as home:
        write_credentials(Path(home))
        with serving(*account()) as url:
            return {
                name: record(name, ["ecs", *arguments], play, url, home)
                for name, arguments, play in (
                    ("add", ["add", "--poll", "1"], add),
                    ("status", ["status"], None),
                    ("remove", ["remove", "--poll", "1"], remove),
                )
            }


def placed(page: str, texts: dict[str, str]) -> str:
    """*page* with each recording in its place."""
    for name, text in texts.items():
        mark = MARK.format(name)
        before, found, rest = page.partition(mark)
        if not found:
            raise SystemExit(f"docs/fargate.md has no place for the recording {name}")
        page = before + mark + text + rest[rest.index("```\n") :]
    return page


def without_clocks(text: str) -> str:
    """Recordings differ by the seconds they took only."""
    return re.sub(r"(?m)^ +\d+:\d\d$", "  M:SS", text)


if __name__ == "__main__":
    made = recordings()
    if "--print" in sys.argv[1:]:
        print("\n\n".join(made.values()))
    else:
        PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
