"""LiveSource on loopback and on a veth pair, each test in a network namespace of its own."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from levo.errors import CaptureError, ConfigError
from levo.sensor.capture.filters import Endpoint
from levo.sensor.capture.live import LiveSource
from levo.sensor.capture.memory import Counter, Recorder, record
from levo.sensor.capture.statistics import GONE
from tests.helpers.effort import long
from tests.helpers.links import until_links
from tests.sensor.capture.files import tcp_frame
from tests.sensor.capture.network import Wire, ip, private_network, root, veth

pytestmark = [pytest.mark.root, root]

IDLE_MS = 250
"""Well above the time after which the kernel hands over a block."""


def transfer(address: str, octets: int) -> int:
    """Send *octets* over one connection to *address* and close it; the server's port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]) as client:
            server, _ = listener.accept()
            sender = threading.Thread(target=client.sendall, args=(b"x" * octets,))
            sender.start()
            left = octets
            while left:
                left -= len(server.recv(min(left, 1 << 20)))
            sender.join()
            server.close()
        return listener.getsockname()[1]


def payload(frame: bytes) -> tuple[int, int, int]:
    """(source port, sequence number, payload length) of an untagged TCP frame."""
    if frame[12:14] == b"\x86\xdd":
        at, end = 54, 54 + int.from_bytes(frame[18:20], "big")
    else:
        at, end = 34, 14 + int.from_bytes(frame[16:18], "big")
    source, _, sequence = struct.unpack_from("!HHI", frame, at)
    return source, sequence, end - at - (frame[at + 12] >> 4) * 4


def tcp_retransmitted() -> int:
    """Segments that this network namespace has sent again: a busy machine is taken for a loss."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Tcp:"
    )
    return int(values[names.index("RetransSegs")])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@private_network
def test_loopback_shows_each_frame_once_and_whole(address):
    octets = 4_000_000
    with LiveSource(["lo"], buffer_bytes=64 << 20) as source:
        port = transfer(address, octets)
        got = record(source, idle_ms=IDLE_MS)
        statistics = source.statistics()

    segments = [payload(each[1]) for each in got]
    with_data = [(number, size) for sender, number, size in segments if size and sender != port]
    first, seen, repeated = with_data[0][0], 0, 0
    for start, size in sorted(((number - first) % 2**32, size) for number, size in with_data):
        assert start <= seen
        repeated += start < seen
        seen = max(seen, start + size)
    assert seen == octets
    assert repeated == 0 or tcp_retransmitted() > 0, "frames that the kernel did not send again came twice"
    assert all(len(each[1]) == each[2] for each in got)
    assert {each[3] for each in got} == {1}
    assert max(len(each[1]) for each in got) > 65000
    assert statistics.received == statistics.delivered == len(got)
    assert statistics.dropped == 0


@private_network
def test_the_kernel_copies_no_twin_of_a_loopback_frame():
    """Received counts what entered the ring: with the outgoing twin it would be double."""
    with LiveSource(["lo"]) as source, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 4789))
            for _ in range(500):
                sender.sendto(b"tunnelled", receiver.getsockname())
        assert len(record(source, idle_ms=IDLE_MS)) == 500
        assert source.statistics().received == 500


@private_network
def test_frames_of_a_veth_pair_arrive_exactly_as_sent():
    veth()
    sent = [tcp_frame(1000 + index, 80, size=index % 1400) for index in range(3000)]
    with LiveSource(["left0"]) as source, Wire("right0") as wire:
        wire.send(*sent)
        got = record(source, idle_ms=IDLE_MS)
        assert [each[1] for each in got] == sent
        assert [each[0] for each in got] == sorted(each[0] for each in got)
        assert any(each[0] % 1000 for each in got)  # nanoseconds, not microseconds
        assert source.statistics().received == 3000
    left = source.statistics().interfaces[0]
    assert (left.name, left.delivered, left.dropped, left.open) == ("left0", 3000, 0, False)


@pytest.mark.parametrize("tags", [(), (5,), (5, 6)], ids=["untagged", "tagged", "twice-tagged"])
@pytest.mark.parametrize("side", ["left0", "right0"], ids=["incoming", "outgoing"])
@pytest.mark.parametrize("expression", [None, "port 8080 and (not port 8081)", "not port 8081"])
@private_network
def test_the_filter_sees_through_tags(tags, side, expression):
    """Incoming tags travel beside the frame in the kernel, outgoing ones in it: both must be understood."""
    veth()
    sent = [tcp_frame(9000, port, tags) for port in (8080, 8081, 8080, 8081, 8080)]
    kept = [each for each, port in zip(sent, (8080, 8081, 8080, 8081, 8080), strict=True) if port == 8080]
    with LiveSource([side], filter=expression) as source:
        source_warm(source)
        with Wire("right0") as wire:
            wire.send(*sent)
        got = [each[1] for each in record(source, idle_ms=IDLE_MS)]
    assert got == (sent if expression is None else kept)


def source_warm(source: LiveSource) -> None:
    """Read once, so that the kernel's filter alone decides about what follows."""
    Recorder().pump(source, 10, 1)


