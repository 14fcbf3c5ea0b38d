"""The flags: every one of the sensor's that fits a sidecar, and none twice."""

from __future__ import annotations

import pytest

from levo.cli.ecs import add_command, remove_command, snippet_command
from levo.cli.ecs_options import check_names, flags_of, request_of
from levo.config import OPTIONS
from levo.ecs.model import NOT_IN_A_SIDECAR, EcsInputError, Flag

GIVEN = {
    "image": None,
    "cpu": None,
    "memory": None,
    "log_group": None,
    "no_logs": False,
    "token_secret": None,
    "low_resource": False,
}


@pytest.mark.parametrize("command", [snippet_command, add_command])
def test_every_flag_of_the_sensor_is_a_flag_here(command: object) -> None:
    names = [name for parameter in command.params for name in parameter.opts]  # type: ignore[attr-defined]

    wanted = {
        option.flag for option in OPTIONS if option.on_command_line and option.name not in NOT_IN_A_SIDECAR
    }
    assert wanted <= set(names)
    assert len(names) == len(set(names))


def test_adding_and_removing_name_their_target_alike() -> None:
    def names(command: object) -> set[str]:
        return {parameter.name for parameter in command.params}  # type: ignore[attr-defined]

    assert names(remove_command) <= names(add_command)


def test_values_become_a_request() -> None:
    flags = flags_of({"satellite_url": "s:4317", "host_allow": ("a", "b"), "no_redact": True})
    request = request_of({**GIVEN, "cpu": 64, "no_logs": True}, flags, "eu-west-1")

    assert flags == (
        Flag("satellite-url", "s:4317"),
        Flag("host-allow", "a"),
        Flag("host-allow", "b"),
        Flag("no-redact", None),
    )
    assert (request.region, request.cpu, request.memory, request.logs) == ("eu-west-1", 64, None, False)


@pytest.mark.parametrize("region", ["us-west-2", "us-gov-east-1", "ap-southeast-3", "mx-central-1"])
def test_regions_of_every_form_pass(region: str) -> None:
    check_names({"region": region, "log_group": "/ecs/a_b-c.d#1", "image": "r:5000/x@sha256:0"})


@pytest.mark.parametrize(
    "given", [{"region": "us_west_2"}, {"log_group": "a:b"}, {"image": "a b"}, {"token_secret": "levo_x"}]
)
def test_other_names_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(EcsInputError):
        check_names(given)
