"""Complete commands for a sensor that is to send to this Satellite, one for each place where it can run.

All that goes into a command is either ours, checked character by character (the address), or quoted for the
shell. A token is handed over in the environment, never as an argument: a command line can be read by every
user of a machine.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from levo import __version__
from levo.satellite.certificate import Certificate
from levo.satellite.web.host import names_loopback, read_host

_SEARCHED = '"$(command -v levo)"'
TOKEN_PLACEHOLDER = "YOUR_TOKEN"
ORGANIZATION_PLACEHOLDER = "YOUR_ORGANIZATION"
CA_FILE = "/etc/levo/sensor/satellite-ca.pem"
CA_FILE_HERE = "satellite-ca.pem"
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.:/@+=,%-]*")


@dataclass(frozen=True, slots=True)
class Situation:
    """What a command has to say so that a sensor is let in."""

    url: str
    """For ``--satellite-url``."""
    own_machine: bool
    """The address means whatever machine it is used on."""
    loopback_only: bool
    """No other machine reaches this Satellite."""
    tls: bool
    token_required: bool
    levo: str
    """The command ``levo``, for a shell: sudo alone looks only where the system's programs are."""
    authority: str = ""
    """PEM that the sensor has to be given; empty: none."""
    authority_missing: bool = False
    """The sensor has to be given one, and we do not have it."""
    name_problem: str = ""
    """Why the certificate is refused under this address; empty: it is not."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose traces a command sends."""

    token: str = field(default="", repr=False)
    organization: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One place for a sensor."""

    name: str
    title: str
    text: str
    command: str = field(repr=False)
    notes: tuple[str, ...] = ()


class Connect:
    """Knows what does not depend on who asks. Usable from any thread."""

    def __init__(
        self,
        fallback_url: str,
        *,
        loopback_only: bool = True,
        certificate: Callable[[], Certificate | None] = lambda: None,
        authority: str = "",
        token_required: Callable[[], bool] = lambda: False,
    ) -> None:
        """*fallback_url* is used where a request names no usable host.

        *authority* is PEM of who signed the certificate of a proxy in front of us; a *certificate* of our
        own, asked for each time, knows its own.
        """
        self._fallback_url = fallback_url
        self._loopback_only = loopback_only
        self._certificate = certificate
        self._authority = authority
        self._token_required = token_required

    def situation(self, request: Request) -> Situation:
        """Return what holds for whoever sent *request*."""
        address = read_host(request.headers.get("host", ""))
        tls = request.url.scheme == "https"
        url = f"{'https' if tls else 'http'}://{address}" if address else self._fallback_url
        host = address.host if address else ""
        own_machine = self._loopback_only or not address or names_loopback(host) or host in ("0.0.0.0", "::")
        certificate = self._certificate() if tls else None
        authority = certificate.to_hand_over if certificate else self._authority if tls else ""
        return Situation(
            url=url,
            own_machine=own_machine,
            loopback_only=self._loopback_only,
            tls=tls,
            token_required=self._token_required(),
            authority=authority,
            authority_missing=bool(certificate and not certificate.is_public and not authority),
            name_problem=_name_problem(certificate, host),
            levo=shlex.quote(own_command()) if own_machine else _SEARCHED,
        )

    def first_command(self, request: Request) -> str:
        """Return the command for this machine, empty where a token has to be made first."""
        situation = self.situation(request)
        if situation.token_required or situation.authority:
            return ""
        return _host(situation, Sender())


def _name_problem(certificate: Certificate | None, host: str) -> str:
    if certificate is None or not host or not (certificate.is_public or certificate.authority):
        return ""
    return certificate.problem_of(host)


def own_command() -> str:
    """Return the path of the command ``levo`` that belongs to this process, else its name alone."""
    beside = Path(sys.executable).with_name("levo")
    return str(beside) if beside.is_file() else shutil.which("levo") or "levo"


def targets(situation: Situation, sender: Sender) -> tuple[Target, ...]:
    """Return the commands, those for this Satellite's own machine first."""
    if situation.token_required and not sender.token:
        organization = sender.organization or ORGANIZATION_PLACEHOLDER
        sender = Sender(TOKEN_PLACEHOLDER, organization, sender.environment)
    return (
        Target(
            "host",
            "Linux host, in the foreground",
            'Captures on all interfaces until Ctrl-C. Add --filter "port 8080" to look at one port only.',
            _host(situation, sender),
            () if situation.own_machine else ("path",),
        ),
        Target(
            "service",
            "Linux host, as a service",
            "For a host with the package levo-ebpf-sensor: survives logout and reboot, captures with "
            "CAP_NET_RAW alone. The settings go to /etc/default/levo-ebpf-sensor, which only root can read.",
            _service(situation, sender),
            ("package",),
        ),
        Target(
            "container",
            "Container",
            "Sees the host's interfaces, and has no other capability than those it needs to capture and to "
            "give up root.",
            _container(situation, sender),
            ("image",),
        ),
        Target(
            "ecs",
            "Amazon ECS",
            ("Keeps the token as an encrypted parameter, then asks" if sender.token else "Asks")
            + " for the service, shows what will change and watches the rollout.",
            _ecs(situation, sender),
            ("ecs-image", *(("ecs-authority",) if situation.authority else ())),
        ),
        Target(
            "file",
            "Capture file",
            "Reads a pcap or pcapng file, sends what is in it and ends. Needs no privilege.",
            _file(situation, sender),
        ),
    )


