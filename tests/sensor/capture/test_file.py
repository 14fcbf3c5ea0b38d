"""FileSource against files built octet by octet, files other tools wrote, and damage of every kind."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from levo.errors import CaptureError, ConfigError
from levo.sensor.capture.file import FileSource
from levo.sensor.capture.memory import Recorder, record
from tests.helpers.effort import scaled
from tests.helpers.pcap import shared_captures
from tests.sensor.capture.files import Pcapng, frames, pcap, tcp_frame

RECORDS = frames(40)

FORMS = {
    "pcap-little-micro": pcap(RECORDS),
    "pcap-big-micro": pcap(RECORDS, order=">"),
    "pcap-little-nano": pcap(RECORDS, nano=True),
    "pcap-big-nano": pcap(RECORDS, order=">", nano=True),
    "pcap-modified": pcap(RECORDS, modified=True),
    "pcap-modified-big": pcap(RECORDS, order=">", modified=True),
    "pcapng-little": Pcapng("<").file(RECORDS),
    "pcapng-big": Pcapng(">").file(RECORDS),
}


def needs(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    return found


def write(folder: Path, data: bytes, name: str = "capture") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def read(folder: Path, data: bytes, **options: str) -> list[tuple[int, bytes, int, int]]:
    with FileSource(write(folder, data), **options) as source:
        return record(source)


def expected(records: list[tuple[int, bytes, int]], link_type: int = 1) -> list[tuple[int, bytes, int, int]]:
    return [(time_ns, octets, wire, link_type) for time_ns, octets, wire in records]


def through_a_pipe(data: bytes, folder: Path, chunk: int) -> FileSource:
    """A source that reads a FIFO into which *data* trickles in pieces of *chunk* octets."""
    fifo = folder / "fifo"
    fifo.unlink(missing_ok=True)
    os.mkfifo(fifo)

    def trickle() -> None:
        with open(fifo, "wb", buffering=0) as out:
            try:
                for at in range(0, len(data), chunk):
                    out.write(data[at : at + chunk])
            except BrokenPipeError:
                pass

    threading.Thread(target=trickle, daemon=True).start()
    return FileSource(fifo)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_every_form_gives_the_same_frames(tmp_path, form, compressed):
    data = gzip.compress(FORMS[form]) if compressed else FORMS[form]

    with FileSource(write(tmp_path, data)) as source:
        assert record(source) == expected(RECORDS)
        statistics = source.statistics()

    assert statistics.received == statistics.delivered == len(RECORDS)
    assert (statistics.truncated_records, statistics.malformed_records, statistics.unread_bytes) == (0, 0, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk", [1, 7, 4096])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_pipe_gives_the_same_frames_however_it_is_sliced(tmp_path, form, chunk, compressed):
    data = gzip.compress(FORMS[form]) if compressed else FORMS[form]

    with through_a_pipe(data, tmp_path, chunk) as source:
        assert record(source) == expected(RECORDS)


# Sections, interfaces, units of time


def test_sections_have_their_own_byte_order_interfaces_and_units(tmp_path):
    little, big = Pcapng("<"), Pcapng(">")
    data = (
        little.section()
        + little.interface(1)
        + little.interface(101, tsresol=9, tsoffset=-5)
        + little.packet(1_500_000, b"first", 5)
        + little.packet(7_000_000_001, b"second", 60, interface=1)
        + little.names()
        + big.section()
        + big.interface(276, tsresol=0x80 | 10, tsoffset=100)
        + big.packet(1024 + 512, b"third", 5)
        + big.old_packet(2048, b"fourth", 9)
        + big.simple_packet(b"fifth", 5)
    )

    with FileSource(write(tmp_path, data)) as source:
        recorder = Recorder()
        while recorder.pump(source) >= 0:
            pass
        assert recorder.frames == [
            (1_500_000_000, b"first", 5, 1),
            (2_000_000_001, b"second", 60, 101),
            (101_500_000_000, b"third", 5, 276),
            (102_000_000_000, b"fourth", 9, 276),
            (102_000_000_000, b"fifth", 5, 276),
        ]
        assert recorder.interfaces == [0, 1, 2, 2, 2]
        assert source.statistics().ignored_blocks == 1


@pytest.mark.parametrize(
    ("tsresol", "ticks", "time_ns"),
    [
        (0, 3, 3_000_000_000),
        (3, 1234, 1_234_000_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_700_000_000_123_456, 1_700_000_000_123),
        (127, 2**64 - 1, 0),
        (0x80 | 20, 3 << 19, 1_500_000_000),
        (0x80 | 63, 2**63 + 2**62, 1_500_000_000),
        (0x80 | 64, 2**63, 500_000_000),
        (0x80 | 127, 2**64 - 1, 0),
        (0, 2**64 - 1, 2**63 - 1),
    ],
)
def test_units_of_time(tmp_path, tsresol, ticks, time_ns):
    writer = Pcapng()
    data = writer.section() + writer.interface(tsresol=tsresol) + writer.packet(ticks, b"x", 1)

    assert read(tmp_path, data) == [(time_ns, b"x", 1, 1)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_simple_packet_is_cut_at_its_interfaces_snap_length(tmp_path, order):
    writer = Pcapng(order)
    data = writer.section() + writer.interface(snaplen=6) + writer.simple_packet(b"abcdef", 100)

    assert read(tmp_path, data) == [(0, b"abcdef", 100, 1)]


@pytest.mark.parametrize(("written", "given"), [(12, 101), (14, 101), (101, 101), (1, 1), (113, 113), (0, 0)])
def test_link_types_are_those_of_the_standard(tmp_path, written, given):
    """Some writers store the DLT_ value of raw IP; the upper half of the field holds flags."""
    assert {each[3] for each in read(tmp_path, pcap(RECORDS, link_type=written | 0x14000000))} == {given}


def test_key_logs_are_kept_before_the_frames_behind_them(tmp_path):
    writer = Pcapng()
    data = (
        writer.section()
        + writer.interface()
        + writer.packet(1, b"one", 3)
        + writer.secrets(b"CLIENT_RANDOM 00 11\n")
        + writer.secrets(b"something else", kind=0x57474B4C)
        + writer.packet(2, b"two", 3)
    )
    recorder = Recorder()
    with FileSource(write(tmp_path, data)) as source:
        assert (recorder.pump(source), source.secrets_total) == (1, 1)
        assert source.secrets == [b"CLIENT_RANDOM 00 11\n"]
        assert recorder.pump(source) == 1
        assert recorder.pump(source) == -1
    statistics = source.statistics()
    assert (statistics.secrets_bytes, statistics.secrets_ignored) == (20, 1)
    assert source.secrets == [b"CLIENT_RANDOM 00 11\n"]


def test_editcap_writes_secrets_that_we_find(tmp_path):
    editcap = needs("editcap")
    keys = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"
    log = write(tmp_path, keys, "keys")
    plain = write(tmp_path, FORMS["pcap-little-nano"], "in.pcap")
    subprocess.run([editcap, "--inject-secrets", f"tls,{log}", plain, tmp_path / "out.pcapng"], check=True)

    with FileSource(tmp_path / "out.pcapng") as source:
        assert source.secrets == [keys]
        assert [each[:3] for each in record(source)] == RECORDS


# Damage


@pytest.mark.parametrize("form", ["pcap-little-nano", "pcap-big-micro", "pcapng-little", "pcapng-big"])
@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "gzip"])
def test_a_cut_at_any_offset_delivers_all_whole_records_and_counts_the_rest(tmp_path, form, mapped):
    records = RECORDS[:4]
    writer = Pcapng("<" if form == "pcapng-little" else ">")
    if form.startswith("pcapng"):
        start = len(writer.section())
        pieces = [len(writer.interface(tsresol=9))] + [len(writer.packet(*each)) for each in records]
        data = writer.file(records)
    else:
        start = 24
        pieces = [16 + len(each[1]) for each in records]
        options = {"order": "<" if "little" in form else ">", "nano": "nano" in form}
        data = pcap(records, **options)
    borders = [start]
    for piece in pieces:
        borders.append(borders[-1] + piece)
    path = tmp_path / "cut"
    for cut in range(start, len(data) + 1):
        path.write_bytes(data[:cut] if mapped else gzip.compress(data[:cut], 1))
        with FileSource(path) as source:
            got = record(source)
            truncated = source.truncated_records
        whole = sum(border <= cut for border in borders[1:])
        frames_before = whole - 1 if form.startswith("pcapng") else whole
        assert got == expected(records[: max(frames_before, 0)]), cut
        assert truncated == (cut not in borders), cut


def test_a_record_of_nonsense_length_ends_a_pcap_file_and_is_counted(tmp_path):
    data = pcap(RECORDS[:3], nano=True)
    tail = b"\xff" * 16 + b"rest"
    with FileSource(write(tmp_path, data + tail)) as source:
        assert record(source) == expected(RECORDS[:3])
        statistics = source.statistics()
    assert (statistics.malformed_records, statistics.unread_bytes) == (1, len(tail))


def test_a_malformed_block_is_counted_and_passed_over(tmp_path):
    writer = Pcapng()
    good = writer.packet(5, b"good", 4)
    lying = bytearray(writer.packet(5, b"lies", 4))
    lying[20:24] = (2**31).to_bytes(4, "little")
    nowhere = writer.packet(5, b"where", 5, interface=3)
    short = writer.block(6, b"tiny")
    data = writer.section() + writer.interface(tsresol=9) + bytes(lying) + good + nowhere + short + good

    with FileSource(write(tmp_path, data)) as source:
        assert record(source) == [(5, b"good", 4, 1)] * 2
        assert source.statistics().malformed_records == 3


def test_an_oversized_block_is_skipped_without_being_held(tmp_path):
    writer = Pcapng()
    huge = writer.block(0x80000001, bytes(40 * 1024 * 1024))
    data = writer.section() + writer.interface(tsresol=9) + huge + writer.packet(5, b"good", 4)
    for source in (FileSource(write(tmp_path, data)), through_a_pipe(data, tmp_path, 65536)):
        with source:
            assert record(source) == [(5, b"good", 4, 1)]
            assert source.statistics().ignored_blocks == 1


def test_an_oversized_block_that_the_end_cuts_is_said_to_be_cut(tmp_path):
    writer = Pcapng()
    huge = writer.block(0x80000001, bytes(40 * 1024 * 1024))[:1_000_000]
    data = writer.section() + writer.interface(tsresol=9) + huge
    for source in (FileSource(write(tmp_path, data)), through_a_pipe(data, tmp_path, 65536)):
        with source:
            assert record(source) == []
            assert source.statistics().truncated_records == 1


@settings(
    max_examples=scaled(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    form=st.sampled_from(sorted(FORMS)),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=12),
    cut=st.integers(0, 6000),
    compressed=st.booleans(),
)
def test_any_damage_gives_frames_or_a_capture_error(tmp_path, form, edits, cut, compressed):
    """Whatever the octets: the balance holds, and mapped and streamed reading agree."""
    data = bytearray(FORMS[form])
    for at, value in edits:
        data[at % len(data)] = value
    damaged = bytes(data[:cut])
    outcomes = []
    for octets in (damaged, gzip.compress(damaged, 1) if compressed else damaged):
        try:
            source = FileSource(write(tmp_path, octets))
        except CaptureError:
            outcomes.append(None)
            continue
        with source:
            got = record(source)
            statistics = source.statistics()
        assert statistics.received == statistics.delivered == len(got)
        outcomes.append((got, statistics.truncated_records, statistics.malformed_records))
    assert outcomes[0] == outcomes[1]


@settings(
    max_examples=scaled(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=400), start=st.sampled_from([FORMS[each][:28] for each in sorted(FORMS)]))
def test_random_octets_behind_a_good_header_never_crash(tmp_path, body, start):
    with FileSource(write(tmp_path, start[:24] + body)) as source:
        record(source)
        assert source.statistics().delivered <= len(body)


# What is no capture


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"ab", "2 octets"),
        (b"GET / HTTP/1.1\r\n\r\n", "does not start like one"),
        (FORMS["pcap-little-nano"][:20], "ends inside its header"),
        (b"\n\r\r\n" + bytes(60), "section header is damaged"),
        (b"\x28\xb5\x2f\xfd" + bytes(60), "zstd"),
        (lzma.compress(b"x" * 50), "xz"),
        (bz2.compress(b"x" * 50), "bzip2"),
        (gzip.compress(b"hello, this is text", mtime=0), "does not start like one"),
        (gzip.compress(b"", mtime=0), "it is empty"),
        (b"\x1f\x8b\x08\x00 broken gzip", "it is empty"),
        (b"snoop\0\0\0" + bytes(40), "snoop"),
    ],
)
def test_what_is_no_capture_is_said_in_one_line(tmp_path, data, says):
    path = write(tmp_path, data)
    with pytest.raises(CaptureError) as caught:
        FileSource(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(CaptureError, match="No such file"):
        FileSource(tmp_path / "absent.pcap")
    with pytest.raises(CaptureError, match="directory"):
        FileSource(tmp_path)


# Filters


def test_a_filter_counts_what_it_keeps_back(tmp_path):
    records = [(index, tcp_frame(1000 + index, 80 + index % 2), 64) for index in range(100)]
    with FileSource(write(tmp_path, pcap(records, nano=True)), filter="port 80") as source:
        assert record(source) == expected(records[::2])
        statistics = source.statistics()
    assert (statistics.received, statistics.delivered, statistics.filtered) == (100, 50, 50)


def test_a_filter_agrees_with_tcpdump_on_untagged_frames(tmp_path):
    tcpdump = needs("tcpdump")
    folder = shared_captures()
    if folder is None:
        pytest.skip("LEVO_CAPTURES names no folder")
    for name in ("pcap2har__pcapr.net", "zeek__ipv6-http-atomic-frag", "arkime__socks5-http-302-frag"):
        path = folder / name / "input.pcap"
        for text in ("port 80", "not port 80", "tcp[13] & 2 != 0", "ip6", "greater 200 and src port 80"):
            theirs = subprocess.run([tcpdump, "-r", path, "--count", text], capture_output=True, check=True)
            with FileSource(path, filter=text) as source:
                assert len(record(source)) == int(theirs.stdout.split()[0]), (name, text)


def test_each_link_type_of_a_file_has_its_own_program(tmp_path):
    writer = Pcapng()
    ethernet = tcp_frame(5000, 80)
    data = (
        writer.section()
        + writer.interface(1)
        + writer.interface(101)
        + writer.packet(1, ethernet, len(ethernet), 0)
        + writer.packet(2, ethernet[14:], len(ethernet) - 14, 1)
        + writer.packet(3, tcp_frame(1, 2)[14:], 50, 1)
        + writer.section()
        + writer.interface(113)
        + writer.packet(4, bytes(14) + b"\x08\0" + ethernet[14:], 60)
    )
    with FileSource(write(tmp_path, data), filter="tcp port 80") as source:
        assert [each[3] for each in record(source)] == [1, 101, 113]
        assert source.statistics().filtered == 1


@pytest.mark.parametrize("text", ["port", "port 80 and (", "foo bar baz", "inbound", "port 80) or (port 81"])
def test_a_bad_filter_is_named_before_reading(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        FileSource(write(tmp_path, FORMS["pcap-little-nano"]), filter=text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


# Other tools' files


def captures() -> list[Path]:
    folder = shared_captures()
    if folder is None:
        return []
    singles = sorted(folder.glob("*/input.pcap*"))
    return singles + sorted((folder / "http-evader").glob("*.pcap.gz"))


def test_every_shared_capture_has_the_frames_that_capinfos_counts():
    capinfos = needs("capinfos")
    paths = captures()
    if not paths:
        pytest.skip("LEVO_CAPTURES names no folder")
    ours = {}
    for path in paths:
        with FileSource(path) as source:
            ours[path] = len(record(source))
    table = subprocess.run([capinfos, "-TMrcm", *paths], capture_output=True, check=False, text=True).stdout
    theirs = {Path(line.split(",")[0]): int(line.split(",")[-1]) for line in table.splitlines()}
    assert ours == theirs


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_editcap_converts_and_tshark_agrees_on_every_time_and_length(tmp_path, form):
    editcap, tshark = needs("editcap"), needs("tshark")
    folder = shared_captures()
    if folder is None:
        pytest.skip("LEVO_CAPTURES names no folder")
    for name in ("pcap2har__missing_response", "zeek__pppoe-over-qinq", "zeek__tls__tls12-decryption"):
        converted = tmp_path / "converted"
        subprocess.run([editcap, "-F", form, folder / name / "input.pcap", converted], check=True)
        fields = ["-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len"]
        listing = subprocess.run(
            [tshark, "-nr", converted, "-T", "fields", *fields], capture_output=True, check=True, text=True
        )
        theirs = []
        for line in listing.stdout.splitlines():
            when, captured, wire = line.split("\t")
            seconds, fraction = when.split(".")
            theirs.append((int(seconds) * 10**9 + int(fraction), int(captured), int(wire)))
        with FileSource(converted) as source:
            assert [(each[0], len(each[1]), each[2]) for each in record(source)] == theirs


def test_mergecap_joins_files_of_different_link_types(tmp_path):
    mergecap = needs("mergecap")
    first = write(tmp_path, pcap(RECORDS, nano=True), "first")
    second = write(tmp_path, pcap(RECORDS[:7], nano=True, link_type=101), "second")
    subprocess.run([mergecap, "-a", "-w", tmp_path / "joined", first, second], check=True)

    with FileSource(tmp_path / "joined") as source:
        assert record(source) == expected(RECORDS) + expected(RECORDS[:7], 101)
