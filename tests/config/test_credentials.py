"""The table of what is masked by default."""

from __future__ import annotations

from levo.config.credentials import FIELDS, HEADERS, NAMES, URL_HEADERS, folded, is_masked, spellings


def test_names_are_lower_case_and_stand_once() -> None:
    for names in (HEADERS, FIELDS, URL_HEADERS):
        assert len(set(names)) == len(names)
        assert all(name == name.lower().strip() for name in names)
    assert len(HEADERS) >= 40 and len(FIELDS) >= 25 and set(HEADERS) <= NAMES


def test_a_name_has_one_spelling_in_its_table() -> None:
    assert sorted(map(folded, FIELDS)) == sorted(set(map(folded, FIELDS)))


def test_a_name_is_spelled_in_every_convention_but_for_those_kept() -> None:
    assert spellings(["access_token", "dpop"]) == ["access_token", "access-token", "accesstoken", "dpop"]
    assert spellings(["x-api-key"], joined=False) == ["x-api-key", "x_api_key"]
    assert spellings(["access_token", "pin"], kept={"accesstoken"}) == ["pin"]


def test_what_is_masked_is_known_in_every_spelling() -> None:
    assert is_masked("accessToken") and is_masked("X_Auth_Token") and not is_masked("user")
