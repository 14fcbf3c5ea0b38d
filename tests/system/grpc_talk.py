"""A grpcio server and clients in one process; prints what each call sent, got and ended with, as JSON.

Run as a program: ``grpc_talk.py ADDRESS:PORT CALLS``. Four channels make CALLS calls each, one with gzip.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

SERVICE = "shop.v1.Orders"


def same(octets: bytes) -> bytes:
    return octets


class Handlers(grpc.GenericRpcHandler):
    """One method a kind, one that fails; any other is unimplemented."""

    def service(self, details: Any) -> Any:
        name = details.method.removeprefix(f"/{SERVICE}/")
        kinds = {
            "Unary": (grpc.unary_unary_rpc_method_handler, lambda asked, _: asked * 2),
            "Collect": (grpc.stream_unary_rpc_method_handler, lambda asked, _: b"%d" % sum(map(len, asked))),
            "Watch": (grpc.unary_stream_rpc_method_handler, self._watch),
            "Talk": (grpc.stream_stream_rpc_method_handler, self._talk),
            "Fail": (grpc.unary_unary_rpc_method_handler, self._fail),
        }
        if name not in kinds:
            return None
        build, behavior = kinds[name]
        return build(behavior, same, same)

    @staticmethod
    def _watch(asked: bytes, _: Any) -> Iterator[bytes]:
        for i in range(len(asked) % 7 + 1):
            yield asked + bytes([i])

    @staticmethod
    def _talk(asked: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for message in asked:
            yield message[::-1]

    @staticmethod
    def _fail(_: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        return b""


def call(channel: grpc.Channel, rng: random.Random, big: bool) -> dict[str, Any]:
    """One call of a random kind."""
    name = rng.choice(["Unary", "Collect", "Watch", "Talk", "Fail", "Missing"])
    message = bytes(rng.choices(b"abc\0\xff", k=rng.choice([0, 5, 50, 40_000] if big else [0, 5, 50])))
    asked = [message] * (rng.randrange(1, 5) if name in ("Collect", "Talk") else 1)
    path = f"/{SERVICE}/{name}"
    answered: list[bytes] = []
    status = 0
    try:
        if name == "Collect":
            answered = [channel.stream_unary(path)(iter(asked))]
        elif name == "Watch":
            answered = list(channel.unary_stream(path)(message))
        elif name == "Talk":
            answered = list(channel.stream_stream(path)(iter(asked)))
        else:
            answered = [channel.unary_unary(path)(message)]
    except grpc.RpcError as error:
        status = error.code().value[0]
    return {
        "path": path,
        "status": status,
        "asked": [len(asked), sum(map(len, asked))],
        "answered": [len(answered), sum(map(len, answered))],
    }


def main(address: str, calls: int) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Handlers(),))
    server.add_insecure_port(address)
    server.start()
    made: list[dict[str, Any]] = []

    def work(number: int) -> None:
        rng = random.Random(number)
        compression = grpc.Compression.Gzip if number == 0 else None
        own = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=own, compression=compression) as channel:
            for i in range(calls):
                made.append({"gzip": number == 0} | call(channel, rng, i % 50 == 0))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop(0).wait()
    print(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
