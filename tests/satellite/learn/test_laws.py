"""Whatever the parts, their order and the tree of merges: the same octets, for every part of the state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from random import Random

import msgspec
import pytest

from levo.satellite.learn import Detectors, LearnSettings, SensorReport, State, Trace, learn_all, learn_sensor
from levo.satellite.learn.access import pack_access
from levo.satellite.learn.paths import PathState
from levo.satellite.learn.paths.trie import LITERALS_PER_NODE
from levo.satellite.learn.schema import pack_knowledge
from levo.satellite.learn.schema.messages import MAX_AUTH_SETS, MAX_MEDIA_TYPES, OTHER_MEDIA
from levo.satellite.learn.state import absorb, merge
from levo.satellite.learn.trace import Origin
from tests.helpers.effort import scaled

SETTINGS = LearnSettings(Detectors(), b"key")
ORIGIN = Origin("acme", "production", "shop", "s")
REPORTS = 10
NAMES = [f"{a}{b}{c}ov" for a in "bdfgk" for b in "aeiou" for c in "lmnrs"]
_pack = msgspec.msgpack.Encoder(order="deterministic").encode


def exchanges() -> list[Trace]:
    """Traffic that reaches every bound of the state at some place."""
    rng = Random(11)
    made = []
    for number in range(400):
        name, other = rng.choice(NAMES), rng.choice(NAMES)
        kind = rng.randrange(8)
        path, answer, media = f"/v1/invoices/{name}", {"id": number}, "application/json"
        if kind == 0:
            path, answer = "/v1/customers", {"name": other, "kind": "customers"}  # type: ignore[dict-item]
        elif kind == 1:
            path, answer = f"/v1/zxqa/{name}", {"name": name, rng.choice(("password", "size")): ["red"]}  # type: ignore[dict-item]
        elif kind == 2:
            path = f"/v1/invoices/{rng.randrange(9)}"
            answer = {
                f"{rng.choice(NAMES)}{rng.choice('abcdefghij')}{rng.choice('klmn')}": 7 for _ in range(400)
            }
        elif kind > 3:
            path, media = f"/v1/{('files', 'tags')[kind % 2]}", f"application/x-{rng.choice('abcdefghijklm')}"
        headers = (("content-type", "application/json"), ("cookie", f"auth_{rng.choice(NAMES)}=1"))[
            : 1 + (number % 8 > 0)
        ]
        made.append(
            Trace(
                ORIGIN, "shop.example", rng.choice(("GET", "PUT")), path, rng.choice((200, 200, 404, 500)),
                rng.choice((1.0, 3.3, 7.1)), 10**18, 10**18 + rng.randrange(10**9), f"q={name}",
                f"10.0.0.{rng.randrange(99)}", headers, (("content-type", media),),
                json.dumps({"type": rng.choice(("card", "bank", "cash")), "at": name}).encode(),
                json.dumps(answer).encode(),
            )
        )  # fmt: skip
    return made


def learned(traces: Sequence[Trace]) -> State:
    return learn_all(State(), traces, SETTINGS)


@cache
def everything() -> tuple[Trace, ...]:
    return tuple(exchanges())


def parts(rng: Random) -> list[State]:
    """Learn a random partition of the exchanges, each part in an order of its own."""
    mixed = list(everything())
    rng.shuffle(mixed)
    cuts = sorted(rng.sample(range(1, len(mixed)), rng.randint(1, 15)))
    found = [learned(mixed[start:end]) for start, end in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]
    for at in range(REPORTS):
        tell(rng.choice(found), at)
    return found


def tell(state: State, at: int) -> None:
    learn_sensor(state, "acme", "s", SensorReport(at + 1, at + 5, {"a": (at, str(at))}))


def octets(state: State) -> dict[str, bytes]:
    """Each part of *state*, serialized."""
    found: dict[str, bytes] = {"counts": _pack([state.traces, state.exchanges, state.ignored_spans])}
    for key, facts in state.endpoints.items():
        figures = [
            facts.traces, facts.exchanges, sorted(facts.statuses.items()), facts.schemes, facts.first_seen_ns,
            facts.last_seen_ns,
            [
                (minute, t.exchanges, t.client_errors, t.server_errors, sorted(t.latency.items()))
                for minute, t in sorted(facts.traffic.items())
            ],
        ]  # fmt: skip
        name = f"{key.method} {key.place}"
        found[f"figures of {name}"] = _pack(figures)
        found[f"callers of {name}"] = facts.callers.registers
        found[f"messages of {name}"] = pack_knowledge(facts.knowledge)
        found[f"access to {name}"] = pack_access(facts.access)
    for scope, paths in state.paths.items():
        found[f"paths of {scope.host}"] = paths.to_bytes()
    for sensor, report in state.sensors.items():
        found[f"sensor {sensor}"] = repr(
            (report.first_seen_ns, report.last_seen_ns, sorted(report.attributes.items()), report.run)
        ).encode()
    return found


@cache
def whole() -> State:
    state = learned(everything())
    for at in range(REPORTS):
        tell(state, at)
    return state


@cache
def expected() -> dict[str, bytes]:
    return octets(whole())


@pytest.mark.parametrize("batch", range(10))
def test_any_partition_any_order_and_any_tree_of_merges_have_the_same_octets(batch: int) -> None:
    """200 in `make test`; some parts go through their stored form on the way."""
    for seed in range(scaled(40)):
        rng = Random(batch * 1000 + seed)
        states = parts(rng)
        while len(states) > 1:
            most = rng.randint(2, 6)
            taken = [states.pop(rng.randrange(len(states))) for _ in range(min(most, len(states)))]
            together = State()
            for one in taken:
                absorb(together, one)
            if rng.random() < 0.3:
                for scope, paths in together.paths.items():
                    together.paths[scope] = PathState.from_bytes(paths.to_bytes(), SETTINGS.caller_key)
            states.append(together)
        found = octets(states[0])

        assert [name for name in expected() if found.get(name) != expected()[name]] == []
        assert found.keys() == expected().keys()


def test_the_exchanges_reach_every_bound() -> None:
    (paths,) = whole().paths.values()
    known = [facts.knowledge for facts in whole().endpoints.values()]

    assert sum("{" not in key for key in paths.root.kids["v1"].kids["invoices"].kids) < LITERALS_PER_NODE
    assert paths.root.kids["v1"].kids["zxqa"].gone and paths.given_out
    assert any(len(each.auth) == MAX_AUTH_SETS for each in known)
    bodies = [response.bodies for each in known for response in each.responses.values()]
    assert any(len(each) == MAX_MEDIA_TYPES and OTHER_MEDIA in each for each in bodies)
    assert any(body.schema.folded for each in bodies for body in each.values())


def test_merging_changes_neither_part() -> None:
    one, other = parts(Random(1))[:2]
    before = octets(one), octets(other)
    merge(one, other)

    assert (octets(one), octets(other)) == before
