"""The spool against a plain list, a killed process, and damaged files."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.failure import SpoolError
from levo.sensor.export.spool import Spool
from tests.helpers.effort import scaled


def request(number: int, size: int = 20) -> EncodedRequest:
    return EncodedRequest(number % 5 + 1, number.to_bytes(4, "big") + b"x" * (size - 4), number % 2 == 0)


def drain(spool: Spool) -> list[EncodedRequest]:
    found = []
    while (lease := spool.lease()) is not None:
        found.append(lease.request)
        spool.settle(lease)
    return found


def test_requests_come_back_whole_oldest_first_and_leave_nothing_on_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment_bytes=100)
    sent = [request(number) for number in range(20)]
    for one in sent:
        spool.append(one)
    assert spool.statistics().waiting_traces == sum(one.traces for one in sent)

    assert drain(spool) == sent

    assert not spool.has_waiting()
    assert spool.statistics().bytes_on_disk == 0
    spool.close()
    spool.close()
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["key", "lock"]


def test_a_released_request_is_the_next_one_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(3):
        spool.append(request(number))
    lease = spool.lease()
    assert lease is not None
    spool.release(lease)
    assert [one.body[:4] for one in drain(spool)] == [number.to_bytes(4, "big") for number in range(3)]
    spool.close()


def test_what_was_not_settled_survives_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100)
    sent = [request(number) for number in range(12)]
    for one in sent:
        spool.append(one)
    for _ in range(4):
        lease = spool.lease()
        assert lease is not None
        spool.settle(lease)
    assert spool.lease() is not None  # being sent when the process ends
    spool.sync()
    spool.close()

    spool = Spool(tmp_path, segment_bytes=100)
    assert spool.statistics().recovered_traces == sum(one.traces for one in sent[4:])
    assert drain(spool) == sent[4:]
    spool.close()


def test_the_bound_holds_and_what_it_costs_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=2_000)
    sent = [request(number, 100) for number in range(60)]
    for one in sent:
        spool.append(one)
        on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
        assert on_disk == spool.statistics().bytes_on_disk <= 2_000
    evicted = spool.take_losses().evicted_traces
    left = drain(spool)
    assert left == sent[-len(left) :] and len(left) >= 10
    assert evicted + sum(one.traces for one in left) == sum(one.traces for one in sent)
    spool.close()


def test_a_request_evicted_while_it_is_sent_is_counted_once(tmp_path: Path) -> None:
    for delivered in (True, False):
        spool = Spool(tmp_path, max_bytes=400)
        spool.append(request(0, 150))
        lease = spool.lease()
        assert lease is not None
        spool.append(request(1, 150))
        spool.append(request(2, 150))
        assert lease.evicted
        before = spool.take_losses().evicted_traces
        if delivered:
            spool.settle(lease)
        else:
            spool.release(lease)
        assert spool.take_losses().evicted_traces == (0 if delivered else lease.request.traces)
        left = drain(spool)
        assert before + sum(one.traces for one in left) == request(1).traces + request(2).traces
        spool.close()


def test_a_request_larger_than_the_bound_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=100)
    spool.append(request(1, 20))
    with pytest.raises(SpoolError, match="exceed its bound"):
        spool.append(request(2, 200))
    assert drain(spool) == [request(1, 20)]
    spool.close()


def test_one_directory_serves_one_sensor(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolError, match="in use by another sensor"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="file: "):
        Spool(tmp_path / "file")


def test_captured_content_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a" / "spool")
    spool.append(request(1))
    assert (tmp_path / "a" / "spool").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "a" / "spool").iterdir())
    spool.close()


def test_a_full_disk_leaves_the_spool_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(request(1))
    real = os.pwrite

    def half_then_full(descriptor: int, data: memoryview, at: int) -> int:
        if len(data) > 15:
            return real(descriptor, data[: len(data) - 15], at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", half_then_full)
        with pytest.raises(SpoolError, match="No space left on device"):
            spool.append(request(2))
    (segment,) = tmp_path.glob("*.spool")
    assert segment.stat().st_size == spool.bytes_on_disk  # no half record for the next process to wonder at
    spool.append(request(3))
    assert drain(spool) == [request(1), request(3)]
    spool.close()


def test_a_torn_tail_is_counted_at_any_length(tmp_path: Path) -> None:
    """However much of the last record reached the disk, the records before it are delivered."""
    spool = Spool(tmp_path / "whole")
    for number in range(3):
        spool.append(request(number))
    spool.close()
    (segment,) = (tmp_path / "whole").glob("*.spool")
    octets = segment.read_bytes()
    record = len(octets) // 3
    for cut in range(1, record):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / segment.name).write_bytes(octets[: 2 * record + cut])
        shutil.copy(segment.with_name("key"), folder)
        spool = Spool(folder)
        seen = spool.statistics()
        assert (seen.torn_records, seen.torn_bytes) == (1, cut)
        assert drain(spool) == [request(0), request(1)]
        spool.close()


@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
@settings(max_examples=scaled(30), deadline=None)
def test_damaged_files_never_deliver_damaged_requests(damage: list[tuple[int, int]]) -> None:
    """Any octets in the files: intact requests come out in order, the rest is counted, nothing raises."""
    sent = [request(number) for number in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), segment_bytes=200)
        for one in sent:
            spool.append(one)
        spool.close()
        segments = sorted(Path(folder).glob("*.spool"))
        for at, octet in damage:
            segment = segments[at % len(segments)]
            octets = bytearray(segment.read_bytes())
            octets[at % len(octets)] = octet
            segment.write_bytes(octets)
        spool = Spool(Path(folder), segment_bytes=200)
        recovered = spool.statistics().recovered_traces
        got = drain(spool)
        lost = spool.take_losses().damaged_traces
        spool.close()
    left = iter(sent)
    assert all(one in left for one in got)
    assert recovered == sum(one.traces for one in got) + lost


def test_files_that_vanish_or_shrink_underneath_are_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100)
    sent = [request(number) for number in range(12)]
    for one in sent:
        spool.append(one)
    first, second, *_ = sorted(tmp_path.glob("*.spool"))
    first.unlink()
    os.truncate(second, 30)
    got = drain(spool)
    lost = spool.take_losses().damaged_traces
    assert sum(one.traces for one in got) + lost == sum(one.traces for one in sent)
    assert got == sent[-len(got) :] and lost > 0
    spool.close()


@pytest.mark.parametrize("seed", range(10))
def test_it_is_a_bounded_queue_whatever_the_order_of_calls(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    spool = Spool(tmp_path, max_bytes=3_000, segment_bytes=600)
    appended = settled = evicted = recovered = carried = 0
    last = -1
    for number in range(300):
        match rng.choice("aaallrc" if rng.random() < 0.5 else "allls"):
            case "a":
                one = request(number, rng.randrange(4, 400))
                spool.append(one)
                appended += one.traces
            case "l" | "r" as what:
                lease = spool.lease()
                if lease is None:
                    continue
                if what == "r" and rng.random() < 0.8:
                    spool.release(lease)
                else:
                    position = int.from_bytes(lease.request.body[:4], "big")
                    assert position > last
                    last = position
                    settled += lease.request.traces
                    spool.settle(lease)
            case "s":
                spool.sync()
            case "c":
                carried = spool.statistics().waiting_traces
                evicted += spool.take_losses().evicted_traces
                spool.close()
                spool = Spool(tmp_path, max_bytes=3_000, segment_bytes=600)
                recovered = spool.statistics().recovered_traces
                assert recovered == carried
        evicted += spool.take_losses().evicted_traces
        assert appended == settled + evicted + spool.statistics().waiting_traces
    spool.close()


WRITER = """
import sys
from pathlib import Path
from levo.sensor.export.batch import EncodedRequest
from levo.sensor.export.spool import Spool
spool = Spool(Path(sys.argv[1]), segment_bytes=5000)
number = 0
while True:
    spool.append(EncodedRequest(1, number.to_bytes(4, "big") + b"y" * 300))
    print(number, flush=True)
    number += 1
