import fcntl
import io
import json
import os
import struct
import termios

import pytest

from levo.sensor.log import Log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_lines_have_time_level_message_and_fields() -> None:
    out = io.StringIO()
    Log("json", stream=out, clock=lambda: 1_700_000_000.25).warning("a\nb", stage="frames")

    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "message": "a\nb",
        "stage": "frames",
    }


@pytest.mark.parametrize(("least", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(least: str, count: int) -> None:
    out = io.StringIO()
    log = Log("text", least, out)
    for write in (log.debug, log.info, log.warning, log.error):
        write("x")

    assert out.getvalue().count("levo: ") == count


def test_the_status_line_stays_below_the_log_and_only_in_a_terminal() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        log = Log("text", stream=out)
        log.status("12 frames")
        log.info("hello")
        log.status("")

    assert terminal.getvalue() == "\r\033[K12 frames\r\033[Klevo: hello\n12 frames\r\033[K"
    assert file.getvalue() == "levo: hello\n"


@pytest.mark.parametrize(("columns", "shown"), [(0, 79), (20, 19), (300, 100)])
def test_the_status_line_is_as_long_as_the_terminal_is_wide(columns: int, shown: int) -> None:
    """Without a window, as under some container runtimes, a terminal says it has no columns."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(slave, "w") as terminal, open(master, "rb", buffering=0) as screen:
        Log("text", stream=terminal).status("x" * 100)

        assert screen.read(1000) == b"\r\033[K" + b"x" * shown


def test_a_reader_that_has_gone_stops_nothing() -> None:
    out = io.StringIO()
    log = Log("text", stream=out)
    out.close()

    log.info("x")
