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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from levo.demo.capture_file import write_capture
from levo.demo.children import Child, DemoError
from levo.demo.loopback import LOOPBACK, ApiServer, Clients
from levo.demo.sample_api import SampleApi
from levo.demo.sensor_log import Losses, read_losses, read_metrics
from levo.demo.traffic import Traffic

DEFAULT_PORT = 9999
READY_SECONDS = 30.0
REPLAY_SECONDS = 5.0
"""How much traffic one replayed capture holds."""
SETTLE_SECONDS = 10.0
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
    """What catalog and sensor know at one moment."""

    exchanges: int
    """Learned from, those kept out of the catalog as noise (an answer to nobody's endpoint) included."""
    endpoints: int
    losses: Losses | None
    """By the sensor's account; None while it has given none."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What goes on between start and stop."""

    sensor: Child
    work: asyncio.Task[None]
    """Makes the traffic; ends only with an error."""
    look: Callable[[], Seen | None]
    """The state of things. Blocking."""


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
        self._sent = 0
        """Exchanges that took place, live or in replayed captures."""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        port = choose_port(self._options.port)
        with tempfile.TemporaryDirectory(prefix="levo-demo-") as name:
            directory = Path(name)
            (directory / "sensor.yaml").write_text(
                "# Every setting of the demo's sensor is a flag.\n", "utf-8"
            )
            satellite = self._satellite(directory, port)
            try:
                await satellite.start()
                if not await self._until(lambda: look(port, None) is not None, satellite):
                    return
                self._say(f"Satellite   http://{LOOPBACK}:{port}/")
                live = not self._options.replay and may_capture()
                async with self._live(directory, port) if live else self._replay(directory, port) as scene:
                    await self._watch(scene, [satellite, *([scene.sensor] if live else [])])
                await self._sum_up(port, scene.sensor)
            finally:
                await satellite.stop()

    # --- the two ways; each ends what it yields

    @asynccontextmanager
    async def _live(self, directory: Path, port: int) -> AsyncIterator[Scene]:
        api = SampleApi(self._options.seed)
        server = ApiServer(api)
        await server.start()
        about = f"{LOOPBACK}:{free_port()}"
        where = ["--interfaces", "lo", "--filter", f"port {server.port}", "--listen", about]
        sensor = self._sensor(directory, port, *where)
        clients = Clients(Traffic(self._options.seed, api.shop), server.port, self._options.rate)

        async def send() -> None:
            async for _ in clients.exchanges(self._stop):
                self._sent += 1

        try:
            await sensor.start()
            await self._until(lambda: fetch(f"http://{about}/readyz") is not None, sensor)
            self._say(f"Sample API  http://{LOOPBACK}:{server.port}/")
            self._say(f"Sensor      live on lo, port {server.port}. Ctrl-C stops.")
            async with _ending(asyncio.create_task(send()), self._stop) as work:
                yield Scene(sensor, work, lambda: look(port, f"http://{about}/metrics"))
        finally:
            await sensor.stop()
            await server.close()

    @asynccontextmanager
    async def _replay(self, directory: Path, port: int) -> AsyncIterator[Scene]:
        why = "as asked" if self._options.replay else "no right to capture here: needs root or CAP_NET_RAW"
        self._say(f"Sensor      replays generated captures of the sample API ({why}). Ctrl-C stops.")
        capture = directory / "traffic.pcap"
        sensor = self._sensor(directory, port, "--read", str(capture))
        per_round = max(1, round(self._options.rate * REPLAY_SECONDS))

        async def replay() -> None:
            part = 0
            while not self._stop.is_set():
                start_ns = time.time_ns() - int(REPLAY_SECONDS * 1e9)
                with capture.open("wb") as file:
                    write_capture(file, self._options.seed, per_round, start_ns, self._options.rate, part)
                await sensor.start()
                if await sensor.wait() != 0:
                    sensor.check()
                self._sent += per_round
                part += 1
                await _pause(self._stop, REPLAY_SECONDS)

        try:
            async with _ending(asyncio.create_task(replay()), self._stop) as work:
                yield Scene(sensor, work, lambda: look(port, None))
        finally:
            await sensor.stop()

    # --- watching

    async def _watch(self, scene: Scene, children: list[Child]) -> None:
        loop = asyncio.get_running_loop()
        end = None if self._options.seconds is None else loop.time() + self._options.seconds
        pause = 1.0 if self._options.interactive else 2.0
        while not self._stop.is_set() and (end is None or loop.time() < end):
            for child in children:
                child.check()
            if scene.work.done():
                scene.work.result()
            await _pause(self._stop, pause if end is None else min(pause, max(0.0, end - loop.time())))
            seen = await asyncio.to_thread(scene.look)
            if seen is not None:
                self._show(describe(self._sent, seen))

    async def _sum_up(self, port: int, sensor: Child) -> None:
        """Wait, within bounds, until the Satellite has all that was sent; then say what became of it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_SECONDS
        seen = await asyncio.to_thread(look, port, None)
        while (seen is None or seen.exchanges < self._sent) and loop.time() < end:
            await asyncio.sleep(0.1)
            seen = await asyncio.to_thread(look, port, None)
        if seen is not None:
            self._say(describe(self._sent, replace(seen, losses=read_losses(sensor.log()))))

    async def _until(self, ready: Callable[[], bool], child: Child) -> bool:
        """Wait for *ready*; False when the user stopped the demo before.

        Raises:
            DemoError: *child* has ended, or needs too long.
        """
        end = asyncio.get_running_loop().time() + READY_SECONDS
        while not await asyncio.to_thread(ready):
            child.check()
            if self._stop.is_set():
                return False
            if asyncio.get_running_loop().time() > end:
                raise DemoError(
                    f"the {child.name} is not ready in {READY_SECONDS:.0f} s:\n{child.last_lines()}"
                )
            await asyncio.sleep(0.05)
        return True

    # --- the children

    def _satellite(self, directory: Path, port: int) -> Child:
        arguments = ["satellite", "--data-dir", str(directory / "data"), "--listen", f"{LOOPBACK}:{port}"]
        arguments += ["--otlp-grpc", f"{LOOPBACK}:0", "--otlp-http", f"{LOOPBACK}:0"]
        return Child("Satellite", arguments, directory / "satellite.log")

    def _sensor(self, directory: Path, port: int, *source: str) -> Child:
        arguments = ["apidump", *source, "--config", str(directory / "sensor.yaml"), "--log-format", "json"]
        arguments += ["--satellite-url", f"http://{LOOPBACK}:{port}", "--trace-export-interval", "500ms"]
        arguments += ["--levo-env", "demo", "--service-name", "shop", "--rate-limit", "0"]
        return Child("sensor", arguments, directory / "sensor.log")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


@asynccontextmanager
async def _ending(work: asyncio.Task[None], stop: asyncio.Event) -> AsyncIterator[asyncio.Task[None]]:
    """At the end of the block, have *work* finish what is under way; after an error, cancel it."""
    try:
        yield work
        stop.set()
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


# --- reading what the others publish


def fetch(url: str) -> bytes | None:
    """What the page answers; None while it does not, or not with success. Blocking."""
    # Loopback only, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def look(port: int, metrics: str | None) -> Seen | None:
    """What the Satellite at *port* has and the sensor's page *metrics* says; None without an answer.

    Blocking.
    """
    answer = fetch(f"http://{LOOPBACK}:{port}/api/summary")
    if answer is None:
        return None
    summary = json.loads(answer)
    page = None if metrics is None else fetch(metrics)
    losses = None if page is None else read_metrics(page.decode("utf-8", "replace"))
    counters = summary["counters"]
    without = sum(counters.get(name, 0) for name in ("noise_exchanges", "unknown_path_exchanges"))
    learned = summary["count"] + without
    return Seen(round(learned), summary["endpoints"], losses)


def describe(sent: int, seen: Seen) -> str:
    """The status line."""
    line = f"sent {sent:,} requests, learned from {seen.exchanges:,} exchanges, {seen.endpoints} endpoints"
    return line if seen.losses is None else f"{line}, {seen.losses}"
