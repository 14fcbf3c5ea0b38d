"""Names in paths are forgotten, at rest, once they are known to be values; the figures stay."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.paths import PathState, merge
from levo.satellite.learn.paths.forget import LEAST_NAMES, LEAST_TYPED, Forgetting, hash_literal
from levo.satellite.learn.paths.templates import Catalog
from levo.satellite.learn.trace import Origin
from levo.satellite.queue import Position
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter
from tests.helpers.effort import scaled

NAMES = [
    f"{first}.{last}"
    for first in ("ngozi", "xiomara", "zdenka")
    for last in ("kowalski", "oyelaran", "quispe")
]
ORIGIN = Origin("acme", "default", "shop", "s")


def asked(path: str, answer: object = None, method: str = "GET") -> Trace:
    body = b"" if answer is None else json.dumps(answer).encode()
    return Trace(ORIGIN, "shop.example", method, path, 200, 1.0, 1, 2, response_body=body)


def learned(paths: list[str], *, answers: bool) -> PathState:
    return folded([asked(path, {"name": path.split("/")[2]} if answers else None) for path in paths])


def folded(traces: list[Trace]) -> PathState:
    (known,) = learn_all(State(), traces).paths.values()
    known.fold()
    return known


def test_names_that_come_back_are_forgotten_and_words_beside_them_are_not() -> None:
    paths = [f"/users/{name}/orders" for name in NAMES for _ in range(3)]
    known = learned(paths, answers=True)
    known.observe("GET", "/users/me", 200)
    known.fold()
    users = known.root.kids["users"].kids

    assert set(users) == {"{*}", "me"}
    assert users["{*}"].kids["orders"].calls["GET"][0] == len(paths)
    assert [t.id for t in Catalog(known).templates] == ["/users/me", "/users/{}/orders"]
    assert known.canonical(f"/users/{NAMES[0]}/orders") == "/users/{*}/orders"


def test_words_are_judged_as_if_the_forgotten_were_still_beside_them() -> None:
    """Zones of a name server: most names are unknown words, but the last ones are made of words of APIs."""
    calls = [(method, "") for method in ("GET", "PUT", "PATCH", "DELETE")]
    calls += [("GET", "/metadata"), ("POST", "/metadata"), ("PUT", "/rectify"), ("PUT", "/notify")]
    traces = []
    for number, name in enumerate((*(f"q{n}x" for n in range(30)), "eureka", "sync", "runs", "homepage")):
        zone = f"{name}.example.org."
        for method, tail in calls if number < 30 else calls[number % 4 :: 3]:
            traces.append(asked(f"/zones/{zone}{tail}", {"name": zone} if number < 30 else None, method))
    known = folded(traces)
    words = {key for key in known.root.kids["zones"].kids if "{" not in key}

    assert len(known.root.kids["zones"].gone) == 30 and len(words) == 4
    assert {t.id for t in Catalog(known).templates} == {f"/zones/{{}}{tail}" for _, tail in calls}


def test_values_that_span_segments_are_found_when_their_names_were_forgotten() -> None:
    """Files in folders, each of which answers with its name, and checkpoints behind them."""
    folders = ["", *(f"/zq{n}" for n in range(9)), *(f"/zq{n}/vw{n}" for n in range(9))]
    traces = []
    for number, folder in enumerate(folders):
        for file in (folder, f"{folder}/kx{number}.txt", f"{folder}/ky{number}.py"):
            name = {"name": file.rpartition("/")[2]}
            if file:
                traces += [asked(f"/contents{file}", name, method) for method in ("PUT", "GET", "DELETE")]
        for method in ("GET", "POST"):
            traces.append(asked(f"/contents{folder}/kx{number}.txt/checkpoints", [], method))
    known = folded(traces)

    assert known.root.kids["contents"].gone
    assert {t.id for t in Catalog(known).templates} == {"/contents/{+}", "/contents/{+}/checkpoints"}


def test_what_was_forgotten_goes_where_it_went_when_it_comes_again() -> None:
    known = learned([f"/users/{name}" for name in NAMES], answers=True)
    again = PathState.from_bytes(known.to_bytes(), known.key)
    again.observe("GET", f"/users/{NAMES[0]}", 200)

    assert set(again.root.kids["users"].kids) == {"{*}"}
    assert hash_literal(NAMES[0], known.key) in again.root.kids["users"].gone


def test_a_name_that_users_named_is_kept_from_then_on() -> None:
    known = learned([f"/users/{name}" for name in NAMES], answers=True)
    known.pin([NAMES[0]])
    known.observe("GET", f"/users/{NAMES[0]}", 200)
    known.fold()

    assert set(known.root.kids["users"].kids) == {"{*}", NAMES[0]}


def test_without_any_proof_but_the_shape_of_paths_nothing_is_forgotten() -> None:
    known = learned([f"/users/{name}" for name in NAMES * 3], answers=False)

    assert set(known.root.kids["users"].kids) == set(NAMES)


def test_collections_that_come_back_in_their_responses_are_words() -> None:
    """As `{"kind": "orders"}` below `/v1/orders`: words of APIs, and a few that are not."""
    words = ["orders", "users", "invoices", "carts", "devices", "reports", "teams", "rooms", "notes"]
    others = [f"zxq{letter}" for letter in "abcdefg"][: LEAST_NAMES - 1]
    state = learn_all(
        State(), [asked(f"/v1/{word}/{n}", {"kind": word}) for word in (*words, *others) for n in range(9)]
    )
    (known,) = state.paths.values()
    known.fold()

    assert set(known.root.kids["v1"].kids) == {*words, *others}


def test_names_beside_typed_values_are_forgotten() -> None:
    paths = [f"/users/{name}" for name in NAMES * 3] + [f"/users/{n}" for n in range(LEAST_TYPED)]

    assert set(learned(paths, answers=False).root.kids["users"].kids) == {"{*}", "{integer}"}


def test_an_extension_stays_told_apart() -> None:
    known = learned([f"/reports/{name}.json" for name in NAMES * 3] + ["/reports/7.json"] * 9, answers=False)

    assert set(known.root.kids["reports"].kids) == {"{*}.json", "{integer}.json"}
    assert known.canonical(f"/reports/{NAMES[0]}.json") == "/reports/{*}.json"
    assert known.locate("/reports/zdenka.json").like == "/reports/{*}.json"
    assert [t.id for t in Catalog(known).templates] == ["/reports/{}.json"]


EXCHANGES = st.lists(
    st.tuples(
        st.sampled_from(["/users/", "/v1/", "/v1/zxqa/"]),
        st.sampled_from([*NAMES, "me", "orders", "zxqb", "zxqc.json", "17", "42"]),
        st.sampled_from(["", "/orders", "/zxqd"]),
        st.sampled_from([None, *NAMES, "zxqb", "zxqc"]),
    ),
    max_size=60,
)


@settings(max_examples=scaled(100), deadline=None)
@given(EXCHANGES, st.randoms(use_true_random=False), st.integers(1, 6))
def test_when_it_is_forgotten_changes_nothing(exchanges: list, rng, parts: int) -> None:  # type: ignore[no-untyped-def]
    """Forgetting in each part, or after each merge, or once at the end: the same octets."""
    traces = [
        asked(front + name + tail, {"name": name if named is None else named})
        for front, name, tail, named in exchanges
    ]

    def state(some: list[Trace]) -> PathState:
        found = learn_all(State(), some).paths
        return next(iter(found.values())) if found else PathState()

    expected = state(traces).to_bytes()
    rng.shuffle(traces)
    parts_of_it = [PathState.from_bytes(state(traces[i::parts]).to_bytes()) for i in range(parts)]
    while len(parts_of_it) > 1:
        a = parts_of_it.pop(rng.randrange(len(parts_of_it)))
        b = parts_of_it.pop(rng.randrange(len(parts_of_it)))
        parts_of_it.append(merge(a, b))

    assert parts_of_it[0].to_bytes() == expected


def test_the_hash_needs_the_key_and_leaves_out_the_extension() -> None:
    assert hash_literal("zdenka", b"one") == hash_literal("zdenka.json", b"one")
    assert hash_literal("zdenka", b"one") != hash_literal("zdenka", b"two")
    assert Forgetting(b"one").rank("zdenka") != Forgetting(b"two").rank("zdenka")


@pytest.mark.parametrize("later", [0, 1])
def test_no_name_is_in_the_catalog_once_it_is_known_to_be_a_value(tmp_path: Path, later: int) -> None:
    """Also those that were stored before it was known, in rows, in events and in the state of the paths."""
    with CatalogWriter(tmp_path / "catalog") as writer:
        for number in range(40):
            path = f"/users/{NAMES[number % len(NAMES)]}"
            delta = learn_all(
                State(), [asked(path, {"name": path[7:]}), asked(path + "/orders", {"user": path[7:]})]
            )
            writer.commit(delta, Position(1, number))
        if later:
            delta = learn_all(State(), [asked("/users/thorvald.ndiaye", {"name": "thorvald.ndiaye"})])
            writer.commit(delta, Position(1, 100))
    reader = CatalogReader(tmp_path / "catalog")
    _, rows = reader.endpoints(EndpointFilter())
    reader.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert {row.path for row in rows} == {"/users/{user}", "/users/{user}/orders"}
    assert sum(row.exchanges for row in rows) == 80 + later
    for name in [*NAMES, "thorvald.ndiaye"]:
        forms = (
            name.encode(),
            urllib.parse.quote(name).encode(),
            base64.b64encode(name.encode()),
            name.encode().hex().encode(),
        )
        assert not [form for form in forms if form in stored]
