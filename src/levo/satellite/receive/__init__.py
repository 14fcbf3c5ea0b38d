"""OTLP in: bounds, decoding, durable hand-over, and the answers the OTLP specification asks for."""

from __future__ import annotations

from levo.satellite.receive.grpc_server import GrpcReceiver
from levo.satellite.receive.http_routes import otlp_routes
from levo.satellite.receive.ingest import Admission, Ingester, IngestStatistics, Refusal, RefusalReason

__all__ = [
    "Admission",
    "GrpcReceiver",
    "IngestStatistics",
    "Ingester",
    "Refusal",
    "RefusalReason",
    "otlp_routes",
]
