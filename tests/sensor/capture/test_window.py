"""Reading through pipes, gzip and mapped files: same frames, bounded memory, nothing past the end."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

from levo.sensor.capture.file import FileSource
from levo.sensor.capture.memory import Counter, Recorder, record
from tests.sensor.capture.files import Pcapng, frames, pcap, tcp_frame

RECORDS = frames(40)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "capture"
    path.write_bytes(data)
    return path


def expected(records: list[tuple[int, bytes, int]]) -> list[tuple[int, bytes, int, int]]:
    return [(time_ns, octets, wire, 1) for time_ns, octets, wire in records]


def test_a_pipe_hands_over_a_frame_before_the_writer_ends(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    data = pcap(RECORDS[:2], nano=True)
    opened = []
    opener = threading.Thread(target=lambda: opened.append(open(fifo, "wb", buffering=0)))  # noqa: SIM115
    opener.start()
    reader = threading.Thread(target=lambda: opened.append(FileSource(fifo)))
    reader.start()
    opener.join()
    writer = next(each for each in opened if not isinstance(each, FileSource))
    writer.write(data[:-5])
    reader.join()
    source = next(each for each in opened if isinstance(each, FileSource))
    recorder = Recorder()

    while not recorder.frames:
        assert recorder.pump(source, 10, 1000) >= 0
    assert recorder.frames == expected(RECORDS[:1])
    assert recorder.pump(source, 10, 1) == 0

    writer.write(data[-5:])
    writer.close()
    assert [each[:3] for each in record(source)] == RECORDS[1:2]


def test_standard_input_is_read(tmp_path):
    script = (
        "from levo.sensor.capture.file import FileSource\n"
        "from levo.sensor.capture.memory import record\n"
        "print(len(record(FileSource('-'))))\n"
    )
    path = write(tmp_path, gzip.compress(Pcapng(">").file(RECORDS)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with open(path, "rb") as file:
        from_file = subprocess.run(
            [sys.executable, "-c", script], stdin=file, capture_output=True, check=True, env=environment
        )
    piped = subprocess.run(
        [sys.executable, "-c", script],
        input=pcap(RECORDS, order=">", nano=True),
        capture_output=True,
        check=True,
        env=environment,
    )

    assert (from_file.stdout, piped.stdout) == (b"40\n", b"40\n")


def test_a_gzip_file_of_several_members_and_padding(tmp_path):
    data = pcap(RECORDS, nano=True)
    joined = gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + bytes(512)

    with FileSource(write(tmp_path, joined)) as source:
        assert record(source) == expected(RECORDS)
        assert source.truncated_records == 0


def test_a_cut_gzip_file_delivers_what_can_be_decompressed(tmp_path):
    data = pcap(frames(2000), nano=True)
    packed = gzip.compress(data)
    path = tmp_path / "cut.gz"
    for cut in range(200, len(packed), 9973):
        path.write_bytes(packed[:cut])
        with FileSource(path) as source:
            got = record(source)
            assert source.truncated_records == 1
        assert got == expected(frames(2000)[: len(got)])


def test_a_damaged_gzip_file_delivers_what_came_before(tmp_path):
    packed = bytearray(gzip.compress(pcap(frames(2000), nano=True)))
    middle = len(packed) // 2
    packed[middle : middle + 200] = bytes(200)
    with FileSource(write(tmp_path, bytes(packed))) as source:
        got = record(source)
        statistics = source.statistics()
    assert statistics.truncated_records + statistics.malformed_records >= 1
    assert len(got) > 500
    assert got[:500] == expected(frames(2000)[:500])


def test_a_file_that_shrinks_while_it_is_read_ends_early(tmp_path):
    path = write(tmp_path, pcap(frames(5000), nano=True))
    recorder = Recorder()
    with FileSource(path) as source:
        assert recorder.pump(source, 10) == 10
        os.truncate(path, 4096)
        while recorder.pump(source, 10) >= 0:
            pass
        assert source.truncated_records <= 1
    assert recorder.frames == expected(frames(5000)[: len(recorder.frames)])


def test_a_large_file_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "large"
    frame = tcp_frame(1, 2, size=60000)
    block = pcap([(1, frame, len(frame))] * 500, nano=True)
    with open(path, "wb") as out:
        out.write(block)
        for _ in range(9):
            out.write(block[24:])
    script = (
        "import sys, resource\n"
        "from levo.sensor.capture.file import FileSource\n"
        "from levo.sensor.capture.memory import Counter\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "source, counter = FileSource(sys.argv[1]), Counter()\n"
        "while counter.pump(source, 500) >= 0: pass\n"
        "print(counter.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, check=True, env=environment, text=True
    )
    count, grown_kib = map(int, run.stdout.split())
    assert count == 5000
    assert grown_kib < 110 * 1024 < path.stat().st_size / 1024


def test_closing_is_legal_twice_and_ends_the_source(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    source = FileSource(write(tmp_path, pcap(RECORDS, order=">", nano=True)))
    source.close()
    source.close()
    assert Counter().pump(source) == -1
    assert source.statistics().delivered == 0
    assert len(os.listdir("/proc/self/fd")) == before
