from collections import Counter
from itertools import islice

from levo.demo.sample_api import SampleApi
from levo.demo.traffic import Traffic


def run(seed: int, count: int) -> list[tuple[bytes, int]]:
    api = SampleApi(seed)
    return [
        (request.wire(), api.answer(request).status) for request in islice(Traffic(seed, api.shop), count)
    ]


def test_equal_seeds_give_equal_traffic() -> None:
    assert run(4, 300) == run(4, 300)
    assert run(4, 300) != run(5, 300)


def test_the_mix_shows_every_kind_of_answer() -> None:
    statuses = Counter(status for _, status in run(1, 2_000))

    assert set(statuses) == {200, 201, 202, 204, 303, 401, 402, 404, 409, 422, 500}
    assert statuses[200] > 1_000


def test_every_route_is_called_within_the_first_requests() -> None:
    """The catalog fills at once: the opening calls every kind of request."""
    api = SampleApi(1)
    opening = list(islice(Traffic(1, api.shop), 27))
    called = {(request.method, request.target.partition("?")[0]) for request in opening}

    assert len({method for method, _ in called}) == 4
    for _, pattern, _, _ in api._routes:
        assert any(pattern.fullmatch(path) for _, path in called), pattern.pattern
