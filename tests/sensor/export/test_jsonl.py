"""JSON Lines output."""

from __future__ import annotations

import io
import json
from pathlib import Path

from levo.sensor.export.jsonl import JsonLines
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, output_to


def test_each_batch_is_on_disk_when_it_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    output = output_to(JsonLines(path))
    for first in (0, 10):
        output.submit(NumberedBatch(range(first, first + 10)))
        assert output.flush(20)
        lines = path.read_text().splitlines()
        assert [json.loads(line)["number"] for line in lines] == list(range(first + 10))
    output.close()
    seen = balanced(output)
    assert (seen.exported, seen.bytes_sent) == (20, path.stat().st_size)


def test_standard_output_stays_open() -> None:
    stream = io.BytesIO()
    output = output_to(JsonLines(None, stream))
    output.submit(NumberedBatch([7]))
    output.submit_metrics(b"ignored")
    output.close()
    assert stream.getvalue() == b'{"number": 7}\n'
    assert balanced(output).exported == 1
