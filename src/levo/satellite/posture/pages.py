"""The documentation of the rules, out of the rule table."""

# ruff: noqa: E501 (a row of a table is one line, and Markdown has longer lines)

from __future__ import annotations

from levo.satellite.posture.model import Authentication, Rule
from levo.satellite.posture.rules import RULES

_OWASP = {
    "API1": "Broken Object Level Authorization",
    "API2": "Broken Authentication",
    "API3": "Broken Object Property Level Authorization",
    "API4": "Unrestricted Resource Consumption",
    "API5": "Broken Function Level Authorization",
    "API6": "Unrestricted Access to Sensitive Business Flows",
    "API7": "Server Side Request Forgery",
    "API8": "Security Misconfiguration",
    "API9": "Improper Inventory Management",
    "API10": "Unsafe Consumption of APIs",
}
_MEANINGS = {
    Authentication.REQUIRED: "every success had a credential, or only refusals without one were seen",
    Authentication.OPTIONAL: "some successes had a credential and some had none",
    Authentication.NONE_SEEN: "no success had a credential, and nothing without one was refused",
    Authentication.NOT_RECOGNIZED: "no success had a credential of a known form, yet some requests were refused:"
    " it may have a form of its own, or stand in the body as at a log-in",
    Authentication.UNKNOWN: "it was never answered with success",
}
_START = """\
# Rules

What the Satellite finds in traffic, and how it decides. A finding says what was *seen*, in counts; it never says more
than the answers show. It holds names and counts, never a value. This page and those of the rules are printed by
`levo satellite rules`.

| rule | what it finds | at most | OWASP API 2023 |
| --- | --- | --- | --- |
"""
_MIDDLE = """
## Who was let in

Of every exchange that arrives, looked into or not, the Satellite counts for each endpoint whether the request had a
credential of a known form (a header such as `Authorization` or `X-API-Key`, a session cookie, a key in the query, a
client's certificate that a proxy passes on), and the class of the answer: 2xx, 3xx, 401 and 403, other 4xx, 5xx. Weights
of a sample count. Only 2xx is success: a redirect to a log-in page is none, nor is a call of gRPC, GraphQL or JSON-RPC
that was answered with an error alone. 304 is in no class. Whether a credential was valid, only the answer tells; so a
session cookie of somebody who is not logged in counts as a credential, and hides what is open to all.

From these counts follows what is said of an endpoint's authentication:

| | |
| --- | --- |
"""
_END = """
## Severity

Severity is what the data or the function is worth, by how well the weakness is proven. *Proven*: the answers show it.
*Likely*: another explanation exists, and the finding names it. *Hint*: a reason to look; a hint is never above info.
Only what is proven can be critical. Where clients were seen and none of them was on the Internet (by its address, or
by the first that a proxy names in `X-Forwarded-For` or `Forwarded`), severity is one step less, except for credentials
in answers.

## Settings

`posture.yaml` in the data directory switches rules off, gives them another severity, and says how many exchanges (or
items, where the rule is about a list) must have shown it:

```yaml
rules:
  AUTH-04: {enabled: false}
  LIM-02: {least: 2000, severity: medium}
```

A hint stays info whatever its severity there says.

## What passive observation cannot see

| question | why it stays open here |
| --- | --- |
| Would a request have been refused that nobody sent? | Nothing is asked; only what callers do is seen. *None seen* is not *not required*. |
| Did a caller get an object of somebody else? | Credentials are masked in the sensor, so it is not known who asked. |
| Is a token signed, does it end? | The same: a masked token shows its length only. |
| Does a server open a URL that it was given? | Its own requests are seen only where a sensor is beside it, too. |
| Does input reach a database or a shell? | Only where an answer shows it. |
| What happens in traffic that is encrypted, or that no sensor sees? | It is counted as encrypted endpoints, or not at all. |
| Is an endpoint weak that only ever failed? | One that was never answered with success is no endpoint of the catalog. |
| Rare properties of messages | Bodies are looked into for the first 256 exchanges of a status and then for a part of them; who was let in is counted for all. |
"""


def index_page() -> str:
    """Return the page about all rules, in Markdown."""
    rows = [
        f"| [{rule.id}]({rule.id}.md) | {rule.title} | {rule.severity} | {', '.join(rule.owasp)} |"
        for rule in RULES
    ]
    meanings = [f"| {value} | {meaning} |" for value, meaning in _MEANINGS.items()]
    return _START + "\n".join(rows) + "\n" + _MIDDLE + "\n".join(meanings) + "\n" + _END


def page_of(rule: Rule) -> str:
    """Return the page about one rule, in Markdown."""
    owasp = [f"{name}:2023 {_OWASP[name]}" for name in rule.owasp]
    cwe = [f"[CWE-{number}](https://cwe.mitre.org/data/definitions/{number}.html)" for number in rule.cwe]
    about = [f"{str(rule.severity).capitalize()} at most", f"class {rule.kind}", *owasp, *cwe]
    parts = [
        f"# {rule.id}: {rule.title}",
        " · ".join(about) + f" · shown by at least {rule.least:,}",
        *(
            part
            for heading, text in (
                ("Condition", rule.condition),
                ("Evidence", rule.evidence),
                ("False alarms", rule.false_alarms),
                ("Remediation", rule.remediation),
                ("How traffic shows the repair", rule.verify),
            )
            for part in (f"## {heading}", text)
        ),
        "[All rules](index.md)",
    ]
    return "\n\n".join(parts) + "\n"
