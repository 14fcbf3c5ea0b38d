"""Values that span segments."""

from __future__ import annotations

from levo.satellite.learn.paths.branch import Branch
from levo.satellite.learn.paths.catchall import WHOLE, find
from levo.satellite.learn.paths.decide import decide
from levo.satellite.learn.paths.known import Override, compile_known
from levo.satellite.learn.paths.trie import walk
from tests.satellite.learn.paths.trees import branches, ends, learned

STEMS = ("qarxo", "blenvik", "drosk", "yupta", "wexmol")
FILES = [f"{a}/{b}-{c}.txt" for a in STEMS for b in STEMS[:3] for c in STEMS[:2]]
DEEP = [f"{a}.txt" for a in STEMS] + FILES + [f"{a}/{file}" for a in STEMS for file in FILES[:6]]
DEEPER = [f"zorn/{file}" for file in DEEP]
TREE = [f"{method} /contents/{file}" for file in (*DEEP, *DEEPER) for method in ("GET", "PUT", "DELETE")]


def test_files_at_several_depths_are_one_parameter() -> None:
    decided = decide(learned(TREE))

    assert ends(decided) == ["/contents/{+}"]
    whole = decided.literals["contents"].parameters[WHOLE]
    assert whole.catch_all and whole.reason is not None and whole.kinds["text"] >= len(DEEP)


def test_a_folder_that_is_used_much_is_a_value_to_those_who_use_the_others_too() -> None:
    """``zorn`` is established, and reads like a value; who asked for it asked for its siblings."""
    assert ends(decide(learned(TREE, caller=7))) == ["/contents/{+}"]


def test_words_that_recur_behind_a_path_and_end_otherwise_stay_words() -> None:
    requests = TREE + [f"POST /contents/{file}/checkpoints" for file in DEEP]

    assert ends(decide(learned(requests))) == ["/contents/{+}", "/contents/{+}/checkpoints"]


def test_collections_and_values_in_turn_are_no_files() -> None:
    requests = [
        f"{method} /users/{a}{rest}"
        for method in ("GET", "PUT")
        for a in range(9)
        for rest in ("", "/orders", "/orders/5", "/orders/5/items", "/orders/5/items/8")
    ]

    assert not [branch for branch in branches(decide(learned(requests))) if branch.catch_all]


def test_words_that_recur_behind_names_are_no_files() -> None:
    words = ("aliases", "versions", "settings", "members")
    files = [f"{a}/{b}.json" for a in STEMS for b in words]
    files += [f"{a}/{b}/{c}.json" for a in STEMS for b in words for c in STEMS]
    files += [f"{a}.json" for a in STEMS]
    requests = [f"{method} /bots/{file}" for file in files for method in ("GET", "PUT", "DELETE")]

    assert not [branch for branch in branches(decide(learned(requests))) if branch.catch_all]


def test_a_template_that_says_so_is_enough() -> None:
    known = compile_known([Override("import", "/files/{path+}")])

    assert ends(decide(learned(["GET /files/a/b", "GET /files/7"]), known)) == ["/files/{+}"]


def test_nothing_is_lost_in_it() -> None:
    root = learned(TREE)
    placed = sorted(id(node) for b in branches(decide(root)) for _, node in b.places if node.calls)

    assert placed == sorted(id(node) for _, node in walk(root))


def test_below_nothing_and_below_the_root_there_is_none() -> None:
    assert find(Branch((), [])) is None
    assert find(Branch(("contents",), [])) is None
    assert not [
        b for b in branches(decide(learned(f"GET /{file}" for file in DEEP))) if b.pattern == ("{+}",)
    ]
