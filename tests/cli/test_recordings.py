"""Recordings of other tools, told by how they begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from levo.cli.recordings import UnreadableFile, is_recording, read_recording

HAR = {
    "log": {
        "entries": [{"request": {"method": "GET", "url": "https://a.example/x"}, "response": {"status": 200}}]
    }
}
POSTMAN = {"info": {}, "item": [{"request": "https://a.example/x", "response": [{"code": 200}]}]}
BURP = "<items><item><url>https://a.example/x</url><method>GET</method><request/><response/></item></items>"
REQUEST = b"6:method,3:GET,6:scheme,5:https,4:host,9:a.example,4:path,2:/x,"
FLOW = b"7:request," + str(len(REQUEST)).encode() + b":" + REQUEST + b"}"
MITMPROXY = str(len(FLOW)).encode() + b":" + FLOW + b"}"


@pytest.mark.parametrize(
    "octets", [json.dumps(HAR).encode(), b"\n" + json.dumps(POSTMAN).encode(), BURP.encode(), MITMPROXY]
)
def test_each_kind_is_recognized(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "recording"
    path.write_bytes(octets)
    traces = read_recording(path, octets[:100], "levo")

    assert traces is not None
    assert [(trace.host, trace.path) for trace in traces] == [("a.example", "/x")]


@pytest.mark.parametrize("octets", [b"\xd4\xc3\xb2\xa1", b"", b"GET / HTTP/1.1"])
def test_what_is_none(tmp_path: Path, octets: bytes) -> None:
    assert read_recording(tmp_path / "x", octets, "levo") is None


@pytest.mark.parametrize("octets", [b"{}", b"[1]", b'{"log": {}}', b"<items>", b"12:5:abcde,", b"{"])
def test_what_looks_like_one_and_is_broken(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(octets)
    traces = read_recording(path, octets, "levo")

    assert traces is not None
    with pytest.raises(UnreadableFile):
        list(traces)


def test_a_recording_of_a_browser_is_told_by_its_name() -> None:
    assert is_recording(Path("shop.HAR")) and not is_recording(Path("shop.pcap"))
