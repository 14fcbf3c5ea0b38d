"""Measures schemas, sensitive data and throughput of the learner: ``python -m bench.learning.run``."""

from __future__ import annotations

import sys
import time
from random import Random

import orjson
from bench.learning import schemas, sensitive

from levo.satellite.learn import BodyBudget, Detectors, LearnSettings, Origin, State, Trace, learn_all


def throughput(traces: int = 20_000, paths: int = 0) -> tuple[float, int]:
    """Return traces per second of CPU with two JSON bodies of 4 kB, and the places kept."""
    rng = Random(1)
    bodies = [orjson.dumps({"items": [item(rng) for _ in range(14)], "total": 14}) for _ in range(50)]
    origin = Origin("acme", "production", "shop", "sensor")
    fields = (("content-type", "application/json"), ("x-request-id", "1"), *(("accept", "*/*"),) * 9)
    batch = [
        Trace(
            origin, "shop.example", "POST", f"/v1/{_word(rng, paths)}/{number}",
            200, 1.0, 10**18, 10**18 + 10**7,
            "page=1", f"10.0.0.{number % 200}", fields, fields,
            bodies[number % 50], bodies[(number + 7) % 50],
            True, True, number.to_bytes(24),
        )
        for number in range(traces)
    ]  # fmt: skip
    state, settings = State(), LearnSettings(Detectors(), b"key", BodyBudget())
    start = time.process_time()
    learn_all(state, batch, settings)
    return traces / (time.process_time() - start), len(state.endpoints)


def _word(rng: Random, paths: int) -> str:
    return f"w{rng.randrange(paths):x}q" if paths else rng.choice(("orders", "users", "items", "carts"))


def item(rng: Random) -> dict[str, object]:
    """Return an object as shops have them, about 280 octets of JSON."""
    return {
        "id": rng.randbytes(8).hex(),
        "email": f"user{rng.randrange(1000)}@example.com",
        "createdAt": "2024-05-17T09:30:00Z",
        "status": rng.choice(("pending", "paid")),
        "amount": rng.random() * 100,
        "quantity": rng.randrange(100),
        "note": "some words about this one, not many, but enough to fill the space",
        "address": {"street": "1 Example Street", "city": "Exampleville", "country": "DE"},
    }


def main() -> int:
    """Print the figures."""
    for seed in (1, 2, 3):
        print(
            f"schemas, seed {seed}:", {k: round(v, 4) for k, v in schemas.measure(seed).items()}, flush=True
        )
    for seed in (1, 2):
        print(f"sensitive data, seed {seed}:", flush=True)
        for kind, (precision, recall, fields) in sensitive.measure(seed).items():
            print(f"  {kind:32} precision {precision:.3f} recall {recall:.3f} fields {fields}")
    rate, places = throughput()
    print(f"throughput: {rate:.0f} traces per CPU second, {places} places")
    return 0


if __name__ == "__main__":
    sys.exit(main())
