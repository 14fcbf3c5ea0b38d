"""Where everything went: each frame, payload octet, exchange and trace ends in exactly one counted state.

A stage balances when ``received == sum of its states``. The states of a stage, with one line each, are the
table below; ``docs/reference/ledger.md`` is made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from levo.model.statistics import EngineStatistics


class Fate(Enum):
    """What a state means for whoever wanted the data."""

    KEPT = "kept"
    """Went on to the next stage, or arrived."""
    INTENDED = "intended"
    """Left out by design or by a rule of the user's."""
    LOST = "lost"
    """Would have been wanted."""
    WAITING = "waiting"
    """Not decided yet; zero once the sensor has stopped, if nothing else says so."""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """One way in which a unit of a stage can end."""

    name: str
    """Stable; a metric label. In the engine's stages, the counter's name without the stage's prefix."""
    fate: Fate
    text: str
    """One line for people, fit to follow a number."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A place where units are received and leave in a state."""

    name: str
    unit: str
    text: str
    states: tuple[LedgerState, ...]

    def state(self, name: str) -> LedgerState:
        """The state of that name; one made up on the spot, as a loss, where the table has none."""
        found = next((state for state in self.states if state.name == name), None)
        return found or LedgerState(name, Fate.LOST, name.replace("_", " "))


