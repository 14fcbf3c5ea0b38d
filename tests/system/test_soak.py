"""Hours of ordinary traffic past a sensor and a Satellite: nothing grows, every exchange is accounted for.

About 500 exchanges a second: HTTP by wrk over connections that stay, gRPC, WebSockets and short connections.
Sensor and Satellite are restarted once each, early. What they use is sampled into ``samples.jsonl`` as it
goes. Two hours, or LEVO_SOAK_SECONDS; and a minute, which shows that the harness works.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.cli.levo_command import environment
from tests.helpers.processes import Use, slope, tree_of, use_of
from tests.satellite.running import RunningSatellite, until
from tests.sensor.capture.network import private_network
from tests.system.load import wrk
from tests.system.network import Namespace, needs, until_listening
from tests.system.nginx import PORT, serving

ROOT = Path(__file__).resolve().parents[2]
GRPC, WEBSOCKET, OTLP = 9090, 9091, 4317
CONNECTIONS, PAUSE_MS = 32, 72
"""wrk: about 440 requests a second."""
SECONDS = float(os.environ.get("LEVO_SOAK_SECONDS", "7200"))
SETTLED_S = 1200
"""From then on memory must be flat."""
MOST_GROWTH = 1.0
"""MiB an hour."""
FEWEST = 100
"""Samples from which a slope is taken."""
MOST_LOG = 1 << 20
SAMPLE_S = 5.0
EDGE_S = 1.0
"""A log's line is written when its exchange has ended, which began before."""

LOCATIONS = """
        location /soak/ {{
            access_log {log} timed buffer=64k flush=1s;
            return 200 '{{"path":"$uri","request":"$request_id","items":[1,2,3],"email":"a@b.example"}}';
        }}
"""
REQUESTS = """
local kinds = { "users", "orders", "products", "invoices", "payments" }
local hosts = { "api.shop.test", "eu.shop.test", "internal.shop.test" }
request = function()
  local kind, host = kinds[math.random(#kinds)], hosts[math.random(#hosts)]
  local headers = { ["Host"] = host, ["Authorization"] = "Bearer t" .. math.random(50) }
  local drawn = math.random()
  if drawn < 0.7 then
    return wrk.format("GET", "/soak/" .. kind .. "/" .. math.random(1000000), headers)
  elseif drawn < 0.85 then
    headers["Content-Type"] = "application/json"
    local text = '{"name":"n' .. math.random(1000) .. '","card":"4111111111111111","lines":[{"sku":"s'
      .. math.random(99) .. '","n":' .. math.random(9) .. '}]}'
    return wrk.format("POST", "/soak/" .. kind, headers, text)
  end
  return wrk.format("GET", "/soak/" .. kind .. "?page=" .. math.random(50) .. "&limit=20", headers)
end
"""


class Here(Namespace):
    """The network namespace of the calling thread."""

    def command(self, argv: Sequence[str]) -> list[str]:
        return list(argv)


class Sensor:
    """``levo apidump`` that sends by gRPC and spools; may be restarted."""

    def __init__(self, folder: Path) -> None:
        self._argv = [
            *(sys.executable, "-m", "levo", "apidump", "--config=/dev/null", "--interfaces=lo"),
            *(f"--filter=tcp port {PORT} or tcp port {GRPC} or tcp port {WEBSOCKET}", "--rate-limit=0"),
            *(f"--satellite-url=grpc://127.0.0.1:{OTLP}", f"--spool-dir={folder / 'spool'}"),
            "--log-format=json",
        ]
        self.log = folder / "sensor.log"
        self.start()

    def start(self) -> None:
        before = self._said("capturing on")
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(self._argv, env=environment(), stderr=sink)
        until(lambda: self._said("capturing on") > before or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()[-3000:]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(180) == 0, self.log.read_text()[-3000:]

    def stages(self) -> list[dict[str, Any]]:
        """Of the ledgers of all runs that have ended."""
        events = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for event in events if "stage" in event]

    def _said(self, text: str) -> int:
        return self.log.read_text().count(text) if self.log.exists() else 0


