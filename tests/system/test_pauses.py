"""Live: connections that are silent for longer than five minutes go on where they stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers.effort import long
from tests.system.network import loopback_namespace, needs
from tests.system.nginx import serving
from tests.system.sensor import capturing

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx"), pytest.mark.timeout(900)]

KEEP_ALIVE = """
import http.client, http.server, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8900), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
connection = http.client.HTTPConnection("127.0.0.1", 8900, timeout=90)
for number in range(4):
    connection.request("GET", f"/turn/{number}")
    connection.getresponse().read()
    if number == 1:
        time.sleep(float(sys.argv[1]))
"""
CALLS = """
import sys, time
from concurrent import futures
import grpc
class Handlers(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda asked, context: asked, lambda x: x, lambda x: x)
server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Handlers()])
server.add_insecure_port("127.0.0.1:8901")
server.start()
with grpc.insecure_channel("127.0.0.1:8901") as channel:
    call = channel.unary_unary("/shop.v1.Orders/Get")
    for number in range(8):
        call(b"abc", metadata=[("x-number", "%d" % (number % 4))])
        if number == 2:
            time.sleep(float(sys.argv[1]))
server.stop(0)
"""


@pytest.mark.parametrize("pause", [1, long(310)])
def test_keep_alive_over_http1(pause: int, tmp_path: Path):
    with loopback_namespace() as here, serving(here, tmp_path / "nginx") as nginx:
        with capturing(here, tmp_path, nginx.base) as sensor:
            here.run([sys.executable, "-c", KEEP_ALIVE, str(pause)], timeout=pause + 60)
            sensor.catch_up()
        found = [(x["request"]["path"], x["incomplete"]) for x in sensor.exchanges()]
        assert found == [(f"/turn/{number}", None) for number in range(4)]
        sensor.assert_ledger()


@pytest.mark.parametrize("pause", [1, long(320)])
def test_calls_on_one_channel_of_grpc(pause: int, tmp_path: Path):
    """What comes after the pause refers to header fields from before it."""
    with loopback_namespace() as here, serving(here, tmp_path / "nginx") as nginx:
        with capturing(here, tmp_path, nginx.base) as sensor:
            here.run([sys.executable, "-c", CALLS, str(pause)], timeout=pause + 60)
            sensor.catch_up()
        found = list(sensor.exchanges())
        assert [(x["request"]["path"], x["incomplete"]) for x in found] == [("/shop.v1.Orders/Get", None)] * 8
        assert len({x["client"]["port"] for x in found}) == 1
        sensor.assert_ledger()
