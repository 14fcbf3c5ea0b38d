"""Pages about weaknesses: what traffic shows, grouped by rule, and one finding."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from levo.satellite.access import Identity, identity_of
from levo.satellite.posture import RULES
from levo.satellite.query import EVERYTHING, FINDINGS, Expression, parse
from levo.satellite.query.expression import Term, all_of
from levo.satellite.query.fields import PROOFS, SEVERITIES
from levo.satellite.store.userdata import REASONS, AuditLog, Findings, KeptFinding
from levo.satellite.web import parameters
from levo.satellite.web.catalogs import CatalogPages, Catalogs
from levo.satellite.web.forms import Form, back, form_route, html_or_json
from levo.satellite.web.render import Renderer, link
from levo.satellite.web.rest_findings import decide

ROWS = 100
"""Of one rule on a page …"""
FEW_ROWS = 5
"""… and of each where there are several."""
MAX_FIRST = 5
TABS = {
    "open": ("Open", "state:open,reopened,unobserved -proof:hint"),
    "accepted": ("Accepted", "state:accepted,false-positive"),
    "fixed": ("Fixed", "state:fixed"),
    "hints": ("Hints", "state:open,reopened,unobserved proof:hint"),
}
"""Of the page: what each is called, and which findings are in it."""
_EXPRESSIONS = {name: parse(text, FINDINGS) for name, (_, text) in TABS.items()}
_FIRST = parse("state:open,reopened -proof:hint class:security severity>=low", FINDINGS)
_RULES = {rule.id: rule for rule in RULES}


class Group(NamedTuple):
    """The findings of one rule."""

    rule: str
    title: str
    severity: str
    """The greatest."""
    total: int
    filter: str
    """What finds them, of all tabs."""
    rows: list[KeptFinding]


class PosturePages(CatalogPages):
    """The page of all findings, and that of one."""

    def __init__(self, catalogs: Catalogs, findings: Findings, audit: AuditLog, renderer: Renderer) -> None:
        super().__init__(catalogs, renderer)
        self._findings = findings
        self._audit = audit

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            self._live("/posture", self._posture),
            form_route("/posture/decide", self._decide, role="editor"),
            self._live("/posture/{name}", self._finding),
        ]

    def _posture(self, request: Request) -> Response:
        query = request.query_params
        parameters.only(query, "tab", "filter", "offset", "said")
        organization = identity_of(request).organization
        tab = parameters.choice(query, "tab", tuple(TABS))
        box, wrong = parameters.filter_box(query, FINDINGS)
        asked = EVERYTHING if wrong else parameters.expression(query, FINDINGS)
        wanted = all_of([_EXPRESSIONS[tab], asked])
        offset = parameters.number(query, "offset", 0, parameters.MAX_OFFSET)
        counts = {
            name: self._findings.count(all_of([tabbed, asked]), organization)
            for name, tabbed in _EXPRESSIONS.items()
        }
        kept = {name: query[name] for name in ("tab", "filter") if query.get(name)}
        return self._renderer.page(
            request,
            "posture.html",
            tabs={name: title for name, (title, _) in TABS.items()},
            tab=tab,
            counts=counts,
            groups=[] if wrong else self._groups(wanted, asked, organization, offset),
            box=box,
            wrong=wrong,
            kept=kept,
            bulk=str(wanted),
            offset=offset,
            step=ROWS,
            now_ns=self._renderer.clock_ns(),
            severities=SEVERITIES,
            reasons=REASONS,
            here="/posture" + link(kept),
            link=lambda **changes: link(kept, **changes),
        )

    def _groups(self, wanted: Expression, asked: Expression, organization: str, offset: int) -> list[Group]:
        found = self._findings.by_rule(wanted, organization)
        most = ROWS if len(found) == 1 else FEW_ROWS
        groups = []
        for rule, title, rank, total in found:
            term = Term("rule", ":", (rule,))
            of_rule = all_of([wanted, term])
            start = offset if len(found) == 1 else 0
            rows = self._findings.some(of_rule, organization, limit=most, offset=start)
            only = asked if len(found) == 1 else all_of([asked, term])
            groups.append(Group(rule, title, SEVERITIES[rank], total, str(only), rows))
        return groups

    def _finding(self, request: Request) -> Response:
        parameters.only(request.query_params, "said")
        found = self._findings.get(request.path_params["name"], identity_of(request).organization)
        if found is None:
            raise HTTPException(404, "no such finding")
        rule = _RULES.get(found.rule)
        return self._renderer.page(
            request,
            "finding.html",
            each=found,
            said_of=orjson.loads(found.document),
            state=found.shown_state(self._renderer.clock_ns()),
            severity=SEVERITIES[found.rank],
            proof=PROOFS[found.proof],
            rule=rule,
            decisions=self._findings.decisions(found),
            history=self._findings.history(found.id),
            reasons=REASONS,
            here=f"/posture/{found.id}",
        )

    def _decide(self, request: Request, identity: Identity, form: Form) -> Response:
        decided = decide(self._findings, self._audit, identity, form, self._renderer.clock_ns())
        return html_or_json(request, back(form, "/posture", "saved"), {"decided": decided})


def look_at_first(findings: Findings, organization: str) -> tuple[int, list[KeptFinding]]:
    """Return how many findings are worth a look, and the few to look at first."""
    return findings.page(_FIRST, organization, limit=MAX_FIRST)


def open_findings_of(findings: Findings, endpoint: int, now_ns: int) -> list[KeptFinding]:
    """Return the findings about one endpoint that are not over, nor decided about."""
    return [
        each
        for each in findings.of_endpoint(endpoint)
        if each.shown_state(now_ns) in ("open", "reopened", "unobserved")
    ]
