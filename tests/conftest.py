"""For all tests: how many examples they try, which tier a test belongs to, and what may run beside what."""

from __future__ import annotations

import pytest
from hypothesis import settings

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
TOGETHER = {"packaging": "packaging", "browser": "browser", "root": "network"}
"""Tests with such a marker run one after another. The first that fits decides."""


# Before pytest-xdist reads the groups, and before pytest selects by marker.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        mark_tier(item)
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(group_of(item)))
    if hasattr(config, "workerinput"):
        # Rows of tests that run one after another begin first, or everything waits for them at the end.
        items.sort(key=lambda item: group_of(item) not in TOGETHER.values())


def mark_tier(item: pytest.Item) -> None:
    for folder, marker in FOLDERS.items():
        if item.nodeid.startswith(folder):
            item.add_marker(marker)
    if isinstance(item, pytest.Function) and SERVERS & (set(item.fixturenames) | set(vars(item.module))):
        item.add_marker("live")


def group_of(item: pytest.Item) -> str:
    """Tests of one group run one after another in one process: those of a file share its fixtures."""
    names = {marker.name for marker in item.iter_markers()}
    return next((group for marker, group in TOGETHER.items() if marker in names), item.nodeid.split("::")[0])
