"""``/api/findings…``: what traffic says about weaknesses, and what people decide about it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.access import Identity, identity_of
from levo.satellite.findings.sarif import sarif_log
from levo.satellite.query import FINDINGS, FilterError, parse
from levo.satellite.query.fields import PROOFS, SEVERITIES
from levo.satellite.rfc3339 import timestamp
from levo.satellite.store.userdata import (
    REASONS,
    SCOPES,
    VERDICTS,
    AuditLog,
    FindingDecision,
    Findings,
    KeptFinding,
    NewDecision,
)
from levo.satellite.web import parameters
from levo.satellite.web.exports import Table, table_response
from levo.satellite.web.forms import Form, field, form_route
from levo.satellite.web.json_body import JsonResponse, count, etagged

FORMATS = (*parameters.FORMATS, "sarif")
MAX_AT_ONCE = 10_000
"""Findings that one decision may be about."""
MAX_SARIF = 25_000
"""Results in one SARIF file, which is made in memory."""
_EXPIRES = re.compile(r"([1-9][0-9]{0,3})d")
_DAY_NS = 86_400 * 10**9


class _FindingName(StringConvertor):
    """A name as ``finding_name`` makes it, so that what stands beside names in a path is never one."""

    regex = "[A-Z2-7]{16}"


register_url_convertor("finding", _FindingName())


def finding_document(each: KeptFinding, now_ns: int) -> dict[str, Any]:
    """One finding as REST shows it in a list."""
    said = orjson.loads(each.document)
    evidence = (said.get("evidence") or [{}])[0]
    state = each.shown_state(now_ns)
    return {
        "id": each.id,
        "severity": SEVERITIES[each.rank],
        "proof": PROOFS[each.proof],
        "rule": each.rule,
        "title": each.title,
        "class": each.kind,
        "owasp": each.owasp.split(",") if each.owasp else [],
        "cwe": each.cwe.split(",") if each.cwe else [],
        "organization": each.organization,
        "environment": each.environment,
        "application": each.application,
        "host": each.host,
        "method": each.method,
        "path": each.path,
        "endpoint": each.endpoint or None,
        "subject": each.subject,
        "text": said.get("text", ""),
        "count": count(each.count),
        "of": count(evidence["of"]) if evidence.get("of") else None,
        "sampled": bool(said.get("sampled")),
        "first_seen": timestamp(each.first_ns),
        "last_seen": timestamp(each.last_ns),
        "exchanges_since": count(max(0.0, each.exchanges - each.grown_exchanges)),
        "state": state,
        "since": timestamp(each.since_ns),
        "expires": timestamp(each.decided_until_ns)
        if state == each.decided and each.decided_until_ns
        else None,
    }


def decision_document(each: FindingDecision) -> dict[str, Any]:
    """One decision about findings as REST shows it."""
    return {
        "id": each.id,
        "time": timestamp(each.time_ns),
        "by": each.actor,
        "verdict": each.verdict,
        "scope": each.scope,
        "reason": each.reason,
        "note": each.note,
        "ticket": each.ticket,
        "expires": timestamp(each.expires_ns) if each.expires_ns else None,
    }


def read_decision(form: Form, now_ns: int) -> NewDecision:
    """Return the decision in *form*.

    Raises:
        HTTPException: it is none.
    """
    verdict, scope = form.get("verdict", ""), form.get("scope", "") or "finding"
    reason = form.get("reason", "")
    for name, value, choices in (("verdict", verdict, VERDICTS), ("scope", scope, SCOPES)):
        if value not in choices:
            raise HTTPException(400, f"{name}: must be one of {', '.join(choices)}")
    if reason not in REASONS and not (verdict == "open" and not reason):
        raise HTTPException(400, f"reason: must be one of {', '.join(REASONS)}")
    return NewDecision(
        cast(Any, verdict), cast(Any, scope), reason, field(form, "note", 500, required=False),
        field(form, "ticket", 200, required=False), _expiry(form.get("expires", ""), now_ns),
    )  # fmt: skip


def _expiry(text: str, now_ns: int) -> int:
    if not text:
        return 0
    if days := _EXPIRES.fullmatch(text):
        return now_ns + int(days[1]) * _DAY_NS
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise HTTPException(400, "expires: must be a day such as 2027-01-31, or a time such as 30d") from None
    expires_ns = int(day.timestamp()) * 10**9
    if expires_ns <= now_ns or day.year > 2200:
        raise HTTPException(400, "expires: must be a day to come")
    return expires_ns


def decide(findings: Findings, audit: AuditLog, identity: Identity, form: Form, now_ns: int) -> int:
    """Take the decision in *form* about the finding ``id``, or all that pass ``filter``; return how many.

    Raises:
        HTTPException: it cannot be taken, or there is no such finding.
    """
    what = read_decision(form, now_ns)
    asked, name = form.get("filter", ""), form.get("id", "")
    if bool(asked) == bool(name):
        raise HTTPException(400, "id or filter: one of them says which findings are meant")
    organization = identity.organization
    if name:
        one = findings.get(name, organization)
        if one is None:
            raise HTTPException(404, "no such finding")
        about = [one]
    else:
        try:
            wanted = parse(asked, FINDINGS)
        except FilterError as error:
            raise HTTPException(400, f"filter: {error}") from None
        total, about = findings.page(wanted, organization, limit=MAX_AT_ONCE)
        if total > MAX_AT_ONCE:
            raise HTTPException(400, f"filter: {total:,} findings pass it; at most {MAX_AT_ONCE:,} at once")
    with findings.change():
        for each in about:
            findings.decide(each, what, identity.name, now_ns)
        subject = name or f"filter {asked}"
        detail = " ".join(
            filter(None, (what.scope, what.reason, what.note, what.ticket, form.get("expires", "")))
        )
        audit.record(identity.name, f"finding {what.verdict}", subject, f"{len(about)}: {detail}", now_ns)
    return len(about)


def finding_routes(
    findings: Findings, audit: AuditLog, clock_ns: Callable[[], int] = time.time_ns
) -> list[Route]:
    """Return the routes."""

    def list_findings(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "filter", *parameters.TABLE)
        organization, now_ns = identity_of(request).organization, clock_ns()
        wanted = parameters.expression(query, FINDINGS)
        if query.get("format") == "sarif":
            total, rows = findings.page(wanted, organization, limit=MAX_SARIF)
            if total > MAX_SARIF:
                raise HTTPException(400, f"filter: {total:,} findings; a SARIF file holds {MAX_SARIF:,}")
            return sarif_response(findings, rows, now_ns)

        def everything() -> Iterator[KeptFinding]:
            return findings.each(wanted, organization)

        return table_response(
            request,
            _table(now_ns),
            lambda limit, offset: findings.page(wanted, organization, limit=limit, offset=offset),
            everything,
        )

    def one(request: Request) -> Response:
        parameters.only(request.query_params)
        found = findings.get(request.path_params["name"], identity_of(request).organization)
        if found is None:
            raise HTTPException(404, "no such finding")
        said = orjson.loads(found.document)
        return etagged(
            request,
            {
                **finding_document(found, clock_ns()),
                **{
                    name: said.get(name)
                    for name in ("evidence", "also_at", "why_not", "remediation", "verify")
                },
                "decisions": [decision_document(each) for each in findings.decisions(found)],
                "history": [
                    {"time": timestamp(each.time_ns), "state": each.state, "by": each.actor or None}
                    for each in findings.history(found.id)
                ],
            },
        )

    def take(request: Request, identity: Identity, form: Form) -> Response:
        parameters.only(request.query_params)
        return JsonResponse({"decided": decide(findings, audit, identity, form, clock_ns())}, 201)

    return [
        Route("/api/findings", list_findings, methods=["GET"]),
        form_route("/api/findings/decisions", take, role="editor"),
        Route("/api/findings/{name:finding}", one, methods=["GET"]),
    ]


def sarif_response(findings: Findings, rows: list[KeptFinding], now_ns: int) -> Response:
    """Return *rows* as a file in SARIF."""
    with_decisions = (
        (each, next(iter(findings.decisions(each)), None) if each.decided else None) for each in rows
    )
    return Response(
        orjson.dumps(sarif_log(with_decisions, now_ns), option=orjson.OPT_INDENT_2),
        media_type="application/sarif+json",
        headers={
            "content-disposition": 'attachment; filename="findings.sarif"',
            "cache-control": "no-store",
        },
    )


def _table(now_ns: int) -> Table[KeptFinding]:
    return Table("findings", COLUMNS, lambda each: finding_document(each, now_ns))


COLUMNS = (
    "id", "severity", "proof", "rule", "title", "class", "owasp", "cwe", "organization", "environment",
    "application", "host", "method", "path", "endpoint", "subject", "text", "count", "of", "sampled",
    "first_seen", "last_seen", "exchanges_since", "state", "since", "expires",
)  # fmt: skip
