"""Results as tables between the marks of ``docs/performance.md`` and as plots in ``docs/images``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench import svg

BEGIN, END = "<!-- measured: begin (written by make bench) -->", "<!-- measured: end -->"

Results = dict[str, Any]


def text(results: Results) -> str:
    """All tables."""
    parts = [_machines(results)]
    for name, make in (
        ("offline", _offline),
        ("peers", _peers),
        ("scaling", _scaling),
        ("sizes", _sizes),
        ("memory", _memory),
        ("start", _start),
        ("live", _live),
        ("cost", _cost),
    ):
        if name in results:
            parts.append("\n".join(make(results[name]["found"])))
    return "\n\n".join(parts) + "\n"


def write(tables: str, results: Results, docs: Path) -> None:
    """Put *tables* between the marks and draw the plots."""
    page = docs / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}")
    for name, plot in _plots(results):
        (docs / "images" / f"bench-{name}.svg").write_text(plot)


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _table(*titles: str) -> list[str]:
    return [_row(*titles), _row("---", *["---:"] * (len(titles) - 1))]


def _machines(results: Results) -> str:
    first = next(iter(results.values()))["at"]
    commits = sorted({each["at"]["commit"] for each in results.values()})
    loads = [float(each["at"]["load"]) for each in results.values()]
    return (
        f"{first['machine']}; Python {first['python']}; commit {', '.join(commits)}; load average before the "
        f"parts {min(loads)} to {max(loads)}. Medians of interleaved rounds."
    )


def _rate(count: float, seconds: float) -> str:
    return f"{count / seconds:,.0f}"


def _offline(found: Results) -> Iterator[str]:
    yield "### From a file, engine and encoder\n"
    yield from _table(
        "100,000 small exchanges (200,000 packets, 32 connections)",
        "CPU s",
        "exchanges per CPU s",
        "best round",
    )
    names = {
        "small, null": "finished exchanges, thrown away",
        "small, otlp": "OTLP bytes: all fields and bodies, decoded, masked, no limit",
        "small, jsonl": "JSON lines of the same",
        "small, otlp, default limit": "OTLP bytes at the default limit (1,000 a minute)",
    }
    for key, name in names.items():
        each = found[key]
        yield _row(
            name, f"{each['cpu_s']:.3f}", _rate(100_000, each["cpu_s"]), _rate(100_000, each["best_s"])
        )
    yield ""
    yield from _table("3,000 answers of 100 kB, MTU 1500", "CPU s", "Gbit/s per core", "best round")
    names = {
        "bodies, null": "finished exchanges with bodies, thrown away",
        "bodies, otlp": "OTLP bytes with bodies",
        "bodies, otlp, one a minute": "unsampled (1 trace a minute)",
    }
    for key, name in names.items():
        each = found[key]
        bits = each["octets"] * 8e-9
        yield _row(
            name, f"{each['cpu_s']:.3f}", f"{bits / each['cpu_s']:.1f}", f"{bits / each['best_s']:.1f}"
        )
    each = found["tls"]
    yield ""
    yield (
        f"TLS, keys unknown: {_rate(each['frames'], each['cpu_s'])} packets per CPU second "
        f"(best round {_rate(each['frames'], each['best_s'])})."
    )


def _peers(found: Results) -> Iterator[str]:
    yield "### Whole programs on the file with small exchanges\n"
    yield from _table("program", "what it does", "CPU s", "exchanges per CPU s", "CPU time, levo = 1")
    ours = found["levo apidump"]["cpu_s"]
    for name, each in found.items():
        ratio = f"{each['cpu_s'] / ours:.1f}"
        yield _row(name, each["does"], f"{each['cpu_s']:.2f}", _rate(each["exchanges"], each["cpu_s"]), ratio)
    yield "\n![Exchanges per CPU second beside other programs](images/bench-peers.svg)"


def _scaling(found: Results) -> Iterator[str]:
    yield "### Connections open at the same time\n"
    yield from _table(
        "connections, used in turn", "µs per exchange, thrown away", "µs per exchange, OTLP bytes"
    )
    for step in found["null"]:
        costs = [found[mode][step] for mode in ("null", "otlp")]
        count, _, order = step.partition(" ")
        name = f"{int(count):,} {order}".strip()
        yield _row(name, *(f"{each['cpu_s'] / each['exchanges'] * 1e6:.2f}" for each in costs))
    yield "\n![Cost over connections](images/bench-connections.svg)"


def _sizes(found: Results) -> Iterator[str]:
    yield "### Size of the answer, to OTLP bytes\n"
    yield from _table("octets", "µs per exchange", "Gbit/s per core")
    for step, each in found["otlp"].items():
        cost = each["cpu_s"] / each["exchanges"] * 1e6
        yield _row(f"{int(step):,}", f"{cost:.2f}", f"{each['octets'] * 8e-9 / each['cpu_s']:.1f}")
    yield "\n![Cost over sizes](images/bench-sizes.svg)"


def _memory(found: Results) -> Iterator[str]:
    points = found["points"]
    yield "### Resident memory, OTLP/HTTP\n"
    if found["idle"]:
        idle = found["idle"]
        yield (
            f"* Idle, capturing on one interface: {idle['resident']:.0f} MiB, of which the kernel's ring "
            f"{idle['ring']:.0f} MiB."
        )
    half = points[len(points) // 2]
    yield (
        f"* {found['delivered']:,} exchanges over 10,000 connections from a pipe, all delivered: "
        f"{half[1]:.0f} MiB after {half[0]:,}, {points[-1][1]:.0f} MiB at the end, at most "
        f"{max(p[1] for p in points):.0f} MiB (a pipe has no ring)."
    )
    yield "\n![Memory over time](images/bench-memory.svg)"


def _start(found: Results) -> Iterator[str]:
    each = found["seconds"]
    yield "### Start\n"
    yield (
        f"Start of the process to the first captured packet (its own time stamp): median "
        f"{median(each):.2f} s, slowest {max(each):.2f} s of {len(each)} starts."
    )


def _live(found: Results) -> Iterator[str]:
    yield "### Beside nginx at full speed\n"
    yield from _table(
        "answer",
        "sensor",
        "requests per s",
        "of those without",
        "nginx CPU µs per request",
        "sensor CPU µs per request",
        "sensor / nginx",
        "kernel drops",
        "sensor MiB",
    )
    answers = {"constant": "25 octets from memory", "file": "0.5 kB JSON file"}
    sensors = {
        "without": "none",
        "tcpdump": "tcpdump, frames thrown away",
        "default": "default limit",
        "all": "no limit",
    }
    for kind, cases in found.items():
        for name, rounds in cases.items():
            rate = median(each["rate"] for each in rounds)
            ratio = median(
                each["rate"] / base["rate"] for each, base in zip(rounds, cases["without"], strict=True)
            )
            nginx = median(each["nginx_cpu_s"] / each["requests"] for each in rounds)
            mine = median(each["sensor_cpu_s"] / each["requests"] for each in rounds)
            share = median(each["sensor_cpu_s"] / each["nginx_cpu_s"] for each in rounds)
            who = sensors.get(name, f"{name} as a reverse proxy")
            row = [answers[kind], who, f"{rate:,.0f}", f"{ratio:.0%}", f"{nginx * 1e6:.2f}"]
            if name == "without":
                row += ["-"] * 4
            else:
                ours = name in ("default", "all")
                dropped = f"{sum(each['kernel_dropped'] for each in rounds):,}" if ours else "-"
                mib = max(each["sensor_mib"] for each in rounds)
                row += [f"{mine * 1e6:.2f}", f"{share:.0%}", dropped, f"{mib:.0f}"]
            yield _row(*row)


def _cost(found: Results) -> Iterator[str]:
    yield "### What it costs an operator\n"
    yield from _table("requests per second", "limit", "CPU units (1,024 = one core)", "MiB", "kernel drops")
    for name, each in found.items():
        units = each["sensor_cpu_s"] / each["seconds"] * 1024
        limit = "1,000 a minute" if name.endswith("default") else "none"
        yield _row(
            f"{each['rate']:,.0f}", limit, f"{units:.0f}", f"{each['sensor_mib']:.0f}", each["kernel_dropped"]
        )


def _plots(results: Results) -> Iterator[tuple[str, str]]:
    if "peers" in results:
        rows = [(name, each["exchanges"] / each["cpu_s"]) for name, each in results["peers"]["found"].items()]
        if "offline" in results:
            rows.insert(
                0,
                ("levo, engine to OTLP bytes", 100_000 / results["offline"]["found"]["small, otlp"]["cpu_s"]),
            )
        yield "peers", svg.bars("Exchanges per CPU second, the same file", rows, unit="/s")
    for part, name, title, over in (
        ("scaling", "connections", "Cost per exchange over open connections", "connections"),
        ("sizes", "sizes", "Cost per exchange over the size of the answer", "octets"),
    ):
        if part in results:
            series = [
                (
                    {"null": "finished exchanges", "otlp": "OTLP bytes"}[mode],
                    [
                        (float(step), each["cpu_s"] / each["exchanges"] * 1e6)
                        for step, each in steps.items()
                        if step.isdigit()
                    ],
                )
                for mode, steps in results[part]["found"].items()
            ]
            yield name, svg.lines(title, series, x=over, y="µs", log=True)
    if "memory" in results:
        points = [(float(count), mib) for count, mib in results["memory"]["found"]["points"]]
        title = "Resident memory while a million exchanges pass"
        yield "memory", svg.lines(title, [("levo apidump, OTLP/HTTP", points)], x="exchanges", y="MiB")
