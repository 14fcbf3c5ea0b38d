"""``levo apidump``: the sensor, live or over a capture file."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import click

from levo import __version__
from levo.cli.logs import Log
from levo.cli.sensor_options import merged, sensor_options
from levo.config import Merged
from levo.config.render import show
from levo.errors import ConfigError
from levo.ledger import Fate, Ledger
from levo.sensor.assembly import Sensor, Shares, open_sensor, open_source, own_endpoints

_REFRESH_S = 5.0
_STOP_AFTER_S = 4.0


@click.command("apidump")
@sensor_options
def command(**given: Any) -> None:
    """Watch network traffic (or read a capture file), rebuild HTTP exchanges, send them as API traces."""
    found = merged(given)
    log = Log(found.config.log_format, found.config.log_level)
    for warning in found.warnings:
        log.warning(warning)
    if found.config.dry_run:
        click.echo(_dry_run(found))
        return
    with open_for_run(found) as sensor:
        _run(sensor, found, log, lambda: merged(given))


class open_for_run:
    """The sensor as a context: its source is closed at the end, whatever happened."""

    def __init__(self, found: Merged) -> None:
        self._found = found
        self._sensor: Sensor | None = None

    def __enter__(self) -> Sensor:
        self._sensor = open_sensor(self._found, os.environ)
        return self._sensor

    def __exit__(self, *error: object) -> None:
        if self._sensor is not None:
            self._sensor.source.close()


def _run(sensor: Sensor, found: Merged, log: Log, reread: Callable[[], Merged]) -> None:
    config = found.config
    pipeline = sensor.pipeline
    for warning in sensor.warnings[len(found.warnings) :]:
        log.warning(warning)
    what = (
        f"reading {config.read}"
        if config.read is not None
        else f"capturing on {', '.join(sensor.source.interfaces)}"
    )
    outputs = ", ".join(f"otlp to {config.satellite}" if s.kind == "otlp" else str(s) for s in config.output)
    log.info(f"levo-sensor {__version__}: {what}; output {outputs}; environment {config.levo_env}")

    reload_wanted = threading.Event()

    def ask_reload() -> None:
        reload_wanted.set()
        pipeline.wake()

    previous = _handle_signals(pipeline.stop, ask_reload)
    ended = threading.Event()
    if config.read is None:
        threading.Thread(
            target=_refresh, args=(sensor.source, ended, log), name="levo-refresh", daemon=True
        ).start()
    progress = _Progress(sensor, log, live=config.read is None)

    def on_wake() -> None:
        if reload_wanted.is_set():
            reload_wanted.clear()
            _reload(found, reread, log)
        progress.show()

    started = time.monotonic()
    try:
        pipeline.run(on_wake, _STOP_AFTER_S)
    finally:
        ended.set()
        log.status("")
        for number, handler in previous.items():
            signal.signal(number, handler)
        _report(sensor.ledger(), log, time.monotonic() - started)


def _handle_signals(stop: Callable[[], None], reload: Callable[[], None]) -> dict[int, Any]:
    """SIGINT and SIGTERM stop and deliver, the second one at once; SIGHUP rereads the configuration."""
    asked: list[int] = []

    def on_stop(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop()

    def on_reload(_number: int, _frame: FrameType | None) -> None:
        reload()

    wanted = {signal.SIGINT: on_stop, signal.SIGTERM: on_stop, signal.SIGHUP: on_reload}
    return {int(number): signal.signal(number, handler) for number, handler in wanted.items()}


def _refresh(source: Any, ended: threading.Event, log: Log) -> None:
    """Interfaces come and go, names get new addresses. Name resolution may take long: a thread of its own."""
    while not ended.wait(_REFRESH_S):
        source.refresh()
        for line in source.events():
            log.warning(line)


def _reload(found: Merged, reread: Callable[[], Merged], log: Log) -> None:
    from levo.config.reload import changes

    try:
        fresh = reread()
    except ConfigError as error:
        log.error(f"configuration not reloaded: {error}")
        return
    applied, waiting = changes(found.config, fresh.config)
    if applied:
        log.info(f"changed settings: {', '.join(applied)}")
    if waiting:
        log.warning(f"need a restart to take effect: {', '.join(waiting)}")
    if not applied and not waiting:
        log.info("configuration reread: nothing has changed")


class _Progress:
    """The live line in a terminal, and the delivery errors in a log."""

    def __init__(self, sensor: Sensor, log: Log, live: bool) -> None:
        self._sensor = sensor
        self._log = log
        self._live = live
        self._last_errors: dict[str, int] = {}

    def show(self) -> None:
        seen = self._sensor.pipeline.snapshot()
        for output in seen.outputs:
            if output.last_error_ns and output.last_error_ns != self._last_errors.get(output.name):
                first = output.name not in self._last_errors
                if first or output.last_error_ns - self._last_errors[output.name] > 30_000_000_000:
                    self._last_errors[output.name] = output.last_error_ns
                    self._log.warning(f"{output.name}: {output.last_error}; capture goes on")
        if self._live:
            engine = seen.engine
            dropped = getattr(seen.capture, "dropped", 0)
            sent = " ".join(f"{output.name} {output.exported:,}" for output in seen.outputs)
            self._log.status(
                f"{engine['frames_received']:,} frames, {engine['exchanges_emitted']:,} exchanges, "
                f"delivered: {sent}, dropped by the kernel: {dropped:,}"
            )


def _report(ledger: Ledger, log: Log, seconds: float) -> None:
    """The ledger, in plain words."""
    lost = sum(balance.total(Fate.LOST) for balance in ledger.stages if balance.stage.name == "output")
    log.info(f"stopped after {seconds:.1f} s" + (f"; {lost:,} traces could not be delivered" if lost else ""))
    if log.structured:
        for balance in ledger.stages:
            log.info(
                f"ledger: {balance}",
                event="ledger",
                stage=balance.label,
                received=balance.received,
                states={state.name: count for state, count in balance.counts},
                balanced=not balance.missing,
            )
        for name, value, text in ledger.notes:
            log.info(f"ledger: {value:,} {text}", event="ledger", counter=name, value=value)
    else:
        log.plain(ledger.render())
    if not ledger.balanced:
        log.error("the ledger does not balance; please report this")


def _dry_run(found: Merged) -> str:
    """What would run: every setting, the interfaces, the compiled filter."""
    config = found.config
    lines = [show(found), ""]
    shares = Shares.of(config.max_memory, len(config.output))
    own = own_endpoints(config, os.environ)
    if config.read is not None:
        with open_source(config, os.environ, shares) as source:
            lines.append(f"reads {source.path}")
    else:
        lines += _interfaces(config.interfaces)
        excluded = ", ".join(f"{end.host}:{end.port}" for end in own) or "nothing"
        lines.append(f"left out of the capture (own traffic): {excluded}")
    lines += _compiled(config.filter, own)
    return "\n".join(lines)


def _interfaces(named: tuple[str, ...]) -> list[str]:
    from levo.sensor.capture.interfaces import list_interfaces

    listed = list_interfaces()
    known = [each.name for each in listed]
    for name in named:
        if name not in known and name != "any":
            raise ConfigError(_unknown_interface(name, known))
    chosen = [each for each in listed if (each.name in named if named else each.up and each.readable)]
    lines = ["interfaces:"]
    for each in chosen:
        state = "up" if each.up else "down"
        lines.append(f"  {each.name}: {state}, {', '.join(map(str, each.addresses)) or 'no address'}")
    return lines


def _unknown_interface(name: str, known: list[str]) -> Any:
    from levo.errors import Problem

    return Problem("--interfaces", f"{name!r} is no interface here; there are {', '.join(known)}")


def _compiled(expression: str | None, own: tuple[Any, ...]) -> list[str]:
    from levo.sensor.capture.bpf import compile_expression
    from levo.sensor.capture.filters import live_program, resolve

    program = live_program(expression, resolve(own).addresses, compile_expression)
    lines = [f"compiled filter ({len(program)} instructions, Ethernet):"]
    return lines + [f"  {code:#06x} {yes:3d} {no:3d} {value:#010x}" for code, yes, no, value in program]
