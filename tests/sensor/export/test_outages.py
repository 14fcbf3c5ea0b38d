"""Outages in full: the drill, seeded random faults, a killed sensor. The ledger balances in each."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from levo.sensor.export import QueueLimits, RequestLimits, RetryPolicy, Spool
from tests.helpers.ports import unused_port
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import QUICK, balanced, otlp_output, wait_until
from tests.sensor.export.receivers import Answer, GrpcReceiver, HttpReceiver

CODE = grpc.StatusCode
BUSY = {
    "http": [Answer(status=503, headers=(("retry-after", "0"),))] * 2
    + [Answer(stall=True), Answer(status=429)],
    "grpc": [
        Answer(code=CODE.UNAVAILABLE, retry_delay_s=0.01),
        Answer(code=CODE.UNAVAILABLE),
        Answer(stall=True),
        Answer(code=CODE.RESOURCE_EXHAUSTED, retry_delay_s=0.01),
    ],
}


def start(transport: str, answers: list[Answer], port: int) -> HttpReceiver | GrpcReceiver:
    return HttpReceiver(answers, port=port) if transport == "http" else GrpcReceiver(answers, port=port)


@pytest.mark.parametrize("with_spool", [True, False], ids=["spool", "memory"])
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_the_drill(transport: str, with_spool: bool, tmp_path: Path) -> None:
    """Away, refusing with a pause, silent, exhausted, back: nothing is lost but what was counted."""
    port = unused_port()
    url = f"http://127.0.0.1:{port}" if transport == "http" else f"127.0.0.1:{port}"
    output = otlp_output(
        url,
        spool=Spool(tmp_path) if with_spool else None,
        queue=QueueLimits(traces=100),
        timeout_s=0.3,
    )
    submitted = 0

    def submit(batches: int) -> None:
        nonlocal submitted
        for _ in range(batches):
            if with_spool:  # the disk keeps up with the interval at which batches come
                wait_until(lambda: output.statistics().held < 90)
            output.submit(NumberedBatch(range(submitted, submitted + 10)))
            submitted += 10

    submit(20)
    wait_until(lambda: output.statistics().retries >= 3)
    balanced(output)
    receiver = start(transport, list(BUSY[transport]), port)
    try:
        submit(20)
        wait_until(lambda: receiver.seen.requests > len(BUSY[transport]))
        receiver.seen.released.set()
        balanced(output)
        submit(20)
        wait_until(lambda: output.statistics().held == 0 and output.statistics().spooled == 0)
        seen = balanced(output)
        assert seen.received == submitted == 600
        assert seen.exported + seen.queue_full == submitted and seen.failed == 0
        assert seen.queue_full == 0 if with_spool else seen.queue_full > 0
        assert len(set(receiver.seen.numbers)) == seen.exported
        if with_spool:
            assert sorted(set(receiver.seen.numbers)) == list(range(600))
    finally:
        output.close()
        receiver.close()


@pytest.mark.parametrize("seed", range(12))
def test_random_faults(seed: int, tmp_path: Path) -> None:
    """Any order of answers, outages, closes and restarts: every trace ends in one counted state."""
    rng = random.Random(seed)
    transport = rng.choice(["http", "grpc"])
    with_spool = rng.random() < 0.6
    retry = QUICK if rng.random() < 0.5 else RetryPolicy(initial_s=0.005, ceiling_s=0.01, total_s=0.05)

    port = unused_port()
    receiver = start(transport, [_any_answer(rng, transport) for _ in range(15)], port)
    url = f"http://127.0.0.1:{port}" if transport == "http" else f"127.0.0.1:{port}"

    def open_output():  # type: ignore[no-untyped-def]
        spool = (
            Spool(tmp_path, max_bytes=rng.choice([3_000, 1_000_000]), segment_bytes=800)
            if with_spool
            else None
        )
        return otlp_output(
            url, spool=spool, retry=retry, queue=QueueLimits(traces=60), requests=RequestLimits(traces=7)
        )

    output = open_output()
    is_up, next_number = True, 0
    accepted: set[int] = set()
    exported = 0
    try:
        for _ in range(40):
            match rng.choices(["submit", "answers", "toggle", "restart", "settle"], [10, 3, 2, 1, 4])[0]:
                case "submit":
                    size = rng.randrange(1, 25)
                    output.submit(NumberedBatch(range(next_number, next_number + size), rng.randrange(80)))
                    next_number += size
                case "answers":
                    receiver.seen.answers.extend(_any_answer(rng, transport) for _ in range(3))
                case "toggle" if is_up:
                    receiver.close()
                    accepted |= set(receiver.seen.numbers)
                    is_up = False
                case "toggle":
                    receiver, is_up = start(transport, [], port), True
                case "restart":
                    output.close(0.01)
                    seen = balanced(output)
                    assert seen.held == 0
                    exported += seen.exported
                    spooled = seen.spooled
                    output = open_output()
                    again = balanced(output)
                    assert again.recovered == spooled
                case "settle":
                    output.flush(0.02)
            balanced(output)
        if not is_up:
            receiver = start(transport, [], port)
        receiver.seen.answers.clear()
        wait_until(lambda: output.statistics().held == 0 and output.statistics().spooled == 0)
        seen = balanced(output)
        exported += seen.exported
        accepted |= set(receiver.seen.numbers)
        # An answer that was lost on its way leaves more accepted than we know of, never fewer.
        assert exported <= len(accepted) <= next_number
    finally:
        output.close(0)
        receiver.close()
    balanced(output)


def _any_answer(rng: random.Random, transport: str) -> Answer:
    if rng.random() < 0.3:
        return Answer(rejected=rng.choice([0, 0, 1]))
    if transport == "http":
        return rng.choice(
            [
                Answer(status=rng.choice([400, 401, 404, 413, 500, 502, 503, 504, 429])),
                Answer(status=503, headers=(("retry-after", rng.choice(["0", "1", "x"])),)),
                Answer(reset=rng.choice(["before", "inside"])),
            ]
        )
    return Answer(
        code=rng.choice([c for c in CODE if c is not CODE.OK]), retry_delay_s=rng.choice([None, 0.01])
    )


SENSOR = """
import sys
from pathlib import Path
from levo.sensor.export import Spool
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import otlp_output, wait_until
output = otlp_output(sys.argv[1], spool=Spool(Path(sys.argv[2])))
for number in range(0, 100_000, 10):
    output.submit(NumberedBatch(range(number, number + 10)))
    wait_until(lambda: output.statistics().held == 0)
    print(number + 10, flush=True)
"""


def test_a_killed_sensor_loses_nothing_that_reached_its_spool(tmp_path: Path) -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-c", SENSOR, url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sensor:
        assert sensor.stdout is not None
        lines = [sensor.stdout.readline() for _ in range(30)]
        sensor.send_signal(signal.SIGKILL)
        lines += sensor.stdout.readlines()
    on_disk = max(int(line) for line in lines if line.endswith("\n"))
    receiver = HttpReceiver(port=port)
    output = otlp_output(url, spool=Spool(tmp_path))
    try:
        assert output.flush(20)
        wait_until(lambda: output.statistics().spooled == 0)
        numbers = receiver.seen.numbers
        assert numbers == list(range(len(numbers)))
        assert on_disk <= len(numbers) <= on_disk + 10
        seen = balanced(output)
        assert (seen.recovered, seen.exported) == (len(numbers), len(numbers))
    finally:
        output.close()
        receiver.close()
