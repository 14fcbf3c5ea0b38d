"""Commands to copy: run by a real shell, with programs that write down how they were called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from starlette.requests import Request

from levo.satellite.web.connect import Connect, Sender, Situation, targets

TOKEN = "levo_abc-DEF_123"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
HOSTILE = 'a\'b "c" $(touch hit) `touch hit` ; touch hit & | \\ EOF'
PROGRAMS = ("levo", "docker", "aws", "systemctl", "chmod", "tee", "install")
RECORD = """#!/bin/bash
{ printf '%s\\0' "${0##*/}" "$@"; printf 'token=%s\\0\\n' "$LEVO_SATELLITE_TOKEN"; } >> "$CALLS"
case ${0##*/} in tee|install|aws) [ "$2" = get-parameter ] || cat >> "$CALLS.input";; esac
[ "$2" = get-parameter ] && echo arn:aws:ssm:eu-west-1:1:parameter/levo/satellite-token
exit 0
"""
SUDO = """#!/bin/bash
case $1 in --preserve-env=*) shift;; esac
exec "$@"
"""


def request(host: str, scheme: str = "http") -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": scheme}
    return Request({**scope, "headers": [(b"host", host.encode())], "server": ("x", 1)})


def situation(**changes: object) -> Situation:
    start = {
        "url": "https://satellite.example:9999",
        "own_machine": False,
        "loopback_only": False,
        "tls": True,
        "token_required": True,
        "levo": '"$(command -v levo)"',
        "authority": PEM,
    }
    return Situation(**{**start, **changes})  # type: ignore[arg-type]


class Shell:
    """Runs a command; knows what was called."""

    def __init__(self, folder: Path, command: str) -> None:
        programs = folder / "bin"
        programs.mkdir()
        for name in (*PROGRAMS, "sudo"):
            (programs / name).write_text(SUDO if name == "sudo" else RECORD)
            (programs / name).chmod(0o755)
        calls = folder / "calls"
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "CALLS": str(calls)}
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, timeout=90
        )
        assert (done.returncode, done.stderr) == (0, b""), done
        self.calls = [line.split("\0") for line in calls.read_text().split("\0\n") if line]
        given = Path(f"{calls}.input")
        self.input = given.read_text() if given.exists() else ""
        self.made = {each.name for each in folder.iterdir()} - {"bin", "calls", "calls.input"}

    def of(self, program: str) -> list[str]:
        (found,) = [call for call in self.calls if call[0] == program]
        return found


def command(name: str, sender: Sender, **changes: object) -> str:
    (found,) = [each for each in targets(situation(**changes), sender) if each.name == name]
    return found.command


@pytest.mark.parametrize("organization", ["acme", HOSTILE, "-rf"])
@pytest.mark.parametrize("name", ["host", "container", "ecs", "file"])
def test_every_command_says_where_to_and_whose_and_runs_nothing_else(
    tmp_path: Path, name: str, organization: str
) -> None:
    shell = Shell(tmp_path, command(name, Sender(TOKEN, organization, HOSTILE)))
    words = shell.of("docker" if name == "container" else "levo")

    at = words.index("--satellite-url")
    assert words[at + 1] == "https://satellite.example:9999"
    if organization.startswith("-"):
        assert f"--levoai-org-id={organization}" in words
    else:
        assert words[words.index("--levoai-org-id") + 1] == organization
    assert words[words.index("--levo-env") + 1] == HOSTILE
    assert shell.made <= {"satellite-ca.pem"}
    # In the environment of who needs it, and in no command line.
    assert not [
        word for call in shell.calls for word in call if TOKEN in word and not word.startswith("token=")
    ]
    assert words[-1] == f"token={TOKEN}" if name != "ecs" else TOKEN in shell.input


@pytest.mark.parametrize("name", ["host", "service", "container"])
def test_the_authority_is_in_its_file_before_anything_starts(tmp_path: Path, name: str) -> None:
    shell = Shell(tmp_path, command(name, Sender(TOKEN, "acme")))

    assert shell.calls[0][:5] == ["install", "-D", "-m", "644", "/dev/stdin"]
    assert shell.input.startswith(PEM)
    if name == "service":
        assert [call[0] for call in shell.calls] == ["install", "chmod", "tee", "systemctl", "systemctl"]
    else:
        assert "LEVO_TLS_CA_CERT_PATH=" + shell.calls[0][5] in command(name, Sender(TOKEN, "acme"))


def test_the_settings_of_the_service_are_read_by_systemd_as_they_are(tmp_path: Path) -> None:
    shell = Shell(tmp_path, command("service", Sender(TOKEN, HOSTILE)))
    settings = dict(line.split("=", 1) for line in shell.input.removeprefix(PEM).splitlines())

    assert settings["LEVO_SATELLITE_URL"] == "https://satellite.example:9999"
    assert settings["LEVO_SATELLITE_TOKEN"] == TOKEN
    # systemd.exec(5): inside double quotes a backslash takes the next of these characters as it is.
    quoted = settings["LEVO_ORG_ID"]
    assert quoted[0] == quoted[-1] == '"'
    read, rest = "", iter(quoted[1:-1])
    for char in rest:
        read += next(rest) if char == "\\" else char
    assert read == HOSTILE


def test_without_a_token_that_is_asked_for_a_placeholder_stands_there() -> None:
    shown = command("host", Sender())

    assert "LEVO_SATELLITE_TOKEN=YOUR_TOKEN" in shown and "--levoai-org-id YOUR_ORGANIZATION" in shown
    free = command("host", Sender(), token_required=False, authority="")
    assert free == 'sudo "$(command -v levo)" apidump --satellite-url https://satellite.example:9999'


def test_an_organization_that_no_header_can_hold_is_left_to_the_token() -> None:
    assert "--levoai-org-id" not in command("host", Sender(TOKEN, "Müller"))


def test_the_address_is_the_one_of_the_request() -> None:
    connect = Connect("http://127.0.0.1:9999", loopback_only=False)

    seen = connect.situation(request("10.99.21.1:21060", "https"))
    assert (seen.url, seen.own_machine, seen.levo) == (
        "https://10.99.21.1:21060",
        False,
        '"$(command -v levo)"',
    )
    here = connect.situation(request("127.0.0.1:9999"))
    assert here.own_machine and here.levo.endswith("levo")


@pytest.mark.parametrize("host", ["evil$(id).example", "a;id", "<script>", "x" * 400, ""])
def test_a_hostile_host_is_not_repeated(host: str) -> None:
    seen = Connect("http://127.0.0.1:9999", loopback_only=False).situation(request(host))

    assert seen.url == "http://127.0.0.1:9999" and seen.own_machine


def test_the_first_command_is_there_only_where_it_is_complete() -> None:
    assert "apidump" in Connect("http://x").first_command(request("localhost:9999"))
    assert Connect("http://x", token_required=lambda: True).first_command(request("localhost")) == ""


def test_behind_a_proxy_with_tls_the_authority_of_the_settings_is_shown() -> None:
    connect = Connect("http://127.0.0.1:9999", loopback_only=False, authority=PEM)

    assert connect.situation(request("sat.example", "https")).authority == PEM
    assert connect.situation(request("sat.example", "http")).authority == ""