CAPTURE = Stage(
    "capture",
    "frames",
    "Frames that the kernel, or the capture file, had for us.",
    (
        LedgerState("delivered", Fate.KEPT, "handed to the engine"),
        LedgerState("filtered", Fate.INTENDED, "not matched by --filter (capture file)"),
        LedgerState("kernel_dropped", Fate.LOST, "dropped by the kernel: its ring was full"),
        LedgerState("waiting", Fate.WAITING, "in the kernel's ring, or from before the filter was in place"),
    ),
)
FRAMES = Stage(
    "frames",
    "frames",
    "Frames that the engine received.",
    (
        LedgerState("tcp", Fate.KEPT, "became a TCP segment"),
        LedgerState("not_ip", Fate.INTENDED, "neither IPv4 nor IPv6"),
        LedgerState("not_tcp", Fate.INTENDED, "IP, but no TCP"),
        LedgerState("malformed", Fate.LOST, "headers that contradict their own lengths, or are cut"),
        LedgerState("unsupported_link", Fate.LOST, "of a link type that is not known"),
        LedgerState("fragment_joined", Fate.KEPT, "IP fragments joined into their packet, or waiting for it"),
        LedgerState("fragment_lost", Fate.LOST, "IP fragments whose packet never became whole"),
    ),
)
PAYLOAD = Stage(
    "payload_bytes",
    "octets",
    "TCP payload octets in those segments.",
    (
        LedgerState("parsed", Fate.KEPT, "read by a protocol parser"),
        LedgerState("duplicate", Fate.INTENDED, "retransmitted or overlapping: seen before"),
        LedgerState(
            "duplicate_nat", Fate.INTENDED, "seen before under other addresses (address translation)"
        ),
        LedgerState("opaque", Fate.INTENDED, "in connections that are encrypted or not HTTP"),
        LedgerState("skipped", Fate.LOST, "passed over while looking for the next message"),
        LedgerState("evicted", Fate.LOST, "held out of order and given up for memory"),
        LedgerState("closed", Fate.INTENDED, "after the end of their connection"),
        LedgerState("out_of_window", Fate.LOST, "with sequence numbers far from their stream's"),
        LedgerState("held", Fate.WAITING, "waiting for a missing segment"),
    ),
)
TLS = Stage(
    "tls",
    "connections",
    "Connections under TLS, and why those are unread that are.",
    (
        LedgerState("read", Fate.KEPT, "read with their secrets, to their end"),
        LedgerState("open", Fate.WAITING, "still going on, and read or not decided yet"),
        LedgerState("other", Fate.INTENDED, "opened with their secrets, and not HTTP"),
        LedgerState("unfinished", Fate.INTENDED, "ended before anything was said under encryption"),
        LedgerState(
            "no_secrets", Fate.LOST, "none of whose secrets came up: no probe or key log knows their programs"
        ),
        LedgerState("secret_lost", Fate.LOST, "of whose secrets some came up, and not those that are needed"),
        LedgerState(
            "joined_late",
            Fate.LOST,
            "whose handshake was not captured whole: they are older than the capture",
        ),
        LedgerState("suite", Fate.LOST, "of a version or cipher suite that is not read, or renegotiated"),
        LedgerState("out_of_step", Fate.LOST, "in a hole of which the place of the next record was lost"),
        LedgerState("memory", Fate.LOST, "given up for memory, or with too much waiting for their secrets"),
        LedgerState("malformed", Fate.LOST, "whose octets were not TLS records"),
    ),
)
PROBE = Stage(
    "tls_probe",
    "secrets",
    "TLS secrets that libraries on this host were about to log, as the probe met them.",
    (
        LedgerState("delivered", Fate.KEPT, "taken by the engine"),
        LedgerState(
            "filtered", Fate.INTENDED, "not needed to read packets, or of a process that is left out"
        ),
        LedgerState("limited", Fate.LOST, "over the probe's limit of secrets a second"),
        LedgerState("ring_full", Fate.LOST, "given up: the sensor did not read, or not fast enough"),
        LedgerState("fault", Fate.LOST, "could not be read from the process, or were none"),
        LedgerState("before", Fate.INTENDED, "taken by an earlier run of the sensor"),
        LedgerState("waiting", Fate.WAITING, "in the ring"),
    ),
)
SECRETS = Stage(
    "secrets",
    "secrets",
    "TLS secrets that the engine received, from the probe, key logs and capture files.",
    (
        LedgerState("used", Fate.KEPT, "opened records of their connection"),
        LedgerState("unused", Fate.INTENDED, "of connections that were not captured, or known already"),
        LedgerState("refused", Fate.LOST, "have no length of a secret, or memory was refused"),
        LedgerState("held", Fate.WAITING, "waiting for packets of their connection"),
    ),
)
EXCHANGES = Stage(
    "exchanges",
    "exchanges",
    "Exchanges that were begun: a request, or a response whose request is missing.",
    (
        LedgerState("emitted", Fate.KEPT, "finished, as API traces"),
        LedgerState("open", Fate.WAITING, "still going on"),
        LedgerState("host_not_allowed", Fate.INTENDED, "matched by no --host-allow"),
        LedgerState("host_excluded", Fate.INTENDED, "matched by --host-exclusions"),
        LedgerState("path_not_allowed", Fate.INTENDED, "matched by no --path-allow"),
        LedgerState("path_excluded", Fate.INTENDED, "matched by --path-exclusions"),
        LedgerState("url_filter", Fate.INTENDED, "ignored by url-filter"),
        LedgerState("ip_filter", Fate.INTENDED, "dropped by ip-filter-list"),
        LedgerState("rate_limited", Fate.INTENDED, "over --rate-limit"),
        LedgerState("own_export", Fate.INTENDED, "what a sensor sent to its Satellite"),
        LedgerState("merged_hop", Fate.INTENDED, "merged into the exchange on the other side of a proxy"),
        LedgerState("evicted", Fate.LOST, "given up for memory, with no room left to report their heads"),
    ),
)
TRACES = Stage(
    "traces",
    "traces",
    "Finished exchanges on their way to the outputs.",
    (
        LedgerState("submitted", Fate.KEPT, "offered to the outputs"),
        LedgerState("ready", Fate.WAITING, "finished, waiting in the engine"),
        LedgerState("held", Fate.WAITING, "being decoded and masked"),
        LedgerState("queue_full", Fate.LOST, "given up: decoding and masking could not follow"),
        LedgerState("unfinished", Fate.LOST, "given up: could not be decoded or masked"),
    ),
)
OUTPUT = Stage(
    "output",
    "traces",
    "Traces offered to one output, and those that its spool had kept from before.",
    (
        LedgerState("exported", Fate.KEPT, "delivered"),
        LedgerState("held", Fate.WAITING, "in the queue, or being sent"),
        LedgerState("spooled", Fate.WAITING, "on disk, for the next start"),
        LedgerState("queue_full", Fate.LOST, "refused: the queue was full"),
        LedgerState("failed", Fate.LOST, "given up after errors, or left over at the end"),
        LedgerState("rejected", Fate.LOST, "refused by the receiver"),
        LedgerState("spool_evicted", Fate.LOST, "dropped from the full spool"),
        LedgerState("spool_damaged", Fate.LOST, "in a spool file that was damaged"),
    ),
)
STAGES = (CAPTURE, FRAMES, PAYLOAD, TLS, PROBE, SECRETS, EXCHANGES, TRACES, OUTPUT)

