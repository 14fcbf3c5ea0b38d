"""What is shown for what was seen, and that users' decisions win."""

from __future__ import annotations

import random

import pytest

from levo.satellite.learn.paths import Catalog, Override, PathState, merge, templates

NAMES = (
    "alice",
    "bobbert",
    "carolyn",
    "dmitri",
    "eveline",
    "frankie",
    "gustav",
    "heloise",
    "ingmar",
    "joaquin",
)


def learn(*paths: str, method: str = "GET", status: int = 200) -> PathState:
    state = PathState()
    for path in paths:
        state.observe(method, path, status)
    return state


def shown(state: PathState, *overrides: Override) -> set[str]:
    return {template.path for template in templates(state, overrides)}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/users/1", "/users/2"], {"/users/{userId}"}),
        (["/users/1/orders/7", "/users/2/orders/9"], {"/users/{userId}/orders/{orderId}"}),
        (["/v1/users", "/v2/users"], {"/v1/users", "/v2/users"}),
        (["/2.0/users/17", "/2.0/users/18"], {"/2.0/users/{userId}"}),
        (["/users/17", "/users/me"], {"/users/{userId}", "/users/me"}),
        (["/reports/17.json", "/reports/18.json"], {"/reports/{reportId}.json"}),
        (["/jobs/17:cancel", "/jobs/18:cancel", "/jobs/17"], {"/jobs/{jobId}:cancel", "/jobs/{jobId}"}),
        (["/export.json", "/export.xml"], {"/export.{name}"}),
        (["/users/1;v=2", "/users/2"], {"/users/{userId}"}),
        (["/users/", "/users/"], {"/users/"}),
        (["/users/", "/users", "/users"], {"/users"}),
        (["/a%7Bb", "/x%20y"], {"/a%7Bb", "/x%20y"}),
        (["/"], {"/"}),
        (["/files/2024-01-02", "/files/2024-01-03"], {"/files/{fileDate}"}),
        (["/boxes/3b1f8b7e-6f0c-4a8e-9d0c-2f1e5a7b9c3d"], {"/boxes/{boxId}"}),
    ],
)
def test_templates_of_few_paths(paths, expected):
    assert shown(learn(*paths)) == expected


def test_names_become_one_parameter_and_known_words_beside_them_stay():
    rng = random.Random(3)
    paths = [f"/users/{rng.choice(NAMES)}{rng.choice(NAMES)}/orders" for _ in range(300)]
    state = learn(*paths, *["/users/search"] * 40)
    assert shown(state) == {"/users/{user}/orders", "/users/search"}


def test_types_and_counts_of_a_template():
    state = PathState()
    for number in range(5):
        state.observe("GET", f"/users/{number}", 200, 2.5)
    state.observe("DELETE", "/users/3", 204)
    state.observe("GET", "/users/9", 302)
    [template] = templates(state)
    assert template.id == "/users/{}"
    assert (template.parameters[0].name, template.parameters[0].type) == ("userId", "integer")
    state.observe("GET", "/users/9", 500)
    assert template.methods["GET"].exchanges == 13.5
    assert template.methods["GET"].requests == 6
    assert template.methods["GET"].status_classes == (2, 3)
    assert template.keys == ("/users/{integer}",)
    assert [each.methods["GET"].requests for each in templates(state)] == [6], (
        "refusals are counted elsewhere"
    )


@pytest.mark.parametrize("status", [0, -1, 400, 401, 403, 422, 500, 503])
def test_what_never_succeeded_makes_no_template(status):
    state = learn("/secret", status=status)
    assert not templates(state)
    assert (state.noise.refused, state.received) == (1, 1)


def test_every_learned_path_is_assigned_to_a_shown_template_with_its_key():
    rng = random.Random(5)
    paths = [
        rng.choice(
            ("/users/{n}", "/users/{n}/orders/{i}", "/users/me", "/v1/items/{i}.json", "/d/{n}/{n}/{n}.txt")
        )
        .replace("{n}", rng.choice(NAMES) + rng.choice(NAMES))
        .replace("{i}", str(rng.randint(1, 999)))
        for _ in range(400)
    ]
    state = PathState()
    keys = {path: state.observe("GET", path, 200) for path in paths}
    catalog = Catalog(state)
    by_id = {template.id: template for template in catalog.templates}
    for path, key in keys.items():
        assert state.canonical(key) in by_id[catalog.assign(path)].keys


def test_the_same_templates_from_any_partition():
    rng = random.Random(9)
    paths = [
        f"/teams/{rng.choice(NAMES)}x{rng.randint(1, 40)}/members/{rng.choice(NAMES)}" for _ in range(500)
    ]
    whole = templates(learn(*paths))
    parts = [learn(*paths[i::8]) for i in range(8)]
    while len(parts) > 1:
        parts.append(merge(parts.pop(0), parts.pop(0)))
    assert templates(parts[0]) == whole


def test_a_path_that_spans_segments():
    rng = random.Random(2)
    state = PathState()
    for _ in range(120):
        file = "/".join(rng.choice(NAMES) + rng.choice(NAMES) for _ in range(rng.randint(1, 4)))
        for method in ("GET", "PUT"):
            state.observe(method, f"/api/contents/{file}.txt", 200)
        state.observe("POST", f"/api/contents/{file}.txt/checkpoints", 201)
    catalog = Catalog(state)
    assert {t.path for t in catalog.templates} == {
        "/api/contents/{path+}",
        "/api/contents/{path+}/checkpoints",
    }
    assert catalog.assign("/api/contents/some/new/folder/file.txt") == "/api/contents/{+}"
    assert catalog.assign("/api/contents/some/new.txt/checkpoints") == "/api/contents/{+}/checkpoints"


def test_split_keeps_a_literal_apart_for_ever():
    paths = [f"/users/{name}x{i}" for i, name in enumerate(NAMES * 9)] + ["/users/alicex0"] * 3
    state = learn(*paths)
    assert shown(state) == {"/users/{user}"}
    split = Override("split", "/users/alicex0")
    assert shown(state, split) == {"/users/{user}", "/users/alicex0"}
    more = learn(*[f"/users/{name}y{i}" for i, name in enumerate(NAMES * 30)])
    assert shown(merge(state, more), split) == {"/users/{user}", "/users/alicex0"}


def test_merge_makes_literals_one_parameter():
    state = learn("/reports/daily", "/reports/weekly", "/reports/monthly")
    assert shown(state) == {"/reports/daily", "/reports/weekly", "/reports/monthly"}
    assert shown(state, Override("merge", "/reports/{period}")) == {"/reports/{period}"}


def test_rename_and_ignore():
    state = learn("/users/1", "/users/2", "/health")
    assert shown(state, Override("rename", "/users/{who}"), Override("ignore", "/health")) == {"/users/{who}"}
    catalog = Catalog(state, [Override("ignore", "/health")])
    assert [template.path for template in catalog.ignored] == ["/health"]


def test_imported_templates_win_and_others_are_still_found():
    state = learn("/pets/rex", "/pets/bello", "/pets/findByStatus", "/toys/ball")
    found = shown(state, Override("import", "/pets/{petName}"), Override("import", "/pets/findByStatus"))
    assert found == {"/pets/{petName}", "/pets/findByStatus", "/toys/ball"}


def test_evidence_names_what_weighed():
    state = learn(*[f"/users/{name}{i}" for i, name in enumerate(NAMES)])
    [template] = templates(state)
    assert template.parameters[0].evidence
    assert 0.5 < template.confidence <= 1
