"""Names in paths are forgotten, at rest, once they are known to be values; the figures stay."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest

from levo.satellite.learn import State, Trace, learn_all
from levo.satellite.learn.paths import PathState, merge
from levo.satellite.learn.paths.forget import LEAST_VALUES
from levo.satellite.learn.paths.templates import Catalog
from levo.satellite.learn.trace import Origin
from levo.satellite.queue import Position
from levo.satellite.scheduler import DecisionScheduler
from levo.satellite.store import CatalogReader, CatalogWriter, EndpointFilter

NAMES = [
    f"{first}.{last}"
    for first in ("ngozi", "xiomara", "zdenka")
    for last in ("kowalski", "oyelaran", "quispe")
]
ORIGIN = Origin("acme", "default", "shop", "s")


def asked(path: str, answer: object = None, method: str = "GET") -> Trace:
    body = b"" if answer is None else json.dumps(answer).encode()
    return Trace(ORIGIN, "shop.example", method, path, 200, 1.0, 1, 2, response_body=body)


def forgotten(paths: list[str], *, answers: bool) -> PathState:
    state = learn_all(
        State(), [asked(path, {"name": path.split("/")[2]} if answers else None) for path in paths]
    )
    (known,) = state.paths.values()
    known.forget_values(Catalog(known).top)
    return known


def test_names_that_come_back_are_forgotten_and_words_beside_them_are_not() -> None:
    paths = [f"/users/{name}/orders" for name in NAMES for _ in range(3)]
    state = learn_all(
        State(), [asked(p, {"name": p.split("/")[2]}) for p in paths] + [asked("/users/me", {"a": 1})]
    )
    (known,) = state.paths.values()
    before = [t.id for t in Catalog(known).templates]
    gone = known.forget_values(Catalog(known).top)
    users = known.root.kids["users"].kids

    assert gone == len(NAMES)
    assert set(users) == {"{*}", "me"}
    assert users["{*}"].kids["orders"].calls["GET"][0] == len(paths)
    assert [t.id for t in Catalog(known).templates] == before == ["/users/me", "/users/{}/orders"]
    assert known.canonical(f"/users/{NAMES[0]}/orders") == "/users/{*}/orders"


def test_without_any_proof_but_the_shape_of_paths_nothing_is_forgotten() -> None:
    known = forgotten([f"/users/{name}" for name in NAMES * 3], answers=False)

    assert set(known.root.kids["users"].kids) == set(NAMES)


def test_names_beside_typed_values_are_forgotten() -> None:
    paths = [f"/users/{name}" for name in NAMES * 3] + [f"/users/{n}" for n in range(LEAST_VALUES)]

    assert set(forgotten(paths, answers=False).root.kids["users"].kids) == {"{*}", "{integer}"}


def test_an_extension_stays_told_apart() -> None:
    known = forgotten(
        [f"/reports/{name}.json" for name in NAMES * 3] + ["/reports/7.json"] * 9, answers=False
    )

    assert set(known.root.kids["reports"].kids) == {"{*}.json", "{integer}.json"}
    assert known.canonical("/reports/zdenka.json") == "/reports/{*}.json"
    assert [t.id for t in Catalog(known).templates] == ["/reports/{}.json"]


def test_what_is_left_merges_in_any_order() -> None:
    a = forgotten([f"/users/{name}" for name in NAMES * 3], answers=True)
    b = forgotten([f"/users/{name}/orders" for name in NAMES * 3], answers=True)

    assert merge(a, b).to_bytes() == merge(b, a).to_bytes()


@pytest.mark.parametrize("later", [0, 1])
def test_no_name_is_in_the_catalog_once_it_is_known_to_be_a_value(tmp_path: Path, later: int) -> None:
    """Also those that were stored before it was known, in rows, in events and in the state of the paths."""
    scheduler = DecisionScheduler(stopwatch=lambda: 0.0)
    paths: dict = {}
    with CatalogWriter(tmp_path / "catalog") as writer:
        for number in range(40):
            path = f"/users/{NAMES[number % len(NAMES)]}"
            delta = learn_all(
                State(paths=paths),
                [asked(path, {"name": path[7:]}), asked(path + "/orders", {"user": path[7:]})],
            )
            moved = scheduler.decide(delta, float(number))
            writer.commit(delta, Position(1, number), scheduler.decisions, moved=moved, save_paths=moved)
        if later:
            delta = learn_all(
                State(paths=paths), [asked("/users/thorvald.ndiaye", {"name": "thorvald.ndiaye"})]
            )
            moved = scheduler.decide(delta, 100.0)
            writer.commit(delta, Position(1, 100), scheduler.decisions, moved=moved, save_paths=moved)
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