def _flags(situation: Situation, sender: Sender) -> str:
    """The flags that say where to, whose and from where, each on a line of its own after the first."""
    words = [_flag("satellite-url", situation.url)]
    # What cannot be sent as a header need not be: the token says whose traces they are.
    if sender.organization and sender.organization.isascii():
        words.append(_flag("levoai-org-id", sender.organization))
    if sender.environment:
        words.append(_flag("levo-env", sender.environment))
    return " \\\n  ".join(words) if len(words) > 1 else words[0]


def _flag(name: str, value: str) -> str:
    return f"--{name}{'=' if value.startswith('-') else ' '}{shlex.quote(value)}"


def _environment(situation: Situation, sender: Sender, ca_file: str) -> dict[str, str]:
    """What is handed over as variables."""
    found = {"LEVO_SATELLITE_TOKEN": sender.token} if sender.token else {}
    if situation.authority or situation.authority_missing:
        found["LEVO_TLS_CA_CERT_PATH"] = ca_file
    return found


def _assigned(variables: dict[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())


def _sudo(variables: dict[str, str]) -> str:
    kept = f"--preserve-env={','.join(variables)} " if variables else ""
    return f"{_assigned(variables)}sudo {kept}"


def _with_authority(situation: Situation, command: str, install: str) -> str:
    """*command*, after the authority's certificate is in its file. A shell reads it all before it starts."""
    if not situation.authority:
        return command
    return f"{install} <<'EOF' &&\n{situation.authority.strip()}\nEOF\n{command}"


_INSTALL = f"sudo install -D -m 644 /dev/stdin {CA_FILE}"


def _host(situation: Situation, sender: Sender) -> str:
    start = _sudo(_environment(situation, sender, CA_FILE))
    flags = _flags(situation, sender)
    gap = " \\\n  " if "\n" in flags else " "
    return _with_authority(situation, f"{start}{situation.levo} apidump{gap}{flags}", _INSTALL)


def _service(situation: Situation, sender: Sender) -> str:
    settings = {"LEVO_SATELLITE_URL": situation.url}
    if sender.organization and sender.organization.isascii():
        settings["LEVO_ORG_ID"] = sender.organization
    if sender.environment:
        settings["LEVO_ENV"] = sender.environment
    settings |= _environment(situation, sender, CA_FILE)
    lines = "\n".join(f"{name}={_setting(value)}" for name, value in settings.items())
    file = "/etc/default/levo-ebpf-sensor"
    command = (
        f"sudo chmod 600 {file} && sudo tee -a {file} >/dev/null <<'EOF' &&\n{lines}\nEOF\n"
        "sudo systemctl enable levo-ebpf-sensor && sudo systemctl restart levo-ebpf-sensor"
    )
    return _with_authority(situation, command, _INSTALL)


def _setting(value: str) -> str:
    """*value* in a file of systemd's EnvironmentFile= (systemd.exec(5)), quoted where it has to be."""
    if _PLAIN_VALUE.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def _container(situation: Situation, sender: Sender) -> str:
    token = {"LEVO_SATELLITE_TOKEN": sender.token} if sender.token else {}
    lines = [
        f"{_sudo(token)}docker run --detach --name levo-sensor --restart unless-stopped",
        "  --net=host --cap-drop ALL --cap-add NET_RAW --cap-add SETUID --cap-add SETGID --cap-add KILL",
    ]
    if token:
        lines.append("  -e LEVO_SATELLITE_TOKEN")
    if situation.authority or situation.authority_missing:
        lines.append(f"  -e LEVO_TLS_CA_CERT_PATH={CA_FILE} -v {CA_FILE}:{CA_FILE}:ro")
    lines.append(f"  levo-sensor:{__version__} apidump")
    lines.append(f"  {_flags(situation, sender)}")
    return _with_authority(situation, " \\\n".join(lines), _INSTALL)


def _ecs(situation: Situation, sender: Sender) -> str:
    levo = situation.levo if situation.own_machine else "levo"
    add = f"{levo} ecs add {_flags(situation, sender)}"
    if not sender.token:
        return add
    name = "/levo/satellite-token"
    return (
        f"printf %s {shlex.quote(sender.token)} | aws ssm put-parameter --name {name} \\\n"
        f"  --type SecureString --overwrite --value file:///dev/stdin &&\n{add} \\\n"
        f'  --token-secret "$(aws ssm get-parameter --name {name} --query Parameter.ARN --output text)"'
    )


def _file(situation: Situation, sender: Sender) -> str:
    levo = situation.levo if situation.own_machine else "levo"
    start = _assigned(_environment(situation, sender, CA_FILE_HERE))
    command = f"{start}{levo} apidump --read traffic.pcap --rate-limit 0 \\\n  {_flags(situation, sender)}"
    return _with_authority(situation, command, f"cat > {CA_FILE_HERE}")