@private_network
def test_what_the_engine_cannot_read_is_left_in_the_kernel():
    veth()
    frame = tcp_frame(9000, 80)
    udp = bytearray(frame)
    udp[23] = 17
    vxlan = bytearray(udp)
    vxlan[36:38] = (4789).to_bytes(2, "big")
    arp = frame[:12] + b"\x08\x06" + bytes(46)
    later_fragment = bytearray(udp)
    later_fragment[20:22] = (100).to_bytes(2, "big")
    gre = bytearray(frame)
    gre[23] = 47
    pppoe = frame[:12] + b"\x88\x64" + bytes(60)
    hop_by_hop = frame[:12] + b"\x86\xdd\x60\0\0\0\0\x10\0\x40" + bytes(60)
    named = bytearray(udp)
    named[36:38] = (6789).to_bytes(2, "big")
    wanted = [frame, bytes(vxlan), bytes(named), bytes(later_fragment), bytes(gre), pppoe, hop_by_hop]
    with LiveSource(["left0"], vxlan_ports=[6789]) as source, Wire("right0") as wire:
        source_warm(source)
        wire.send(bytes(udp), arp, *wanted, arp, bytes(udp))
        assert [each[1] for each in record(source, idle_ms=IDLE_MS)] == wanted
        assert source.statistics().received == len(wanted)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@private_network
