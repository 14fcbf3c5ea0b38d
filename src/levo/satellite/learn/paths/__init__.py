"""Endpoint discovery: paths in, templates out. Pure, mergeable, bounded; no I/O, no clock.

One ``PathState`` per (organization, environment, application, host)::

    state = PathState()
    key = state.observe("GET", "/users/42/orders", 200, weight=3.0)   # "/users/{integer}/orders", None for
    noise
    state = merge(state, other)                  # any order, any partition: the same bytes
    data = state.to_bytes(); PathState.from_bytes(data)

    catalog = Catalog(state, overrides)          # one decision run, a pure function of its arguments
    catalog.templates                            # list[Template]: path, methods, parameters, evidence, keys
    catalog.assign("/users/77/orders")           # "/users/{}/orders", the id of its template, or None

**How to keep facts.** What is learned about an endpoint (schemas, statistics) must survive a change of mind,
so attach it to the *key* that ``observe`` returns (and the method), never to a template. A key is a place in
the trie before any decision; there is a bounded number of them. When rendering, a template lists its
``keys``: merge the facts of all of them. The trie may have folded rare literals into ``{*}`` since: look
facts up under ``state.canonical(key)``, and re-key what is stored when it differs, which also bounds the
number of facts.

Modules: ``segments`` (one segment: typed value or literal), ``trie`` and ``state`` (what is remembered),
``known`` (overrides and imported templates), ``vocabulary`` (words of APIs), ``features`` and ``model`` (what
speaks for a value), ``decide`` (trie to branches), ``statement`` and ``body_evidence`` (what bodies say),
``forget`` (text of values), ``explain`` (evidence in words), ``templates`` (branches to what is shown; the
matcher).
"""

from __future__ import annotations

from levo.satellite.learn.paths.known import Override
from levo.satellite.learn.paths.state import Key, Noise, PathState, merge
from levo.satellite.learn.paths.templates import (
    Catalog,
    Matcher,
    MethodCounts,
    PathParameter,
    Template,
    templates,
)

__all__ = [
    "Catalog",
    "Key",
    "Matcher",
    "MethodCounts",
    "Noise",
    "Override",
    "PathParameter",
    "PathState",
    "Template",
    "merge",
    "templates",
]
