"""``levo tls``: the probe of TLS libraries, and what it knows."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from levo.errors import ConfigError, ProbeError, Problem
from levo.tlsprobe.link import SOCKET, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from levo.model.statistics import EncryptedEndpoint
    from levo.tlsprobe.location import Location

_MOST_ENDPOINTS = 50

_socket_option = click.option(
    "--socket", "path", default=SOCKET, show_default=True, metavar="PATH", help="Where the probe listens."
)


@click.group("tls", help="Read TLS on this host without key logs, by the secrets of the libraries that run.")
def command() -> None:
    """The group."""


@command.command("probe")
@_socket_option
@click.option("--reader", default="levo-sensor", show_default=True, help="User of the sensor; root may too.")
@click.option(
    "--ring-mib",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Power of two. 8 hold 87,000.",
)
@click.option(
    "--limit", type=click.IntRange(1), default=50_000, show_default=True, help="Secrets a second, at most."
)
@click.option(
    "--deny", multiple=True, metavar="COMMAND", help="Leave processes of this name out. Repeatable."
)
@click.option("--allow", multiple=True, metavar="COMMAND", help="Probe only these. Repeatable.")
@click.option("--within", multiple=True, metavar="FOLDER", help="Probe only libraries below it. Repeatable.")
def probe_command(
    path: str,
    reader: str,
    ring_mib: int,
    limit: int,
    deny: tuple[str, ...],
    allow: tuple[str, ...],
    within: tuple[str, ...],
) -> None:
    """Probe the TLS libraries of this machine, and hand their secrets to the sensor.

    Runs until it is stopped. Takes CAP_BPF and CAP_PERFMON (before Linux 6.6 CAP_SYS_ADMIN), CAP_SYS_PTRACE
    and CAP_DAC_READ_SEARCH. Secrets go from the kernel to the sensor alone; nothing is written anywhere.
    """
    from levo.tlsprobe.link import trusted
    from levo.tlsprobe.mappings import Mappings
    from levo.tlsprobe.program import Program, protect
    from levo.tlsprobe.service import Libraries, Service

    if deny and allow:
        raise ConfigError(Problem("--allow", "cannot be combined with --deny"))
    if ring_mib & (ring_mib - 1):
        raise ConfigError(Problem("--ring-mib", f"{ring_mib} is not a power of two"))
    protect()
    program = Program(ring_bytes=ring_mib << 20, most_a_second=limit, denied=deny, allowed=allow)
    service = Service(program, Libraries(program, within), path, trusted(reader), _group(reader))
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: service.stop())
    mappings = None
    try:
        mappings = Mappings()
    except ProbeError as error:
        click.echo(f"levo tls probe: {error}: looks at all processes once a second", err=True)
    try:
        service.run(lambda: click.echo(f"levo tls probe: at {path}", err=True), mappings)
    finally:
        service.close()
        if mappings is not None:
            mappings.close()
        program.close()


def _group(reader: str) -> int | None:
    """The group whose members may connect: the reader's, where this process may give the socket to it."""
    import pwd

    with suppress(KeyError):
        group = pwd.getpwnam(reader).pw_gid
        if os.geteuid() == 0 or group in os.getgroups():
            return group
    return None


@command.command("status")
@_socket_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status_command(path: str, as_json: bool) -> None:
    """What is probed, what was read of it by process, what was not, and why."""
    from levo.tlsprobe.link import ask_status, trusted

    try:
        answer = ask_status(path, trusted(USER))
    except OSError as error:
        raise ProbeError(f"no probe at {path}: {error.strerror or error}") from None
    if as_json:
        click.echo(answer)
        return
    status = json.loads(answer)
    report = status["report"] or {"endpoints": [], "processes": []}
    for line in (*_library_lines(status, report["processes"]), *_unread_endpoints(report["endpoints"])):
        click.echo(line)
    known = len(status["libraries"])
    click.echo(f"{known} TLS {'library' if known == 1 else 'libraries'} in {status['examined']} mapped files")
    secrets = status["secrets"]
    states = "; ".join(f"{secrets[name]:,} {name.replace('_', ' ')}" for name in secrets if name != "hits")
    click.echo(f"secrets: {secrets['hits']:,} = {states}")
    if not status["sensor"]:
        click.echo("no sensor reads them")
    elif status["report"] is None:
        click.echo("the sensor that reads them does not say what it could read")


def _library_lines(status: dict[str, Any], processes: list[dict[str, int]]) -> Iterator[str]:
    """Each library with the processes that use it; what became of the connections of each, told once."""
    counted = {each["process"]: each for each in processes}
    told = set()
    for number, library in enumerate(status["libraries"]):
        yield f"{library['path']}: {_line(library)}"
        for user in status["processes"]:
            process = user["process"]
            if number in user["libraries"]:
                first = process not in told and "reason" not in library
                told |= {process} if first else set()
                yield f"  {user['command']} (process {process})" + (
                    f": {_connections(counted.get(process))}" if first else ""
                )
    for process, each in counted.items():
        if process not in told:
            name = f"process {process}, which has none of them mapped" if process else "earlier processes"
            yield f"{name}: {_connections(each)}"


def _unread_endpoints(endpoints: list[EncryptedEndpoint]) -> Iterator[str]:
    from levo.sensor.encrypted import encrypted_sentence

    unread = [each for each in endpoints if each["unread"]]
    yield from map(encrypted_sentence, unread[:_MOST_ENDPOINTS])
    if len(unread) > _MOST_ENDPOINTS:
        yield f"and {len(unread) - _MOST_ENDPOINTS:,} more endpoints with unread connections"


def _connections(counted: dict[str, int] | None) -> str:
    """What became of the connections of a process, in words."""
    from levo.sensor.encrypted import UNREAD, unread_words

    if counted is None:
        return "no connection yet"
    total = counted["connections"]
    read, reading = counted.get("read", 0), counted["open"]
    other = total - read - reading - sum(counted.get(name, 0) for name in UNREAD)
    told = [f"{number:,} {text}" for number, text in ((read, "read"), (reading, "being read")) if number]
    unread = unread_words(counted)
    told += [f"unread: {unread}"] if unread else []
    told += [f"{other:,} not captured, or only begun"] if other > 0 else []
    return f"{total:,} connection{'' if total == 1 else 's'}: {'; '.join(told)}"


def _line(library: dict[str, object]) -> str:
    if "reason" in library:
        return f"not probed: {library['reason']}"
    return f"located by its code and probed at {library['offset']:#x}, client random in {library['form']}"


@command.command("locate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def locate_command(files: tuple[str, ...]) -> int:
    """Where FILE logs its secrets, without probing anything. Exit status 1 if a file has no such place."""
    from levo.tlsprobe.locate import locate
    from levo.tlsprobe.location import Refused

    refused = 0
    for name in files:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(Problem(name, f"cannot be read: {error.strerror}")) from None
        try:
            click.echo(f"{name}: {_place(locate(descriptor))}")
        except Refused as refusal:
            click.echo(f"{name}: {refusal}")
            refused += 1
        except OSError as error:
            raise ConfigError(Problem(name, f"cannot be read: {error.strerror}")) from None
        finally:
            os.close(descriptor)
    return 1 if refused else 0


def _place(found: Location) -> str:
    where = {
        "arguments": "all in arguments",
        "embedded": f"client random at {found.random:#x}",
        "pointer": f"client random at {found.random:#x} behind the pointer at {found.pointer:#x}",
    }[found.form]
    return f"{found.machine}, function at {found.offset:#x}, {where}, {found.labels} labels"