def test_own_exports_are_excluded_for_every_address_of_the_host(host):
    addresses = {each[4][0] for each in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)}
    for address in sorted(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as listener:
            listener.bind((address, 0))
            listener.listen()
            port = listener.getsockname()[1]
            with LiveSource(["lo"], exclude=[Endpoint(host, port)]) as source:
                assert {each[0] for each in source.excluded} == addresses
                with socket.create_connection((address, port)) as client:
                    client.sendall(b"own traffic" * 1000)
                other = transfer(address, 1000)
                ports = {payload(each[1])[0] for each in record(source, idle_ms=IDLE_MS)}
                assert port not in ports
                assert other in ports


@private_network
def test_a_host_without_address_is_reported_and_does_not_stop_capture():
    with LiveSource(["lo"], exclude=[Endpoint("no-such-host.invalid", 4317)]) as source:
        source.refresh()
        assert [line for line in source.events() if "no-such-host.invalid" in line] != []
        assert source.events() == []
        transfer("127.0.0.1", 10)
        assert record(source, idle_ms=IDLE_MS) != []


@private_network
def test_small_frames_do_not_each_take_a_large_slot():
    """A 1 MiB ring must hold thousands of small frames while nobody reads."""
    veth()
    with LiveSource(["left0"], buffer_bytes=1 << 20) as source, Wire("right0") as wire:
        source_warm(source)
        wire.send(*[tcp_frame(9000, 80)] * 4000)
        assert len(record(source, idle_ms=IDLE_MS)) == 4000
        assert source.statistics().dropped == 0


@private_network
def test_frames_lost_in_a_full_ring_are_counted():
    veth()
    with LiveSource(["left0"], buffer_bytes=1 << 20) as source, Wire("right0") as wire:
        source_warm(source)
        wire.send(*[tcp_frame(9000, 80, size=1400)] * 3000)
        got = len(record(source, idle_ms=IDLE_MS))
        statistics = source.statistics()
    assert 0 < got < 3000
    assert statistics.dropped == 3000 - got
    assert statistics.received == 3000
    assert statistics.delivered == got


@pytest.mark.parametrize("interface", ["lo", "any"])
@private_network
def test_a_ring_that_fills_up_is_replaced_without_a_frame_lost_or_seen_twice(interface):
    count, early = 30_000, 1_000
    recorder = Recorder()
    with (
        LiveSource([interface], filter="udp", first_bytes=1 << 20, buffer_bytes=32 << 20) as source,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 4789))  # VXLAN: of UDP, the kernel passes only what the engine can read
        small = packet_sockets()

        def send(first: int, end: int) -> None:
            for number in range(first, end):
                sender.sendto(number.to_bytes(4, "big") * 50, receiver.getsockname())
                if number % 50 == 0:
                    time.sleep(0.002)

        assert source.statistics().interfaces[0].ring_bytes == 1 << 20
        send(0, early)  # nobody reads meanwhile
        sending = threading.Thread(target=send, args=(early, count))
        sending.start()
        while sending.is_alive() or recorder.pump(source, 1000, IDLE_MS) > 0:
            recorder.pump(source, 1000, 10)
        sending.join()
        statistics = source.statistics()
        events = source.events()
        until = time.monotonic() + 10
        while packet_sockets() != small and time.monotonic() < until:
            time.sleep(0.01)
        assert packet_sockets() == small, "the small ring is still open"

    numbers = [int.from_bytes(frame[1][-4:], "big") for frame in recorder.frames]
    assert numbers == list(range(count))
    twins = 2 if interface == "any" else 1  # of loopback, which libpcap leaves out there
    assert (statistics.received, statistics.delivered, statistics.dropped) == (twins * count, count, 0)
    assert statistics.interfaces[0].ring_bytes == 32 << 20
    assert events == [f"traffic on {interface!r} fills its ring: 32 MiB now, which count as resident"]


@private_network
def test_a_quiet_ring_stays_small():
    with LiveSource(["lo"], first_bytes=1 << 20, buffer_bytes=32 << 20) as source:
        transfer("127.0.0.1", 20_000)
        assert record(source, idle_ms=IDLE_MS)
        assert source.statistics().interfaces[0].ring_bytes == 1 << 20
        assert source.events() == []


@private_network
def test_interfaces_come_and_go_while_capturing():
    recorder = Recorder()

    def deliver(name: str, source: LiveSource) -> int:
        before = len(recorder.frames)
        with Wire(name) as wire:
            wire.send(tcp_frame(9000, 80))
        for _ in range(20):
            recorder.pump(source, 100, 50)
            if len(recorder.frames) > before:
                break
        return recorder.interfaces[-1] if len(recorder.frames) > before else -1

    with LiveSource() as source:
        assert source.interfaces == ["lo"]
        veth()
        source.refresh()
        assert sorted(source.interfaces) == ["left0", "lo", "right0"]
        assert len([line for line in source.events() if "left0" in line]) == 1
        assert deliver("right0", source) > 0

        ip("link", "set", "left0", "down")
        while recorder.pump(source, 100, 50) > 0:
            pass
        source.refresh()
        assert any("'left0'" in line and "down" in line for line in source.events())
        transfer("127.0.0.1", 10)
        assert recorder.pump(source, 1000, 1000) > 0

        ip("link", "set", "left0", "up")
        until_links("UP", "left0", "right0")
        source.refresh()
        assert any("'left0'" in line and "up again" in line for line in source.events())
        while recorder.pump(source, 100, 50) > 0:
            pass
        assert deliver("right0", source) >= 0

        ip("link", "del", "left0")
        while recorder.pump(source, 100, 50) > 0:
            pass
        source.refresh()
        assert source.interfaces == ["lo"]
        assert any("'left0'" in line and "ended" in line for line in source.events())
        assert source.statistics().interfaces_lost == 2
        transfer("127.0.0.1", 10)
        assert recorder.pump(source, 1000, 1000) > 0

        veth()
        source.refresh()
        assert sorted(source.interfaces) == ["left0", "lo", "right0"]
        assert deliver("right0", source) > 0
        assert [each.name for each in source.statistics().interfaces] == [GONE, "lo", "left0", "right0"]
        assert source.statistics().delivered == len(recorder.frames)


