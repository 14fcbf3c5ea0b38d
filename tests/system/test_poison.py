"""From the wire to the catalog: a client without credentials invents paths of an application."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.satellite.learn.paths.poison import REAL
from tests.satellite.running import RunningSatellite, until
from tests.system.network import Namespace, loopback_namespace, needs, until_listening
from tests.system.sensor import command

SERVER = """
import http.server, json, random
class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        known = self.headers.get("authorization") == "Bearer good"
        body = json.dumps({"id": random.randint(1, 10**6)} if known else {"error": "unauthorized"}).encode()
        self.send_response(200 if known else int(self.headers.get("x-answer", "401")))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Application).serve_forever()
"""
DRIVER = """
import http.client, sys, time
sys.path.insert(0, sys.argv[1])
from random import Random
from tests.satellite.learn.paths.poison import invented, used
def ask(paths, headers, caller):
    connection = http.client.HTTPConnection("127.0.0.1", 8080, source_address=(f"127.0.0.{caller}", 0))
    for path in paths:
        connection.request("GET", path, headers={"host": "api.shop.test", **headers})
        connection.getresponse().read()
    connection.close()
real = list(used(Random(1)))
for caller in (2, 3):
    ask(real[caller - 2::2], {"authorization": "Bearer good"}, caller)
for start in range(0, int(sys.argv[2]), 50):
    ask(list(invented("lexicon", start + 50))[start:], {"x-answer": sys.argv[3]}, 9)
"""
ASK = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=180).read().decode())"
ROOT = str(Path(__file__).parents[2])


def asked(place: Namespace, url: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = orjson.loads(place.run([sys.executable, "-c", ASK, url]))
    return found


@needs("ip")
@pytest.mark.parametrize(("status", "requests"), [(401, 130), (200, 300)])
def test_real_endpoints_stay(tmp_path: Path, status: int, requests: int) -> None:
    with (
        loopback_namespace() as place,
        RunningSatellite(tmp_path / "data", through=place.command([])) as running,
    ):
        sensor = ["apidump", "--interfaces=lo", "--rate-limit=0", f"--satellite-url={running.web}"]
        log = tmp_path / "sensor.log"
        server = place.popen([sys.executable, "-c", SERVER])
        started = [server]
        try:
            with log.open("wb") as sink:
                started.append(place.popen(command(sensor), stdout=subprocess.DEVNULL, stderr=sink))
            until_listening(place, 8080, process=server)
            until(lambda: "capturing on" in log.read_text())
            place.run([sys.executable, "-c", DRIVER, ROOT, str(requests), str(status)])
            deadline, shown = time.monotonic() + 120, set[str]()
            while time.monotonic() < deadline and not set(REAL) <= shown:
                time.sleep(0.5)
                rows = asked(place, f"{running.web}/api/endpoints?limit=1000")["endpoints"]
                shown = {
                    "/".join("{}" if part.startswith("{") else part for part in row["path"].split("/"))
                    for row in rows
                }
            refused = asked(place, f"{running.web}/api/refused?limit=1000")["refused"]
        finally:
            for process in started:
                process.terminate()
                process.wait(90)

    assert set(REAL) - shown == set()
    assert bool(refused) is (status == 401)