def start_satellite(folder: Path) -> RunningSatellite:
    ports = ("--listen=127.0.0.1:9999", f"--otlp-grpc=127.0.0.1:{OTLP}", "--otlp-http=127.0.0.1:4318")
    return RunningSatellite(folder / "data", *ports, proof=True)


class Samples:
    """What every process uses, every few seconds, in a file and by name."""

    def __init__(self, path: Path) -> None:
        self.began = time.monotonic()
        self.of: dict[str, list[tuple[float, Use]]] = defaultdict(list)
        self._path = path

    def take(self, sensor: Sensor, satellite: RunningSatellite) -> None:
        now = time.monotonic() - self.began
        taken = {}
        for whose, top in (("sensor", sensor.process.pid), ("satellite", satellite.process.pid)):
            for number, pid in enumerate(tree_of(top)):
                name = f"{whose} {number}"
                if use := use_of(pid):
                    self.of[name].append((now, use))
                    taken[name] = use._asdict()
        with self._path.open("a") as file:
            data = {each.name: each.stat().st_size for each in satellite.data_dir.glob("*.sqlite3*")}
            file.write(json.dumps({"seconds": round(now, 1), **taken, "files": data}) + "\n")

    def growing(self) -> dict[str, tuple[float, float, float]]:
        """What grew after the first minutes: MiB an hour, and descriptors and threads more in the later half.

        By the name of the process; of those that lived for long.
        """
        found = {}
        for name, samples in self.of.items():
            settled = [(at, use) for at, use in samples if at >= SETTLED_S]
            if len(settled) < FEWEST:
                continue
            half = len(settled) // 2
            descriptors, threads = (
                median(values[half:]) - median(values[:half])
                for values in ([use.descriptors for _, use in settled], [use.threads for _, use in settled])
            )
            grows = 3600 * slope([(at, use.resident / (1 << 20)) for at, use in settled])
            print(f"{name}: {grows:+.2f} MiB an hour, descriptors {descriptors:+}, threads {threads:+}")
            if grows >= MOST_GROWTH or descriptors > 0 or threads > 0:
                found[name] = (grows, descriptors, threads)
        return found


@contextlib.contextmanager
def servers(log: Path) -> Iterator[None]:
    talk = [sys.executable, str(ROOT / "tests/system/soak_talk.py")]
    process = subprocess.Popen([*talk, "serve", str(GRPC), str(WEBSOCKET), str(log)])
    try:
        until_listening(Here("here"), GRPC, WEBSOCKET, process=process)
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def traffic(base: str, folder: Path, seconds: float) -> Iterator[list[threading.Thread]]:
    """Threads that end with the traffic; an error of theirs is the block's."""
    failures: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    def talk() -> None:
        argv = [sys.executable, str(ROOT / "tests/system/soak_talk.py"), "ask"]
        subprocess.run([*argv, str(PORT), str(GRPC), str(WEBSOCKET), str(seconds)], check=True)

    def load() -> None:
        wrk(
            Here("here"),
            base,
            seconds=seconds,
            connections=CONNECTIONS,
            folder=folder,
            script=REQUESTS,
            pause_ms=PAUSE_MS,
        )

    workers = [threading.Thread(target=run, args=(work,)) for work in (talk, load)]
    for worker in workers:
        worker.start()
    yield workers
    for worker in workers:
        worker.join()
    assert not failures, failures


def lines_of(*logs: Path) -> Iterator[tuple[float, str]]:
    for log in logs:
        with log.open() as lines:
            for line in lines:
                at, kind = line.split()
                yield float(at), kind


