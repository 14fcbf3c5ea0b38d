"""CPU and memory: the sizes that a Fargate task may have, and whether the sensor fits into one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from levo.ecs.model import CONTAINER_NAME, LEAST_MEMORY_MIB, EcsInputError, Json

GIB = 1024

FARGATE_SIZES: dict[int, tuple[int, ...]] = {
    256: (512, 1 * GIB, 2 * GIB),
    512: tuple(range(1 * GIB, 4 * GIB + 1, GIB)),
    1024: tuple(range(2 * GIB, 8 * GIB + 1, GIB)),
    2048: tuple(range(4 * GIB, 16 * GIB + 1, GIB)),
    4096: tuple(range(8 * GIB, 30 * GIB + 1, GIB)),
    8192: tuple(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16384: tuple(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
    32768: (60 * GIB, 120 * GIB, 244 * GIB),
}
"""CPU units of a task to the memory (MiB) it may have; from 8192 on they need platform version 1.4.0."""

_CPU = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(vcpu)?\s*", re.IGNORECASE | re.ASCII)
_MEMORY = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(gb|mb|mib|gib)?\s*", re.IGNORECASE | re.ASCII)


def cpu_units(text: str) -> int:
    """``512``, ``.5 vCPU``: the task's CPU as the API takes it, in CPU units.

    Raises:
        EcsInputError: no such size.
    """
    found = _CPU.fullmatch(text)
    if found is None or (not found[2] and "." in found[1]):
        raise EcsInputError(f"cpu '{text}' is no CPU size; write CPU units (512) or vCPU (0.5 vCPU)")
    return round(float(found[1]) * 1024) if found[2] else int(found[1])


def memory_mib(text: str) -> int:
    """``1024``, ``1GB``, ``0.5 GB``: the task's memory as the API takes it, in MiB.

    Raises:
        EcsInputError: no such size.
    """
    found = _MEMORY.fullmatch(text)
    unit = (found[2] or "").lower() if found else ""
    if found is None or (unit in ("", "mb", "mib") and "." in found[1]):
        raise EcsInputError(f"memory '{text}' is no memory size; write MiB (1024) or GB (1 GB)")
    return round(float(found[1]) * GIB) if unit in ("gb", "gib") else int(found[1])


def fargate_problem(cpu: int | None, memory: int | None) -> str | None:
    """Why Fargate has no such task, or None."""
    if cpu is None or memory is None:
        return "a Fargate task needs cpu and memory"
    if cpu not in FARGATE_SIZES:
        return f"Fargate has no task of {cpu} CPU units; it has {', '.join(map(str, FARGATE_SIZES))}"
    if memory not in FARGATE_SIZES[cpu]:
        return f"Fargate has no task of {cpu} CPU units and {memory} MiB; {describe_memory(cpu)}"
    return None


def describe_memory(cpu: int) -> str:
    """The memory sizes of a Fargate task with *cpu* units, in words."""
    sizes = FARGATE_SIZES[cpu]
    if len(sizes) == 3:
        return f"with {cpu} CPU units: {', '.join(map(str, sizes))} MiB"
    return f"with {cpu} CPU units: {sizes[0]} to {sizes[-1]} MiB in steps of {sizes[1] - sizes[0]}"


def smallest_fargate_size(cpu: int, memory: int) -> tuple[int, int] | None:
    """The smallest task, by CPU then memory, that holds *cpu* units and *memory* MiB."""
    for units, sizes in FARGATE_SIZES.items():
        if units >= cpu:
            fitting = next((size for size in sizes if size >= memory), None)
            if fitting is not None:
                return units, fitting
    return None


def sensor_problems(cpu: int, memory: int) -> list[str]:
    """What is wrong with the sensor's own sizes, whatever the task's are."""
    problems = []
    if cpu < 0:
        problems.append(f"--cpu {cpu} is below zero; write CPU units, for example 256")
    elif cpu == 1:
        problems.append("--cpu 1 is below the least share of 2 CPU units; write for example 256")
    if memory < LEAST_MEMORY_MIB:
        problems.append(f"--memory {memory} is too little for the sensor; at least {LEAST_MEMORY_MIB} MiB")
    return problems


def fit_problems(
    containers: Sequence[Json], task_cpu: int | None, task_memory: int | None, sensor_name: str
) -> list[str]:
    """Why *containers*, the sensor among them, exceed the task's limits; empty when they fit.

    ECS counts the CPU units of all containers, and of each container its memoryReservation, else its memory.
    """
    sensor = next(container for container in containers if container.get("name") == sensor_name)
    others = [container for container in containers if container is not sensor]
    used_cpu = sum(int(container.get("cpu") or 0) for container in others)
    used_memory = sum(_reserved(container) for container in others)
    cpu, memory = int(sensor.get("cpu") or 0), _reserved(sensor)
    problems = []
    if task_cpu is not None and used_cpu + cpu > task_cpu:
        problems.append(_too_much("--cpu", cpu, "CPU units", used_cpu, task_cpu))
    if task_memory is not None and used_memory + memory > task_memory:
        problems.append(_too_much("--memory", memory, "MiB", used_memory, task_memory))
    if problems:
        larger = smallest_fargate_size(used_cpu + cpu, used_memory + memory)
        if larger is not None:
            problems[-1] += f", or enlarge the task to {larger[0]} CPU units and {larger[1]} MiB"
    return problems


def room(
    containers: Sequence[Json], task_cpu: int | None, task_memory: int | None
) -> tuple[int | None, int | None]:
    """CPU units and MiB that the task has left beside *containers*, a sensor among them not counted.

    None where the task has no limit.
    """
    others = [container for container in containers if container.get("name") != CONTAINER_NAME]
    used_cpu = sum(int(container.get("cpu") or 0) for container in others)
    used_memory = sum(_reserved(container) for container in others)
    return (
        None if task_cpu is None else task_cpu - used_cpu,
        None if task_memory is None else task_memory - used_memory,
    )


def _too_much(flag: str, wanted: int, unit: str, used: int, limit: int) -> str:
    left = limit - used
    fix = f"write {flag} {left} or less" if left > 0 else "nothing is left for the sensor"
    return (
        f"{flag} {wanted} does not fit: the task has {limit} {unit}, its other containers take {used}; {fix}"
    )


def _reserved(container: Json) -> int:
    return int(container.get("memoryReservation") or container.get("memory") or 0)