@pytest.mark.parametrize("count", [8, long(1000)])
@private_network
def test_pairs_that_come_and_go_leave_one_row_of_counters_and_their_room(count: int):
    recorder, frame, seen = Recorder(), tcp_frame(9000, 80), set()
    with LiveSource() as source:
        sizes = []
        for number in range(count):
            left, right = f"a{number}", f"b{number}"
            veth(left, right)
            source.refresh()
            assert {left, right} <= set(source.interfaces)
            before = len(recorder.frames)
            with Wire(left) as wire:
                wire.send(frame)
            for _ in range(100):
                recorder.pump(source, 100, 50)
                if len(recorder.frames) == before + 2:
                    break
            assert len(recorder.frames) == before + 2
            seen |= set(recorder.interfaces)
            ip("link", "del", left)
            while recorder.pump(source, 100, 20) > 0:
                pass
            source.refresh()
            source.events()
            statistics = source.statistics()
            sizes.append(len(statistics.interfaces))
            assert statistics.received == statistics.delivered == 2 * (number + 1)
        assert set(sizes) == {2}
        assert [each.name for each in statistics.interfaces] == [GONE, "lo"]
        assert len(seen) == 2, "slots are used again"
        assert statistics.interfaces_lost == 2 * count


@private_network
def test_a_named_interface_that_is_down_is_waited_for():
    veth()
    ip("link", "set", "left0", "down")
    with LiveSource(["left0", "lo"]) as source:
        assert source.interfaces == ["lo"]
        assert any("'left0' is down" in line for line in source.events())
        ip("link", "set", "left0", "up")
        source.refresh()
        assert sorted(source.interfaces) == ["left0", "lo"]


@private_network
def test_another_thread_may_look_while_one_pumps():
    stop = threading.Event()
    counter = Counter()

    with LiveSource(["lo"], buffer_bytes=64 << 20) as source:

        def pump() -> None:
            while counter.pump(source, 64, 5) >= 0:
                if stop.is_set() and counter.pump(source, 64, IDLE_MS) == 0:
                    return

        thread = threading.Thread(target=pump)
        thread.start()
        for _ in range(30):
            transfer("127.0.0.1", 100_000)
            source.statistics()
            source.refresh()
        stop.set()
        thread.join()
        statistics = source.statistics()
    assert statistics.delivered == counter.frames == statistics.received - statistics.dropped
    assert statistics.dropped == 0


@private_network
def test_closing_ends_a_pump_in_another_thread():
    source = LiveSource(["lo"])
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(Recorder().pump(source, 10, 300)))
    thread.start()
    source.close()
    thread.join()
    source.close()
    assert results in ([-1], [0])
    assert Recorder().pump(source) == -1


@private_network
def test_bad_arguments_are_named_before_anything_opens():
    veth()
    sockets = packet_sockets()
    with pytest.raises(ConfigError, match="'etherpad0'; there are: lo, right0, left0") as unknown:
        LiveSource(["lo", "etherpad0"])
    with pytest.raises(ConfigError) as bad:
        LiveSource(["lo"], filter="port 80 and (not port")
    assert "'port 80 and (not port'" in str(bad.value)
    assert "syntax error" in str(bad.value)
    assert "\n" not in str(bad.value) + str(unknown.value)
    assert packet_sockets() == sockets


