"""For all tests: how many examples they try, which tier a test belongs to, and what may run beside what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# A machine that does other things is slow at times: no test depends on one. `tests.helpers.effort.scaled`
# multiplies the number of examples of each test by the profile's, in percent.
settings.register_profile("check", deadline=None, max_examples=25)
settings.register_profile("test", deadline=None, max_examples=100)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile("test")

FOLDERS = {
    "tests/browser/": "browser",
    "tests/packaging/": "packaging",
    "tests/system/": "live",
}
"""Every test of the folder has the marker."""
SERVERS = {"RunningSatellite", "MotoServer", "satellite", "moto", "installer"}
"""A test that asks for a fixture of such a name, or lies in a module that imports the class, is ``live``."""
ROWS = {
    "tests/packaging/": "packaging",
    "tests/browser/": "browser",
    "tests/system/": "network",
    "tests/sensor/capture/": "network",
    "tests/sensor/test_privileges": "network",
    "tests/sensor/test_identity": "network",
    "tests/cli/test_apidump": "network",
    "tests/cli/test_demo": "network",
    "tests/cli/test_doctor": "network",
}
"""Tests that share what a machine has only once, by the start of their names: each row runs one by one, and
all of them are ``alone``: ``make test`` runs nothing beside them.
"""


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
        items.sort(key=lambda item: row_of(item.nodeid) not in ROWS.values())


def mark_tier(item: pytest.Item) -> None:
    for folder, marker in FOLDERS.items():
        if item.nodeid.startswith(folder):
            item.add_marker(marker)
    if isinstance(item, pytest.Function) and SERVERS & (set(item.fixturenames) | set(vars(item.module))):
        item.add_marker("live")
    if row_of(item.nodeid) in ROWS.values():
        item.add_marker("alone")


def row_of(nodeid: str) -> str:
    return next((row for start, row in ROWS.items() if nodeid.startswith(start)), nodeid.split("::")[0])
