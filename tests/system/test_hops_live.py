"""Live: traffic is redirected to a proxy in the namespace of its application: each request counts once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.network import Namespace, needs, veth_pair
from tests.system.nginx import serving
from tests.system.sensor import capturing

pytestmark = [pytest.mark.root, pytest.mark.slow, needs("nginx", "nft"), pytest.mark.timeout(240)]

REDIRECT = """
table ip levo {
  chain prerouting {
    type nat hook prerouting priority -100;
    iifname "veth0" tcp dport 80 redirect to :15001
  }
}
"""
PROXY = """
    }}
    upstream application {{ server 127.0.0.1:{port}; keepalive 20; }}
    server {{
        listen 15001 backlog=4096;
        location / {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_pass http://application;
        }}
"""
ASK = """
import http.client, sys, threading
host, field, shared = sys.argv[1], sys.argv[2], sys.argv[3] == "shared"
failed = []
def run(number):
    connection = http.client.HTTPConnection(host, 80, timeout=90)
    for i in range(50):
        identifier = "7" if shared else f"{number}-{i}"
        if field == "traceparent":
            identifier = f"00-{number * 50 + i + 1:032x}-00f067aa0ba902b7-01"
        target = "/same" if shared else f"/{number}-{i}"
        connection.request("GET", target, headers={field: identifier})
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            failed.append(target)
threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(len(failed))
"""


@contextmanager
def mesh(folder: Path) -> Iterator[tuple[Namespace, Namespace, str]]:
    """(the proxy's, the client's) namespace, and where the application itself is reached."""
    with veth_pair() as (here, client):
        subprocess.run(here.command(["nft", "-f", "-"]), input=REDIRECT.encode(), check=True)
        local = Namespace(here.name)
        with serving(
            local, folder, locations=PROXY.format(port=8080).replace("{{", "{").replace("}}", "}")
        ) as nginx:
            yield here, client, nginx.base


def reported(folder: Path, field: str, shared: bool, *more: str) -> Counter[tuple[object, ...]]:
    """(target, server's port, side, merged) of each exchange."""
    with mesh(folder / "nginx") as (here, client, base):
        everywhere = Namespace(here.name, interface="veth0,lo")
        with capturing(everywhere, folder, base, *more) as sensor:
            kind = "shared" if shared else "own"
            client.run([sys.executable, "-c", ASK, here.address, field, kind], timeout=120)
            sensor.catch_up()
        sensor.assert_ledger()
        return Counter(
            (x["request"]["target"], x["server"]["port"], x.get("hop"), x.get("hops_merged", 0))
            for x in sensor.exchanges()
        )


TARGETS = [f"/{number}-{i}" for number in range(10) for i in range(50)]


@pytest.mark.parametrize("field", ["x-request-id", "traceparent"])
def test_merged_each_request_is_reported_once(field: str, tmp_path: Path) -> None:
    found = reported(tmp_path, field, False, "--merge-hops")

    assert found == Counter((target, 80, None, 1) for target in TARGETS)


def test_without_merging_both_sides_are_reported_and_linked(tmp_path: Path) -> None:
    found = reported(tmp_path, "x-request-id", False)

    assert Counter((target, port) for target, port, _, _ in found.elements()) == Counter(
        (target, port) for target in TARGETS for port in (80, 8080)
    )
    linked = Counter(target for target, _, side, _ in found.elements() if side)
    assert linked == Counter(TARGETS)


def test_requests_without_an_id_are_reported_as_they_are(tmp_path: Path) -> None:
    found = reported(tmp_path, "x-other", False, "--merge-hops")

    assert found == Counter((target, port, None, 0) for target in TARGETS for port in (80, 8080))


def test_one_id_on_all_requests_hides_none_of_them(tmp_path: Path) -> None:
    """Ten clients send the same request with the same id at the same time: nothing of it vanishes."""
    found = reported(tmp_path, "x-request-id", True, "--merge-hops")
    by_port = Counter(port for _, port, _, _ in found.elements())
    merged = sum(merged for _, _, _, merged in found.elements())

    assert by_port[80] == 500
    assert by_port[8080] + merged == 500
