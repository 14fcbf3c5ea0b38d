"""The flags that click knows are those of the table, and arrive as they were written."""

from __future__ import annotations

import click
import pytest

from levo.cli.apidump import command
from levo.cli.sensor_options import merged, sensor_options
from levo.config import OPTIONS, Merged


def given(monkeypatch: pytest.MonkeyPatch, *arguments: str, env: dict[str, str] | None = None) -> Merged:
    found: list[Merged] = []

    @click.command()
    @sensor_options
    def probe(**options: object) -> None:
        found.append(merged(options, ignore_default_file=True))

    monkeypatch.setattr("os.environ", env or {})
    probe.main(list(arguments), standalone_mode=False)
    return found[0]


def test_the_flags_are_those_of_the_table() -> None:
    flags = {parameter.opts[0] for parameter in command.params}

    assert flags == {option.flag for option in OPTIONS if option.on_command_line} | {"--config"}


SPECIFIED = """--satellite-url --levo-env --levoai-org-id --rate-limit --trace-export-interval --filter
    --host-allow --host-exclusions --path-allow --path-exclusions --max-http-length --stream-timeout-seconds
    --interfaces --read --output --max-memory --service-name --listen --config --dry-run --log-format
    --spool-dir --no-redact"""


@pytest.mark.parametrize("flag", SPECIFIED.split())
def test_every_flag_of_the_specification_exists(flag: str) -> None:
    assert flag in {parameter.opts[0] for parameter in command.params}


def test_repeatable_flags_are_not_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    config = given(monkeypatch, "--path-allow", "a{1,2}", "--path-allow", "b,c", "--interfaces", "x,y").config

    assert [str(item) for item in config.path_allow] == ["a{1,2}", "b,c"]
    assert config.interfaces == ("x", "y")


def test_precedence_through_click(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"LEVO_RATE_LIMIT": "2", "LEVO_NO_REDACT": "true", "LEVO_OUTPUT": "null"}

    from_env = given(monkeypatch, env=env).config
    from_flag = given(monkeypatch, "--rate-limit", "3", env=env).config

    assert (from_env.rate_limit, from_env.no_redact, from_flag.rate_limit) == (2, True, 3)


def test_the_entry_point_of_the_fargate_container_definition_parses(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = [
        "--satellite-url",
        "http://satellite:9999",
        "--levo-env",
        "staging",
        "--levoai-org-id",
        "acme",
    ]

    config = given(
        monkeypatch, *arguments, "--rate-limit", "100", env={"LEVO_AWS_REGION": "us-west-2"}
    ).config

    assert (str(config.satellite), config.levo_env) == ("http://satellite:9999", "staging")
    assert (config.levoai_org_id, config.rate_limit, config.aws_region) == ("acme", 100, "us-west-2")
