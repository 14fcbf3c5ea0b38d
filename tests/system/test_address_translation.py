"""Live: each request is reported once, whatever translates or carries it on its way through a node."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.system.network import Namespace, namespaces, needs, until_listening
from tests.system.sensor import capturing

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nft", "bridge"), pytest.mark.timeout(600)]

CONNECTIONS, EACH = 10, 50
SERVE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    def do_GET(self):
        body = (sys.argv[2] + self.path).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100
Server(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""
ASK = """
import http.client, sys, threading
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connections, each = int(sys.argv[4]), int(sys.argv[5])
done = []
def run(number):
    connection = http.client.HTTPConnection(host, port, timeout=90)
    for i in range(each):
        connection.request("GET", f"/{name}/{number}-{i}", headers={"host": name})
        assert connection.getresponse().read().decode().split("/", 1)[1] == f"{name}/{number}-{i}"
    connection.close()
    done.append(number)
threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(connections - len(done))
"""
RULES = """
table ip levo {
  chain prerouting {
    type nat hook prerouting priority -100;
    ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.2.2:8080
    ip daddr 192.168.77.1 tcp dport 30080 dnat to 10.244.2.2:8080
  }
  chain output {
    type nat hook output priority -100;
    ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.2.2:8080
  }
  chain postrouting {
    type nat hook postrouting priority 100;
    ip saddr 192.168.77.0/24 ip daddr 10.244.2.2 masquerade
    ip saddr 10.244.2.2 ip daddr 10.244.2.2 masquerade
  }
}
"""
REDIRECT = """
table ip levo {
  chain prerouting {
    type nat hook prerouting priority -100;
    tcp dport 9090 redirect to :8080
  }
}
"""


@contextmanager
def serving(where: Namespace, port: int, name: str = "") -> Iterator[None]:
    process = where.popen([sys.executable, "-c", SERVE, str(port), name])
    try:
        until_listening(where, port, process=process)
        yield
    finally:
        process.kill()
        process.wait()


def ask(where: Namespace, host: str, port: int, name: str) -> None:
    where.run([sys.executable, "-c", ASK, host, str(port), name, str(CONNECTIONS), str(EACH)])


def translate(where: Namespace, rules: str) -> None:
    subprocess.run(where.command(["nft", "-f", "-"]), input=rules.encode(), check=True)


def join(one: Namespace, name: str, other: Namespace, address: str, gateway: str) -> None:
    """A veth pair: *name* in *one*, ``eth0`` with *address* in *other*."""
    one.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", other.name])
    one.run(["ip", "link", "set", name, "up"])
    other.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"])
    other.run(["ip", "link", "set", "eth0", "up"])
    if gateway:
        other.run(["ip", "route", "add", "default", "via", gateway])


@contextmanager
def cluster() -> Iterator[dict[str, Namespace]]:
    """A node with a bridge: pods ``b`` and ``c`` on it, pod ``a`` routed, and a client outside."""
    with namespaces(5) as (node, a, b, c, outside):
        node.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        node.run(["ip", "link", "add", "cni0", "type", "bridge"])
        node.run(["ip", "addr", "add", "10.244.2.1/24", "dev", "cni0"])
        node.run(["ip", "link", "set", "cni0", "up"])
        join(node, "vetha", a, "10.244.1.2", "")
        node.run(["ip", "addr", "add", "10.244.1.1/24", "dev", "vetha"])
        a.run(["ip", "route", "add", "default", "via", "10.244.1.1"])
        for pod, name, address in ((b, "vethb", "10.244.2.2"), (c, "vethc", "10.244.2.3")):
            join(node, name, pod, address, "10.244.2.1")
            node.run(["ip", "link", "set", name, "master", "cni0"])
            node.run(["bridge", "link", "set", "dev", name, "hairpin", "on"])
        join(node, "eth0", outside, "192.168.77.2", "")
        node.run(["ip", "addr", "add", "192.168.77.1/24", "dev", "eth0"])
        node.run(["ip", "route", "add", "10.96.0.0/16", "dev", "cni0"])
        translate(node, RULES)
        translate(b, REDIRECT)
        yield {"node": node, "a": a, "b": b, "c": c, "outside": outside}


@pytest.mark.parametrize("interfaces", ["any", "cni0,eth0,vetha,vethb,vethc", "eth0,vetha,vethb"])
def test_each_request_through_a_node_is_reported_once(interfaces: str, tmp_path: Path):
    paths = {
        "pod": ("a", "10.244.2.2", 8080),
        "bridged": ("c", "10.244.2.2", 8080),
        "service": ("a", "10.96.0.10", 80),
        "nodeport": ("outside", "192.168.77.1", 30080),
        "hairpin": ("b", "10.96.0.10", 80),
        "fromnode": ("node", "10.96.0.10", 80),
        "redirect": ("a", "10.244.2.2", 9090),
    }
    with cluster() as place, serving(place["b"], 8080):
        node = Namespace(place["node"].name, interface=interfaces)
        with capturing(node, tmp_path, "http://10.244.2.2:8080") as sensor:
            for name, (client, host, port) in paths.items():
                ask(place[client], host, port, name)
            sensor.catch_up()
        found = list(sensor.exchanges())
        counts = Counter(x["request"] and x["request"]["path"].split("/")[1] for x in found)
        assert counts == dict.fromkeys(paths, CONNECTIONS * EACH)
        assert len({x["request"]["path"] for x in found}) == len(found)
        assert all(x["incomplete"] is None for x in found)
        servers = Counter((x["request"]["path"].split("/")[1], x["server"]["port"]) for x in found)
        # Interfaces are read in turn: what was finished before its twin came has the address before it.
        for name in ("pod", "bridged", "hairpin"):
            assert servers[name, 8080] >= 0.9 * CONNECTIONS * EACH, servers
        sensor.assert_ledger()
        assert sensor.ledger()["payload_bytes"]["states"]["duplicate_nat"] > 0


@pytest.mark.parametrize("where", ["in the pod", "on the node"])
def test_a_proxy_that_redirects_in_its_namespace_is_one_connection(where: str, tmp_path: Path):
    with cluster() as place, serving(place["b"], 8080):
        seen = place["b"] if where == "in the pod" else place["node"]
        watched = Namespace(seen.name, interface="any")
        with capturing(watched, tmp_path, "http://10.244.2.2:8080") as sensor:
            ask(place["a"], "10.244.2.2", 9090, "redirect")
            sensor.catch_up()
        found = Counter(x["request"]["path"] for x in sensor.exchanges())
        assert len(found) == CONNECTIONS * EACH and set(found.values()) == {1}
        sensor.assert_ledger()


def test_two_tenants_with_the_same_addresses_over_kernel_vxlan_are_not_mixed(tmp_path: Path):
    """Both use the same addresses and ports at the same time, in two networks over one wire."""
    with ExitStack() as stack:
        left, right, *tenants = stack.enter_context(namespaces(6))
        join(left, "wire", right, "10.0.0.2", "")
        left.run(["ip", "addr", "add", "10.0.0.1/24", "dev", "wire"])
        clients, servers = tenants[:2], tenants[2:]
        for number in range(2):
            for host, device, other, inside, address in (
                (left, "wire", "10.0.0.2", clients[number], "172.16.0.1"),
                (right, "eth0", "10.0.0.1", servers[number], "172.16.0.2"),
            ):
                name = f"vx{number}"
                host.run(
                    [
                        *f"ip link add {name} type vxlan id {100 + number}".split(),
                        *f"remote {other} dstport 4789 dev {device}".split(),
                    ]
                )
                host.run(["ip", "link", "set", name, "netns", inside.name])
                inside.run(["ip", "addr", "add", f"{address}/24", "dev", name])
                inside.run(["ip", "link", "set", name, "up"])
            clients[number].run(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40011"])
            stack.enter_context(serving(servers[number], 8080, f"tenant{number}"))
        stack.enter_context(serving(right, 8081))
        watched = Namespace(left.name, interface="wire")
        with capturing(watched, tmp_path, "http://10.0.0.2:8081") as sensor:
            running = [
                clients[number].popen(
                    [
                        sys.executable,
                        "-c",
                        ASK,
                        "172.16.0.2",
                        "8080",
                        f"t{number}",
                        str(CONNECTIONS),
                        str(EACH),
                    ]
                )
                for number in range(2)
            ]
            assert [process.wait(60) for process in running] == [0, 0]
            sensor.catch_up()
        found = list(sensor.exchanges())
        assert len(found) == 2 * CONNECTIONS * EACH and all(x["incomplete"] is None for x in found)
        for x in found:
            owner = x["request"]["path"][2]
            assert x["response"]["body"] == f"tenant{owner}{x['request']['path']}"
        sensor.assert_ledger()
