"""Templates that are given."""

from __future__ import annotations

from levo.satellite.learn.paths.known import (
    Override,
    anonymous_pattern,
    compile_known,
    parameter_names,
)


def test_patterns_have_no_names():
    assert anonymous_pattern("/users/{id}/files/{path+}") == ("users", "{}", "files", "{+}")
    assert anonymous_pattern("/a/{b}.json") == ("a", "{}.json")


def test_templates_share_their_prefixes_and_hidden_ones_are_not_claimed():
    root = compile_known(
        [
            Override("import", "/users/{id}"),
            Override("accept", "/users/{userId}/orders"),
            Override("split", "/users/me"),
            Override("ignore", "/health"),
            Override("rename", "/teams/{team}"),
        ]
    )
    assert set(root.literals) == {"users"}
    users = root.literals["users"]
    assert set(users.literals) == {"me"}
    assert [set(kid.literals) for kid in users.parameters] == [{"orders"}]


def test_the_last_name_wins():
    names = parameter_names(
        [Override("import", "/users/{id}/files/{file}"), Override("rename", "/users/{who}")]
    )
    assert names["users", "{}"] == ("who",)
    assert names["users", "{}", "files", "{}"] == ("id", "file")
