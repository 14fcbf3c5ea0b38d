import socket

import pytest

from levo.demo.children import DemoError
from levo.demo.run import DEFAULT_PORT, Seen, choose_port, describe, look
from levo.demo.sensor_log import Losses
from tests.helpers.ports import unused_port


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_wanted_port_that_is_taken_is_an_error_naming_it(taken_port: int) -> None:
    with pytest.raises(DemoError, match=f"port {taken_port}: .*--port"):
        choose_port(taken_port)


def test_the_default_port_gives_way(monkeypatch: pytest.MonkeyPatch, taken_port: int) -> None:
    monkeypatch.setattr("levo.demo.run.DEFAULT_PORT", taken_port)

    assert choose_port(None) not in (taken_port, 0)


def test_a_free_port_is_used_as_wanted() -> None:
    port = unused_port()

    assert choose_port(port) == port
    assert choose_port(0) not in (0, DEFAULT_PORT)


def test_the_status_line() -> None:
    line = "sent 1,240 requests, learned from 1,234 exchanges, 20 endpoints"
    lossy = Losses(("3 frames (dropped)", "1 traces (refused)"), True)

    assert describe(1240, Seen(1234, 20, None)) == line
    assert describe(1240, Seen(1234, 20, Losses((), True))) == f"{line}, nothing lost"
    assert describe(1240, Seen(1234, 20, lossy)) == f"{line}, lost 3 frames (dropped), 1 traces (refused)"


def test_a_satellite_that_does_not_answer_shows_nothing() -> None:
    assert look(unused_port(), None) is None
