"""``levo apidump``: the sensor, live or over a capture file."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from levo.cli.sensor_options import merged, sensor_options
from levo.config import Merged
from levo.config.render import show
from levo.errors import ConfigError, Problem
from levo.sensor.assembly import open_file, open_sensor, own_endpoints
from levo.sensor.control import Control, undelivered
from levo.sensor.log import Log
from levo.sensor.privileges import plan

if TYPE_CHECKING:
    from levo.sensor.capture.filters import Endpoint


@click.command("apidump")
@sensor_options
def command(**given: Any) -> int:
    """Watch network traffic (or read a capture file), rebuild HTTP exchanges, send them as API traces."""
    found = merged(given)
    log = Log(found.config.log_format, found.config.log_level)
    for warning in found.warnings:
        log.warning(warning)
    if found.config.dry_run:
        click.echo(_dry_run(found))
        return 0
    sensor = open_sensor(found, os.environ, plan(os.environ, capture=found.config.read is None))
    config = found.config
    files = (
        config.tls_keylog,
        config.tls_ca_cert_path,
        config.tls_client_cert_path,
        config.tls_client_key_path,
    )
    opened = frozenset(each for each in files if each is not None)
    with closing(sensor.source):
        ledger = Control(sensor, found, log, lambda: merged(given, opened=opened), os.environ).run()
    # A file that was read but not delivered is a failure; a live sensor has done what it could.
    return 1 if found.config.read is not None and undelivered(ledger) else 0


def _dry_run(found: Merged) -> str:
    """What would run: every setting, the interfaces, the compiled filter."""
    config = found.config
    lines = [show(found), ""]
    own = own_endpoints(config, os.environ)
    if config.read is not None:
        with open_file(config.read, config.filter) as source:
            lines.append(f"reads {source.path}")
    else:
        lines += _interfaces(config.interfaces)
        excluded = ", ".join(f"{end.host}:{end.port}" for end in own) or "nothing"
        lines.append(f"left out of the capture (own traffic): {excluded}")
    lines.append(f"would run as {plan(os.environ, capture=config.read is None)}")
    lines += _compiled(config.filter, own, config.vxlan_ports)
    return "\n".join(lines)


def _interfaces(named: tuple[str, ...]) -> list[str]:
    from levo.sensor.capture.interfaces import ANY, default_interfaces, list_interfaces

    listed = list_interfaces()
    known = [each.name for each in listed]
    for name in named:
        if name not in known and name != ANY:
            raise ConfigError(_unknown_interface(name, known))
    chosen = [each for each in listed if (each.name in named if named else each.up and each.readable)]
    lines = ["interfaces:"]
    for each in chosen:
        state = "up" if each.up else "down"
        lines.append(f"  {each.name}: {state}, {', '.join(map(str, each.addresses)) or 'no address'}")
    if ANY in (named or default_interfaces(listed)):
        lines.append(f"  captured together, as {ANY}")
    return lines


def _unknown_interface(name: str, known: list[str]) -> Problem:
    return Problem("--interfaces", f"{name!r} is not an interface here; there are {', '.join(known)}")


def _compiled(expression: str | None, own: tuple[Endpoint, ...], vxlan_ports: tuple[int, ...]) -> list[str]:
    from levo.sensor.capture.bpf import compile_expression
    from levo.sensor.capture.filters import describe, live_program, resolve

    addresses = resolve(own).addresses
    program = live_program(expression, addresses, compile_expression, vxlan_ports)
    lines = [
        f"filter: {describe(expression, addresses, vxlan_ports)}",
        f"compiled filter ({len(program)} instructions, Ethernet):",
    ]
    return lines + [f"  {code:#06x} {yes:3d} {no:3d} {value:#010x}" for code, yes, no, value in program]
