"""What independent tools say is in a shared capture, and where the engine says otherwise.

Each voter returns differences as short sentences, in sorted order; none means agreement. A difference that is
right is written down in ``disagreements.py`` with its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.helpers.engine_runs import Run
from tests.helpers.lines import Exchange, body

Expected = dict[str, Any]
TSHARK_LIMIT = 60
"""Messages listed at most; a list of that length is the beginning of a longer one."""


TEXT_LIMIT = 300
"""Characters of a listed field at most; targets are compared up to there."""


def compare(wanted: Iterable[Any], found: Iterable[Any], *, partial: bool = False) -> list[str]:
    """Multiset difference in words; *partial* allows more to be found than wanted."""
    left, right = Counter(wanted), Counter(found)
    missing = sorted(f"not found {n} x {item}" for item, n in (left - right).items())
    extra = sorted(f"found besides {n} x {item}" for item, n in (right - left).items())
    return missing if partial else missing + extra


def _parts(message: Expected, name: str) -> list[str]:
    value = message.get(name)
    return [] if value is None else str(value).split("|")


def tshark(expected: Expected, run: Run) -> list[str]:
    """Requests by method, target and host; final responses by status. Interim ones are not exchanges."""
    messages = expected["tshark_messages"]
    requests, statuses = [], []
    for message in messages:
        methods = _parts(message, "http.request.method")
        targets = _parts(message, "http.request.uri")
        hosts = _parts(message, "http.host") or [""] * len(methods)
        requests += list(zip(methods, targets, hosts, strict=False))
        methods, targets = _parts(message, "http2.headers.method"), _parts(message, "http2.headers.path")
        requests += [(method, target, "") for method, target in zip(methods, targets, strict=True)]
        statuses += [int(s) for s in _parts(message, "http2.headers.status")]
        statuses += [int(s) for s in _parts(message, "http.response.code") if s == "101" or int(s) >= 200]
    exchanges = [x for x in run.exchanges if x["protocol"] != "websocket"]
    asked = [_asked(x["request"]) for x in exchanges if x["request"]]
    answered = [x["response"]["status"] for x in exchanges if x["response"]]
    partial = len(messages) == TSHARK_LIMIT
    found = compare(requests, asked, partial=partial) + compare(statuses, answered, partial=partial)
    return found + _websocket(messages, run)


def _websocket(messages: list[Expected], run: Run) -> list[str]:
    """Data messages (text and binary, RFC 6455 section 5.6) by direction."""
    server_port = next((x["server"]["port"] for x in run.exchanges if x["protocol"] == "websocket"), 0)
    wanted = {"request": 0, "response": 0}
    for message in messages:
        side = "response" if message["tcp.srcport"] == str(server_port) else "request"
        wanted[side] += sum(opcode in ("1", "2") for opcode in _parts(message, "websocket.opcode"))
    counted = {"request": 0, "response": 0}
    for exchange in run.exchanges:
        for side in counted if exchange["protocol"] == "websocket" else ():
            counted[side] += exchange[side].get("data_messages", 0)
    return [] if wanted == counted else [f"WebSocket messages {wanted}, counted {counted}"]


def _asked(request: Expected) -> tuple[str, str, str]:
    host = next((value for name, value in request["headers"] if name.lower() == "host"), "")
    if request["version"] == "2":
        host = ""  # tshark's list has no :authority
    return request["method"], request["target"][:TEXT_LIMIT], host


def zeek(expected: Expected, run: Run) -> list[str]:
    """One entry a line of Zeek's http.log; only the columns it has are compared."""
    names = sorted({name for line in expected["exchanges"] for name in line})
    wanted = [tuple((name, line.get(name, "-")) for name in names) for line in expected["exchanges"]]
    return compare(wanted, [tuple((name, _zeek_column(x, name)) for name in names) for x in run.exchanges])


