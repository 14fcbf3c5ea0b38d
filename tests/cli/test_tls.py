"""``levo tls``: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

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

    assert f"{system_libssl()}: located by its code and probed at 0x" in text
    assert "secrets: 3 = 2 passed; 1 filtered" in text
    assert "no sensor reads them" in text
    assert status["libraries"][0]["build_id"]


def test_status_says_what_was_read_by_process_and_why_not_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = {"server_address": "192.0.2.1", "server_port": 443, "server_name": "a.example", "alpn": "h2"}
    endpoint |= {"version": "1.3", "certificate_names": [], "connections": 3, "bytes": 9}
    endpoint |= {"decrypted_connections": 1, "unread": {"no_secrets": 2}}
    counted = [
        {"process": 7, "connections": 9, "open": 2, "read": 3, "suite": 1},
        {"process": 8, "connections": 1, "open": 0, "read": 1},
        {"process": 0, "connections": 5, "open": 0, "read": 5},
    ]
    place = {"path": "/lib/a.so", "process": 7, "offset": 16, "form": "arguments"}
    status = {
        "libraries": [
            place,
            {**place, "path": "/lib/b.so"},
            {"path": "/bin/c", "process": 9, "reason": "is c"},
        ],
        "processes": [
            {"process": 6, "command": "idle", "libraries": [0]},
            {"process": 7, "command": "nginx", "libraries": [0, 1]},
            {"process": 9, "command": "c", "libraries": [2]},
        ],
        "examined": 20,
        "secrets": {"hits": 3, "passed": 3},
        "sensor": True,
        "report": {"endpoints": [endpoint, {**endpoint, "unread": {}}], "processes": counted},
    }
    monkeypatch.setattr("levo.tlsprobe.link.ask_status", lambda *_: json.dumps(status).encode())

    assert invoke(["tls", "status"]) == 0

    place_line = "located by its code and probed at 0x10, client random in arguments"
    assert capsys.readouterr().out.splitlines() == [
        f"/lib/a.so: {place_line}",
        "  idle (process 6): no connection yet",
        "  nginx (process 7): 9 connections: 3 read; 2 being read; "
        "unread: 1 with a version or suite that is not read; 3 not captured, or only begun",
        f"/lib/b.so: {place_line}",
        "  nginx (process 7)",
        "/bin/c: not probed: is c",
        "  c (process 9)",
        "process 8, which has none of them mapped: 1 connection: 1 read",
        "earlier processes: 5 connections: 5 read",
        "encrypted: 192.0.2.1:443 (a.example), TLS 1.3, h2: 3 connections, 9 octets, 1 read with keys; "
        "unread: 2 without secrets",
        "3 TLS libraries in 20 mapped files",
        "secrets: 3 = 3 passed",
    ]


def test_probe_refuses_what_does_not_go_together(capsys) -> None:  # type: ignore[no-untyped-def]
    assert invoke(["tls", "probe", "--deny=a", "--allow=b"]) == 2
    assert invoke(["tls", "probe", "--ring-mib=3"]) == 2
    assert "3 is not a power of two" in capsys.readouterr().err
