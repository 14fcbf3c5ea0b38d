"""Export requests, built from the published OTLP definitions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_ids = itertools.count(1)


@dataclass(frozen=True)
class Call:
    """One exchange as a sensor would export it."""

    method: str = "GET"
    path: str = "/users/1"
    status: int | None = 200
    weight: float | int | None = None
    host: str = "shop.example"
    port: int | None = 8080
    scheme: str = "http"
    end_ns: int | None = None
    kind: int = Span.SPAN_KIND_SERVER
    more: Mapping[str, str | bytes] = field(default_factory=dict)


RESOURCE = {"service.name": "shop", "deployment.environment.name": "staging", "levo.sensor.id": "sensor-1"}


def attribute(key: str, value: str | bytes | int | float) -> KeyValue:
    made = KeyValue(key=key)
    if isinstance(value, bytes):
        made.value.bytes_value = value
    elif isinstance(value, str):
        made.value.string_value = value
    elif isinstance(value, int):
        made.value.int_value = value
    else:
        made.value.double_value = value
    return made


def span(call: Call) -> Span:
    number = next(_ids)
    end_ns = time.time_ns() if call.end_ns is None else call.end_ns
    made = Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        kind=call.kind,  # type: ignore[arg-type]
        start_time_unix_nano=max(0, end_ns - 3_000_000),
        end_time_unix_nano=end_ns,
    )
    values: dict[str, str | bytes | int | float | None] = {
        "http.request.method": call.method,
        "url.path": call.path,
        "url.scheme": call.scheme,
        "server.address": call.host,
        "server.port": call.port,
        "http.response.status_code": call.status,
        "levo.sample.weight": call.weight,
        **call.more,
    }
    made.attributes.extend(attribute(key, value) for key, value in values.items() if value is not None)
    return made


def traces(calls: Iterable[Call], resource: Mapping[str, str] = RESOURCE) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(attribute(key, value) for key, value in resource.items())
    resource_spans.scope_spans.add().spans.extend(span(call) for call in calls)
    return request


def metrics(
    values: Mapping[str, float | int], resource: Mapping[str, str] = RESOURCE, time_ns: int = 0
) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource_metrics = request.resource_metrics.add()
    resource_metrics.resource.attributes.extend(attribute(key, value) for key, value in resource.items())
    scope_metrics = resource_metrics.scope_metrics.add()
    for name, value in values.items():
        point = scope_metrics.metrics.add(name=name).sum.data_points.add(time_unix_nano=time_ns)
        point.attributes.append(attribute("state", "exported"))
        if isinstance(value, int):
            point.as_int = value
        else:
            point.as_double = value
    return request
