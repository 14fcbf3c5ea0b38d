"""HAR 1.2: read back with a plain JSON parser, checked against the members the format requires."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levo.model.exchange import Address, Exchange, Request, Response
from levo.sensor.export.failure import PermanentExportError
from levo.sensor.export.har import HarFile, har_entry
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, output_to

REQUIRED = {
    "entry": {"startedDateTime": str, "time": (int, float), "request": dict, "response": dict, "cache": dict},
    "request": {
        "method": str,
        "url": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "queryString": list,
        "headersSize": int,
        "bodySize": int,
    },
    "response": {
        "status": int,
        "statusText": str,
        "httpVersion": str,
        "cookies": list,
        "headers": list,
        "content": dict,
        "redirectURL": str,
        "headersSize": int,
        "bodySize": int,
    },
    "content": {"size": int, "mimeType": str},
    "timings": {"send": (int, float), "wait": (int, float), "receive": (int, float)},
}
"""Members that HAR 1.2 demands, by object."""


def check_entry(entry: dict[str, Any]) -> None:
    parts = {
        "entry": entry,
        "request": entry["request"],
        "response": entry["response"],
        "content": entry["response"]["content"],
        "timings": entry["timings"],
    }
    for name, part in parts.items():
        for member, kind in REQUIRED[name].items():
            assert isinstance(part[member], kind), (name, member)
    timings = entry["timings"]
    assert entry["time"] == pytest.approx(sum(value for value in timings.values() if value > 0), abs=1e-5)
    for message in (entry["request"], entry["response"]):
        for pair in message["headers"] + message["cookies"] + message.get("queryString", []):
            assert isinstance(pair["name"], str) and isinstance(pair["value"], str)


def archive(octets: bytes) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(octets)["log"]
    assert log["version"] == "1.2"
    assert set(log["creator"]) == {"name", "version"}
    for entry in log["entries"]:
        check_entry(entry)
    return log


EXCHANGE = Exchange(
    client=Address("10.0.0.9", 40000),
    server=Address("10.0.0.1", 8080),
    start_ns=1_700_000_000_123_456_789,
    end_ns=1_700_000_000_173_456_789,
    request=Request(
        method="POST",
        target="/a b/é?q=1&q=a%20b+c&flag",
        host="api.test:8080",
        path="/a b/é",
        query="q=1&q=a%20b+c&flag",
        headers=(
            ("Cookie", "sid=abc; theme=dark=er"),
            ("Content-Type", "application/json"),
            ("X-A", "1"),
            ("X-A", "2"),
        ),
        body=b'{"x":1}',
        start_ns=1_700_000_000_123_456_789,
        end_ns=1_700_000_000_125_456_789,
    ),
    response=Response(
        status=302,
        reason="Found",
        headers=(
            ("Location", "/next"),
            (
                "Set-Cookie",
                "sid=x; Path=/; Domain=api.test; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly; Secure",
            ),
            ("set-cookie", "bare; expires=never; SameSite=Lax"),
            ("Content-Type", "image/png"),
        ),
        body=b"\x89PNG\x00\xff",
        wire_body_size=4,
        decoded=True,
        truncated=True,
        start_ns=1_700_000_000_165_456_789,
        end_ns=1_700_000_000_173_456_789,
    ),
    weight=2.5,
)


def test_an_exchange_as_an_entry() -> None:
    entry = har_entry(EXCHANGE)
    check_entry(entry)
    assert entry["startedDateTime"] == "2023-11-14T22:13:20.123456Z"
    assert entry["timings"] | {} == {
        "blocked": -1, "dns": -1, "connect": -1, "send": 2.0, "wait": 40.0, "receive": 8.0, "ssl": -1,
    }  # fmt: skip
    assert (entry["time"], entry["serverIPAddress"], entry["_weight"]) == (50.0, "10.0.0.1", 2.5)
    request, response = entry["request"], entry["response"]
    assert request["url"] == "http://api.test:8080/a%20b/%C3%A9?q=1&q=a%20b+c&flag"
    assert request["queryString"] == [
        {"name": "q", "value": "1"},
        {"name": "q", "value": "a b c"},
        {"name": "flag", "value": ""},
    ]
    assert request["cookies"] == [{"name": "sid", "value": "abc"}, {"name": "theme", "value": "dark=er"}]
    assert [header["value"] for header in request["headers"] if header["name"] == "X-A"] == ["1", "2"]
    assert request["postData"] == {"mimeType": "application/json", "params": [], "text": '{"x":1}'}
    assert (request["httpVersion"], request["bodySize"]) == ("HTTP/1.1", 7)
    assert response["cookies"] == [
        {
            "name": "sid",
            "value": "x",
            "path": "/",
            "domain": "api.test",
            "expires": "2026-10-21T07:28:00+00:00",
            "httpOnly": True,
            "secure": True,
        },
        {"name": "bare", "value": "", "sameSite": "Lax"},
    ]
    content = response["content"]
    assert base64.b64decode(content["text"]) == b"\x89PNG\x00\xff" and content["encoding"] == "base64"
    assert (content["size"], content["compression"], response["bodySize"]) == (6, 2, 4)
    assert (response["redirectURL"], response["_truncated"]) == ("/next", True)


def test_a_response_without_a_status_code_is_a_valid_entry_that_says_so() -> None:
    bad = Response(status=0, reason="999 Denied", anomalies=("bad_status",))
    entry = har_entry(Exchange(request=Request(), response=bad))
    check_entry(entry)

    assert (entry["response"]["status"], entry["response"]["statusText"]) == (0, "999 Denied")
    assert entry["response"]["_anomalies"] == ["bad_status"]


def test_half_an_exchange_is_a_valid_entry_that_says_so() -> None:
    for exchange in (
        Exchange(request=Request(), incomplete="no_response", server=Address("::1", 80)),
        Exchange(response=Response(), incomplete="no_request", server=Address("::1", 80)),
        Exchange(),
    ):
        entry = har_entry(exchange)
        check_entry(entry)
        assert entry.get("_incomplete") == exchange.incomplete
        assert entry["request"]["url"].startswith("http://")


texts = st.text(st.characters(codec="utf-8"), max_size=20)
fields = st.lists(
    st.tuples(st.sampled_from(["Cookie", "Set-Cookie", "Content-Type", "X"]) | texts, texts), max_size=5
)


@given(
    start_ns=st.integers(-(2**63), 2**63 - 1),
    path=texts,
    query=texts,
    host=texts,
    headers=fields,
    body=st.binary(max_size=30),
)
def test_any_exchange_is_a_valid_entry(
    start_ns: int, path: str, query: str, host: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    lines = tuple(headers)
    exchange = Exchange(
        start_ns=start_ns,
        request=Request(path=path, query=query, host=host, headers=lines, body=body),
        response=Response(headers=lines, body=body),
    )
    entry = json.loads(json.dumps(har_entry(exchange)))
    check_entry(entry)
    assert entry["request"]["url"].isascii()
    content = entry["response"]["content"]
    if body:
        text = content["text"]
        assert (base64.b64decode(text) if "encoding" in content else text.encode()) == body


def test_batches_are_streamed_into_one_archive(tmp_path: Path) -> None:
    path = tmp_path / "out.har"
    path.write_text("what was there before" * 1000)
    output = output_to(HarFile(path))
    for first in range(0, 100, 10):
        output.submit(NumberedBatch(range(first, first + 10)))
    assert output.flush(20)
    output.close()
    assert balanced(output).exported == 100
    urls = [entry["request"]["url"] for entry in archive(path.read_bytes())["entries"]]
    assert urls == [f"http://api.test/{number}" for number in range(100)]
    assert path.stat().st_size == balanced(output).bytes_sent + len(b"\n]}}\n")


def test_nothing_captured_is_an_empty_archive_on_standard_output() -> None:
    stream = io.BytesIO()
    output = output_to(HarFile(None, stream))
    output.close()
    output.close()
    assert archive(stream.getvalue())["entries"] == []


def test_a_large_batch_is_written_in_parts() -> None:
    class Large(NumberedBatch):
        def exchanges(self) -> list[Exchange]:
            return [Exchange(response=Response(body=b"x" * 300_000)) for _ in self.numbers]

    har = HarFile(None, io.BytesIO())
    parts = list(har.encode(Large(range(10)), b""))
    assert [part.traces for part in parts] == [4, 4, 2]


def test_a_full_device_is_an_error_that_names_it() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    har = HarFile(full)
    (request,) = har.encode(NumberedBatch([1]), b"")
    with pytest.raises(PermanentExportError, match="/dev/full: No space left on device"):
        har.send(request)
