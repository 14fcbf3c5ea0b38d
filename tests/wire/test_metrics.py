"""Metrics as the published definitions read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from levo.wire.metrics import Metric, encode_metrics
from levo.wire.resource import encode_resource

LABELS = st.lists(st.tuples(st.text(), st.text()), max_size=3, unique_by=lambda label: label[0]).map(tuple)
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
METRICS = st.lists(
    st.builds(
        Metric,
        st.text(),
        st.text(),
        st.sampled_from(["1", "By", "s", "{trace}"]),
        st.booleans(),
        st.lists(st.tuples(LABELS, NUMBERS), max_size=3).map(tuple),
    ),
    max_size=4,
)


@given(METRICS)
def test_the_published_definitions_read_the_same_numbers(metrics: list[Metric]) -> None:
    resource = encode_resource({"service.name": "shop"})

    request = ExportMetricsServiceRequest.FromString(
        encode_metrics(metrics, resource, ("levo.sensor", "1.2"), 1_000, 2_000)
    )

    (group,) = request.resource_metrics
    assert group.resource.attributes[0].value.string_value == "shop"
    (scope,) = group.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("levo.sensor", "1.2")
    read = []
    for metric in scope.metrics:
        data = metric.sum if metric.HasField("sum") else metric.gauge
        if metric.HasField("sum"):
            assert metric.sum.is_monotonic
            temporality = metric.sum.aggregation_temporality
            assert temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        points = []
        for point in data.data_points:
            assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000, 2_000)
            labels = tuple((attribute.key, attribute.value.string_value) for attribute in point.attributes)
            points.append((labels, point.as_double if point.HasField("as_double") else point.as_int))
        read.append(
            Metric(metric.name, metric.description, metric.unit, metric.HasField("sum"), tuple(points))
        )
    assert read == [metric for metric in metrics if metric.points]
