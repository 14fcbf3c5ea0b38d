"""The life of a finding: when it counts as fixed, comes back, or is not observed any more. Pure."""

from __future__ import annotations

import msgspec

from levo.satellite.posture import Finding
from levo.satellite.store.userdata import KeptFinding, finding_name

DAY_NS = 86_400 * 10**9
QUIET_NS = 7 * DAY_NS
"""For so long at least a finding must not have been seen again …"""
QUIET_EXCHANGES = 100
"""… in so many exchanges that could have shown it …"""
QUIET_GAPS = 5
"""… and for so many times as long as it used to take until it was seen again."""
UNOBSERVED_NS = 7 * DAY_NS
"""Without any traffic for so long, it is not known whether it is still so."""
REFRESH_NS = 60 * 10**9
"""Counts alone are written no more often."""


class Life(msgspec.Struct, frozen=True):
    """How far a finding has come."""

    state: str
    """``open``, ``reopened``, ``fixed`` or ``unobserved``."""
    since_ns: int
    """Since when."""
    count: float
    """Exchanges that showed it."""
    exchanges: float
    """Exchanges that could have shown it."""
    grown_ns: int
    """When it was last shown."""
    grown_exchanges: float
    """Exchanges that could have shown it by then."""
    traffic_ns: int
    """When there were last more exchanges that could have shown it."""


def identity_of(finding: Finding, template: str) -> str:
    """Return the name of *finding*, which it keeps: 16 characters of base32.

    *template* is its path without the names of its parameters, so that renaming them changes nothing.
    """
    place = finding.place
    parts = (
        finding.rule, place.organization, place.environment, place.application, place.host, place.method,
        template, finding.subject,
    )  # fmt: skip
    return finding_name(parts)


def shown_by(finding: Finding) -> float:
    """Return how many exchanges showed *finding*: its first count, else all of its endpoint."""
    return finding.evidence[0].count if finding.evidence else finding.exchanges


def begun(finding: Finding, now_ns: int) -> Life:
    """Return the life of a *finding* that is new."""
    shown_ns = min(finding.last_seen_ns or now_ns, now_ns)
    return Life("open", now_ns, shown_by(finding), finding.exchanges, shown_ns, finding.exchanges, shown_ns)


def life_of(kept: KeptFinding) -> Life:
    """Return the life that is kept."""
    return Life(
        kept.state, kept.since_ns, kept.count, kept.exchanges, kept.grown_ns, kept.grown_exchanges,
        kept.traffic_ns,
    )  # fmt: skip


def lived(life: Life, finding: Finding, first_ns: int, now_ns: int) -> Life:
    """Return *life* after *finding* was found once more, at *now_ns*; it was seen first at *first_ns*."""
    count, exchanges = shown_by(finding), finding.exchanges
    traffic_ns = now_ns if exchanges > life.exchanges else life.traffic_ns
    if count > life.count:
        state = {"fixed": "reopened", "unobserved": "open"}.get(life.state, life.state)
        since_ns = life.since_ns if state == life.state else now_ns
        shown_ns = min(max(finding.last_seen_ns, life.grown_ns), now_ns)
        return Life(state, since_ns, count, exchanges, shown_ns, exchanges, traffic_ns)
    # Fewer than before: what was learned of it was forgotten in part, which shows nothing.
    grown_exchanges = min(life.grown_exchanges, exchanges)
    now = msgspec.structs.replace(
        life, count=count, exchanges=exchanges, grown_exchanges=grown_exchanges, traffic_ns=traffic_ns
    )
    if life.state == "fixed":
        return now
    gap_ns = max(0, life.grown_ns - first_ns) / max(1.0, count)
    quiet_ns = now_ns - life.grown_ns
    if quiet_ns >= max(QUIET_NS, QUIET_GAPS * gap_ns) and exchanges - grown_exchanges >= QUIET_EXCHANGES:
        return msgspec.structs.replace(now, state="fixed", since_ns=now_ns)
    if now_ns - traffic_ns >= UNOBSERVED_NS and life.state != "unobserved":
        return msgspec.structs.replace(now, state="unobserved", since_ns=now_ns)
    return now


def vanished(life: Life, now_ns: int, *, refused: bool) -> Life:
    """Return *life* after what is learned does not show the finding any more.

    That proves a repair only if *refused*: what was let in without a credential is refused since. Otherwise
    it may have been forgotten, or someone may have decided on what it rests on.
    """
    state = "fixed" if refused or life.state == "fixed" else "unobserved"
    return life if state == life.state else msgspec.structs.replace(life, state=state, since_ns=now_ns)
