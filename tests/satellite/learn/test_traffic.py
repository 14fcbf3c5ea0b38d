"""Traffic per minute against sums made another way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from levo.satellite.learn.traffic import (
    Traffic,
    TrafficByMinute,
    count_exchange,
    latency_bucket,
    latency_quantile,
    merge_traffic,
    total_traffic,
)

EXCHANGES = st.lists(
    st.tuples(
        st.integers(0, 10**13), st.integers(0, 10**11), st.sampled_from([0, 200, 404, 500]), st.integers(1, 9)
    ),
    max_size=40,
)


def gathered(exchanges: list[tuple[int, int, int, int]]) -> TrafficByMinute:
    traffic: TrafficByMinute = {}
    for start, duration, status, weight in exchanges:
        minute = (start + duration) // 60_000_000_000
        count_exchange(traffic, minute, duration_ns=duration, status=status, weight=weight)
    return traffic


@given(first=EXCHANGES, second=EXCHANGES)
def test_parts_merge_into_the_whole(first, second):
    merged: TrafficByMinute = {}
    merge_traffic(merged, gathered(first))
    merge_traffic(merged, gathered(second))

    assert merged == gathered([*first, *second])


@given(exchanges=EXCHANGES)
def test_every_exchange_is_counted_once(exchanges):
    total = total_traffic(gathered(exchanges).values())

    assert total.exchanges == sum(weight for *_, weight in exchanges)
    assert total.server_errors == sum(weight for _, _, status, weight in exchanges if status == 500)
    assert total.client_errors == sum(weight for _, _, status, weight in exchanges if status == 404)


@given(durations=st.lists(st.integers(2_000, 10**12), min_size=1), share=st.sampled_from([0.5, 0.95, 0.99]))
def test_quantiles_are_within_a_bucket_of_the_exact_ones(durations, share):
    traffic = Traffic()
    for duration in durations:
        bucket = latency_bucket(duration)
        traffic.latency[bucket] = traffic.latency.get(bucket, 0) + 1
    need, seen = len(durations) * share, 0
    exact = next(d for d in sorted(durations) if (seen := seen + 1) >= need)

    found = latency_quantile(traffic.latency, share)

    assert found is not None and abs(found * 1e6 / exact - 1) < 0.2


def test_nothing_has_no_quantile():
    assert latency_quantile({}, 0.5) is None
