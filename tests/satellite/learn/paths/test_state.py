"""The path state is a value: any order, any partition, the same bytes; bounded under anything."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn.paths import PathState, merge
from levo.satellite.learn.paths.statement import Statement, read_statement
from levo.satellite.learn.paths.trie import DistinctSample
from tests.helpers.effort import scaled

WORDS = (
    "users",
    "orders",
    "v1",
    "me",
    "7",
    "42",
    "alice",
    "bob",
    "9f1b3c4d5e6f7a8b",
    "a-b",
    "x.json",
    "logo.png",
    "ö%20{",
)
SEGMENTS = st.sampled_from(WORDS) | st.text(min_size=1, max_size=6)
REQUESTS = st.tuples(
    st.sampled_from(("GET", "POST", "DELETE", "TRACE")),
    st.lists(SEGMENTS, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from((200, 201, 301, 404, 405, 422, 500, 0)),
    st.sampled_from((1.0, 2.5, 0.001, 40.0)),
)


def learn(requests: list[tuple[str, str, int, float]]) -> PathState:
    state = PathState()
    for method, path, status, weight in requests:
        state.observe(method, path, status, weight)
    return state


@given(st.lists(REQUESTS, max_size=40), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_any_partition_have_the_same_bytes(requests, rng, parts):
    expected = learn(requests).to_bytes()
    shuffled = list(requests)
    rng.shuffle(shuffled)
    states = [learn(shuffled[i::parts]) for i in range(parts)]
    while len(states) > 1:
        a, b = states.pop(rng.randrange(len(states))), states.pop(rng.randrange(len(states)))
        states.append(merge(a, b))
    assert states[0].to_bytes() == expected


@pytest.mark.parametrize("distinct", [3_000, 12_000, 70_000])
def test_bounds_do_not_break_the_merge_laws(distinct):
    """Far beyond every bound: literals per node, leaves per host."""
    rng = random.Random(distinct)
    names = [f"n{rng.getrandbits(28):x}z" for _ in range(300)]
    requests = [
        ("GET", "/" + "/".join(rng.choice(names) for _ in range(rng.randint(1, 4))), 200, 1.0)
        for _ in range(distinct)
    ]
    requests += [("GET", f"/users/{rng.choice(WORDS)}/orders", 200, 1.0) for _ in range(100)]
    expected = learn(requests)
    rng.shuffle(requests)
    a, b, c = (learn(requests[i::3]) for i in range(3))
    a.fold()
    assert merge(c, merge(a, b)).to_bytes() == expected.to_bytes()
    assert merge(merge(b, c), a).to_bytes() == expected.to_bytes()


def test_memory_is_bounded_under_random_paths():
    rng = random.Random(1)
    state = PathState()
    for _ in range(100_000):
        depth = rng.randint(1, 8)
        state.observe("GET", "/" + "/".join(f"{rng.choice('abcdefgh')}q" for _ in range(depth)), 200)
    state.fold()
    assert state.root.size() < 16 * 16_384
    assert len(state.to_bytes()) < 4_000_000
    assert state.learned == state.received == 100_000


def test_a_long_list_of_names_keeps_a_bounded_part_and_all_counts():
    state = PathState()
    keys = {state.observe("GET", f"/accounts/owner{chr(97 + i % 26)}x{i}y/cards", 200) for i in range(20_000)}
    state.fold()
    accounts = state.root.kids["accounts"]
    assert len(accounts.kids) <= 97
    assert sum(kid.kids["cards"].calls["GET"][0] for kid in accounts.kids.values()) == 20_000
    assert {state.canonical(key) for key in keys if key} <= {
        f"/accounts/{name}/cards" for name in accounts.kids
    }


@given(st.lists(REQUESTS, max_size=30))
def test_bytes_are_read_back(requests):
    state = learn(requests)
    assert PathState.from_bytes(state.to_bytes()).to_bytes() == state.to_bytes()


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data):
    try:
        PathState.from_bytes(data)
    except ValueError:
        return
    raise AssertionError("read as a state")


@given(st.lists(REQUESTS, max_size=30))
def test_every_request_is_learned_or_counted_as_noise(requests):
    state = learn(requests)
    assert state.received == len(requests)
    assert state.learned == sum(call[0] for _, node in _walk(state.root) for call in node.calls.values())


def _walk(node, key=""):
    yield key, node
    for name, kid in node.kids.items():
        yield from _walk(kid, name)


@pytest.mark.parametrize(
    ("path", "method", "status", "counter"),
    [
        ("/static/app.3f2.js", "GET", 200, "assets"),
        ("/favicon.ico", "GET", 200, "assets"),
        ("/.env", "GET", 200, "probes"),
        ("/wp-admin/setup.php", "GET", 200, "probes"),
        ("/users/1", "GET", 404, "absent"),
        ("/users", "PATCH", 405, "absent"),
        ("/users", "PROPFIND", 207, "methods"),
    ],
)
def test_noise_is_counted_not_learned(path, method, status, counter):
    state = PathState()
    assert state.observe(method, path, status) is None
    assert getattr(state.noise, counter) == 1
    assert not state.root.kids


def test_what_writes_an_image_is_an_endpoint_in_any_order():
    requests = [("PUT", "/users/7/photo.png", 201, 1.0), ("GET", "/users/7/photo.png", 200, 1.0)]
    states = [learn(requests), learn(requests[::-1])]

    assert [(state.learned, state.noise.assets) for state in states] == [(1, 1), (1, 1)]
    assert states[0].to_bytes() == states[1].to_bytes()


def test_the_well_known_folder_is_no_probe():
    state = PathState()
    assert state.observe("GET", "/.well-known/openid-configuration", 200)


@given(st.sets(st.text(max_size=8), max_size=60))
def test_small_sets_are_counted_exactly(texts):
    sample = DistinctSample()
    for text in [*texts, *texts]:
        sample.add(text)
    assert sample.estimate() == len(texts)


def test_large_sets_are_estimated_within_a_third():
    sample = DistinctSample()
    for i in range(50_000):
        sample.add(str(i))
    assert 33_000 < sample.estimate() < 67_000


@settings(max_examples=scaled(50))
@given(st.lists(REQUESTS, max_size=20))
def test_values_of_recognized_types_are_forgotten(requests):
    state = learn([*requests, ("GET", "/users/jane.doe@example.org/files", 200, 1.0)])
    state.observe("GET", "/users/3b1f8b7e-6f0c-4a8e-9d0c-2f1e5a7b9c3d", 200)
    data = state.to_bytes()
    assert b"jane" not in data and b"3b1f8b7e" not in data


STATEMENTS = st.tuples(
    st.sampled_from(("GET", "POST")),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts)),
    st.dictionaries(
        st.sampled_from(("id", "name", "status")), st.sampled_from((*WORDS, 7, "open")), max_size=3
    ),
)


def hear(exchanges: list[tuple[str, str, dict[str, object]]]) -> PathState:
    state = PathState(b"key")
    for method, path, answer in exchanges:
        place = state.observe(method, path, 200)
        statement = read_statement(path, b"", json.dumps(answer).encode())
        if place is not None and statement is not None:
            state.hear(method, place, statement)
    return state


@given(st.lists(STATEMENTS, max_size=30), st.randoms(use_true_random=False), st.integers(1, 8))
def test_what_bodies_say_does_not_depend_on_order_or_partition_either(exchanges, rng, parts):
    """A value given out in one part and asked for in another, earlier or later."""
    expected = hear(exchanges).to_bytes()
    rng.shuffle(exchanges)
    states = [hear(exchanges[i::parts]) for i in range(parts)]
    while len(states) > 1:
        a, b = states.pop(rng.randrange(len(states))), states.pop(rng.randrange(len(states)))
        states.append(merge(a, b))
    assert states[0].to_bytes() == expected


def test_of_values_given_out_only_hashes_are_stored_and_they_are_known_after_a_restart():
    state = hear([("GET", "/flows", {"id": "nightly", "name": "weekly"}), ("GET", "/flows/nightly", {})])
    data = state.to_bytes()
    again = PathState.from_bytes(data, b"key")
    again.observe("GET", "/flows/weekly", 200)

    assert b"weekly" not in data
    assert again.rules().is_given_out("nightly") and again.rules().is_given_out("weekly")
    assert not PathState.from_bytes(data, b"other").rules().is_given_out("nightly")


def test_a_sample_of_the_values_given_out_is_kept_when_there_are_too_many():
    state = PathState()
    for start in range(0, 60_000, 500):
        texts = [f"other{n}x" for n in range(start, start + 500)]
        state.hear("GET", "/flows", Statement(None, frozenset(texts), 0))
    again = PathState.from_bytes(state.to_bytes())

    for each in (state, again):
        assert each.given_out.is_sample
        assert sum(each.rules().is_given_out(f"other{n}x") for n in range(60_000)) == each.given_out.MOST
        assert not any(each.rules().is_given_out(f"never{n}x") for n in range(10_000))


def test_states_written_before_bodies_were_heard_are_read():
    old = msgspec.msgpack.encode([1, 1, [0, 0, 0, 0, []], [], [], [[["GET", [1, 1000, 4, 1, 0]]], [], None]])

    assert PathState.from_bytes(old).root.calls == {"GET": [1, 1000, 4, 1, 0, 0]}


def test_a_place_is_located_as_it_is_kept():
    state = PathState()
    for method, path in [("GET", "/users/me"), ("GET", "/users/7"), ("GET", "/users/zxqb/files")]:
        state.observe(method, path, 200)
    state.observe("GET", "/users/me", 404)

    assert state.locate("/users/me", "GET") == ("/users/me", "/users/me", True)
    assert state.locate("/users/me", "PUT") == ("/users/me", "/users/me", False)
    assert state.locate("/users", "GET") == ("/users", "/users", False)
    assert state.locate("/orders/files", "GET") == ("/orders/files", None, False), "words are no secret"


def test_of_a_name_that_nothing_has_proven_only_the_hash_is_kept_until_it_is_proven():
    state = PathState()
    state.observe("GET", "/users/7", 200)
    unproven, like, there = state.locate("/users/zxqb.json", "GET")
    state.observe("GET", "/users/zxqb.json", 200)

    assert "zxqb" not in unproven and unproven.endswith(".json") and like is None and not there
    assert state.locate(unproven, "GET") == ("/users/zxqb.json", "/users/zxqb.json", True)
    assert state.locate(state.canonical("/zxqc/zxqd")).key == state.canonical("/zxqc/zxqd")


def test_what_is_not_proven_beside_forgotten_names_is_like_them_but_stays_apart():
    """A request may prove it later: the answer of absence that came first must not be a name's by then."""
    state = PathState()
    for letter in "abcdefgh":
        place = state.observe("GET", f"/users/zxq{letter}", 200)
        state.hear("GET", place, Statement((False, True), frozenset(), 0))
    state.fold()
    before = state.locate("/users/me", "GET")
    state.observe("GET", "/users/me", 200)

    assert state.locate("/users/zxqa", "GET") == ("/users/{*}", "/users/{*}", True)
    assert before == ("/users/me", "/users/{*}", False)
    assert state.locate(before.key, "GET") == ("/users/me", "/users/me", True)
