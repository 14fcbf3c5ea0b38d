"""``levo doctor``: why do I see no traffic? One page of findings and fixes."""

from __future__ import annotations

import os
from typing import Any

import click

from levo.cli.durations import Seconds
from levo.cli.sensor_options import merged, sensor_options
from levo.config import SensorConfig
from levo.errors import CaptureError, ConfigError, PrivilegeError
from levo.sensor.doctor.diagnosis import Diagnosis, Level, diagnose
from levo.sensor.doctor.local_hops import LocalHop, find_local_hops
from levo.sensor.doctor.page import render
from levo.sensor.doctor.reach import reach
from levo.sensor.doctor.tls_programs import NOTHING_KNOWN, look_at_tls
from levo.sensor.doctor.watch import Watched, watch
from levo.sensor.privileges import give_up, plan


@click.command("doctor")
@click.option(
    "--seconds",
    type=Seconds(0.1, 3600),
    default="10s",
    show_default=True,
    metavar="TIME",
    help="How long to look at the traffic.",
)
@sensor_options
def command(seconds: float, **given: Any) -> int:
    """Why do I see no traffic? Looks at the traffic with the sensor's settings; takes the same options.

    Exit status: 0 when nothing is wrong, 1 for a problem, 2 for settings that cannot be used.
    """
    config = merged(given).config
    failures: list[Diagnosis] = []
    hops: tuple[LocalHop, ...] = ()
    tls = NOTHING_KNOWN
    watched: Watched | None = None
    privilege = (
        f"CAP_NET_RAW is there: capturing works; runs as {plan(os.environ, capture=True)}"
        if config.read is None
        else "not needed for a file"
    )
    if config.read is None:
        click.echo(f"levo doctor: looking at the traffic for {seconds:g} s ...", err=True)
    try:
        privileges = plan(os.environ, capture=config.read is None)
        if config.read is None:  # before root is given up
            hops, tls = find_local_hops(), look_at_tls(config.tls_probe)
        watched = watch(config, os.environ, seconds, opened=lambda: give_up(privileges))
    except PrivilegeError as error:
        privilege = "CAP_NET_RAW is missing"
        failures.append(_no_privilege(error))
    except ConfigError as error:
        if not error.problems[0].where.endswith("interfaces"):
            raise
        privilege = "not tried: the interface does not exist"
        failures.append(_wrong_interface(error))
    except CaptureError as error:
        if config.read is not None:
            raise
        privilege = "capturing failed"
        failures.append(Diagnosis("capture-failed", Level.PROBLEM, str(error), "see the reason above"))
    reached = reach(config)
    findings = [*failures, *diagnose(config, watched, reached, hops, tls)]
    click.echo(render(config, _interfaces(config), privilege, watched, reached, findings))
    return 1 if any(finding.level is Level.PROBLEM for finding in findings) else 0


def _no_privilege(error: PrivilegeError) -> Diagnosis:
    text, _, fix = str(error).partition(": ")
    return Diagnosis("no-privilege", Level.PROBLEM, text, fix or "grant CAP_NET_RAW")


def _wrong_interface(error: ConfigError) -> Diagnosis:
    known = ", ".join(each.split(":")[0] for each in _listed())
    return Diagnosis("wrong-interface", Level.PROBLEM, str(error), f"write one of {known}, or leave it out")


def _interfaces(config: SensorConfig) -> list[str]:
    if config.read is not None:
        return [f"reads {config.read}"]
    return _listed() + _together(config)


def _together(config: SensorConfig) -> list[str]:
    from levo.sensor.capture.interfaces import ANY, MOST_SEPARATE, default_interfaces, list_interfaces

    try:
        if config.interfaces or default_interfaces(list_interfaces()) != [ANY]:
            return []
    except OSError:
        return []
    return [f"more than {MOST_SEPARATE} are up: captured together, as {ANY}; --interfaces names some instead"]


def _listed() -> list[str]:
    from levo.sensor.capture.interfaces import list_interfaces

    try:
        found = list_interfaces()
    except OSError as error:
        return [f"cannot be listed: {error.strerror}"]
    return [
        f"{each.name}: {'up' if each.up else 'down'}, {', '.join(map(str, each.addresses)) or 'no address'}"
        for each in found
    ]
