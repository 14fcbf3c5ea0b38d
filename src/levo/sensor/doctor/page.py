"""Findings and evidence as one page for people."""

from __future__ import annotations

from collections.abc import Sequence

from levo.config import SensorConfig
from levo.sensor.doctor.diagnosis import Diagnosis, Level, clock_difference, removed_by_rules
from levo.sensor.doctor.ports import describe
from levo.sensor.doctor.reach import Reached
from levo.sensor.doctor.watch import Watched


def render(
    config: SensorConfig,
    interfaces: Sequence[str],
    privilege: str,
    watched: Watched | None,
    reached: Reached | None,
    findings: Sequence[Diagnosis],
) -> str:
    """The whole page; no final newline. *interfaces* is one line each, *privilege* one sentence."""
    lines = ["Interfaces", *(f"  {line}" for line in interfaces), "Privileges", f"  {privilege}"]
    if watched is not None:
        lines += _traffic(config, watched)
    if reached is not None:
        answer = "answers and takes traces" if reached.error is None else f"{reached.error}"
        shown = answer if answer.startswith(reached.address) else f"{reached.address}: {answer}"
        lines += ["Satellite", f"  {shown}"]
        if reached.ahead_s is not None:
            lines.append(f"  this host's clock is {clock_difference(reached)} its own")
    lines.append("Findings")
    for number, finding in enumerate(findings, 1):
        lines += [f"  {number}. {finding.level.value}: {finding.text}", f"     fix: {finding.fix}"]
    if not findings:
        lines.append("  nothing is wrong")
    lines += ["Next", f"  {_next(findings)}"]
    return "\n".join(lines)


def _traffic(config: SensorConfig, watched: Watched) -> list[str]:
    everything, kept = watched.everything, watched.kept
    span = f"in {config.read}" if config.read is not None else f"in {round(watched.seconds, 1):g} s"
    lines = [f"Traffic ({everything.packets:,} TCP packets {span})"]
    lines += [f"  {name}: {count:,} packets" for name, count in watched.interfaces]
    total = sum(int(port["packets"]) for port in everything.ports)
    lines += [f"  {line}" for line in describe(everything.ports[:10], total)]
    removed = everything.packets - kept.packets
    lines.append("Filters")
    if config.filter is not None or config.interfaces:
        what = " and ".join(
            name
            for name, given in (("--filter", config.filter), ("--interfaces", config.interfaces))
            if given
        )
        lines.append(f"  {what} removed {max(0, removed):,} of {everything.packets:,} packets")
    lines += [f"  {line}" for line in removed_by_rules(kept)]
    if lines[-1] == "Filters":
        lines.append("  nothing was left out")
    emitted = int(kept.statistics["exchanges_emitted"])
    lines.append(f"  {emitted:,} exchanges would become traces")
    return lines


def _next(findings: Sequence[Diagnosis]) -> str:
    for finding in findings:
        if finding.level is not Level.NOTE:
            return finding.fix
    return "start levo apidump with these settings"