@pytest.mark.parametrize(("an_hour", "flat"), [(0.0, True), (0.9, True), (1.2, False), (20.0, False)])
def test_growth_is_told_from_noise(tmp_path: Path, an_hour: float, flat: bool) -> None:
    """Two hours of a process whose memory grows by *an_hour* MiB, with noise of one and peaks of fifty."""
    samples, chance = Samples(tmp_path / "none"), random.Random(1)
    for at in range(0, 7200, 5):
        used = 100 + an_hour * at / 3600 + chance.gauss(0, 1) + 50 * (chance.random() < 0.02)
        samples.of["learner"].append((at, Use(int(used * (1 << 20)), 15 + (chance.random() < 0.1), 13)))

    assert (not samples.growing()) == flat


def test_descriptors_and_threads_that_grow_are_seen(tmp_path: Path) -> None:
    for grows in ((1, 0), (0, 1)):
        samples = Samples(tmp_path / "none")
        for at in range(0, 7200, 5):
            late = at > 4000
            samples.of["learner"].append((at, Use(1 << 20, 15 + grows[0] * late, 13 + grows[1] * late)))

        assert samples.growing()


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.long
@needs("nginx", "wrk")
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("seconds", [60.0, SECONDS])
@private_network
def test_nothing_grows_and_every_exchange_is_counted(tmp_path: Path, seconds: float) -> None:
    timed, called = tmp_path / "http.log", tmp_path / "calls.log"
    satellite_log = 0
    with (
        serving(Here("here"), tmp_path / "nginx", locations=LOCATIONS.format(log=timed)) as nginx,
        servers(called),
        contextlib.ExitStack() as running,
    ):
        satellite = running.enter_context(start_satellite(tmp_path))
        sensor = Sensor(tmp_path)
        running.callback(lambda: sensor.process.kill())
        samples = Samples(tmp_path / "samples.jsonl")
        with traffic(nginx.base, tmp_path, seconds) as workers:
            restarts = [(min(0.25 * seconds, 240), "sensor"), (min(0.5 * seconds, 480), "satellite")]
            blind = (0.0, 0.0)
            while any(worker.is_alive() for worker in workers):
                if restarts and time.monotonic() - samples.began > restarts[0][0]:
                    if restarts.pop(0)[1] == "sensor":
                        stopped = time.time()
                        sensor.stop()
                        sensor.start()
                        blind = (stopped - EDGE_S, time.time() + EDGE_S)
                    else:
                        assert satellite.terminate() == 0, satellite.errors[-3000:]
                        satellite_log += len(satellite.errors)
                        satellite = running.enter_context(start_satellite(tmp_path))
                samples.take(sensor, satellite)
                for page in ("/", "/sensors", "/api/endpoints?limit=1", "/metrics"):
                    assert satellite.get(page).status == 200, page
                workers[0].join(SAMPLE_S)
        samples.take(sensor, satellite)
        sensor.stop()
        counters = satellite.until_idle()["counters"]
        assert satellite.terminate() == 0
        satellite_log += len(satellite.errors)

    stages = sensor.stages()
    assert all(stage["balanced"] for stage in stages), stages
    exported = sum(s["states"]["exported"] for s in stages if s["stage"] == "output otlp")
    received = sum(counters.get(name, 0) for name in ("learned_traces", "ignored_spans", "duplicate_spans"))
    learned = counters["learned_exchanges"]
    served: dict[str, int] = defaultdict(int)
    unseen = 0
    for at, kind in lines_of(timed, called):
        served[kind] += 1
        unseen += blind[0] <= at <= blind[1]
    total = sum(served.values())
    figures = {
        "served": dict(served),
        "exported": exported,
        "blind seconds": round(blind[1] - blind[0], 2),
        "served meanwhile": unseen,
        "logs": (sensor.log.stat().st_size, satellite_log),
        "counters": counters,
    }
    (tmp_path / "figures.json").write_text(json.dumps(figures, indent=1))
    print(figures)
    assert received == exported
    # wrk cuts its connections when it ends: the last request of each may be logged, or not.
    assert total - unseen - CONNECTIONS <= learned <= total + CONNECTIONS
    assert max(figures["logs"]) < MOST_LOG  # type: ignore[type-var]
    assert not samples.growing()