"""


def test_a_killed_process_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(200)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    promised = sum(line.endswith(b"\n") for line in lines)

    spool = Spool(tmp_path)
    numbers = [int.from_bytes(one.body[:4], "big") for one in drain(spool)]
    assert numbers == list(range(len(numbers)))
    assert promised <= len(numbers) <= promised + 1
    spool.close()


def test_a_slow_disk_holds_up_nobody_who_only_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While an append or a sync hangs, the gauges answer."""
    spool = Spool(tmp_path)
    spool.append(request(1))
    entered, leave = threading.Event(), threading.Event()
    real_write, real_sync = os.pwrite, os.fsync

    def slow_write(descriptor: int, data: bytes, at: int) -> int:
        entered.set()
        assert leave.wait(90)
        return real_write(descriptor, data, at)

    def slow_sync(descriptor: int) -> None:
        entered.set()
        assert leave.wait(90)
        real_sync(descriptor)

    for patched, call in (("pwrite", lambda: spool.append(request(2))), ("fsync", spool.sync)):
        entered.clear()
        leave.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, patched, slow_write if patched == "pwrite" else slow_sync)
            thread = threading.Thread(target=call)
            thread.start()
            assert entered.wait(90)
            assert spool.has_waiting()
            assert spool.bytes_on_disk > 0
            if patched == "fsync":
                lease = spool.lease()
                assert lease is not None
                spool.release(lease)
            leave.set()
            thread.join()
    assert drain(spool) == [request(1), request(2)]
    assert not spool.has_waiting()
    spool.close()


