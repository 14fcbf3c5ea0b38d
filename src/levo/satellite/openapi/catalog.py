"""A learned state as operations: the places that belong to one template, joined."""

from __future__ import annotations

from collections.abc import Sequence

from levo.satellite.learn import EndpointFacts, Proven, State, decide_templates, proven_within
from levo.satellite.learn.paths.known import Override
from levo.satellite.learn.paths.operation_names import is_unproven, settle_place
from levo.satellite.learn.trace import schemes_of, status_name
from levo.satellite.openapi.operation import Operation


def operations_of(state: State, overrides: Sequence[Override] = ()) -> list[Operation]:
    """Return the operations that *state* teaches; what nothing has proven to exist is left out.

    *overrides*: templates that are given, as those of a description.
    """
    decisions = {scope: decide_templates(paths, overrides) for scope, paths in state.paths.items()}
    joined: dict[tuple[str, str, str], tuple[float, EndpointFacts]] = {}
    named: dict[tuple[str, str, str], Proven] = {}
    unnamed: dict[tuple[str, str, str], int] = {}
    proven = {application: proven_within(names) for application, names in state.names.items()}
    for key, facts in state.endpoints.items():
        assignment = decisions[key.scope].assign(key.place, key.method, state.paths[key.scope])
        if assignment is None:
            continue
        name = (key.host, key.method, assignment.path)
        names = proven.get(key.scope.application_key)
        if names is not None:
            if is_unproven(settle_place(key.place, names.settled)):
                continue
            named[name] = names
        _, known = joined.setdefault(name, (assignment.confidence, EndpointFacts()))
        known.add(facts)
    for name, names in named.items():
        _, known = joined[name]
        known.knowledge.settle(names)
        unnamed[name] = known.knowledge.reveal(names)
    return [
        Operation(
            method,
            path,
            host,
            facts.knowledge,
            facts.exchanges,
            {status_name(status): count for status, count in sorted(facts.statuses.items())},
            facts.first_seen_ns,
            facts.last_seen_ns,
            confidence,
            schemes_of(facts.schemes),
            unnamed.get((host, method, path), 0),
        )
        for (host, method, path), (confidence, facts) in sorted(joined.items())
    ]
