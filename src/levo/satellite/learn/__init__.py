"""What traces teach: pure functions over mergeable state. No I/O, no clock, no thread.

``learn(state, trace)`` adds one trace, ``merge(a, b)`` joins what two learners know; in any order and
partition they come to the same state.
"""

from __future__ import annotations

from levo.satellite.learn.sensors import SensorReport, merge_sensor, read_metrics, read_senders
from levo.satellite.learn.state import (
    EndpointFacts,
    EndpointKey,
    State,
    absorb,
    learn,
    learn_all,
    learn_sensor,
    merge,
)
from levo.satellite.learn.template import path_template
from levo.satellite.learn.trace import Trace, read_traces

__all__ = [
    "EndpointFacts",
    "EndpointKey",
    "SensorReport",
    "State",
    "Trace",
    "absorb",
    "learn",
    "learn_all",
    "learn_sensor",
    "merge",
    "merge_sensor",
    "path_template",
    "read_metrics",
    "read_senders",
    "read_traces",
]
