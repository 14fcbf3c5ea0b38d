"""The text format, by the parser of the Prometheus project."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from levo.wire.metrics import Histogram, Metric
from levo.wire.prometheus import exposition, family_name

NAMES = st.sampled_from(["a", "levo.sensor.frames", "tls.server_name", "bytes", "x.bytes"])
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
)
NUMBERS = st.one_of(st.integers(-(2**63), 2**64), st.floats())
LABELS = st.dictionaries(NAMES, TEXTS, max_size=3).map(lambda labels: tuple(labels.items()))
METRICS = st.lists(
    st.builds(
        Metric,
        NAMES,
        TEXTS,
        st.sampled_from(["1", "By", "s", "{trace}"]),
        st.booleans(),
        st.lists(st.tuples(LABELS, NUMBERS), max_size=3).map(tuple),
    ),
    max_size=4,
    unique_by=lambda metric: metric.name,
)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(METRICS)
def test_prometheus_reads_every_family_and_every_number(metrics: list[Metric]) -> None:
    families = list(text_string_to_metric_families(exposition(metrics)))

    assert len(families) == len(metrics)
    for family, metric in zip(families, metrics, strict=True):
        name = family_name(metric)
        assert family.name == name.removesuffix("_total")
        assert family.type == ("counter" if metric.monotonic else "gauge")
        assert family.documentation.strip() == metric.help.strip()
        assert len(family.samples) == len(metric.points)
        for sample, (labels, value) in zip(family.samples, metric.points, strict=True):
            assert sample.name == name
            assert sample.labels == {key.replace(".", "_"): text for key, text in labels}
            assert same(sample.value, value)


@pytest.mark.parametrize(
    ("name", "unit", "monotonic", "expected"),
    [
        ("process.cpu.time", "s", True, "process_cpu_time_seconds_total"),
        ("process.memory.usage", "By", False, "process_memory_usage_bytes"),
        ("levo.encrypted.bytes", "By", True, "levo_encrypted_bytes_total"),
        ("levo.sensor.frames", "{frame}", True, "levo_sensor_frames_total"),
        ("levo.satellite.ready", "1", False, "levo_satellite_ready"),
    ],
)
def test_unit_and_kind_are_in_the_name_once(name: str, unit: str, monotonic: bool, expected: str) -> None:
    assert family_name(Metric(name, "", unit, monotonic, ())) == expected


@pytest.mark.parametrize(
    ("value", "shown"), [(3, "3"), (3.0, "3"), (1.5, "1.5"), (True, "1"), (2**64, "18446744073709551616")]
)
def test_whole_numbers_have_no_point(value: float, shown: str) -> None:
    assert exposition([Metric("a", "", "1", False, (((), value),))]).splitlines()[-1] == f"a {shown}"


def test_a_histogram_is_read_as_one() -> None:
    made = Histogram("levo.commit.duration", "How long.", "s", ((0.5, 2), (1.0, 5)), 6, 3.25)
    (family,) = text_string_to_metric_families(exposition([made]))

    assert (family.name, family.type) == ("levo_commit_duration_seconds", "histogram")
    assert [(sample.name.rpartition("_")[2], sample.labels, sample.value) for sample in family.samples] == [
        ("bucket", {"le": "0.5"}, 2),
        ("bucket", {"le": "1"}, 5),
        ("bucket", {"le": "+Inf"}, 6),
        ("sum", {}, 3.25),
        ("count", {}, 6),
    ]
