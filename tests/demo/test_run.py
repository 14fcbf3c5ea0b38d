import socket

import pytest

from levo.demo.children import DemoError
from levo.demo.run import DEFAULT_PORT, Seen, choose_port, describe, free_port


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
    port = free_port()

    assert choose_port(port) == port
    assert choose_port(0) not in (0, DEFAULT_PORT)


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Seen(1234, 20, None), "cataloged 1,234 exchanges at 20 endpoints"),
        (Seen(0, 0, 3), "cataloged 0 exchanges at 0 endpoints, 3 lost"),
    ],
)
def test_the_status_line(seen: Seen, text: str) -> None:
    assert describe(seen) == text
