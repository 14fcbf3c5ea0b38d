"""Puts the demo together: Satellite, sample API, sensor, traffic, and the line that says how it goes.

Order of start: Satellite, API, sensor, traffic. Order of stop: traffic, sensor (which flushes), API,
Satellite.
"""

import asyncio
import json
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from levo.demo.capture_file import write_capture
from levo.demo.children import Child, DemoError
from levo.demo.loopback import LOOPBACK, ApiServer, Clients
from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic

DEFAULT_PORT = 9999
READY_SECONDS = 30.0
REPLAY_SECONDS = 5.0
"""How much traffic one replayed capture holds."""
SETTLE_SECONDS = 5.0
"""How long the end waits until the Satellite has what the sensor saw."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What ``levo demo`` was asked for."""

    port: int | None
    """Port of the Satellite's pages; None: 9999, or a free one when that is taken. 0: a free one."""
    seconds: float | None
    """How long traffic runs; None: until interrupted."""
    rate: float
    """Requests a second."""
    seed: int
    replay: bool
    """Replay a generated capture even where capturing is allowed."""
    interactive: bool
    """The status line is rewritten in place (a terminal) rather than repeated."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the Satellite and the sensor know at one moment."""

    exchanges: int
    endpoints: int
    lost: int | None
    """Losses by the sensor's account; None while it has given none."""


