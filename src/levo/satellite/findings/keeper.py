"""Looks for findings as the catalog changes, and leads each through its life."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import msgspec
import orjson

from levo.satellite.findings.life import REFRESH_NS, Life, begun, identity_of, life_of, lived, vanished
from levo.satellite.posture import Facts, Finding, PostureSettings, evaluate, read_facts
from levo.satellite.posture.facts import Endpoint
from levo.satellite.query.fields import PROOFS
from levo.satellite.store import CatalogReader
from levo.satellite.store.schema import anonymous_template
from levo.satellite.store.userdata import Findings, KeptFinding

_PAUSE_S = 60.0
"""Without a change of the catalog it is looked again after this time: lives go on by time alone."""
_SHARE = 10.0
"""Looking takes no more than one part in so many of the time."""
_FORGOTTEN_NS = 400 * 86_400 * 10**9
"""What has not been observed for so long is forgotten."""


class FindingKeeper:
    """Asks the rules and keeps what they find. One at a time may be in use."""

    def __init__(
        self,
        reader: CatalogReader,
        findings: Findings,
        settings: PostureSettings | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """*reader* sees the whole catalog. *clock_ns* is the time of day, *clock_s* one that is never set."""
        self._reader = reader
        self._findings = findings
        self._settings = settings or PostureSettings()
        self._clock_ns = clock_ns
        self._clock_s = clock_s
        self._looked: tuple[int, float] = (-1, float("-inf"))
        """The revision that was looked at, and when to look again although it is the same."""
        self._looked_by: PostureSettings | None = None
        self._not_before_s = float("-inf")

    def use(self, settings: PostureSettings) -> None:
        """Ask the rules as *settings* say from now on."""
        self._settings = settings

    def step(self) -> bool:
        """Look if it is time to; return whether it was."""
        now_s = self._clock_s()
        revision = self._reader.revision()
        known = self._looked_by is self._settings and revision == self._looked[0]
        if now_s < self._not_before_s or (known and now_s < self._looked[1]):
            return False
        if not self._reader.is_looked_at():
            return False
        self.look()
        end_s = self._clock_s()
        self._not_before_s = end_s + _SHARE * (end_s - now_s)
        self._looked = (revision, end_s + _PAUSE_S)
        return True

    def look(self) -> None:
        """Ask the rules now, and keep what is new."""
        now_ns = self._clock_ns()
        self._looked_by = settings = self._settings
        facts = read_facts(self._reader)
        found: dict[str, tuple[Finding, str]] = {}
        for finding in evaluate(facts, settings):
            template = anonymous_template(finding.place.path) if finding.place.path else ""
            found.setdefault(identity_of(finding, template), (finding, template))
        kept = self._findings.everything()
        changed = []
        for identity, (finding, template) in found.items():
            known = kept.get(identity)
            now = kept_finding(identity, finding, template, known, now_ns)
            if known is None or _is_news(known, now):
                changed.append(now)
        gone, moved, dropped = self._vanished(facts, kept, found, now_ns)
        if changed or gone:
            self._findings.put([*changed, *gone], now_ns)
        for identity, to in moved:
            if (there := self._findings.get(to)) is not None:
                self._findings.follow(identity, there)
        if dropped:
            self._findings.drop(dropped)

    def _vanished(
        self,
        facts: Facts,
        kept: Mapping[str, KeptFinding],
        found: Mapping[str, tuple[Finding, str]],
        now_ns: int,
    ) -> tuple[list[KeptFinding], list[tuple[str, str]], list[str]]:
        """Return what is not found any more: as it is now, (name, its name now), and to be forgotten."""
        endpoints = {each.place.endpoint: each for group in facts.applications for each in group.endpoints}
        by_endpoint = {
            (finding.rule, finding.subject, finding.place.endpoint): identity
            for identity, (finding, _) in found.items()
        }
        gone: list[KeptFinding] = []
        moved: list[tuple[str, str]] = []
        dropped: list[str] = []
        for identity, known in kept.items():
            if identity in found:
                continue
            if known.endpoint and known.endpoint not in endpoints:
                row = self._reader.endpoint(known.endpoint)
                there = by_endpoint.get((known.rule, known.subject, row.id)) if row else None
                if there is not None:
                    moved.append((identity, there))
                    continue
            life = vanished(life_of(known), now_ns, refused=_is_refused(known, endpoints.get(known.endpoint)))
            if now_ns - max(life.since_ns, known.last_ns) > _FORGOTTEN_NS:
                dropped.append(identity)
            elif life.state != known.state:
                gone.append(msgspec.structs.replace(known, **msgspec.structs.asdict(life), written_ns=now_ns))
        return gone, moved, dropped


def _is_refused(known: KeptFinding, endpoint: Endpoint | None) -> bool:
    """Whether who was let in without a credential, which *known* is about, is refused since."""
    if endpoint is None or not known.rule.startswith("AUTH-"):
        return False
    return endpoint.access.refused_s > endpoint.access.let_in_s


def _is_news(known: KeptFinding, now: KeptFinding) -> bool:
    """Whether *now* is worth being written: other than by counts, or after a while."""
    if (known.state, known.rank, known.proof, known.path, known.endpoint) != (
        now.state, now.rank, now.proof, now.path, now.endpoint,
    ):  # fmt: skip
        return True
    return now != msgspec.structs.replace(known, written_ns=now.written_ns) and (
        now.written_ns - known.written_ns >= REFRESH_NS
    )


def kept_finding(
    identity: str, finding: Finding, template: str, known: KeptFinding | None, now_ns: int
) -> KeptFinding:
    """Return *finding* as it is kept; *known* is as it was kept so far."""
    place = finding.place
    first_ns = min(known.first_ns, finding.first_seen_ns) if known else finding.first_seen_ns
    life: Life = lived(life_of(known), finding, first_ns, now_ns) if known else begun(finding, now_ns)
    proof = PROOFS.index(finding.proof)
    return KeptFinding(
        identity, place.organization, place.environment, place.application, place.host, place.method,
        template, place.path, place.endpoint, finding.rule, finding.subject, finding.title,
        finding.severity.rank, proof, str(finding.kind), ",".join(finding.owasp),
        ",".join(f"CWE-{each}" for each in finding.cwe),
        proof * 10 + math.log10(1 + max(0.0, finding.exchanges)),
        life.state, life.since_ns, first_ns, finding.last_seen_ns, life.count, life.exchanges, life.grown_ns,
        life.grown_exchanges, life.traffic_ns, now_ns, _document(finding),
        known.decided if known else "", known.decided_until_ns if known else 0,
        known.decision if known else 0,
    )  # fmt: skip


def _document(finding: Finding) -> str:
    return orjson.dumps(
        {
            "text": finding.text,
            "evidence": [
                {"name": each.name, "count": each.count, "of": each.of or None} for each in finding.evidence
            ],
            "also_at": [
                {"method": each.method, "path": each.path, "endpoint": each.endpoint}
                for each in finding.also_at
            ],
            "sampled": finding.sampled,
            "why_not": list(finding.why_not),
            "remediation": finding.remediation,
            "verify": finding.verify,
        }
    ).decode()
