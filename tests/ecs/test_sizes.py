"""Fargate's sizes against cfn-lint's own table, and what fits."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from levo.ecs.model import EcsInputError
from levo.ecs.sizes import (
    FARGATE_SIZES,
    cpu_units,
    fargate_problem,
    fit_problems,
    memory_mib,
    room,
    sensor_problems,
    smallest_fargate_size,
)


def test_the_table_is_the_one_that_cfn_lint_has() -> None:
    folder = resources.files("cfnlint") / "data/schemas/extensions/aws_ecs_taskdefinition"
    rules = json.loads((folder / "fargate_cpu_memory.json").read_text())
    sizes = {}
    for rule in rules["then"]["anyOf"] if "then" in rules else rules["anyOf"]:
        properties = rule["properties"]
        memory = properties["Memory"]["then"]
        if "enum" in memory:
            found = {int(value) for value in memory["enum"]}
        else:
            found = set(range(memory["minimum"], memory["maximum"] + 1, memory["multipleOf"]))
        sizes[int(properties["Cpu"]["then"]["enum"][0])] = found

    assert sizes == {cpu: set(memory) for cpu, memory in FARGATE_SIZES.items()}


@pytest.mark.parametrize(
    ("text", "units"),
    [("256", 256), (".25 vCPU", 256), ("1vcpu", 1024), ("0.5 VCPU", 512), (" 2 vCPU ", 2048)],
)
def test_cpu_may_be_written_as_units_or_vcpu(text: str, units: int) -> None:
    assert cpu_units(text) == units


@pytest.mark.parametrize(("text", "mib"), [("512", 512), ("1GB", 1024), ("0.5 gb", 512), ("3072 MB", 3072)])
def test_memory_may_be_written_as_mib_or_gb(text: str, mib: int) -> None:
    assert memory_mib(text) == mib


@pytest.mark.parametrize("text", ["", "lots", "1.5", "-1", "1 TB", "${Cpu}"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(EcsInputError):
        cpu_units(text)
    with pytest.raises(EcsInputError):
        memory_mib(text)


def test_a_task_that_fargate_does_not_have_is_named_with_those_it_has() -> None:
    assert fargate_problem(256, 512) is None
    assert fargate_problem(300, 512) == (
        "Fargate has no task of 300 CPU units; it has 256, 512, 1024, 2048, 4096, 8192, 16384, 32768"
    )
    assert fargate_problem(256, 4096) == (
        "Fargate has no task of 256 CPU units and 4096 MiB; with 256 CPU units: 512, 1024, 2048 MiB"
    )
    assert fargate_problem(8192, 18000) == (
        "Fargate has no task of 8192 CPU units and 18000 MiB; with 8192 CPU units: 16384 to 61440 MiB "
        "in steps of 4096"
    )
    assert fargate_problem(None, 512) == "a Fargate task needs cpu and memory"


@pytest.mark.parametrize(
    ("cpu", "memory", "size"),
    [
        (256, 512, (256, 512)),
        (257, 512, (512, 1024)),
        (256, 3000, (512, 3072)),
        (1, 250_000, None),
        (40_000, 1, None),
    ],
)
def test_the_smallest_task_that_holds_it(cpu: int, memory: int, size: tuple[int, int] | None) -> None:
    assert smallest_fargate_size(cpu, memory) == size


def test_the_sum_over_the_task_counts_and_the_fix_is_named() -> None:
    app = {"name": "app", "cpu": 200, "memory": 400, "memoryReservation": 300}
    sensor = {"name": "s", "cpu": 256, "memory": 200}

    assert fit_problems([app, sensor], 456, 500, "s") == []
    assert fit_problems([app, sensor], 455, 499, "s") == [
        "--cpu 256 does not fit: the task has 455 CPU units, its other containers take 200; "
        "write --cpu 255 or less",
        "--memory 200 does not fit: the task has 499 MiB, its other containers take 300; "
        "write --memory 199 or less, or enlarge the task to 512 CPU units and 1024 MiB",
    ]
    assert fit_problems([{**app, "cpu": 0}, sensor], None, None, "s") == []
    assert "nothing is left for the sensor" in fit_problems([app, sensor], 200, None, "s")[0]


def test_the_sensors_own_sizes() -> None:
    assert sensor_problems(256, 200) == []
    assert sensor_problems(-1, 4) == [
        "--cpu -1 is below zero; write CPU units, for example 256",
        "--memory 4 is too little for the sensor; at least 128 MiB",
    ]


def test_room_is_what_the_others_leave() -> None:
    app = {"name": "app", "cpu": 200, "memory": 400}
    sensor = {"name": "levo-pcap-sensor", "cpu": 512, "memory": 512}

    assert room([app, sensor], 256, 512) == (56, 112)
    assert room([app, app], 256, None) == (-144, None)