NOTES: dict[str, str] = {
    "gaps": "holes in byte streams",
    "gap_bytes": "octets in them, never captured",
    "gaps_overfull": "of the holes were given up early: too much was waiting for them",
    "exchanges_emitted_incomplete": "of the traces are incomplete, and say why",
    "bodies_truncated": "bodies cut at the size limit or for memory",
    "heads_incomplete": "messages whose head never became whole",
    "heads_rejected": "heads that are no HTTP, or pass a bound",
    "segments_out_of_order": "segments out of order",
    "segments_overlap_conflict": "segments that repeat octets with other content",
    "connections_evicted": "connections given up for memory",
    "hops_linked": "traces name another trace of the same request, on the other side of a proxy",
    "hops_hurried": "exchanges were not compared for as long as others: too many carry a request id",
}
"""Counters of the engine outside the balances that are worth a line when they are not zero."""

MASKED: dict[str, str] = {
    "credentials_masked": "credentials masked",
    "fields_masked": "values masked by the name of their field",
    "patterns_masked": "matches of a redact pattern masked",
    "bodies_withheld": "bodies withheld: their content coding hid what is to be masked",
}
"""Counters of what was hidden before the outputs (``sensor/redact``)."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One stage at one moment."""

    stage: Stage
    label: str
    """The stage's name; for an output, the output's."""
    received: int
    counts: tuple[tuple[LedgerState, int], ...]
    """Every state, also those at zero, in the table's order."""

    @property
    def missing(self) -> int:
        """Units in no state (or, negative, in two): 0, or there is a bug."""
        return self.received - sum(count for _, count in self.counts)

    def total(self, fate: Fate) -> int:
        return sum(count for state, count in self.counts if state.fate is fate)

    def __str__(self) -> str:
        terms = [f"{count:,} {state.text}" for state, count in self.counts if count]
        line = f"{self.label}: {self.received:,} {self.stage.unit} = {'; '.join(terms) or 'none'}"
        return line if not self.missing else f"{line} -- DOES NOT BALANCE, {self.missing:+,} unaccounted for"


class Captured(Protocol):
    """What a source counts: ``FileStatistics`` or ``LiveStatistics``, each with further states of its own."""

    @property
    def received(self) -> int: ...
    @property
    def delivered(self) -> int: ...


class HandedOver(Protocol):
    """What the pipeline counts: ``PipelineStatistics``, with the states of :data:`TRACES` by their names."""

    @property
    def submitted(self) -> int: ...


class Delivered(Protocol):
    """What an output counts: ``OutputStatistics``, with the states of :data:`OUTPUT` by their names."""

    @property
    def name(self) -> str: ...
    @property
    def received(self) -> int: ...
    @property
    def recovered(self) -> int: ...


