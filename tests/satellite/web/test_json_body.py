from __future__ import annotations

import json

import pytest
from starlette.requests import Request
from starlette.responses import Response

from levo.satellite.web.json_body import JsonResponse, count, etagged


def test_counts_are_whole_where_they_can_be() -> None:
    assert [count(value) for value in (3.0, 2.5, 1 / 3)] == [3, 2.5, 0.333]
    assert isinstance(count(3.0), int)


def test_numbers_that_json_lacks_are_null() -> None:
    answer = JsonResponse({"a": float("nan"), "b": float("inf")})
    assert json.loads(bytes(answer.body)) == {"a": None, "b": None}


@pytest.mark.parametrize("said", ["{0}", "W/{0}", '"other", {0}', "*"])
def test_who_has_it_already_is_told_so(said: str) -> None:
    def ask(*headers: tuple[bytes, bytes]) -> Response:
        return etagged(Request({"type": "http", "headers": list(headers)}), {"a": 1})

    etag = ask().headers["etag"]
    again = ask((b"if-none-match", said.format(etag).encode()))
    assert (again.status_code, bytes(again.body), again.headers["etag"]) == (304, b"", etag)
    assert ask((b"if-none-match", b'"other"')).status_code == 200
