"""``levo tls``: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from levo.cli.group import invoke
from levo.tlsprobe.service import Libraries, Service
from tests.tlsprobe.test_locate import system_libssl
from tests.tlsprobe.test_service import Kernel, mapped


def test_locate_names_the_place(capsys) -> None:  # type: ignore[no-untyped-def]
    assert invoke(["tls", "locate", str(system_libssl())]) == 0

    assert f"{system_libssl()}: x86-64, function at 0x" in capsys.readouterr().out.replace("arm64", "x86-64")


def test_locate_says_why_there_is_none(capsys) -> None:  # type: ignore[no-untyped-def]
    assert invoke(["tls", "locate", "/bin/ls"]) == 1
    assert "has no labels" in capsys.readouterr().out
    assert invoke(["tls", "locate", "/no/such/file"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_status_without_a_probe_is_one_line(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert invoke(["tls", "status", f"--socket={tmp_path}/probe.sock"]) == 1

    assert capsys.readouterr().err == f"levo: no probe at {tmp_path}/probe.sock: No such file or directory\n"


def test_status_says_what_is_probed(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    kernel = Kernel()
    libraries = Libraries(kernel, ["/nowhere"])
    libraries._within = ()
    libraries.meet([mapped(system_libssl(), 1)])
    libraries._within = ("/nowhere/",)
    path = f"{tmp_path}/probe.sock"
    service = Service(kernel, libraries, path, {os.geteuid()})
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        assert invoke(["tls", "status", f"--socket={path}"]) == 0
        text = capsys.readouterr().out
        assert invoke(["tls", "status", f"--socket={path}", "--json"]) == 0
        status = json.loads(capsys.readouterr().out)
    finally:
        service.stop()
        thread.join(90)
        service.close()

    assert f"{system_libssl()} (process {os.getpid()}): probed at 0x" in text
    assert "secrets: 3 = 2 passed; 1 filtered" in text
    assert "no sensor reads them" in text
    assert status["libraries"][0]["build_id"]


def test_probe_refuses_what_does_not_go_together(capsys) -> None:  # type: ignore[no-untyped-def]
    assert invoke(["tls", "probe", "--deny=a", "--allow=b"]) == 2
    assert invoke(["tls", "probe", "--ring-mib=3"]) == 2
    assert "3 is not a power of two" in capsys.readouterr().err
