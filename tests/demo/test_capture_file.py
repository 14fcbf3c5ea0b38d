import io
import os
import shutil
import struct
import subprocess
from collections import defaultdict
from itertools import islice
from pathlib import Path

import h11
import pytest

from levo.demo.capture_file import SERVER, checksum, frames, save_capture, write_capture
from levo.demo.children import DemoError
from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic

START_NS = 1_700_000_000_000_000_000


def streams(seed: int, exchanges: int) -> dict[tuple[str, str], bytes]:
    """Octets of each direction, put together by sequence number; (client port, direction) as the key."""
    found: dict[tuple[int, str], dict[int, bytes]] = defaultdict(dict)
    for _, octets in frames(seed, exchanges, START_NS, 50.0):
        source, target, seq = struct.unpack("!HHI", octets[34:42])
        key = (target, "response") if source == SERVER[1] else (source, "request")
        if payload := octets[54:]:
            found[key][seq] = payload
    return {key: b"".join(segments.values()) for key, segments in found.items()}


def test_h11_reads_every_exchange_from_the_streams() -> None:
    octets = streams(3, 200)
    ports = {port for port, _ in octets}
    pairs = 0
    for port in ports:
        server, client = h11.Connection(h11.SERVER), h11.Connection(h11.CLIENT)
        server.receive_data(octets[port, "request"])
        client.receive_data(octets[port, "response"])
        while isinstance(request := server.next_event(), h11.Request):
            while not isinstance(server.next_event(), h11.EndOfMessage):
                pass
            client.send(h11.Request(method=request.method, target=request.target, headers=[("Host", "x")]))
            client.send(h11.EndOfMessage())
            response = client.next_event()
            assert isinstance(response, h11.Response)
            while not isinstance(client.next_event(), h11.EndOfMessage):
                pass
            server.send(h11.Response(status_code=response.status_code, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            server.start_next_cycle()
            client.start_next_cycle()
            pairs += 1

    assert (len(ports), pairs) == (4, 200)


def test_checksums_hold_and_times_rise() -> None:
    last_ns = START_NS
    for time_ns, octets in frames(3, 60, START_NS, 50.0):
        assert time_ns > last_ns
        last_ns = time_ns
        ip, tcp = octets[14:34], octets[34:]
        assert struct.unpack("!H", ip[2:4])[0] == len(octets) - 14
        assert checksum(ip) == 0
        assert checksum(ip[12:20] + struct.pack("!BBH", 0, 6, len(tcp)) + tcp) == 0


def test_parts_differ_but_belong_to_one_shop() -> None:
    first, second = ([octets for _, octets in frames(3, 50, START_NS, 50.0, part)] for part in (0, 1))

    assert first != second
    api = SampleApi(3)
    one, other = ([request.target for request in islice(Traffic(3 + part, api.shop), 50)] for part in (0, 1))
    assert one != other


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_tshark_finds_the_same_exchanges_and_nothing_to_complain_about(tmp_path: Path) -> None:
    path = tmp_path / "traffic.pcap"
    with path.open("wb") as file:
        write_capture(file, 7, 150, START_NS, 50.0)
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]

    def tshark(display: str) -> list[str]:
        command = [
            "tshark",
            "-n",
            "-r",
            str(path),
            *checks,
            "-Y",
            display,
            "-T",
            "fields",
            "-e",
            "http.response.code",
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return run.stdout.split("\n")[:-1]

    api = SampleApi(7)
    expected = [str(api.answer(request).status) for request in islice(Traffic(7, api.shop), 150)]
    assert tshark("http.response") == expected
    assert tshark("_ws.expert.severity >= 0x600000") == []  # warnings and errors


def test_the_file_says_what_it_is() -> None:
    file = io.BytesIO()
    last_ns = write_capture(file, 1, 5, START_NS, 50.0)

    magic, major, minor = struct.unpack("<IHH", file.getvalue()[:8])
    assert (magic, major, minor) == (0xA1B23C4D, 2, 4)
    assert last_ns > START_NS


def test_it_is_not_written_through_a_second_name_in_a_shared_folder(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.link(tmp_path / "victim", shared / "out.pcap")
    with pytest.raises(DemoError, match="it has a second name"):
        save_capture(shared / "out.pcap", 1, 1, 0, 10.0)
    assert (tmp_path / "victim").read_bytes() == b"precious"
