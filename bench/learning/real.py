"""Schemas learned from real servers: ``python -m bench.learning.real powerdns|jupyter [VENV] [--seeds N]``.

The drivers of ``bench/discovery`` work with a fresh server for each seed. Some seeds are learned, the answers
of the others held out: they must validate, and their mutants must not.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import urlsplit

from bench.learning import schemas

from levo.satellite.learn import Origin, Trace

sys.path.append(str(Path(__file__).parents[1]))
ORIGIN = Origin("bench", "bench", "bench", "")


def recorder(base: type) -> type:
    """Return a class like the drivers' ``Caller`` that keeps whole exchanges in ``traces``."""

    class Recorder(base):  # type: ignore[misc]
        traces: ClassVar[list[Trace]] = []

        def __init__(self, port: int, headers: dict[str, str], *more: Any) -> None:
            super().__init__(port, headers, *more)
            self._port = port
            self._own = headers

        def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
            octets = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {**self._own, "Connection": "close"}
            if octets:
                headers["Content-Type"] = "application/json"
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            start_ns = time.time_ns()
            try:
                connection.request(method, path, octets or None, headers)
                response = connection.getresponse()
                content = response.read()
            except (ConnectionError, http.client.HTTPException):
                return 0, b""
            finally:
                connection.close()
            target = urlsplit(path)
            self.calls.append((method, target.path, response.status))
            self.traces.append(
                Trace(
                    ORIGIN, "server", method, target.path, response.status, 1.0, start_ns, time.time_ns(),
                    target.query, "127.0.0.1",
                    tuple((name.lower(), value) for name, value in headers.items()),
                    tuple((name.lower(), value) for name, value in response.getheaders()),
                    octets, content, identity=len(self.traces).to_bytes(24),
                )
            )  # fmt: skip
            return response.status, content

    return Recorder


def traces_of(module: ModuleType, arguments: Sequence[str]) -> list[Trace]:
    """Run a driver's ``main`` and return its exchanges."""
    kept = module.Caller, module.compare, sys.argv
    made = recorder(module.Caller)
    made.traces = []  # type: ignore[attr-defined]
    try:
        module.Caller, module.compare = made, lambda *_, **__: None  # type: ignore[attr-defined]
        sys.argv = ["driver", *arguments]
        module.main()
    finally:
        module.Caller, module.compare, sys.argv = kept  # type: ignore[attr-defined]
    return list(made.traces)  # type: ignore[attr-defined]


def measure(
    server: str, arguments: Sequence[str] = (), seeds: int = 3, held_out: int = 2, show: bool = False
) -> dict[str, float]:
    """Return the figures of ``schemas.compare``: *seeds* runs learned, *held_out* others not."""
    module = importlib.import_module(f"discovery.real_{server}")

    def runs(first: int, count: int) -> list[Trace]:
        return list(itertools.chain(*(traces_of(module, [*arguments, str(first + n)]) for n in range(count))))

    learned = runs(1, seeds)
    figures = schemas.compare(learned, runs(1001, held_out), 1, show)
    return {"learned": float(len(learned)), **figures}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="powerdns, jupyter: a driver bench/discovery/real_SERVER.py")
    parser.add_argument("arguments", nargs="*", help="of the driver, before the seed")
    parser.add_argument("--seeds", type=int, default=3, help="runs learned from")
    parser.add_argument("--held-out", type=int, default=2, help="runs held out")
    parser.add_argument("--show", action="store_true", help="what is wrong, by place")
    options = parser.parse_args()
    figures = measure(options.server, options.arguments, options.seeds, options.held_out, options.show)
    print(f"{options.server}:", {name: round(value, 4) for name, value in figures.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
