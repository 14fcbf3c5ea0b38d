"""Traffic of an application, and of somebody who asks it for paths that it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from levo.satellite.learn.paths.vocabulary import vocabulary

REAL = (
    "/api/klaxify",
    "/api/frobs",
    "/api/zorbits/{}",
    "/api/orders",
    "/api/orders/{}",
    "/api/report.json",
    "/api/vault/rotate",
    "/api/users/{}",
    "/api/users/{}/items",
    "/v1/zorb/klax-9",
    "/v1/zorb/status",
    "/shop/cart",
    "/shop/checkout",
    "/login",
    "/search",
)
"""Words of APIs and others, alone and beside values."""
PREFIXES = ("/api/", "/", "/v1/zorb/", "/api/orders/", "/api/vault/", "/shop/", "/api/users/7/")
TAILS = ("", "", "/x", "/x/y", ".json", ".xml")
KINDS = ("lexicon", "random", "unicode", "hyphens", "numbers", "tokens")
SUCCESSES = 20


def used(rng: Random) -> Iterator[str]:
    """Yield paths until each real endpoint was asked for 20 times."""
    for _ in range(SUCCESSES):
        for template in REAL:
            yield template.replace("{}", str(rng.randint(1, 9999)))


def invented(kind: str, requests: int) -> Iterator[str]:
    """Yield *requests* paths of a *kind*."""
    rng = Random(5)
    words = [word for word in vocabulary() if word.isalpha() and len(word) > 3]
    for number in range(requests):
        yield PREFIXES[number % len(PREFIXES)] + _name(kind, number, rng, words) + TAILS[number % len(TAILS)]


def _name(kind: str, number: int, rng: Random, words: list[str]) -> str:
    if kind == "lexicon":
        turns, at = divmod(number, len(words))
        return words[at] if not turns else f"{words[at]}-{words[turns]}"
    if kind == "unicode":
        return "".join(chr(rng.choice((0x430, 0x4E00, 0x3B1)) + rng.randrange(24)) for _ in range(6))
    if kind == "hyphens":
        return "-".join("".join(rng.choices("bcdfgaeiou", k=3)) for _ in range(2))
    if kind == "numbers":
        return str(rng.randrange(10**6))
    if kind == "tokens":
        return f"{rng.getrandbits(128):032x}"
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7))