def kept_apart(folder: Path, count: int) -> tuple[Path, list[EncodedRequest], list[int]]:
    """A segment of *count* requests, and where each begins."""
    spool = Spool(folder)
    sent, begins = [request(number, 60) for number in range(count)], []
    for one in sent:
        begins.append(spool.bytes_on_disk)
        spool.append(one)
    spool.close()
    (segment,) = folder.glob("*.spool")
    return segment, sent, begins


@pytest.mark.parametrize("opened", [False, True], ids=["before it is opened", "while it is open"])
def test_one_flipped_octet_costs_one_record(tmp_path: Path, opened: bool) -> None:
    """Whichever it is: of the head, the body or the tag."""
    segment, sent, begins = kept_apart(tmp_path / "whole", 4)
    octets = segment.read_bytes()
    state = begins[2] - begins[1] - 60 - 16 - 1
    for at in range(begins[1], begins[2]):
        folder = tmp_path / str(at)
        shutil.copytree(segment.parent, folder)
        damaged = bytearray(octets)
        damaged[at] ^= 0x10
        if not opened:
            (folder / segment.name).write_bytes(damaged)
        spool = Spool(folder)
        if opened:
            (folder / segment.name).write_bytes(damaged)
        recovered = spool.statistics().recovered_traces
        got = drain(spool)
        lost = spool.take_losses().damaged_traces
        spool.close()
        if at == begins[1] + state:
            assert got == sent, "an octet that is not the one for settled"
            continue
        assert got == [sent[0], *sent[2:]], at
        assert recovered == sum(one.traces for one in got) + lost
        assert lost == sent[1].traces or (spool.statistics().torn_records == 1 and not opened)


