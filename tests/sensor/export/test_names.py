"""The Satellite's name gets another address: traces follow once the old one is closed, none is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MOVE = """
import subprocess, sys
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, otlp_output
from tests.sensor.export.receivers import GrpcReceiver, HttpReceiver

transport, hosts = sys.argv[1:]

def name_is_at(address):
    with open(hosts, "w") as file:
        file.write(f"127.0.0.1 localhost\\n{address} satellite.test\\n")

name_is_at("127.0.0.2")
subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
kind, scheme = (HttpReceiver, "http") if transport == "http" else (GrpcReceiver, "grpc")
old = kind(host="127.0.0.2")
new = kind(host="127.0.0.3", port=old.port)
output = otlp_output(f"{scheme}://satellite.test:{old.port}")
output.submit(NumberedBatch([1]))
assert output.flush(60), output.statistics().last_error
assert old.seen.numbers == [1]
name_is_at("127.0.0.3")
old.close()
output.submit(NumberedBatch([2]))
assert output.flush(60), output.statistics().last_error
assert new.seen.numbers == [2]
assert balanced(output).exported == 2
output.close()
new.close()
"""


@pytest.mark.root
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare (mount namespace)"
)
@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_a_name_that_moves_is_followed(transport: str, tmp_path: Path) -> None:
    command = ["unshare", "--mount", sys.executable, "-c", MOVE, transport, str(tmp_path / "hosts")]
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=180, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("the kernel refuses a mount namespace")
    assert done.returncode == 0, done.stderr
