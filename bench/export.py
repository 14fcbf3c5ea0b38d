"""What a delivery costs the sensor by transport: ``python -m bench.export [--exchanges N] [--rounds N]``.

CPU time of this process, user and system, for encoding, compressing and sending the same exchanges to
receivers in processes of their own, which throw them away. The ways take turns, so that a busy machine
troubles all alike; a figure is the middle of the rounds. "compressed by the library" is what gRPC costs
where it is left to compress.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest import mock

import grpc
from bench.live import free_port, wait_for

from bench import inputs
from levo.config.values import satellite_url
from levo.engine.engine import Engine
from levo.sensor.capture.file import FileSource
from levo.sensor.export import OtlpSettings, grpc_call
from levo.sensor.export.destination import Destination
from levo.sensor.export.otlp_grpc import OtlpGrpc
from levo.sensor.export.otlp_http import OtlpHttp

_AT_ONCE = 512


class _Nothing(grpc.GenericRpcHandler):
    """Takes every call and says nothing, which is a success without a partial one."""

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


def serve(port: int) -> None:
    """Receive OTLP over gRPC until somebody ends this process."""
    server = grpc.server(ThreadPoolExecutor(1), (_Nothing(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


@contextmanager
def receiver(*command: str) -> Iterator[int]:
    """The port of a receiver that is started by *command* and its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *command, str(port)])
    try:
        wait_for(lambda: _listens(port), 60)
        yield port
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cost_us(destination: Destination, capture: Path) -> float:
    """CPU time of an exchange in microseconds, without the reading of *capture*."""
    engine, source = Engine(), FileSource(str(capture))
    spent, sent, going = 0.0, 0, True
    while going:
        going = engine.pump(source, 8192, 0) >= 0
        if not going:
            engine.finish()
        while len(batch := engine.take(_AT_ONCE)):
            started = time.process_time()
            for request in destination.encode(batch, b""):
                destination.send(request)
                sent += request.traces
            spent += time.process_time() - started
    return spent / sent * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exchanges", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--body", type=int, default=1000, help="octets of each body")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        receiver("-m", "bench.sink") as http,
        receiver("-m", "bench.export", "--serve") as rpc,
    ):
        capture = inputs.bodies(Path(folder) / "input.pcap", size=given.body, exchanges=given.exchanges)
        over_http = OtlpHttp(OtlpSettings(satellite_url(f"http://127.0.0.1:{http}")))
        over_grpc = OtlpGrpc(OtlpSettings(satellite_url(f"grpc://127.0.0.1:{rpc}")))
        with mock.patch.object(grpc_call, "_marked_call", lambda: None):
            by_library = OtlpGrpc(OtlpSettings(satellite_url(f"grpc://127.0.0.1:{rpc}")))
            by_library.send_metrics(b"")  # opens its call
            cost_us(by_library, capture)
        ways = {"OTLP/HTTP": over_http, "OTLP/gRPC": over_grpc, "compressed by the library": by_library}
        for _ in range(given.rounds):
            for name, destination in ways.items():
                found.setdefault(name, []).append(cost_us(destination, capture))
        for destination in ways.values():
            destination.close()
    first = median(found["OTLP/HTTP"])
    for name, costs in found.items():
        print(f"{name:28} {median(costs):7.1f} us an exchange, {median(costs) / first:5.2f} of OTLP/HTTP")


if __name__ == "__main__":
    main()
