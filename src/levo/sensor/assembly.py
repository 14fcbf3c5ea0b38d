"""Builds the sensor's stages from a configuration: source, engine, outputs, and the pipeline over them."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from levo.config import Merged, OutputSpec, SensorConfig
from levo.errors import ConfigError, Problem
from levo.ledger import Ledger
from levo.sensor.health import bind, not_ready
from levo.sensor.identity import Claim
from levo.sensor.metrics import measure
from levo.sensor.pipeline import Pace, Pipeline, Snapshot
from levo.sensor.privileges import Plan, give_up, lost_files
from levo.sensor.redact.masking import Masking
from levo.sensor.resource import (
    deployment_key,
    metadata_host,
    read_task_metadata,
    resource_attributes,
)
from levo.sensor.sampling.rules import Rules, compile_rules
from levo.wire.metrics import Metric
from levo.wire.process_use import ProcessUse
from levo.wire.resource import encode_resource

if TYPE_CHECKING:
    from levo.engine.engine import Engine
    from levo.engine.exchange.batch import Batch
    from levo.model.statistics import MaskingStatistics, SensorStatistics
    from levo.sensor.capture.file import FileSource
    from levo.sensor.capture.filters import Endpoint
    from levo.sensor.capture.live import LiveSource
    from levo.sensor.capture.probe_link import ProbeLink
    from levo.sensor.capture.tlsprobe import ProbeSource
    from levo.sensor.export.destination import Destination
    from levo.sensor.export.output import Output
    from levo.sensor.export.settings import OtlpSettings
    from levo.sensor.export.spool import Spool

_MIB = 1 << 20
_APPLY_WITHIN_S = 2.0
"""More than one pump waits; a capture thread that takes longer applies it later."""


_FIRST_RING_BYTES = 12 * _MIB
"""A ring begins so small: it counts as resident memory, and most interfaces never need more."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How ``--max-memory`` is divided. The engine's budget covers all of it but the kernel's rings."""

    ring_bytes: int
    """The kernel's ring of one interface, once traffic has filled a smaller one."""
    handover_bytes: int
    output_bytes: int
    """The queue of each output."""

    @classmethod
    def of(cls, max_memory_bytes: int, outputs: int) -> Shares:
        return cls(
            ring_bytes=min(32 * _MIB, max(2 * _MIB, max_memory_bytes // 8)),
            handover_bytes=max(_MIB, max_memory_bytes // 8),
            output_bytes=max(_MIB, max_memory_bytes // (4 * max(1, outputs))),
        )


@dataclass(frozen=True, slots=True)
class Sensor:
    """Everything that was opened for one run."""

    pipeline: Pipeline
    source: FileSource | LiveSource
    live: LiveSource | None
    """The source, where interfaces are captured."""
    outputs: tuple[Output, ...]
    finisher: Finisher
    resource: bytes
    """The encoded ``Resource`` message."""
    listener: socket.socket | None
    """Bound to ``--listen``."""
    runs_as: str
    """User, capabilities and system calls that are left; empty where nothing was given up."""
    warnings: tuple[str, ...]
    probe: ProbeLink | None
    """Where secrets of TLS connections come from, live."""
    claim: Claim
    """Which sensor this is; held as long as this object."""

    def settle(self) -> None:
        """Everything has started: give back what starting took."""
        from levo.engine.core.allocator import return_pages

        return_pages()

    def ledger(self) -> Ledger:
        return ledger_of(self.snapshot())

    def snapshot(self) -> Snapshot:
        """What the sensor has seen and done, with what the finisher hid among the engine's counters."""
        seen = self.pipeline.snapshot()
        engine: SensorStatistics = {**seen.engine, **self.finisher.statistics()}
        return replace(seen, engine=engine, probe=None if self.probe is None else self.probe.statistics())

    def metrics(self) -> list[Metric]:
        seen = self.snapshot()
        return measure(ledger_of(seen), seen, ProcessUse.of(os.getpid()) or ProcessUse())

    def not_ready(self, now_ns: int) -> list[str]:
        """Why the sensor does not do its work; empty when it does. *now_ns* is ``time.monotonic_ns()``."""
        interfaces = None if self.live is None else len(self.live.interfaces)
        return not_ready(self.pipeline.snapshot(), now_ns, interfaces)

    def reconfigure(self, config: SensorConfig) -> None:
        """Apply what a running sensor can change (filters, rates, redaction); return when it is in force."""
        changed = policy(config)
        self.finisher.reconfigure(config)
        self.pipeline.order(lambda engine: engine.set_policy(**changed)).wait(_APPLY_WITHIN_S)


def ledger_of(seen: Snapshot) -> Ledger:
    return Ledger.from_statistics(
        seen.engine, seen.capture, seen.outputs, seen.pipeline, seen.ready, seen.probe
    )


def open_sensor(merged: Merged, environ: Mapping[str, str], privileges: Plan | None = None) -> Sensor:
    """Open the source, then the outputs. Nothing is captured yet.

    With *privileges*, the whole process keeps no more than they say once all is open, before threads start.

    Raises:
        ConfigError: the filter, an interface, an output or a certificate cannot be used.
        CaptureFileError, PrivilegeError, CaptureError: the source cannot be opened.
    """
    from levo.engine.core.allocator import keep_pages

    keep_pages()
    config = merged.config
    task, warning = read_task_metadata(environ)
    shares = Shares.of(config.max_memory_bytes, len(config.output))
    finisher = Finisher(config)
    source: FileSource | LiveSource
    live = file = None
    if config.read is None:
        source = live = _open_live(config, environ, shares)
    else:
        source = file = open_file(config.read, config.filter)
    listener = None
    outputs: list[Output] = []
    claim = Claim(deployment_key(config, task))
    try:
        _refuse_overwriting(config)
        resource = encode_resource(resource_attributes(config, environ, task, run=claim.run))
        listener = None if config.listen is None else bind(config.listen)
        engine = _engine(config)
        if file is None:
            engine.set_host_addresses(_own_addresses())
        _give_keys(engine, config, file)
        runs_as = "" if privileges is None else str(privileges)
        lost: list[str] = []

        def opened() -> None:
            if privileges is not None:
                give_up(privileges)
                lost.extend(lost_files(privileges, merged.path, config))
                _refuse_foreign_spool(merged)

        owner = None if privileges is None else privileges.owner
        outputs = _open_outputs(merged, resource, shares, owner, opened, lost)
        pipeline = Pipeline(
            engine,
            source,
            outputs,
            live=config.read is None,
            finish=finisher,
            pace=Pace(
                interval_ns=config.trace_export_interval_ns,
                handover_bytes=shares.handover_bytes,
                output_bytes=shares.output_bytes,
            ),
        )
    except BaseException:
        for output in outputs:
            output.close(0.0)
        source.close()
        claim.release()
        if listener is not None:
            listener.close()
        raise
    probe = _look_for_probe(pipeline, config)
    warnings = merged.warnings + ((warning,) if warning else ()) + tuple(lost)
    return Sensor(
        pipeline, source, live, tuple(outputs), finisher, resource, listener, runs_as, warnings, probe, claim
    )


def open_source(config: SensorConfig, environ: Mapping[str, str], shares: Shares) -> FileSource | LiveSource:
    """The capture file of ``--read``, or the live interfaces without our own traffic."""
    if config.read is not None:
        return open_file(config.read, config.filter)
    return _open_live(config, environ, shares)


def open_file(path: str, expression: str | None) -> FileSource:
    from levo.sensor.capture.file import FileSource

    return FileSource(path, filter=expression)


def _open_live(config: SensorConfig, environ: Mapping[str, str], shares: Shares) -> LiveSource:
    from levo.sensor.capture.live import LiveSource

    return LiveSource(
        config.interfaces,
        filter=config.filter,
        exclude=own_endpoints(config, environ),
        buffer_bytes=shares.ring_bytes,
        first_bytes=_FIRST_RING_BYTES,
        vxlan_ports=config.vxlan_ports,
    )


def own_endpoints(config: SensorConfig, environ: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """What the sensor itself talks to, or is asked at, for the capture to leave out."""
    from levo.sensor.capture.filters import Endpoint

    found = []
    if any(spec.kind == "otlp" for spec in config.output):
        found.append((config.satellite.host, config.satellite.port))
        proxy = otlp_settings(config).proxy
        if proxy is not None:
            found.append((proxy.host, proxy.port))
    if config.listen is not None:
        found += [(host, config.listen.port) for host in _listening_hosts(config.listen.host)]
    metadata = metadata_host(environ)
    if metadata is not None:
        found.append(metadata)
    return tuple(Endpoint(host, port) for host, port in dict.fromkeys(found) if host)


def _listening_hosts(host: str) -> list[str]:
    """The addresses under which our own server can be asked."""
    if host not in ("0.0.0.0", "::"):
        return [host]
    return _own_addresses()


def _own_addresses() -> list[str]:
    """The addresses of this host's interfaces."""
    from levo.sensor.capture.interfaces import list_interfaces

    try:
        return [str(address) for each in list_interfaces() for address in each.addresses]
    except OSError:
        return []


class Finisher:
    """What happens to exchanges between capture and outputs: content codings undone, secrets masked."""

    def __init__(self, config: SensorConfig) -> None:
        """Raises ConfigError for what cannot be masked."""
        self._config = config
        try:
            self._masking = Masking(config.redact)
        except ValueError as error:
            raise ConfigError(Problem("redact", str(error))) from None

    def reconfigure(self, config: SensorConfig) -> None:
        try:
            self._masking.change(config.redact)
        except ValueError as error:
            raise ConfigError(Problem("redact", str(error))) from None
        self._config = config

    def __call__(self, batch: Batch, start: int = 0, stop: int | None = None) -> None:
        """Finish the exchanges of *batch* from one position to another."""
        config = self._config
        bounds = max(1, config.max_http_length_bytes), max(16 * _MIB, config.max_memory_bytes // 4)
        if config.no_redact:
            batch.decode(*bounds, start, stop)
        else:
            self._masking(batch, *bounds, start, stop)

    def statistics(self) -> MaskingStatistics:
        """What was hidden so far."""
        return self._masking.statistics()


class Policy(TypedDict):
    """Keyword arguments of ``Engine`` that can change while it runs."""

    traces_per_minute: float
    endpoint_traces_per_minute: float
    rules: Rules | None


def policy(config: SensorConfig) -> Policy:
    """The engine's budget of traces and the rules it asks."""
    each = config.max_per_endpoint_exported_requests_per_second
    return {
        "traces_per_minute": config.rate_limit,
        "endpoint_traces_per_minute": each * 60 if each else -1.0,
        "rules": compile_rules(config),
    }


def _engine(config: SensorConfig) -> Engine:
    from levo.engine.engine import Engine

    return Engine(
        max_memory_bytes=config.max_memory_bytes,
        max_message_bytes=config.max_http_length_bytes,
        stream_timeout_ns=config.stream_timeout_ns,
        idle_ns=config.connection_idle_timeout_ns,
        keep_bodies=config.max_http_length_bytes > 0,
        one_network=config.ignore_network_tags,
        vxlan_ports=config.vxlan_ports,
        hops="merge" if config.merge_hops else "link",
        **policy(config),
    )


def _give_keys(engine: Engine, config: SensorConfig, file: FileSource | None) -> None:
    """Let *engine* ask for TLS secrets: of ``--tls-keylog``, and of the capture *file* itself."""
    from levo.sensor.capture.keylog import CaptureSecrets, KeyLogFile

    if file is not None:
        if config.tls_keylog is not None:
            log = KeyLogFile(config.tls_keylog, finished=True)
            while lines := log():
                engine.add_secrets(lines)
        engine.set_key_source(CaptureSecrets(file))
    elif config.tls_keylog is not None:
        engine.set_key_source(KeyLogFile(config.tls_keylog), wait=True)


def _look_for_probe(pipeline: Pipeline, config: SensorConfig) -> ProbeLink | None:
    """Have the engine take the secrets of ``levo tls probe`` whenever that runs beside a live capture."""
    if config.read is not None or config.tls_probe == "off":
        return None
    from levo.sensor.capture.probe_link import WAIT_NS, ProbeLink

    def changed(source: ProbeSource | None) -> None:
        pipeline.order(lambda engine: engine.set_key_probe(source, WAIT_NS)).wait(_APPLY_WITHIN_S)

    def report() -> bytes:
        seen = pipeline.snapshot()
        return json.dumps({"endpoints": seen.encrypted, "processes": seen.tls_processes}).encode()

    link = ProbeLink(config.tls_probe, changed, report=report)
    link.start()
    return link


def _refuse_overwriting(config: SensorConfig) -> None:
    for spec in config.output:
        if config.read is None or spec.path is None:
            continue
        try:
            same = os.path.samefile(config.read, spec.path)
        except OSError:
            continue
        if same:
            raise ConfigError(Problem("--output", f"{spec} would overwrite the file of --read; name another"))


def _open_outputs(
    merged: Merged,
    resource: bytes,
    shares: Shares,
    owner: tuple[int, int] | None,
    opened: Callable[[], None],
    warnings: list[str],
) -> list[Output]:
    """The outputs, at work; *opened* is called when all they need is open and no thread has started."""
    from levo.sensor.export.opening import open_destination
    from levo.sensor.export.output import Output
    from levo.sensor.export.queue import QueueLimits
    from levo.sensor.export.retry import RetryPolicy

    config = merged.config
    found: list[tuple[OutputSpec, Destination, Spool | None]] = []
    outputs: list[Output] = []
    try:
        for spec in config.output:
            destination = open_destination(
                spec, otlp_settings(config), owner=owner, append=config.read is None
            )
            found.append((spec, destination, None))
            if spec.kind == "otlp":
                spool = _open_spool(merged, owner)
                found[-1] = (spec, destination, spool)
                warnings += [] if spool is None else [f"spool-dir: {each}" for each in spool.warnings]
        opened()
        for spec, destination, spool in found:
            outputs.append(
                Output(
                    destination,
                    name=str(spec) if spec.path is None else f"{spec.kind}:{os.path.basename(spec.path)}",
                    resource=resource,
                    limits=QueueLimits(bytes=shares.output_bytes),
                    # Whoever reads a file waits for it; a service may outlive a certificate's renewal.
                    retry=RetryPolicy(waits_for_repair=config.read is None),
                    spool=spool,
                )
            )
    except BaseException:
        for output in outputs:
            output.close(0.0)
        for _, destination, spool in found[len(outputs) :]:
            destination.close()
            if spool is not None:
                spool.close()
        raise
    return outputs


def _refuse_foreign_spool(merged: Merged) -> None:
    folder = merged.config.spool_dir
    if folder is None or all(spec.kind != "otlp" for spec in merged.config.output):
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        text = f"{folder} cannot be written as user {os.geteuid()}, whom the sensor runs as; name another"
        raise ConfigError(merged.problem("spool-dir", text))


def _open_spool(merged: Merged, owner: tuple[int, int] | None) -> Spool | None:
    from pathlib import Path

    from levo.sensor.export.failure import SpoolError
    from levo.sensor.export.spool import Spool

    config = merged.config
    if config.spool_dir is None:
        return None
    try:
        return Spool(Path(config.spool_dir), max_bytes=config.spool_max_bytes, owner=owner)
    except SpoolError as error:
        raise ConfigError(merged.problem("spool-dir", str(error))) from None


def otlp_settings(config: SensorConfig) -> OtlpSettings:
    from pathlib import Path

    from levo.sensor.export.settings import OtlpSettings

    def path(text: str | None) -> Path | None:
        return None if text is None else Path(text)

    return OtlpSettings(
        config.satellite,
        organization_id=config.levoai_org_id,
        token=config.satellite_token,
        ca_cert_path=path(config.tls_ca_cert_path),
        client_cert_path=path(config.tls_client_cert_path),
        client_key_path=path(config.tls_client_key_path),
        ignore_ssl_verify=config.ignore_ssl_verify,
        http_proxy=config.http_proxy,
        https_proxy=config.https_proxy,
    )