class Probed(Protocol):
    """What a probe of TLS libraries counts: ``ProbeStatistics``, with the states of :data:`PROBE` by name."""

    @property
    def hits(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The balances of all stages, in the order of the data's way, and a few numbers beside them."""

    stages: tuple[Balance, ...]
    notes: tuple[tuple[str, int, str], ...] = ()
    """(counter, value above zero, text)."""

    @classmethod
    def from_statistics(
        cls,
        engine: EngineStatistics,
        capture: Captured | None = None,
        outputs: Iterable[Delivered] = (),
        pipeline: HandedOver | None = None,
        ready: int = 0,
        probe: Probed | None = None,
    ) -> Ledger:
        """Build the ledger.

        *engine* may have the counters of masking as well (``SensorStatistics``); *ready* are the exchanges
        waiting in the engine, *probe* what a probe of TLS libraries counted, where there is one.

        Each stage's ``received`` is what the stage before says it passed on: hand-overs are checked. Taken
        while the sensor runs, the parts are of slightly different moments; once it has stopped they agree.
        """
        stages = []
        if capture is not None:
            stages.append(_capture(capture, engine["frames_received"]))
        stages.append(_prefixed(FRAMES, engine, "frames_"))
        stages.append(_prefixed(PAYLOAD, engine, "payload_bytes_"))
        if engine.get("tls_received"):
            stages.append(_prefixed(TLS, engine, "tls_"))
        if probe is not None:
            stages.append(_probe(probe))
        if engine.get("secrets_received"):
            stages.append(_prefixed(SECRETS, engine, "secrets_"))
        stages.append(_exchanges(engine))
        if pipeline is not None:
            counts = {
                name: getattr(pipeline, name) for name in ("submitted", "held", "queue_full", "unfinished")
            }
            stages.append(_balance(TRACES, engine["exchanges_emitted"], {**counts, "ready": ready}))
        for output in outputs:
            offered = output.received if pipeline is None else pipeline.submitted
            counts = {state.name: getattr(output, state.name) for state in OUTPUT.states}
            stages.append(_balance(OUTPUT, offered + output.recovered, counts, output.name))
        numbers = numbers_of(engine)
        notes = [(name, numbers[name], text) for name, text in (NOTES | MASKED).items() if numbers.get(name)]
        if capture is not None:
            notes += _capture_notes(capture)
        return cls(tuple(stages), tuple(notes))

    @property
    def balanced(self) -> bool:
        return all(not balance.missing for balance in self.stages)

    def render(self) -> str:
        """The ledger in plain words, one line a stage; no final newline."""
        lines = [f"  {balance}" for balance in self.stages]
        lines += [f"  note: {value:,} {text}" for _, value, text in self.notes]
        if self.balanced:
            lines.append(f"  balance: all {len(self.stages)} stages add up")
        else:
            wrong = ", ".join(balance.label for balance in self.stages if balance.missing)
            lines.append(f"  balance: WRONG in {wrong}; please report this")
        return "\n".join(["ledger (received = what became of it):", *lines])


def _balance(stage: Stage, received: int, counts: Mapping[str, int], label: str | None = None) -> Balance:
    names = [state.name for state in stage.states]
    names += [name for name in counts if name not in names]
    return Balance(
        stage,
        stage.name if label is None else f"{stage.name} {label}",
        received,
        tuple((stage.state(name), int(counts.get(name, 0))) for name in names),
    )


def numbers_of(counters: Mapping[str, object]) -> dict[str, int]:
    """The counters whose value is one number."""
    return {name: value for name, value in counters.items() if isinstance(value, int)}


def _prefixed(stage: Stage, engine: EngineStatistics, prefix: str) -> Balance:
    numbers = numbers_of(engine)
    counts = {name[len(prefix) :]: value for name, value in numbers.items() if name.startswith(prefix)}
    return _balance(stage, counts.pop("received"), counts)


def _probe(probe: Probed) -> Balance:
    return _balance(PROBE, probe.hits, {state.name: getattr(probe, state.name) for state in PROBE.states})


def _exchanges(engine: EngineStatistics) -> Balance:
    ended = {"emitted": engine["exchanges_emitted"], "open": engine["exchanges_open"]}
    counts = ended | numbers_of(engine["exchanges_dropped"])
    return _balance(EXCHANGES, engine["exchanges_begun"], counts)


def _capture(capture: Captured, passed: int) -> Balance:
    dropped = int(getattr(capture, "dropped", 0))
    filtered = int(getattr(capture, "filtered", 0))
    waiting = capture.received - capture.delivered - dropped - filtered
    counts = {"delivered": passed, "filtered": filtered, "kernel_dropped": dropped, "waiting": waiting}
    return _balance(CAPTURE, capture.received, counts)


def _capture_notes(capture: Captured) -> list[tuple[str, int, str]]:
    texts = {
        "interface_dropped": "frames dropped by the device or its driver, before the kernel's filter",
        "interfaces_lost": "times that an interface ended its capture",
        "truncated_records": "records cut by the end of the file",
        "malformed_records": "records whose lengths contradict each other",
        "unread_bytes": "octets of the file behind them, not read",
    }
    found = [(name, int(getattr(capture, name, 0)), text) for name, text in texts.items()]
    return [note for note in found if note[1]]


_INTRODUCTION = """\
Nothing is lost silently: at every stage `received` is the sum of the states below. The sensor prints
the ledger when it ends, `/metrics` has it while it runs, and it goes out as OTLP metrics.
*Fate*: **kept** went on or arrived; **intended** was left out by design or by a rule; **lost** would
have been wanted; **waiting** is not decided yet."""


def reference() -> str:
    """The text of ``docs/reference/ledger.md``."""
    lines = [
        "# Ledger",
        "",
        "<!-- Made by levo.ledger.reference(); `levo config reference --ledger` prints it. -->",
        "",
        _INTRODUCTION,
    ]
    for stage in STAGES:
        lines += [
            "",
            f"## {stage.name}",
            "",
            f"{stage.text} Unit: {stage.unit}.",
            "",
            "| state | fate | meaning |",
        ]
        lines += ["| --- | --- | --- |"]
        lines += [f"| `{state.name}` | {state.fate.value} | {state.text} |" for state in stage.states]
    lines += ["", "## Beside the balances", "", "| counter | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in (NOTES | MASKED).items()]
    return "\n".join(lines) + "\n"
