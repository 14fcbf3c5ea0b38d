"""A description beside traffic: for each statement whether traffic agrees, contradicts it, or did not come.

Traffic is compared by containment: what was seen must be among what is described. It can contradict a
statement and it can agree with one, never prove that less would do: a property that always came may still be
optional. What the catalog does not keep (values, so also patterns and exact bounds) is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from levo.satellite.learn.knowledge import UNKNOWN_CODE
from levo.satellite.learn.schema import Knowledge
from levo.satellite.openapi.comparison.credentials import unauthorized
from levo.satellite.openapi.comparison.description import (
    Described,
    Description,
    Document,
    status_is_default,
)
from levo.satellite.openapi.comparison.matching import Matched, Matching
from levo.satellite.openapi.comparison.messages import BodyJudge, ParameterJudge
from levo.satellite.openapi.comparison.statement import Answer, Spot, Statement
from levo.satellite.openapi.comparison.values import Reader
from levo.satellite.openapi.operation import Operation


@dataclass(frozen=True, slots=True)
class Coverage:
    """A description compared with traffic. Endpoints are (method, path)."""

    shadow: tuple[tuple[str, str], ...]
    """Called, not described."""
    unused: tuple[tuple[str, str], ...]
    """Described, not called as far as the paths were told apart (``ambiguous``)."""
    deprecated_but_called: tuple[tuple[str, str], ...]
    statements: tuple[Statement, ...]
    """What the description says of called operations, each with its answer."""
    undescribed: tuple[Statement, ...] = ()
    """What was seen and neither described nor excluded: properties, parameters, servers."""
    ambiguous: tuple[tuple[str, str], ...] = ()
    """Called, and learned with too little detail to say which of several described endpoints it was."""

    @property
    def drift(self) -> tuple[Statement, ...]:
        """What differs from the description: what contradicts it, then what it does not mention."""
        return (*(each for each in self.statements if each.answer is Answer.CONTRADICTED), *self.undescribed)

    def count(self, answer: Answer) -> int:
        """Return how many statements have *answer*."""
        return sum(each.answer is answer for each in self.statements)


def compare(description: Document, learned: Iterable[Operation]) -> Coverage:
    """Compare *description*, an OpenAPI document, with what was learned of the same application."""
    read = Description(description)
    matching = Matching(read, list(learned))
    judge = _Judge(read)
    for found in matching.servers:
        judge.server(*found)
    for matched in matching.matched:
        judge.operation(matched)
    return Coverage(
        tuple(sorted(matching.shadow)),
        tuple(sorted((each.method, each.path) for each in matching.unused)),
        tuple(
            sorted(
                (each.described.method, each.described.path)
                for each in matching.matched
                if each.described.deprecated
            )
        ),
        tuple(sorted(judge.statements)),
        tuple(sorted(judge.undescribed)),
        tuple(sorted(matching.ambiguous)),
    )


class _Judge:
    """Answers the statements of a description."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._reader = Reader(description)
        self.statements: list[Statement] = []
        self.undescribed: list[Statement] = []

    def server(self, kind: str, detail: str, count: int) -> None:
        """Note that requests went somewhere else than the description says."""
        spot = Spot("*", "*", "servers")
        if kind == "server path":
            self.statements.append(spot.say(kind, Answer.CONTRADICTED, count, detail))
        else:
            self.undescribed.append(spot.seen(count, detail))

    def operation(self, matched: Matched) -> None:
        """Answer what is said of one operation that was called."""
        described, known = matched.described, matched.knowledge
        spot = Spot(described.method, described.path, "operation")
        self.statements.append(spot.say("operation", Answer.AGREES, matched.count))
        self._parameters(described, matched)
        self._request(described, known)
        self._responses(described, known)
        self._security(described, known)

    def _parameters(self, described: Described, matched: Matched) -> None:
        judge = ParameterJudge(self._reader, self._description, self.statements, self.undescribed)
        judge.judge(described, matched)

    def _request(self, described: Described, known: Knowledge) -> None:
        body = self._description.resolve(described.operation.get("requestBody"))
        spot = Spot(described.method, described.path, "request")
        seen = sum(each.seen for each in known.bodies.values())
        if not body:
            if seen:
                self.undescribed.append(spot.seen(seen))
            return
        if body.get("required") is True:
            missing = known.heads - seen
            self._say(spot, "required", known.heads, missing > 0, f"missing in {missing} of {known.heads}")
        self._contents(spot, self._description.content(body), known.bodies, response=False)

    def _responses(self, described: Described, known: Knowledge) -> None:
        responses = self._description.responses(described)
        counted: dict[str, int] = dict.fromkeys(responses, 0)
        for status, response in sorted(known.responses.items()):
            key = _response_key(status, responses)
            spot = Spot(described.method, described.path, f"response {status}")
            if key is None:
                if responses and status != UNKNOWN_CODE:
                    self.statements.append(
                        spot.say("status", Answer.CONTRADICTED, response.seen, "not described")
                    )
                continue
            counted[key] += response.seen
            self._headers(spot, responses[key], response)
            self._contents(spot, self._description.content(responses[key]), response.bodies, response=True)
        for key, count in sorted(counted.items()):
            spot = Spot(described.method, described.path, f"response {key}")
            self.statements.append(spot.say("status", Answer.AGREES if count else Answer.UNSEEN, count))

    def _headers(self, spot: Spot, described: Mapping[str, Any], response: Any) -> None:
        whole = max(response.headers.objects, sum(each.seen for each in response.bodies.values()))
        judge = ParameterJudge(self._reader, self._description, self.statements, self.undescribed)
        for name, header in sorted(self._description.headers(described).items()):
            judge.header(spot.inside(f"header {name}"), name, header, response.headers, whole)

    def _contents(
        self,
        spot: Spot,
        described: Mapping[str, Mapping[str, Any]],
        bodies: Mapping[str, Any],
        *,
        response: bool,
    ) -> None:
        counted: dict[str, int] = dict.fromkeys(described, 0)
        for media, body in sorted(bodies.items()):
            here = spot.inside(media)
            if media == "*/*":
                continue
            key = _media_key(media, described)
            if key is None:
                if described or response:
                    self.statements.append(
                        here.say("media type", Answer.CONTRADICTED, body.seen, "not described")
                    )
                continue
            counted[key] += body.seen
            BodyJudge(self._reader, self.statements, self.undescribed, response=response).judge(
                here, media, described[key], body
            )
        for key, count in sorted(counted.items()):
            answer = Answer.AGREES if count else Answer.UNSEEN
            self.statements.append(spot.inside(key).say("media type", answer, count))

    def _security(self, described: Described, known: Knowledge) -> None:
        if not all(described.security):
            return  # anonymous requests are allowed
        spot = Spot(described.method, described.path, "security")
        wrong = unauthorized(described, self._description, known)
        total = sum(known.auth.values())
        if total:
            names = " or ".join("+".join(sorted(each)) for each in described.security)
            self._say(
                spot, "security", total, bool(wrong), f"{', '.join(wrong)} succeeded, {names} described"
            )
        else:
            self.statements.append(spot.say("security", Answer.UNSEEN, 0))

    def _say(self, spot: Spot, kind: str, count: int, contradicted: bool, detail: str) -> None:
        answer = Answer.CONTRADICTED if contradicted else Answer.AGREES if count else Answer.UNSEEN
        self.statements.append(spot.say(kind, answer, count, detail if contradicted else ""))


def _response_key(status: str, responses: Mapping[str, Any]) -> str | None:
    """Return the key that describes *status*: itself, its class, or the default."""
    for key in (status, f"{status[:1]}XX"):
        if key in responses:
            return key
    return next((key for key in responses if status_is_default(key)), None)


def _media_key(media: str, described: Mapping[str, Any]) -> str | None:
    """Return the key that describes *media*: itself, the range of its kind, or any."""
    kind = media.partition("/")[0]
    return next((key for key in (media, f"{kind}/*", "*/*") if key in described), None)