def _zeek_column(exchange: Exchange, name: str) -> str:
    request, response = exchange["request"], exchange["response"]
    read: dict[str, Callable[[], Any]] = {
        "method": lambda: request and request["method"],
        "host": lambda: request and request["host"],
        "uri": lambda: request and request["target"],
        "version": lambda: (response or request)["version"],  # Zeek logs that of the last message
        "request_body_len": lambda: request["body_size"] if request else 0,
        "response_body_len": lambda: response["body_size"] if response else 0,
        "status_code": lambda: response and response["status"],
    }
    value = read[name]()
    return "-" if value is None or value == "" else str(value)


def suricata(expected: Expected, run: Run) -> list[str]:
    """Counts of ``http`` and ``fileinfo`` events; prevention-mode variants do not apply to an observer."""
    found = []
    for test in expected["suricata_checks"]:
        if test["test"].endswith("-ips"):
            continue
        for check in test["checks"]:
            match = dict(check["match"])
            kind = match.pop("event_type")
            if kind not in ("http", "fileinfo"):
                continue
            items = _http_events(run) if kind == "http" else _files(run)
            known = {key: value for key, value in match.items() if any(key in item for item in items)}
            count = sum(all(item.get(k) == v for k, v in known.items()) for item in items)
            if count != check["count"]:
                found.append(f"{kind} {known}: wanted {check['count']}, found {count}")
    return sorted(set(found))


def _http_events(run: Run) -> list[Expected]:
    events = []
    for exchange in run.exchanges:
        request, response = exchange["request"], exchange["response"]
        event = {
            "http.url": request and request["target"],
            "http.status": response and response["status"],
            "http.length": response and response["body_size"],
        }
        fields = request["headers"] if request else []
        if request and request["version"] == "2":
            # Suricata lists pseudo-header fields first, as they were sent.
            fields = [[":method", ""], [":scheme", ""], [":path", ""], [":authority", ""], *fields]
        for place, (name, value) in enumerate(fields):
            event[f"http.request_headers[{place}].name"] = name
            event[f"http.request_headers[{place}].value"] = value
        events.append(event)
    return events


def _files(run: Run) -> list[Expected]:
    """Suricata calls every body a file; its size is the octets framed."""
    files = []
    for exchange in run.exchanges:
        for message in (exchange["request"], exchange["response"]):
            if message and message["body_size"]:
                gaps = message["missing_bytes"] > 0
                cut = gaps or message["truncated"]
                files.append(
                    {
                        "fileinfo.size": message["body_size"],
                        "fileinfo.gaps": gaps,
                        "fileinfo.state": "TRUNCATED" if cut else "CLOSED",
                    }
                )
    return files


def arkime(folder: Path, run: Run, undecoded: Run) -> list[str]:
    """Methods with paths, statuses, and MD5 sums of the bodies before content decoding."""
    sessions = json.loads((folder / "arkime.json").read_text())["sessions3"]
    http = [session["body"].get("http", {}) for session in sessions]
    found: list[str] = []
    wanted = {(m, p) for h in http for m in h.get("method", []) for p in h.get("path", [])}
    seen = {(x["request"]["method"], x["request"]["path"]) for x in run.exchanges if x["request"]}
    if not all("method" in h for h in http if h):
        wanted = {("GET", uri) for h in http for uri in h.get("uri", [])}
    found += [f"not seen {m} {p}" for m, p in sorted(_pairs(http) - seen)] if wanted else []
    statuses = {s for h in http for s in h.get("statuscode", []) if s >= 200}
    answered = {x["response"]["status"] for x in run.exchanges if x["response"]}
    found += compare(statuses, answered)
    sums = {md5 for h in http for md5 in h.get("md5", [])}
    bodies = {
        hashlib.md5(body(m), usedforsecurity=False).hexdigest()
        for x in undecoded.exchanges
        for m in (x["request"], x["response"])
        if m
    }
    return found + [f"no body with MD5 {md5}" for md5 in sorted(sums - bodies)]


def _pairs(http: list[Expected]) -> set[tuple[str, str]]:
    """(method, path) where one session has one method; with several the pairing is not in the file."""
    return {
        (h["method"][0], path) for h in http if len(h.get("method", [])) == 1 for path in h.get("path", [])
    }
