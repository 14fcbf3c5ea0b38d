"""OTLP in: bounds, decoding, durable hand-over, and the answers the OTLP specification asks for."""

from __future__ import annotations

from levo.satellite.receive.grpc_server import GrpcReceiver
from levo.satellite.receive.http_routes import otlp_routes
from levo.satellite.receive.intake import Admission, Intake, IntakeStatistics, Refusal, RefusalReason

__all__ = [
    "Admission",
    "GrpcReceiver",
    "Intake",
    "IntakeStatistics",
    "Refusal",
    "RefusalReason",
    "otlp_routes",
]