@given(
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 60),
)
@settings(max_examples=scaled(40), deadline=None)
def test_damage_costs_the_records_that_it_lies_in(damage: list[tuple[int, int]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        segment, sent, begins = kept_apart(Path(folder), 10)
        octets = bytearray(segment.read_bytes())
        size = len(octets)
        hit = set()
        for at, change in damage:
            octets[at % size] ^= change
            hit.add(max(i for i, begin in enumerate(begins) if begin <= at % size))
        if cut:
            octets = octets[:-cut]
            hit.add(9)
        segment.write_bytes(octets)
        spool = Spool(Path(folder))
        recovered = spool.statistics().recovered_traces
        got = drain(spool)
        lost = spool.take_losses().damaged_traces
        spool.close()
    untouched = [one for i, one in enumerate(sent) if i not in hit]
    assert [one for one in got if one in untouched] == untouched
    assert all(one in sent for one in got)
    assert recovered == sum(one.traces for one in got) + lost


def test_nothing_of_a_request_is_readable_on_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    secret = b"S3cr3t-canary-" * 20
    spool.append(EncodedRequest(1, secret))
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(files) == {"0000000000000001.spool", "key", "lock"}
    assert not any(b"S3cr3t" in octets for octets in files.values())
    assert drain(spool) == [EncodedRequest(1, secret)]
    spool.close()


def test_the_key_is_renewed_whenever_the_spool_is_found_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first = (tmp_path / "key").read_bytes()
    spool.append(request(1))
    spool.close()
    spool = Spool(tmp_path)
    assert (tmp_path / "key").read_bytes() == first, "something waits"
    drain(spool)
    spool.close()
    Spool(tmp_path).close()
    assert (tmp_path / "key").read_bytes() != first
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("key", [None, b"", b"short", bytes(32), bytes(33)])
def test_what_was_sealed_under_a_lost_key_is_counted(tmp_path: Path, key: bytes | None) -> None:
    segment, sent, _ = kept_apart(tmp_path, 3)
    if key is None:
        segment.with_name("key").unlink()
    else:
        segment.with_name("key").write_bytes(key)
    spool = Spool(tmp_path)
    spool.append(request(7))
    assert drain(spool) == [request(7)]
    assert spool.take_losses().damaged_traces == sum(one.traces for one in sent)
    spool.close()


def test_a_record_counts_only_where_it_was_written(tmp_path: Path) -> None:
    segment, sent, begins = kept_apart(tmp_path, 3)
    octets = segment.read_bytes()
    size = begins[1]
    segment.write_bytes(octets[size : 2 * size] + octets[:size] + octets[2 * size :])
    segment.with_name("0000000000000009.spool").write_bytes(octets)
    spool = Spool(tmp_path)
    assert drain(spool) == sent[2:]
    assert spool.take_losses().damaged_traces == 2 * (sent[0].traces + sent[1].traces) + sent[2].traces
    spool.close()


def test_records_of_an_earlier_version_are_delivered(tmp_path: Path) -> None:
    """In clear, as versions before the seal wrote them; what is settled there is not delivered again."""
    sent = [request(number) for number in range(4)]
    records = []
    for one in sent:
        body = bytes(one.body)
        fields = struct.pack("<4s4I", b"LvR1", len(body), one.traces, one.gzipped, zlib.crc32(body))
        records.append(fields + struct.pack("<I", zlib.crc32(fields)) + b"\0" + body)
    records[1] = records[1][:24] + b"\1" + records[1][25:]
    (tmp_path / "0000000000000003.spool").write_bytes(b"".join(records))
    spool = Spool(tmp_path)
    lease = spool.lease()
    assert lease is not None and lease.request == sent[0]
    spool.settle(lease)
    spool.close()
    spool = Spool(tmp_path)
    assert drain(spool) == sent[2:]
    spool.close()


def test_a_body_in_clear_cannot_pretend_to_contain_a_record(tmp_path: Path) -> None:
    """A stretch after a damaged head is searched; what traffic wrote there is believed only with a tag."""
    segment, _, _ = kept_apart(tmp_path / "other", 1)
    planted = segment.read_bytes()
    fields = struct.pack("<4s4I", b"LvR1", len(planted), 1, 0, zlib.crc32(planted))
    (tmp_path / "0000000000000001.spool").write_bytes(fields + b"bad!" + b"\0" + planted)
    spool = Spool(tmp_path)
    assert drain(spool) == [] and spool.statistics().recovered_traces == 0
    assert spool.statistics().torn_records == 1
    spool.close()


root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes files of other users"),
]


class TestFilesOfStrangers:
    pytestmark = root

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "spool"
        made.mkdir()
        made.chmod(0o777)
        return made

    @pytest.mark.parametrize("name", ["key", "0000000000000001.spool", "lock"])
    def test_no_link_is_followed(self, folder: Path, tmp_path: Path, name: str) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"x" * 32)
        (folder / name).symlink_to(victim)
        if name == "lock":
            with pytest.raises(SpoolError, match="symbolic links"):
                Spool(folder)
        else:
            spool = Spool(folder)
            spool.append(request(1))
            assert drain(spool) == [request(1)]
            spool.close()
        assert victim.read_bytes() == b"x" * 32

    @pytest.mark.parametrize("kind", ["owner", "hard link", "pipe"])
    def test_records_that_somebody_else_put_there_are_not_delivered(
        self, folder: Path, tmp_path: Path, kind: str
    ) -> None:
        body = b"forged"
        fields = struct.pack("<4s4I", b"LvR1", len(body), 1, 0, zlib.crc32(body))
        segment = folder / "0000000000000001.spool"
        if kind == "pipe":
            os.mkfifo(segment)
        else:
            segment.write_bytes(fields + struct.pack("<I", zlib.crc32(fields)) + b"\0" + body)
        if kind == "owner":
            os.chown(segment, 54321, 54321)
        if kind == "hard link":
            os.link(segment, tmp_path / "second")
        spool = Spool(folder)
        assert spool.statistics().recovered_traces == 0 and spool.statistics().torn_records == 1
        assert drain(spool) == []
        spool.close()

    def test_a_key_of_somebody_else_is_replaced(self, folder: Path) -> None:
        (folder / "key").write_bytes(bytes(32))
        os.chown(folder / "key", 54321, 54321)
        Spool(folder).close()
        assert (folder / "key").stat().st_uid == 0 and (folder / "key").read_bytes() != bytes(32)

    def test_folders_that_others_can_write_are_named(self, folder: Path) -> None:
        inner = folder / "inner"
        spool = Spool(inner)
        assert spool.warnings == (f"every user may write {folder}",)
        spool.close()
        os.chown(inner, 54321, 54321)
        spool = Spool(inner)
        assert spool.warnings == (f"every user may write {folder}", f"{inner} belongs to user 54321")
        spool.close()
        folder.chmod(0o1777)
        os.chown(inner, 0, 0)
        spool = Spool(inner)
        assert spool.warnings == (), "the sticky bit protects what is ours"
        spool.close()
