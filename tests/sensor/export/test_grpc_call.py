"""Messages that are compressed before the library sees them: what a real server reads of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from levo.sensor.export import grpc_call
from levo.sensor.export.compression import compress
from levo.sensor.export.grpc_call import open_call
from tests.helpers.ports import unused_port
from tests.sensor.export.batches import NumberedBatch
from tests.sensor.export.helpers import balanced, otlp_output
from tests.sensor.export.receivers import Answer, GrpcReceiver


class Echo(grpc.GenericRpcHandler):
    """Answers with what it was sent, as the server's library unpacked it."""

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(lambda request, context: request)


@pytest.fixture
def server() -> Iterator[grpc.Channel]:
    made = grpc.server(
        ThreadPoolExecutor(2), (Echo(),), options=[("grpc.max_receive_message_length", 64 << 20)]
    )
    port = made.add_insecure_port("127.0.0.1:0")
    made.start()
    with grpc.insecure_channel(
        f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", 64 << 20)]
    ) as channel:
        yield channel
    made.stop(0).wait()


@pytest.fixture(params=["marked", "by the library"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param != "marked":
        monkeypatch.setattr(grpc_call, "_marked_call", lambda: None)
    return str(request.param)


def test_this_release_of_the_library_takes_what_is_compressed() -> None:
    assert grpc_call._marked_call() is not None


@pytest.mark.parametrize("size", [0, 1, 100, 70_000, 5_000_000])
def test_the_server_reads_what_was_compressed(server: grpc.Channel, way: str, size: int) -> None:
    body = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    call = open_call(server, "/a.B/C")
    for _ in range(2):
        assert call(compress(body), 30.0, (("x-a", "b"),))[0] == body


def test_a_failed_call_says_what_it_said(way: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{unused_port()}") as channel:
        call = open_call(channel, "/a.B/C")
        with pytest.raises(grpc.RpcError) as caught:
            call(compress(b"x"), 5.0, ())
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(ValueError):
        call(compress(b"x"), 5.0, ())


def test_traces_arrive_whole_over_every_answer(way: str) -> None:
    answers = [Answer(code=grpc.StatusCode.UNAVAILABLE), Answer(rejected=1), Answer()]
    receiver = GrpcReceiver(answers)
    try:
        output = otlp_output(f"grpc://127.0.0.1:{receiver.port}")
        output.submit(NumberedBatch([1, 2]))
        output.submit(NumberedBatch([3, 4]))
        assert output.flush(30)
        output.close()
        seen = balanced(output)
        assert (seen.exported, seen.rejected, receiver.seen.numbers) == (3, 1, [1, 3, 4])
    finally:
        receiver.close()
