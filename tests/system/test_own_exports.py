"""The sensor's own exports behind address translation: nothing of them among the traces.

As on a node of a cluster: the Satellite's address is a service's, which nft rewrites to the receiver's, in
another network namespace. For 3 s, and for 60 s in the long form.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.effort import long
from tests.system.network import Namespace, namespaces, needs, until_listening, veth_pair
from tests.system.sensor import capturing

SERVICE = "10.96.0.20"
RECEIVER = 4318
APPLICATION = 8080

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nft", "ethtool"), pytest.mark.timeout(600)]

SERVE = f"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("0.0.0.0", {APPLICATION}), Handler).serve_forever()
"""
RECEIVERS = {
    "http": "from tests.helpers.collector import Collector as Receiver",
    "grpc": "from tests.system.grpc_collector import GrpcCollector as Receiver",
}
RECEIVE = f"""
import time
found = Receiver(port={RECEIVER}, host="0.0.0.0")
while True:
    time.sleep(0.1)
    print(len(found.bodies["traces"]), len(found.bodies["metrics"]), flush=True)
"""
ASK = """
import http.client, sys, time
end = time.monotonic() + float(sys.argv[1])
sent = 0
while time.monotonic() < end:
    connection = http.client.HTTPConnection("{host}", {port}, timeout=90)
    for _ in range(5):
        connection.request("GET", f"/asked/{{sent}}")
        connection.getresponse().read()
        sent += 1
        time.sleep(0.01)
    connection.close()
print(sent)
"""


@contextmanager
def running(namespace: Namespace, program: str, out: Path) -> Iterator[None]:
    with out.open("wb") as sink:
        process = namespace.popen([sys.executable, "-c", program], stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def translate(node: Namespace, to: str) -> None:
    """What goes to the service goes to *to* instead, and to its port."""
    rules = f"""
    table ip levo {{
      chain output {{
        type nat hook output priority -100;
        ip daddr {SERVICE} tcp dport {RECEIVER + 1} dnat to {to}:{RECEIVER}
      }}
    }}
    """
    subprocess.run(node.command(["nft", "-f", "-"]), input=rules.encode(), check=True)


@pytest.mark.parametrize("transport", ["http", "grpc"])
@pytest.mark.parametrize("seconds", [3, long(60)])
def test_exports_behind_address_translation_are_not_captured_again(
    transport: str, seconds: int, tmp_path: Path
):
    with veth_pair() as (pod, node):
        node.run(["ip", "route", "add", "10.96.0.0/16", "via", pod.address])
        translate(node, pod.address)
        received = tmp_path / "received"
        with running(pod, RECEIVERS[transport] + RECEIVE, received), running(pod, SERVE, tmp_path / "served"):
            until_listening(pod, RECEIVER, APPLICATION)
            url = f"{transport}://{SERVICE}:{RECEIVER + 1}"
            application = f"http://{pod.address}:{APPLICATION}"
            more = ("--output=otlp", f"--satellite-url={url}", "--log-format=json")
            with capturing(node, tmp_path, application, *more) as sensor:
                asking = ASK.format(host=pod.address, port=APPLICATION)
                sent = int(node.run([sys.executable, "-c", asking, str(seconds)], timeout=seconds + 60))
                sensor.catch_up()
        traces, metrics = map(int, received.read_text().splitlines()[-1].split())
        assert traces >= 5 and metrics >= 1, "the sensor exports, through the service's address"
        ports = Counter(exchange["server"]["port"] for exchange in sensor.exchanges())
        assert ports == {APPLICATION: sent}
        asked = {exchange["request"]["target"] for exchange in sensor.exchanges()}
        assert asked == {f"/asked/{number}" for number in range(sent)}
        sensor.assert_ledger()
        left_out = sensor.ledger()["exchanges"]["states"]["own_export"]
        assert left_out >= traces


def link(one: Namespace, name: str, gateway: str, other: Namespace, address: str) -> None:
    """A veth pair: *name* with the address *gateway* in *one*, ``eth0`` with *address* in *other*."""
    one.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", other.name])
    one.run(["ip", "addr", "add", f"{gateway}/24", "dev", name])
    one.run(["ip", "link", "set", name, "up"])
    other.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"])
    other.run(["ip", "link", "set", "eth0", "up"])
    other.run(["ip", "route", "add", "default", "via", gateway])


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_exports_of_another_node_to_a_published_port_are_not_captured_on_the_way(
    transport: str, tmp_path: Path
):
    """A sensor on one node exports to a port that another node publishes for a Satellite's container.

    The node between them captures with a sensor of its own, which sees exports before and after translation.
    """
    published = f"""
    table ip levo {{
      chain prerouting {{
        type nat hook prerouting priority -100;
        ip daddr 10.1.0.1 tcp dport {RECEIVER + 1} dnat to 10.2.0.2:{RECEIVER}
      }}
    }}
    """
    with namespaces(3) as (middle, away, satellite):
        link(middle, "away", "10.1.0.1", away, "10.1.0.2")
        link(middle, "inside", "10.2.0.1", satellite, "10.2.0.2")
        middle.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        subprocess.run(middle.command(["nft", "-f", "-"]), input=published.encode(), check=True)
        received, here = tmp_path / "received", f"http://127.0.0.1:{APPLICATION}"
        with (
            running(satellite, RECEIVERS[transport] + RECEIVE, received),
            running(away, SERVE, tmp_path / "served"),
            running(middle, SERVE, tmp_path / "also-served"),
        ):
            until_listening(satellite, RECEIVER)
            until_listening(away, APPLICATION)
            until_listening(middle, APPLICATION)
            folders = [tmp_path / "middle", tmp_path / "away"]
            for folder in folders:
                folder.mkdir()
            more = ("--output=otlp", f"--satellite-url={transport}://10.1.0.1:{RECEIVER + 1}")
            everywhere = Namespace(middle.name, interface="away,inside,lo")
            with (
                capturing(everywhere, folders[0], here, "--log-format=json") as between,
                capturing(away, folders[1], here, *more) as exporting,
            ):
                asking = ASK.format(host="127.0.0.1", port=APPLICATION)
                sent = int(away.run([sys.executable, "-c", asking, "3"], timeout=180))
                exporting.catch_up()
                between.catch_up()
        traces, _ = map(int, received.read_text().splitlines()[-1].split())
        assert traces >= 5, "the sensor exports, through the published port"
        assert len(list(exporting.exchanges())) == sent
        assert list(between.exchanges()) == []
        between.assert_ledger()
        assert between.ledger()["exchanges"]["states"]["own_export"] >= traces
