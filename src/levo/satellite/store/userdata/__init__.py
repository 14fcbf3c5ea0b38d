"""What users decided and set up, one small class a subject, over one database."""

from __future__ import annotations

from levo.satellite.store.userdata.accounts import Account, Accounts
from levo.satellite.store.userdata.alerts import Alert, Alerts, NewAlert
from levo.satellite.store.userdata.audit import AuditEntry, AuditLog
from levo.satellite.store.userdata.database import USERDATA_NAME
from levo.satellite.store.userdata.decisions import Decision, DecisionKind, Decisions, EndpointPlace
from levo.satellite.store.userdata.findings import (
    REASONS,
    SCOPES,
    VERDICTS,
    FindingDecision,
    FindingEvent,
    Findings,
    KeptFinding,
    NewDecision,
    finding_name,
)
from levo.satellite.store.userdata.removals import Removals
from levo.satellite.store.userdata.sessions import Session, Sessions
from levo.satellite.store.userdata.settings import Settings
from levo.satellite.store.userdata.subjects import UserData
from levo.satellite.store.userdata.tokens import Token, Tokens
from levo.satellite.store.userdata.views import SavedView, Views
from levo.satellite.store.userdata.webhooks import Webhook, Webhooks

__all__ = [
    "REASONS",
    "SCOPES",
    "USERDATA_NAME",
    "VERDICTS",
    "Account",
    "Accounts",
    "Alert",
    "Alerts",
    "AuditEntry",
    "AuditLog",
    "Decision",
    "DecisionKind",
    "Decisions",
    "EndpointPlace",
    "FindingDecision",
    "FindingEvent",
    "Findings",
    "KeptFinding",
    "NewAlert",
    "NewDecision",
    "Removals",
    "SavedView",
    "Session",
    "Sessions",
    "Settings",
    "Token",
    "Tokens",
    "UserData",
    "Views",
    "Webhook",
    "Webhooks",
    "finding_name",
]
