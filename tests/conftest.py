"""For all tests: how many examples they try, which tier a test belongs to, and what may run beside what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# A machine that does other things is slow at times: no test depends on one. `tests.helpers.effort.scaled`
# multiplies the number of examples of each test by the profile's, in percent. Only `make test-long` draws new
# ones each time: what `make test` finds is of the last change.
WHENEVER = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", WHENEVER, max_examples=20, derandomize=True)
settings.register_profile("test", WHENEVER, max_examples=50, derandomize=True)
settings.register_profile("long", WHENEVER, max_examples=1000)
settings.load_profile("test")

FOLDERS = {
    "tests/browser/": "browser",
    "tests/packaging/": "packaging",
    "tests/system/": "live",
}
"""Every test of the folder has the marker."""
SERVERS = {"RunningSatellite", "MotoServer", "satellite", "moto", "installer"}
"""A test that asks for a fixture of such a name, or lies in a module that imports the class, is ``live``."""
ALONE = "alone"
ROWS = {
    "tests/packaging/test_image.py::test_sidecar": ALONE,
    "tests/packaging/test_limits": ALONE,
    "tests/browser/test_watching": ALONE,
    "tests/system/test_live_exact": ALONE,
    "tests/system/test_http2_live": ALONE,
    "tests/system/test_memory_attack": ALONE,
    "tests/satellite/test_floods": ALONE,
    "tests/packaging/test_deb": "machine",
    "tests/packaging/": "image",
    "tests/system/test_outage": "outage",
    "tests/system/": "capture",
    "tests/sensor/capture/": "capture",
    "tests/sensor/test_privileges": "capture",
    "tests/sensor/test_identity": "capture",
    "tests/cli/test_apidump": "capture",
    "tests/cli/test_doctor": "capture",
    "tests/browser/": "browser",
    "tests/cli/test_demo": "demo",
}
"""Tests that mostly wait, by the start of their names; the first start that fits counts. The tests of a row
run one by one, beside those of other rows; rows begin before all else, in this order. What makes load at a
rate, or takes all of a machine, is ``alone``: ``make test`` runs nothing beside it.
"""
AHEAD = {"capture", ALONE}
"""Rows whose processes go before others: the kernel drops packets that a sensor fetches too late."""
AHEAD_BY = -10


class Rows(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process a whole row at a time, or a whole file, whose tests share their fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        return row_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows:
    return Rows(config, log)


# Before pytest selects by marker.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark_tier(item)
    if hasattr(config, "workerinput"):
        # The rows begin first, or everything waits for them at the end.
        order = list(dict.fromkeys(ROWS.values()))
        rank = {row: at for at, row in enumerate(order)}
        items.sort(key=lambda item: rank.get(row_of(item.nodeid), len(order)))


def mark_tier(item: pytest.Item) -> None:
    for folder, marker in FOLDERS.items():
        if item.nodeid.startswith(folder):
            item.add_marker(marker)
    if isinstance(item, pytest.Function) and SERVERS & (set(item.fixturenames) | set(vars(item.module))):
        item.add_marker("live")
    if row_of(item.nodeid) == ALONE:
        item.add_marker("alone")


def row_of(nodeid: str) -> str:
    return next((row for start, row in ROWS.items() if nodeid.startswith(start)), nodeid.split("::")[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Give a test of a row in ``AHEAD`` a higher priority, and with it every process that it starts."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    if row_of(item.nodeid) in AHEAD:
        with suppress(PermissionError):  # who may capture may do this, but for odd containers
            os.setpriority(os.PRIO_PROCESS, 0, min(usual, AHEAD_BY))
    try:
        return (yield)
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, usual)