def may_capture() -> bool:
    """Whether this process may open a packet socket (CAP_NET_RAW on Linux)."""
    family = getattr(socket, "AF_PACKET", None)
    if family is None:
        return False
    try:
        socket.socket(family, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def choose_port(wanted: int | None) -> int:
    """*wanted* if it is free.

    Raises:
        DemoError: an explicitly wanted port is taken.
    """
    if wanted == 0:
        return free_port()
    port = DEFAULT_PORT if wanted is None else wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as exc:
            if wanted is None:
                return free_port()
            raise DemoError(f"port {port}: {exc.strerror}; give another --port, or 0 for a free one") from exc
    return port


class Demo:
    """One run. ``run()`` ends when time is over, a signal came or a part failed; no child is left then."""

    def __init__(self, options: DemoOptions, say: Say, show: Say) -> None:
        """*say* prints a line; *show* prints the current status (and may overwrite the last one)."""
        self._options = options
        self._say = say
        self._show = show
        self._stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        port = choose_port(self._options.port)
        with tempfile.TemporaryDirectory(prefix="levo-demo-") as name:
            directory = Path(name)
            (directory / "sensor.yaml").write_text(
                "# The demo's sensor: every setting is a flag.\n", encoding="utf-8"
            )
            satellite = self._satellite(directory, port)
            try:
                await satellite.start()
                await self._until(lambda: _answers(f"http://{LOOPBACK}:{port}/api/summary"), satellite)
                if self._stop.is_set():
                    return
                self._say(f"Satellite   http://{LOOPBACK}:{port}/")
                if self._options.replay or not may_capture():
                    await self._replay(directory, port, satellite)
                else:
                    await self._live(directory, port, satellite)
            finally:
                await satellite.stop()

    # --- the two ways

    async def _live(self, directory: Path, port: int, satellite: Child) -> None:
        api = SampleApi(self._options.seed)
        server = ApiServer(api)
        await server.start()
        sensor_port = free_port()
        arguments = [
            "--interfaces",
            "lo",
            "--filter",
            f"port {server.port}",
            "--listen",
            f"{LOOPBACK}:{sensor_port}",
        ]
        sensor = self._sensor(directory, port, arguments)
        clients = Clients(Traffic(self._options.seed, api.shop), server.port, self._options.rate)
        sending: asyncio.Task[None] | None = None
        try:
            await sensor.start()
            await self._until(lambda: _answers(f"http://{LOOPBACK}:{sensor_port}/readyz"), sensor)
            self._say(f"Sample API  http://{LOOPBACK}:{server.port}/")
            self._say(f"Sensor      live on lo, port {server.port}. Ctrl-C stops.")
            sending = asyncio.create_task(clients.run())
            await self._watch(port, [satellite, sensor], sending, f"http://{LOOPBACK}:{sensor_port}/metrics")
        finally:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            await sensor.stop()
            await server.close()
        await self._sum_up(port, clients.exchanges)

    async def _replay(self, directory: Path, port: int, satellite: Child) -> None:
        why = "asked for" if self._options.replay else "no right to capture here: needs root or CAP_NET_RAW"
        self._say(f"Sensor      replays generated captures of the sample API ({why}). Ctrl-C stops.")
        per_round = max(1, round(self._options.rate * REPLAY_SECONDS))
        rounds = 0

        async def replay() -> None:
            nonlocal rounds
            while True:
                begun = time.monotonic()
                capture = directory / "traffic.pcap"
                with capture.open("wb") as file:
                    start_ns = time.time_ns() - int(REPLAY_SECONDS * 1e9)
                    # One shop, other requests in each round.
                    write_capture(file, self._options.seed, per_round, start_ns, self._options.rate, rounds)
                sensor = self._sensor(directory, port, ["--read", str(capture)])
                try:
                    await sensor.start()
                    if await sensor.wait() != 0:
                        sensor.check()
                finally:
                    await sensor.stop()
                rounds += 1
                await asyncio.sleep(max(0.0, REPLAY_SECONDS - (time.monotonic() - begun)))

        replaying = asyncio.create_task(replay())
        try:
            await self._watch(port, [satellite], replaying, None)
        finally:
            replaying.cancel()
            await asyncio.gather(replaying, return_exceptions=True)
        await self._sum_up(port, rounds * per_round)

    # --- watching

    async def _watch(
        self, port: int, children: list[Child], work: "asyncio.Task[None]", metrics: str | None
    ) -> None:
        loop = asyncio.get_running_loop()
        end = None if self._options.seconds is None else loop.time() + self._options.seconds
        while not self._stop.is_set() and (end is None or loop.time() < end):
            for child in children:
                child.check()
            if work.done():
                work.result()
            seen = await asyncio.to_thread(look, port, metrics)
            if seen is not None:
                self._show(describe(seen))
            pause = 1.0 if self._options.interactive else 5.0
            try:
                await asyncio.wait_for(
                    self._stop.wait(), pause if end is None else min(pause, max(0.0, end - loop.time()))
                )
            except TimeoutError:
                continue

    async def _sum_up(self, port: int, sent: int) -> None:
        """Wait, within bounds, until the Satellite has all *sent* exchanges; then say what there is."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_SECONDS
        seen = await asyncio.to_thread(look, port, None)
        while (seen is None or seen.exchanges < sent) and loop.time() < end:
            await asyncio.sleep(0.1)
            seen = await asyncio.to_thread(look, port, None)
        if seen is not None:
            self._say(f"sent {sent:,} requests; {describe(seen)}")

    async def _until(self, ready: Callable[[], bool], child: Child) -> None:
        end = asyncio.get_running_loop().time() + READY_SECONDS
        while not self._stop.is_set() and not await asyncio.to_thread(ready):
            child.check()
            if asyncio.get_running_loop().time() > end:
                raise DemoError(
                    f"the {child.name} is not ready after {READY_SECONDS:.0f} s:\n{child.last_lines()}"
                )
            await asyncio.sleep(0.05)

    # --- the children

    def _satellite(self, directory: Path, port: int) -> Child:
        arguments = ["satellite", "--data-dir", str(directory / "data"), "--listen", f"{LOOPBACK}:{port}"]
        arguments += ["--otlp-grpc", f"{LOOPBACK}:0", "--otlp-http", f"{LOOPBACK}:0"]
        return Child("Satellite", arguments, directory / "satellite.log")

    def _sensor(self, directory: Path, port: int, source: list[str]) -> Child:
        arguments = ["apidump", *source, "--config", str(directory / "sensor.yaml")]
        arguments += [
            "--satellite-url",
            f"http://{LOOPBACK}:{port}",
            "--rate-limit",
            "0",
            "--levo-env",
            "demo",
        ]
        arguments += ["--service-name", "shop", "--trace-export-interval", "1s"]
        return Child("sensor", arguments, directory / "sensor.log")


# --- reading what the others publish

# The demo talks to loopback only, whatever proxy the environment names.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _get(url: str) -> bytes | None:
    try:
        with _opener.open(url, timeout=5) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def _answers(url: str) -> bool:
    return _get(url) is not None


def look(port: int, metrics: str | None) -> Seen | None:
    """What the Satellite at *port* has, and what the sensor's page *metrics* admits to have lost.

    Blocking.
    """
    answer = _get(f"http://{LOOPBACK}:{port}/api/summary")
    if answer is None:
        return None
    summary = json.loads(answer)
    page = None if metrics is None else _get(metrics)
    lost = None if page is None else losses(page.decode("utf-8", "replace"))
    return Seen(round(summary["count"]), summary["endpoints"], lost)


def losses(page: str) -> int:
    """The sum of the sensor's loss counters in a Prometheus page."""
    total = 0.0
    for line in page.splitlines():
        if line.startswith("levo_sensor_lost_total"):
            total += float(line.rsplit(" ", 1)[1])
    return int(total)


def describe(seen: Seen) -> str:
    text = f"cataloged {seen.exchanges:,} exchanges at {seen.endpoints} endpoints"
    return text if seen.lost is None else f"{text}, {seen.lost:,} lost"
