"""The control thread of a running sensor: signals, reload, health, metrics, service manager, report."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING

from levo import __version__
from levo.config import OPTIONS, Merged
from levo.config.reload import changes
from levo.errors import ConfigError
from levo.ledger import Fate, Ledger
from levo.sensor.assembly import Sensor
from levo.sensor.doctor.ports import describe, unnamed_tunnel
from levo.sensor.encrypted import encrypted_sentence
from levo.sensor.health import HealthServer
from levo.sensor.log import Log
from levo.sensor.metrics import SCOPE, report_marks
from levo.sensor.notify import Notifier
from levo.wire.metrics import encode_metrics
from levo.wire.prometheus import exposition

if TYPE_CHECKING:
    from levo.sensor.capture.live import LiveSource

REFRESH_S = 5.0
STOP_AFTER_S = 4.0
"""How long delivery may take after SIGTERM: well within Fargate's stopTimeout of 30 s."""
_STALLED_S = 10.0
"""A capture thread that has not come round for so long hangs: the service manager's watchdog may bite."""
_REPEAT_WARNING_NS = 30_000_000_000
_NAMED_ENDPOINTS = 10


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What was said last about one thing that goes wrong."""

    amount: int
    time_ns: int
    """By the clock that nobody sets."""


class Control:
    """Runs one sensor to its end. Owns nothing: the caller closes the source."""

    def __init__(
        self,
        sensor: Sensor,
        merged: Merged,
        log: Log,
        reread: Callable[[], Merged],
        environ: Mapping[str, str],
        clock: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """*reread* merges the configuration again, for SIGHUP; it may raise ConfigError.

        *clock* tells the time of day for time stamps; *steady*, which nobody sets, when something is due.
        """
        self._sensor = sensor
        self._config = merged.config
        self._known_warnings = len(merged.warnings)
        self._log = log
        self._reread = reread
        self._notifier = Notifier(environ)
        self._reload = threading.Event()
        self._ended = threading.Event()
        self._live = merged.config.read is None
        self._complaints: dict[str, _Complaint] = {}
        self._named_tunnels: set[int | None] = set()
        self._said_stopping = False
        self._started_ns = sensor.claim.run.started_ns
        self._reports = 0
        self._clock = clock
        self._steady = steady
        self._next_metrics_ns = steady() + merged.config.trace_export_interval_ns

    def run(self) -> Ledger:
        """Work until the source ends or a signal comes; report; return the final ledger.

        Raises:
            CaptureError: the source failed. The report has been given by then.
        """
        pipeline = self._sensor.pipeline
        health = self._listen()
        started = time.monotonic()
        try:
            with self._signals():
                self._greet()
                pipeline.run(self._on_wake, STOP_AFTER_S, self._say_goodbye)
        finally:
            self._ended.set()
            self._notifier.stopping()
            if health is not None:
                health.close()
            self._log.status("")
            ledger = self._sensor.ledger()
            self._report(ledger, time.monotonic() - started)
        return ledger

    def _greet(self) -> None:
        config, sensor = self._config, self._sensor
        for warning in sensor.warnings[self._known_warnings :]:
            self._log.warning(warning)
        if sensor.live is not None:
            what = f"capturing on {', '.join(sensor.live.interfaces)}"
            threading.Thread(
                target=self._refresh, args=(sensor.live,), name="levo-refresh", daemon=True
            ).start()
        else:
            what = f"reading {config.read}"
        named = [
            f"otlp to {config.satellite}" if spec.kind == "otlp" else str(spec) for spec in config.output
        ]
        where = config.levo_env
        if self._live and sensor.runs_as:
            where += f"; runs as {sensor.runs_as}"
        self._log.info(f"levo-sensor {__version__}: {what}; output {', '.join(named)}; environment {where}")
        sensor.settle()
        self._notifier.ready(what)
        if sensor.live is not None:
            for line in sensor.live.events():
                self._log.warning(line)

    def _listen(self) -> HealthServer | None:
        if self._sensor.listener is None:
            return None
        return HealthServer(
            self._sensor.listener,
            lambda: self._sensor.not_ready(self._steady()),
            lambda: exposition(self._sensor.metrics()),
        )

    # Woken once a second, and by signals.

    def _on_wake(self) -> None:
        if self._reload.is_set():
            self._reload.clear()
            self._notifier.reloading()
            self._apply_changes()
            self._notifier.ready("configuration reread")
        if self._sensor.pipeline.stalled_s < _STALLED_S:
            self._notifier.alive()
        now = self._steady()
        if now >= self._next_metrics_ns:
            self._next_metrics_ns = now + max(1_000_000_000, self._config.trace_export_interval_ns)
            self._send_metrics()
        self._show_progress()

    def _say_goodbye(self) -> None:
        """Report once more, as stopped: silence is expected from now on. A failure is not a clean stop."""
        self._send_metrics(None if self._sensor.pipeline.failed else self._clock())

    def _send_metrics(self, stopped_ns: int | None = None) -> None:
        if not any(spec.kind == "otlp" for spec in self._config.output):
            return
        self._reports += 1
        metrics = report_marks(self._reports, stopped_ns) + self._sensor.metrics()
        now_ns = stopped_ns or self._clock()
        scope = (SCOPE, __version__)
        encoded = encode_metrics(metrics, self._sensor.resource, scope, min(self._started_ns, now_ns), now_ns)
        for output in self._sensor.outputs:
            output.submit_metrics(encoded)

    def _show_progress(self) -> None:
        pipeline = self._sensor.pipeline
        seen = pipeline.snapshot()
        goes_on = "capture goes on" if self._live and not pipeline.stopping else "trying again"
        for output in seen.outputs:
            self._complain(
                f"{output.name} failed",
                output.last_error_ns or 0,
                f"{output.name}: {output.last_error}; {goes_on}",
            )
            full = output.queue_full + output.spool_evicted
            what = "spool" if output.spool_evicted else "queue"
            self._complain(
                f"{output.name} full", full, f"{output.name}: its {what} is full; {full:,} traces lost so far"
            )
        probe = self._sensor.probe
        if probe is not None and probe.problem and not pipeline.stopping:
            self._complain(
                "probe",
                probe.problems,
                f"no TLS secrets of new connections: {probe.problem}; capture goes on",
            )
        lost = seen.pipeline.queue_full
        self._complain("masking", lost, f"masking cannot follow; {lost:,} traces lost so far")
        if pipeline.stopping and not self._said_stopping and any(output.held for output in seen.outputs):
            self._said_stopping = True
            self._log.info(f"stopping: delivering what is left, for at most {STOP_AFTER_S:g} s")
        if self._live:
            self._report_tunnels()
            sent = ", ".join(f"{output.exported:,} traces to {output.name}" for output in seen.outputs)
            self._log.status(
                f"{seen.engine['frames_received']:,} frames, {seen.engine['exchanges_emitted']:,} exchanges, "
                f"{sent}; the kernel dropped {getattr(seen.capture, 'dropped', 0):,}"
            )

    def _complain(self, about: str, amount: int, text: str) -> None:
        """Warn when *amount* has grown, but about the same thing only now and then."""
        said = self._complaints.get(about)
        now = self._steady()
        if amount and (said is None or (amount > said.amount and now - said.time_ns > _REPEAT_WARNING_NS)):
            self._complaints[about] = _Complaint(amount, now)
            self._log.warning(text)

    def _apply_changes(self) -> None:
        try:
            fresh = self._reread().config
            now, later = changes(self._config, fresh)
            applied = replace(self._config, **{field: getattr(fresh, field) for field in _fields(now)})
            if now:
                self._sensor.reconfigure(applied)
        except ConfigError as error:
            self._log.error(f"configuration not reloaded: {error}")
            return
        self._config = applied
        if now:
            self._log.info(f"changed: {', '.join(now)}")
        if later:
            self._log.warning(f"need a restart to take effect: {', '.join(later)}")
        if not now and not later:
            self._log.info("configuration reread: nothing has changed")

    # Signals and threads.

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop and deliver, the second one at once; SIGHUP rereads the configuration."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        asked: list[int] = []

        def on_stop(number: int, _frame: FrameType | None) -> None:
            asked.append(number)
            if len(asked) > 1:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            self._sensor.pipeline.stop()

        def on_reload(_number: int, _frame: FrameType | None) -> None:
            self._reload.set()
            self._sensor.pipeline.wake()

        wanted: dict[int, Callable[[int, FrameType | None], None]] = {
            signal.SIGINT: on_stop,
            signal.SIGTERM: on_stop,
            signal.SIGHUP: on_reload,
        }
        previous = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _refresh(self, source: LiveSource) -> None:
        """Interfaces come and go, names get new addresses. Name resolution may take long: its own thread."""
        while not self._ended.wait(REFRESH_S):
            source.refresh()
            for line in source.events():
                self._log.warning(line)

    def _report(self, ledger: Ledger, seconds: float) -> None:
        """The ledger, in plain words; as structured lines where the log is structured."""
        lost = undelivered(ledger)
        tail = f"; {lost:,} traces could not be delivered" if lost else ""
        self._log.info(f"stopped after {seconds:.1f} s{tail}")
        self._report_undelivered()
        self._report_ports()
        self._report_encrypted()
        self._report_tunnels()
        if self._log.structured:
            for balance in ledger.stages:
                self._log.info(
                    f"ledger: {balance}",
                    event="ledger",
                    stage=balance.label,
                    received=balance.received,
                    states={state.name: count for state, count in balance.counts},
                    balanced=not balance.missing,
                )
            for name, value, text in ledger.notes:
                self._log.info(f"ledger: {value:,} {text}", event="ledger", counter=name, value=value)
        else:
            self._log.plain(ledger.render())
        if not ledger.balanced:
            self._log.error("the ledger does not balance; please report this")

    def _report_undelivered(self) -> None:
        """Why an output gave traces up: a short run may end before anything else says so."""
        for output in self._sensor.pipeline.snapshot().outputs:
            lost = output.failed + output.rejected
            if lost and output.last_loss:
                traces = f"{lost:,} trace{'' if lost == 1 else 's'}"
                self._log.error(f"{output.name}: {traces} not delivered: {output.last_loss}")

    def _report_ports(self) -> None:
        """What came by on the busiest server ports, one sentence each."""
        ports = self._sensor.snapshot().ports
        total = sum(port["packets"] for port in ports)
        for port, sentence in zip(ports, describe(ports, total), strict=True):
            if self._log.structured:
                self._log.info(sentence, event="port", **port)
            elif port["packets"] * 200 >= total:
                self._log.plain(f"  {sentence}")

    def _report_tunnels(self) -> None:
        """UDP that would be read if its port were named; each port once."""
        for tunnel in self._sensor.snapshot().unnamed_tunnels:
            if tunnel["port"] not in self._named_tunnels:
                self._named_tunnels.add(tunnel["port"])
                self._log.warning(unnamed_tunnel(tunnel), event="unnamed_tunnel", **tunnel)

    def _report_encrypted(self) -> None:
        """Endpoints over TLS, those with the most connections; how many others there were."""
        endpoints = self._sensor.snapshot().encrypted
        for endpoint in endpoints[:_NAMED_ENDPOINTS]:
            sentence = encrypted_sentence(endpoint)
            if self._log.structured:
                self._log.info(sentence, event="encrypted", **endpoint)
            else:
                self._log.plain(f"  {sentence}")
        others = len(endpoints) - _NAMED_ENDPOINTS
        if others > 0:
            sentence = f"and {others:,} more endpoint{'' if others == 1 else 's'} over TLS"
            if self._log.structured:
                self._log.info(sentence, event="encrypted_others", endpoints=others)
            else:
                self._log.plain(f"  {sentence}")


def undelivered(ledger: Ledger) -> int:
    """Traces that an output gave up."""
    return sum(balance.total(Fate.LOST) for balance in ledger.stages if balance.stage.name == "output")


def _fields(names: list[str]) -> list[str]:
    return [option.field for option in OPTIONS if option.name in names]
