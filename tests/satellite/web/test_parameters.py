from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from levo.satellite.store import EndpointFilter
from levo.satellite.web import parameters
from levo.satellite.web.problems import BadParameter


def test_a_filter_in_full() -> None:
    query = QueryParams("organization=o&environment=e&application=a&host=h&method=GET&status=5xx&q=+x+")

    assert parameters.endpoint_filter(query) == EndpointFilter("o", "e", "a", "h", "GET", "5xx", "x")


@given(st.text(max_size=12))
def test_a_number_is_within_its_bounds_or_refused(text: str) -> None:
    query = QueryParams([("limit", text)])
    try:
        limit, offset = parameters.page(query)
    except BadParameter as refused:
        assert refused.status_code == 400
    else:
        assert 1 <= limit <= parameters.MAX_LIMIT and offset == 0


def test_unknown_names_are_not_echoed_at_length() -> None:
    with pytest.raises(BadParameter) as refused:
        parameters.only(QueryParams([("x" * 5000, "1")]), "limit")

    assert len(refused.value.detail) < 120
