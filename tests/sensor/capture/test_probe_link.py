"""The sensor finds the probe when it comes, and goes on without it when it goes."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from levo.sensor.capture import probe_link
from levo.sensor.capture.probe_link import ProbeLink
from levo.sensor.capture.tlsprobe import ProbeSource
from levo.tlsprobe.service import Libraries, Service
from tests.sensor.capture.test_tlsprobe import Ring
from tests.tlsprobe.test_service import Kernel

US = {os.geteuid()}


@contextmanager
def probe(path: Path) -> Iterator[None]:
    """A probe's service whose ring is a file."""
    kernel, ring = Kernel(), Ring()
    kernel.ring, kernel.counter_map, kernel.ring_bytes = ring.descriptor, ring.counters, ring.size_bytes
    service = Service(kernel, Libraries(kernel, ["/nowhere"]), str(path), US)
    thread = threading.Thread(target=service.run, args=())
    thread.start()
    try:
        yield
    finally:
        service.stop()
        thread.join(90)
        service.close()


def test_it_is_connected_while_there_is_a_probe(tmp_path: Path) -> None:
    path = tmp_path / "probe.sock"
    changes: queue.Queue[ProbeSource | None] = queue.Queue()
    link = ProbeLink(str(path), changes.put, US)
    link.start()
    try:
        for _ in range(2):
            with probe(path):
                assert changes.get(timeout=90) is not None
                assert link.problem == ""
                statistics = link.statistics()
                assert statistics is not None
            assert changes.get(timeout=90) is None
            assert link.problem == f"the probe at {path} has ended"
        assert link.problems >= 2, "the first time it may have been looked for before it was there"
    finally:
        link.close()
        link.close()


def test_without_a_probe_there_is_a_reason_and_no_statistics(tmp_path: Path) -> None:
    link = ProbeLink(str(tmp_path / "probe.sock"), lambda _: None, US)
    assert link.problem == ""
    link.start()
    link.close()

    assert (link.problem, link.problems) == (f"no probe at {tmp_path}/probe.sock", 1)
    assert link.statistics() is None


def test_at_the_usual_place_there_need_not_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_link, "SOCKET", str(tmp_path / "probe.sock"))
    link = ProbeLink(str(tmp_path / "probe.sock"), lambda _: None, US)
    link.start()
    link.close()

    assert (link.problem, link.problems) == ("", 0)


def test_a_place_that_cannot_be_reached_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    link = ProbeLink(str(tmp_path / "file" / "probe.sock"), lambda _: None, US)
    link.start()
    link.close()

    assert link.problem.endswith("cannot be reached: Not a directory")


def test_it_ends_while_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "probe.sock"
    changes: queue.Queue[ProbeSource | None] = queue.Queue()
    with probe(path):
        link = ProbeLink(str(path), changes.put, US)
        link.start()
        assert changes.get(timeout=90) is not None
        link.close()
        assert changes.get(timeout=90) is None


def test_a_probe_of_a_stranger_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "probe.sock"
    with probe(path):
        link = ProbeLink(str(path), lambda _: None, {4_000_000})
        link.start()
        link.close()

    assert "not trusted" in link.problem
