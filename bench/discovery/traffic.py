"""Synthetic requests for one API description, with the truth beside them.

The choices, all plain and none looked up by the learner:

* **operations** are hit with Zipf weights (exponent 1) in random order;
* **entities**: a parameter of a given name draws from one pool wherever it occurs in the API (bare names
  such as
  ``id`` are told apart by the segment before them). A pool holds 2 to 3,000 values (log-uniform), picked with
  Zipf weights (exponent 1);
* **values**: what the description declares (enum, integer, number, boolean, uuid, date, date-time, email); a
  parameter that is only "a string" is one of eleven kinds, each as likely: integer, UUID, 24 hex digits,
  base62,
  prefixed identifier, date, e-mail address, slug, plain English word, person's or host's name, short code;
* **noise**: 5 % requests of scanners and 3 % of unknown paths below real ones, all answered 404; of the real
  requests 3 % fail with 400, 401, 403, 409, 422 or 500 and 2 % are "not found" for a value that does not
  exist.
"""

from __future__ import annotations

import random
import re
import uuid
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

from discovery.corpus import Description, Operation, Parameter

KINDS = (
    "integer", "uuid", "hex", "base62", "prefixed", "date", "email", "slug", "word", "name", "code",
)  # fmt: skip
_BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BARE = frozenset({"id", "name", "key", "slug", "uuid", "guid", "code", "type"})
_PARAMETER = re.compile(r"\{[^{}]*\}")
_SCANNED = (
    "/.env", "/.git/config", "/wp-login.php", "/wp-admin/setup.php", "/phpmyadmin/index.php", "/admin/login",
    "/actuator/health", "/server-status", "/cgi-bin/test.cgi", "/backup.zip", "/config.json", "/robots.txt",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/solr/admin/info/system", "/api/v1/pods",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """One request and its answer; *truth* is the index of its operation, None for noise."""

    method: str
    path: str
    status: int
    truth: int | None


@cache
def english_words() -> tuple[str, ...]:
    """Lower-case words of 3 to 12 letters of the system's word list (Debian package ``wamerican``)."""
    words = Path("/usr/share/dict/words").read_text().split()
    return tuple(w for w in words if w.isascii() and w.isalpha() and w.islower() and 3 <= len(w) <= 12)


@cache
def proper_names() -> tuple[str, ...]:
    """Capitalized words of the system's word list: persons, places."""
    words = Path("/usr/share/dict/words").read_text().split()
    return tuple(w for w in words if w.isascii() and w.isalpha() and w.istitle() and 3 <= len(w) <= 12)


class _Skewed:
    """Draws an index below *size* with Zipf weights."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self._random = rng.random
        self._sums = list(accumulate(1 / (i + 1) for i in range(size)))

    def draw(self) -> int:
        return min(bisect_left(self._sums, self._random() * self._sums[-1]), len(self._sums) - 1)


class Pool:
    """The values of one entity, of one of *kinds* where nothing is declared; made when first drawn."""

    def __init__(self, rng: random.Random, parameter: Parameter, kinds: tuple[str, ...] = KINDS) -> None:
        self._rng = rng
        self._kind = _kind(rng, parameter, kinds)
        if parameter.values:
            self._values = list(parameter.values)
            self._skewed = _Skewed(rng, len(self._values))
        else:
            self._values = []
            self._skewed = _Skewed(rng, int(2 * 1500 ** rng.random()))
        self._style = rng.randrange(4)
        self._made: dict[int, str] = dict(enumerate(self._values))

    def draw(self) -> str:
        rank = self._skewed.draw()
        value = self._made.get(rank)
        if value is None:
            value = self._made[rank] = self.make()
        return value

    def make(self) -> str:  # noqa: PLR0911 (one return for each kind of value)
        rng, style, kind = self._rng, self._style, self._kind
        if kind == "integer":
            return str(rng.randint(1, (999, 99_999, 9_999_999, 10**12)[style]))
        if kind == "number":
            return f"{rng.uniform(0, 180):.4f}"
        if kind == "boolean":
            return rng.choice(("true", "false"))
        if kind == "uuid":
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        if kind == "hex":
            return f"{rng.getrandbits(96):024x}"
        if kind == "base62":
            return "".join(rng.choices(_BASE62, k=(8, 11, 16, 22)[style]))
        if kind == "prefixed":
            prefix = ("cus_", "ord-", "i-", "T")[style]
            return prefix + (
                "".join(rng.choices(_BASE62, k=14)), str(rng.randint(10**5, 10**7)),
                f"{rng.getrandbits(48):012x}", str(rng.randint(10**3, 10**6)),
            )[style]  # fmt: skip
        if kind == "date":
            return f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        if kind == "date-time":
            return f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T0{rng.randint(0, 9)}:00:00Z"  # noqa: E501
        if kind == "email":
            return f"{rng.choice(english_words())}.{rng.choice(english_words())}@example.com"
        if kind == "slug":
            return "-".join(rng.choices(english_words(), k=rng.randint(2, 4)))
        if kind == "word":
            return rng.choice(english_words())
        if kind == "name":
            name = rng.choice(proper_names())
            return (
                name, name.lower() + rng.choice("abcdefghijklmnopqrst"), f"{name.lower()}{rng.randint(1, 99)}",  # noqa: E501
                f"{rng.choice(english_words())}.{name.lower()}.example",
            )[style]  # fmt: skip
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        return (
            "".join(rng.choices(letters, k=3)), "".join(rng.choices(letters.lower(), k=2)),
            "".join(rng.choices(letters, k=2)) + "-" + str(rng.randint(10, 99)),
            "".join(rng.choices(letters, k=4)) + str(rng.randint(1, 9)),
        )[style]  # fmt: skip


def _kind(rng: random.Random, parameter: Parameter, kinds: tuple[str, ...]) -> str:
    declared = {"guid": "uuid", "uuid": "uuid", "date": "date", "date-time": "date-time", "email": "email"}
    chosen = rng.choice(kinds)
    if parameter.type in ("integer", "number", "boolean"):
        return "integer" if parameter.type == "number" and "float" not in parameter.format else parameter.type
    return declared.get(parameter.format, chosen)


class Traffic:
    """An endless, repeatable stream of requests to one API."""

    def __init__(self, description: Description, seed: int) -> None:
        self._rng = rng = random.Random(f"{seed}/{description.name}")
        self.operations: tuple[Operation, ...] = description.operations
        self._order = list(range(len(self.operations)))
        rng.shuffle(self._order)
        self._skewed = _Skewed(rng, len(self._order))
        self._pools: dict[tuple[str, str], Pool] = {}
        self._parts = [self._prepare(operation) for operation in self.operations]
        self._shapes = {tuple(parts[::2]) for parts in self._parts}
        self._literal = {o.template for o in self.operations if "{" not in o.template}

    def _prepare(self, operation: Operation) -> list[str | Pool]:
        parts: list[str | Pool] = []
        end = 0
        for found, parameter in zip(
            _PARAMETER.finditer(operation.template), operation.parameters, strict=True
        ):
            before = operation.template[end : found.start()]
            parts.append(before)
            bare = parameter.name.lower() in _BARE
            parent = next((s for s in reversed(before.split("/")) if s), "") if bare else ""
            key = (parameter.name.lower(), parent)
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = Pool(self._rng, parameter)
            parts.append(pool)
            end = found.end()
        parts.append(operation.template[end:])
        return parts

    def requests(self, count: int) -> Iterator[Request]:
        """Yield *count* requests."""
        rng = self._rng
        for _ in range(count):
            luck = rng.random()
            if luck < 0.05:
                yield Request(rng.choice(("GET", "GET", "POST")), rng.choice(_SCANNED), 404, None)
                continue
            index = self._order[self._skewed.draw()]
            method, parts = self.operations[index].method, self._parts[index]
            if luck < 0.08:
                path = "".join(p if isinstance(p, str) else p.draw() for p in parts)
                yield Request(method, path.rstrip("/") + "/" + rng.choice(english_words()), 404, None)
                continue
            missing = luck < 0.10
            path = "".join(p if isinstance(p, str) else p.make() if missing else p.draw() for p in parts)
            if missing and len(parts) > 1:
                yield Request(method, path, 404, None)
                continue
            if len(parts) > 1 and path in self._literal:
                continue  # a value that spells another operation's path: a router could not tell either
            failed = luck < 0.13
            status = rng.choice((400, 401, 403, 409, 422, 500)) if failed else _success(method)
            yield Request(method, path, status, index)


def _success(method: str) -> int:
    return {"POST": 201, "DELETE": 204}.get(method, 200)


def sample(descriptions: list[Description], seed: int, count: int = 60) -> list[Description]:
    """Draw *count* descriptions so that giants and others keep their shares of the whole directory.

    Half of the other providers are held back for teaching, so each description of the rest counts twice.
    """
    from discovery.corpus import GIANTS

    rng = random.Random(f"sample {seed}")
    keyed = [
        (rng.random() ** (1.0 if d.provider in GIANTS else 0.5), d.name, d)
        for d in sorted(descriptions, key=lambda d: d.name)
    ]
    return [d for _, _, d in sorted(keyed, key=lambda k: (-k[0], k[1]))[:count]]
