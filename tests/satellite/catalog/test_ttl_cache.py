"""Values that are kept for a while."""

from __future__ import annotations

from levo.satellite.catalog.ttl_cache import MAX_VALUES, TtlCache


class Works:
    """A clock that making a value moves on."""

    def __init__(self, takes_s: float) -> None:
        self.now_s, self.takes_s, self.made = 0.0, takes_s, 0

    def make(self) -> int:
        self.now_s += self.takes_s
        self.made += 1
        return self.made


def test_a_value_is_kept_ten_times_as_long_as_it_took_and_a_minute_at_most() -> None:
    for takes_s, kept_s in ((0.5, 5.0), (30.0, 60.0)):
        works = Works(takes_s)
        kept: TtlCache[int] = TtlCache(lambda works=works: works.now_s)  # type: ignore[misc]
        assert kept.get(("a",), works.make) == 1
        works.now_s += kept_s - 0.01
        assert kept.get(("a",), works.make) == 1
        works.now_s += 0.02
        assert kept.get(("a",), works.make) == 2


def test_keys_are_apart_and_bounded() -> None:
    works = Works(1.0)
    kept: TtlCache[int] = TtlCache(lambda: works.now_s)
    for number in range(MAX_VALUES + 1):
        assert kept.get((str(number),), works.make) == number + 1
    works.now_s -= 60.0
    assert kept.get((str(MAX_VALUES),), works.make) == MAX_VALUES + 1
    assert kept.get(("0",), works.make) == MAX_VALUES + 2
