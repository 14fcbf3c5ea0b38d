"""What traces teach: pure functions over mergeable state. No I/O, no clock, no thread.

``learn(state, trace)`` adds one trace, ``merge(a, b)`` joins what two learners know; in any order and
partition they come to the same state.
"""

from __future__ import annotations

from levo.satellite.learn.callers import Callers
from levo.satellite.learn.decisions import Assignment, TemplateDecision, decide_templates, undecided
from levo.satellite.learn.deliveries import RecentDeliveries
from levo.satellite.learn.naming import Application, NameRule, Proven, proven_within
from levo.satellite.learn.paths.known import Override
from levo.satellite.learn.paths.state import PathState
from levo.satellite.learn.schema import Knowledge
from levo.satellite.learn.sensitive import RULES_NAME, Detectors, load_rules
from levo.satellite.learn.sensors import (
    Run,
    SensorReport,
    follow_sensor,
    merge_sensor,
    read_metrics,
    read_senders,
    runs_before,
)
from levo.satellite.learn.state import (
    DEFAULT_SETTINGS,
    BodyBudget,
    EndpointFacts,
    EndpointKey,
    LearnSettings,
    Scope,
    State,
    absorb,
    learn,
    learn_all,
    learn_sensor,
    merge,
)
from levo.satellite.learn.template import path_template
from levo.satellite.learn.trace import Origin, Trace, read_delivery

__all__ = [
    "DEFAULT_SETTINGS",
    "RULES_NAME",
    "Application",
    "Assignment",
    "BodyBudget",
    "Callers",
    "Detectors",
    "EndpointFacts",
    "EndpointKey",
    "Knowledge",
    "LearnSettings",
    "NameRule",
    "Origin",
    "Override",
    "PathState",
    "Proven",
    "RecentDeliveries",
    "Run",
    "Scope",
    "SensorReport",
    "State",
    "TemplateDecision",
    "Trace",
    "absorb",
    "decide_templates",
    "follow_sensor",
    "learn",
    "learn_all",
    "learn_sensor",
    "load_rules",
    "merge",
    "merge_sensor",
    "path_template",
    "proven_within",
    "read_delivery",
    "read_metrics",
    "read_senders",
    "runs_before",
    "undecided",
]
