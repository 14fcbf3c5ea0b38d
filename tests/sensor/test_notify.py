import socket
from pathlib import Path

import pytest

from levo.sensor.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_states_reach_the_service_manager(tmp_path: Path, abstract: bool) -> None:
    name = f"@levo-test-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        manager.settimeout(60)
        notifier = Notifier({"NOTIFY_SOCKET": name})

        notifier.ready("capturing on lo")
        notifier.reloading()
        notifier.stopping()

        got = [manager.recv(100).decode() for _ in range(3)]
    assert got == ["READY=1\nSTATUS=capturing on lo", "RELOADING=1", "STOPPING=1"]


def test_without_a_service_manager_nothing_happens() -> None:
    Notifier({}).ready("x")
    Notifier({"NOTIFY_SOCKET": "/nonexistent"}).ready("x")


def test_the_watchdog_is_fed_twice_as_often_as_it_bites() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_s == 15
    assert Notifier({"WATCHDOG_USEC": "soon"}).watchdog_s is None
