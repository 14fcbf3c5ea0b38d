"""Who asks for paths that are not there displaces none that is, whatever they are and in any order."""

from __future__ import annotations

from random import Random

import pytest

from levo.satellite.learn.paths import PathState
from levo.satellite.learn.paths.templates import Catalog
from tests.helpers.effort import long
from tests.satellite.learn.paths.poison import KINDS, PREFIXES, REAL, invented, used

KEY = b"key"


def use(state: PathState, callers: int = 3) -> None:
    for number, path in enumerate(used(Random(3))):
        state.observe("GET", path, 200, caller=1000 + number // len(REAL) % callers, minute=100)


def attack(state: PathState, kind: str, requests: int, status: int = 200, callers: int = 1) -> None:
    for number, path in enumerate(invented(kind, requests)):
        state.observe("GET", path, status, caller=1 + number % callers, minute=50)


def missing(state: PathState) -> set[str]:
    """The real endpoints that are not in the catalog."""
    return set(REAL) - {template.id for template in Catalog(state).templates}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["real", "attack"])
@pytest.mark.parametrize(
    ("requests", "callers"), [(130, 1), (700, 50), long(3_000, 1), long(20_000, 50), long(100_000, 50)]
)
def test_invented_paths_with_fewer_successes_displace_nothing(
    kind: str, first: str, requests: int, callers: int
) -> None:
    """Also where the application answers everything with success."""
    state = PathState(KEY)
    if first == "real":
        use(state)
        state.fold()
        attack(state, kind, requests, callers=callers)
    else:
        attack(state, kind, requests, callers=callers)
        state.fold()
        use(state)

    assert missing(state) == set()


@pytest.mark.parametrize("kind", ["lexicon", "hyphens"])
def test_invented_paths_with_fewer_callers_displace_nothing(kind: str) -> None:
    state = PathState(KEY)
    for _ in range(25):
        attack(state, kind, 300)
    state.fold()
    use(state, callers=2)

    assert missing(state) == set()


@pytest.mark.parametrize("kind", ["random", "unicode", "hyphens", "numbers"])
@pytest.mark.parametrize(("real", "evil"), [(3, 1), (16, 4)])
def test_some_callers_of_real_paths_who_invent_others_displace_nothing(
    kind: str, real: int, evil: int
) -> None:
    """What callers of an endpoint ask for beside it speaks for it as much as they are of its callers."""
    draw = Random(11)
    callers = [draw.getrandbits(32) for _ in range(real + evil)]
    state = PathState(KEY)
    for number, path in enumerate(used(Random(3))):
        state.observe("GET", path, 200, caller=callers[number // len(REAL) % real], minute=100)
    for caller in callers[real:]:
        for path in REAL:
            state.observe("GET", path.replace("{}", "7"), 200, caller=caller, minute=120)
    for number, path in enumerate(invented(kind, 700)):
        state.observe("GET", path, 200, caller=callers[real + number % evil], minute=150)

    assert missing(state) == set()


@pytest.mark.parametrize("status", [302, 401, 403, 500])
@pytest.mark.parametrize("requests", [300, long(100_000)])
def test_answers_without_success_change_nothing_at_all(status: int, requests: int) -> None:
    state, untouched = PathState(KEY), PathState(KEY)
    use(untouched)
    use(state)
    attack(state, "lexicon", requests, status)

    if status >= 400:
        assert state.noise.refused == requests
        state.noise = untouched.noise
        assert state.to_bytes() == untouched.to_bytes()
    assert missing(state) == set()


@pytest.mark.parametrize("requests", [2_000, long(100_000)])
def test_what_is_used_after_an_attack_appears_with_any_number_of_commits(requests: int) -> None:
    """Each request is learned by itself, so none comes with others of its kind."""
    state = PathState(KEY)
    attack(state, "random", requests, callers=50)
    state.fold()
    for number, path in enumerate(used(Random(3))):
        one = PathState(KEY)
        one.observe("GET", path, 200, caller=1000 + number % 3, minute=100)
        state.absorb(one, fold=number % 7 == 0)

    assert missing(PathState.from_bytes(state.to_bytes(), KEY)) == set()


def test_names_of_one_parameter_are_still_one_where_callers_ask_for_several_of_them() -> None:
    """What protects words must not make words of the values that are asked for most."""
    state = PathState(KEY)
    names = [f"zq{a}{b}x" for a in "aeiou" for b in "bdfgklmnprst"]
    for number in range(2_000):
        name = names[min(Random(number).randrange(60), Random(-number).randrange(60))]
        state.observe("GET", f"/users/{name}/orders", 200, caller=1 + number % 4)

    assert [template.id for template in Catalog(state).templates] == ["/users/{}/orders"]


@pytest.mark.parametrize("callers", [1, 20])
def test_a_value_that_one_caller_more_asks_for_is_one_of_the_values(callers: int) -> None:
    """The busiest of them is judged with the others, since its callers ask for those as well."""
    state, draw = PathState(KEY), Random(2)
    for _ in range(600):
        name = "cus_hiagVhviqWQnuo" if draw.random() < 0.3 else str(draw.randrange(10**6))
        state.observe("GET", f"/profiles/{name}/orders", 200, caller=1 + draw.randrange(callers))

    assert [template.id for template in Catalog(state).templates] == ["/profiles/{}/orders"]


def test_memory_is_bounded_whatever_is_asked_for() -> None:
    state = PathState(KEY)
    for kind in KINDS:
        attack(state, kind, 10_000, callers=50)
    state.fold()

    assert state.root.size() < 20_000
    assert len(state.to_bytes()) < 2_000_000


def test_an_attack_with_equal_means_is_bounded_by_callers_then_age() -> None:
    """Twenty successes each from as many callers: the older ones stay."""
    state = PathState(KEY)
    use(state, callers=3)
    for number in range(200):
        for turn in range(20):
            state.observe("GET", f"{PREFIXES[0]}kz{number}q", 200, caller=1 + turn % 3, minute=200)
    state.fold()

    assert {"orders", "klaxify", "vault", "users"} <= state.root.kids["api"].kids.keys()