def packet_sockets() -> int:
    with open("/proc/thread-self/net/packet") as listing:
        return len(listing.readlines())


def test_missing_privilege_names_it_and_the_remedy():
    script = (
        "from levo.errors import CaptureError\n"
        "from levo.sensor.capture.live import LiveSource\n"
        "try: LiveSource(['lo'])\n"
        "except CaptureError as error: print(type(error).__name__, error)\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    run = subprocess.run(
        ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("PrivilegeError ")
    assert "CAP_NET_RAW" in run.stdout
    assert len(run.stdout.splitlines()) == 1
    assert issubclass(ConfigError, Exception) and not issubclass(CaptureError, ConfigError)


def pairs(first: int, end: int) -> None:
    """Pairs of connected interfaces, m0/n0 and so on, all up."""
    lines = [f"link add m{i} type veth peer name n{i}" for i in range(first, end)]
    lines += [f"link set {side}{i} addrgenmode none up" for i in range(first, end) for side in "mn"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True, capture_output=True)
    until_links("UP", *(f"{side}{i}" for i in range(first, end) for side in "mn"))


def numbered(start: int, end: int) -> list[bytes]:
    return [tcp_frame(1000 + number, 80) for number in range(start, end)]


@private_network
def test_many_interfaces_are_captured_on_one_handle_and_so_are_later_ones():
    pairs(0, 10)
    with LiveSource() as source:
        assert source.interfaces == ["any"]
        assert packet_sockets() == 2  # and a heading
        assert source.events() == ["21 interfaces are up: captured together, as 'any'"]
        pairs(10, 11)
        source.refresh()
        assert (source.interfaces, source.events()) == (["any"], [])
        for name in ("m3", "n10"):
            with Wire(name) as wire:
                wire.send(*numbered(0, 50))
            got = record(source, idle_ms=IDLE_MS)
            ports = [payload_port(each) for each in got]
            # Once on its way out, once on its way in.
            assert sorted(ports) == sorted([*range(1000, 1050)] * 2)
            assert {each[3] for each in got} == {276}
        transfer("127.0.0.1", 5000)
        lo = [each for each in record(source, idle_ms=IDLE_MS) if len(each[1]) > 5000]
        assert len(lo) == 1, "the twin of a frame on loopback"
        assert source.statistics().dropped == 0


def payload_port(frame) -> int:
    """Source port of a TCP frame captured with a cooked header of version 2."""
    return int.from_bytes(frame[1][40:42], "big")


@private_network
def test_few_interfaces_are_captured_each_on_its_own():
    pairs(0, 3)
    with LiveSource() as source:
        assert sorted(source.interfaces) == ["lo", "m0", "m1", "m2", "n0", "n1", "n2"]


@private_network
def test_interfaces_that_become_many_are_taken_together_without_a_frame_lost():
    pairs(0, 1)
    seen: set[int] = set()
    stop = threading.Event()

    def pump(source: LiveSource, recorder: Recorder) -> None:
        while not stop.is_set() or recorder.pump(source, 1000, IDLE_MS) > 0:
            recorder.pump(source, 1000, 10)

    recorder = Recorder()
    sent = 0
    with LiveSource() as source, Wire("n0") as wire:
        thread = threading.Thread(target=pump, args=(source, recorder))
        thread.start()
        pairs(1, 10)
        until = time.monotonic() + 20
        while source.interfaces != ["any"] and time.monotonic() < until:
            wire.send(*numbered(sent, sent + 10))
            sent += 10
            source.refresh()
            time.sleep(0.01)
        assert source.interfaces == ["any"]
        wire.send(*numbered(sent, sent + 10))
        sent += 10
        stop.set()
        thread.join()
        for _, octets, _, link_type, *_ in recorder.frames:
            at = 40 if link_type == 276 else 34
            seen.add(int.from_bytes(octets[at : at + 2], "big") - 1000)
        assert set(range(sent)) <= seen
        assert [line for line in source.events() if "together" in line] != []
