"""What is known of the messages of one place: parameters, bodies, authentication. Mergeable.

How messages are learned from is in ``learn/knowledge.py``, how this is stored in ``packing.pyx``.
"""

cimport cython
import zlib
from functools import lru_cache

from levo.satellite.learn.schema.names import MARK
from levo.satellite.learn.schema.node import made
from levo.satellite.learn.schema.standard import STANDARD_NAMES

from levo.satellite.learn.schema.merging cimport absorb_node, rename_node, renamed, reveal_node
from levo.satellite.learn.schema.node cimport add_counts, levo_sum, new_node, shown, values_of

MAX_MEDIA_TYPES = 8
MAX_AUTH_SETS = 24
MATRIX = ";"
"""Stands before the position of a path segment whose parameters are known: ``/cars;color=red``."""
OTHER_MEDIA = "*/*"
"""Stands for the media types beyond :data:`MAX_MEDIA_TYPES`."""
_COMMON_MEDIA = frozenset(
    [
        "application/json",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "text/plain",
        "text/html",
    ]
)
cdef Py_ssize_t _MOST_MEDIA = MAX_MEDIA_TYPES, _MOST_AUTH = MAX_AUTH_SETS

_BODY = {"seen": 0, "learned": 0, "schema": Node()}
_RESPONSE = {"seen": 0, "headers": Node(), "bodies": {}}
_KNOWLEDGE = {
    "accepted": 0,
    "query": Node(),
    "headers": Node(),
    "cookies": Node(),
    "segments": {},
    "bodies": {},
    "responses": {},
    "auth": {},
    "refused": 0,
    "skipped": 0,
    "heads_cut": 0,
}
"""The fields in the order of the stored form (``packing.pyx``: add at the end only), with their defaults."""


@cython.final
@cython.no_gc
@cython.freelist(32)
cdef class Body:
    """What is known of the bodies of one media type in one place: ``schema``, of ``learned`` of ``seen``."""

    def __init__(self, int64_t seen=0, int64_t learned=0, Node schema=None):
        self.seen = seen
        self.learned = learned
        if schema is not None:
            self.schema = schema

    def __cinit__(self):
        self.schema = new_node(False)

    def absorb(self, Body other not None):
        """Add *other*, which is not changed."""
        self.take_in(other)

    cdef int take_in(self, Body other) except -1:
        self.seen = levo_sum(self.seen, other.seen)
        self.learned = levo_sum(self.learned, other.learned)
        return absorb_node(self.schema, other.schema)

    def __eq__(self, other):
        return isinstance(other, Body) and values_of(self, _BODY) == values_of(other, _BODY)

    def __repr__(self):
        return shown(self, _BODY)

    def __reduce__(self):
        return made, (Body, values_of(self, _BODY))


@cython.final
@cython.no_gc
@cython.freelist(32)
cdef class Response:
    """Responses with one status code."""

    def __init__(self, int64_t seen=0, Node headers=None, dict bodies=None):
        self.seen = seen
        self._bodies = bodies
        if headers is not None:
            self.headers = headers

    def __cinit__(self):
        self.headers = new_node(False)

    @property
    def bodies(self):
        """By media type."""
        if self._bodies is None:
            self._bodies = {}
        return self._bodies

    @bodies.setter
    def bodies(self, dict value):
        self._bodies = value

    def absorb(self, Response other not None):
        """Add *other*, which is not changed."""
        self.take_in(other)

    cdef int take_in(self, Response other) except -1:
        self.seen = levo_sum(self.seen, other.seen)
        absorb_node(self.headers, other.headers)
        if other._bodies is not None:
            self._bodies = joined_bodies(self._bodies, other._bodies)
        return 0

    def __eq__(self, other):
        return isinstance(other, Response) and values_of(self, _RESPONSE) == values_of(other, _RESPONSE)

    def __repr__(self):
        return shown(self, _RESPONSE)

    def __reduce__(self):
        return made, (Response, values_of(self, _RESPONSE))


@cython.final
@cython.no_gc
@cython.freelist(32)
cdef class Knowledge:
    """Everything learned from the messages of a place."""

    def __init__(
        self,
        int64_t accepted=0,
        Node query=None,
        Node headers=None,
        Node cookies=None,
        dict segments=None,
        dict bodies=None,
        dict responses=None,
        dict auth=None,
        int64_t refused=0,
        int64_t skipped=0,
        int64_t heads_cut=0,
    ):
        self.accepted = accepted
        self.refused = refused
        self.skipped = skipped
        self.heads_cut = heads_cut
        self._segments = segments
        self._bodies = bodies
        self._responses = responses
        self._auth = auth
        if query is not None:
            self.query = query
        if headers is not None:
            self.headers = headers
        if cookies is not None:
            self.cookies = cookies

    def __cinit__(self):
        self.query = new_node(False)
        self.headers = new_node(False)
        self.cookies = new_node(False)

    @property
    def segments(self):
        """Values of path parameters by position, from 0."""
        if self._segments is None:
            self._segments = {}
        return self._segments

    @segments.setter
    def segments(self, dict value):
        self._segments = value

    @property
    def bodies(self):
        """Of requests, by media type."""
        if self._bodies is None:
            self._bodies = {}
        return self._bodies

    @bodies.setter
    def bodies(self, dict value):
        self._bodies = value

    @property
    def responses(self):
        """By status code; ``UNKNOWN_CODE`` for those that have none from 100 to 599."""
        if self._responses is None:
            self._responses = {}
        return self._responses

    @responses.setter
    def responses(self, dict value):
        self._responses = value

    @property
    def auth(self):
        """Successful requests by authentication (``auth.schemes``)."""
        if self._auth is None:
            self._auth = {}
        return self._auth

    @auth.setter
    def auth(self, dict value):
        self._auth = value

    @property
    def heads(self):
        """Accepted requests whose header fields are all known."""
        return self.accepted - self.heads_cut

    def names_all_of(self, Knowledge more not None):
        """Whether all properties, media types, statuses and credentials of *more* are in this, too."""
        return (
            _has_names(self._auth, more._auth)
            and _has_properties(self.query, more.query)
            and _has_bodies(self._bodies, more._bodies)
            and _has_responses(self._responses, more._responses)
        )

    def absorb(self, Knowledge other not None):
        """Add *other*, which is not changed."""
        self.accepted = levo_sum(self.accepted, other.accepted)
        self.refused = levo_sum(self.refused, other.refused)
        self.skipped = levo_sum(self.skipped, other.skipped)
        self.heads_cut = levo_sum(self.heads_cut, other.heads_cut)
        self.unsettled |= other.unsettled
        absorb_node(self.query, other.query)
        absorb_node(self.headers, other.headers)
        absorb_node(self.cookies, other.cookies)
        if other._segments is not None:
            self._absorb_segments(other._segments)
        if other._bodies is not None:
            self._bodies = joined_bodies(self._bodies, other._bodies)
        if other._responses is not None:
            self._absorb_responses(other._responses)
        if other._auth is not None:
            if self._auth is None:
                self._auth = {}
            add_counts(self._auth, other._auth)
            if len(self._auth) > _MOST_AUTH:
                keep_auth_sets(self._auth)

    def settle(self, names not None):
        """Make every name text or mark, as *names* (``naming.Proven``) says it is by now."""
        for node in self._nodes():
            rename_node(<Node?>node, names)
        if self._bodies is not None:
            self._bodies = _renamed_bodies(self._bodies, names.settled)
        if self._responses is not None:
            for response in self._responses.values():
                if (<Response?>response)._bodies is not None:
                    (<Response>response)._bodies = _renamed_bodies((<Response>response)._bodies, names.settled)
        if self._auth is not None:
            self._auth = renamed(self._auth, {scheme: names.settled_scheme(scheme) for scheme in self._auth})

    def reveal(self, names not None):
        """Make text of all names that *names* (``naming.Proven``) knows, and leave out the others.

        Return how many different ones were left out.
        """
        cdef int64_t unnamed = 0
        for found in self._nodes():
            reveal_node(<Node?>found, names)
            for below in (<Node>found).walk():
                unnamed += (<Node?>below).unnamed
        if self._bodies is not None:
            unnamed += _unproven_in(self._bodies, names)
            self._bodies = _renamed_bodies(self._bodies, names.revealed)
        if self._responses is not None:
            for response in self._responses.values():
                if (<Response?>response)._bodies is not None:
                    unnamed += _unproven_in((<Response>response)._bodies, names)
                    (<Response>response)._bodies = _renamed_bodies((<Response>response)._bodies, names.revealed)
        if self._auth is not None:
            self._auth = renamed(self._auth, {scheme: names.revealed_scheme(scheme) for scheme in self._auth})
        return unnamed

    def names(self):
        """Return all names that are text: of properties and parameters, media types, and in authentications."""
        cdef set found = set()
        for root in self._nodes():
            for node in (<Node?>root).walk():
                if (<Node?>node)._children is not None:
                    found.update((<Node>node)._children)
        found.update(self.bodies)
        for response in self.responses.values():
            found.update((<Response?>response).bodies)
        for scheme in self.auth:
            for part in scheme.split("+"):
                kind, _, name = part.partition(":")
                if kind in ("header", "query", "cookie"):
                    found.add(name)
        return {name for name in found if name[:1] != MARK}

    cdef list _nodes(self):
        """Return the roots of all schemas that have names."""
        cdef list found = [self.query, self.headers, self.cookies]
        if self._segments is not None:
            found.extend([node for position, node in self._segments.items() if position[:1] == MATRIX])
        if self._bodies is not None:
            found.extend([(<Body?>body).schema for body in self._bodies.values()])
        if self._responses is not None:
            for response in self._responses.values():
                found.append((<Response?>response).headers)
                if (<Response>response)._bodies is not None:
                    found.extend([(<Body?>body).schema for body in (<Response>response)._bodies.values()])
        return found

    cdef int _absorb_segments(self, dict more) except -1:
        if self._segments is None:
            self._segments = {}
        for position, node in more.items():
            mine = self._segments.get(position)
            if mine is None:
                mine = self._segments[position] = new_node(False)
            absorb_node(<Node?>mine, <Node?>node)
        return 0

    cdef int _absorb_responses(self, dict more) except -1:
        if self._responses is None:
            self._responses = {}
        for status, response in more.items():
            mine = self._responses.get(status)
            if mine is None:
                mine = self._responses[status] = Response.__new__(Response)
            (<Response?>mine).take_in(<Response?>response)
        return 0

    def __eq__(self, other):
        return isinstance(other, Knowledge) and values_of(self, _KNOWLEDGE) == values_of(other, _KNOWLEDGE)

    def __repr__(self):
        return shown(self, _KNOWLEDGE)

    def __reduce__(self):
        return made, (Knowledge, values_of(self, _KNOWLEDGE))


cdef bint _has_names(dict known, dict more) except -1:
    if more is not None:
        for name in more:
            if known is None or name not in known:
                return False
    return True


cdef bint _has_properties(Node known, Node more) except -1:
    if more._children is not None:
        for name, child in more._children.items():
            found = None if known._children is None else known._children.get(name)
            if found is None or not _has_properties(<Node?>found, <Node?>child):
                return False
    return more.items is None or known.items is None or _has_properties(known.items, more.items)


cdef bint _has_bodies(dict known, dict more) except -1:
    if more is not None:
        for media, body in more.items():
            found = None if known is None else known.get(media)
            if found is None or not _has_properties((<Body?>found).schema, (<Body?>body).schema):
                return False
    return True


cdef bint _has_responses(dict known, dict more) except -1:
    if more is not None:
        for status, response in more.items():
            found = None if known is None else known.get(status)
            if found is None or not _has_bodies((<Response?>found)._bodies, (<Response?>response)._bodies):
                return False
    return True


cdef int64_t _unproven_in(dict bodies, object names) except -1:
    return sum([names.revealed(media) is None for media in bodies])


cdef dict _renamed_bodies(dict bodies, object rename):
    """Return *bodies* by what *rename* says that their media types are called; those of None go."""
    cdef dict found = {}
    for media, body in bodies.items():
        media = rename(media)
        if media is None:
            continue
        known = found.get(media)
        if known is None:
            found[media] = body
        else:
            (<Body?>known).take_in(<Body?>body)
    return found


cdef dict joined_bodies(dict bodies, dict more):
    """Add *more* to *bodies*, None while there are none, and return them."""
    if bodies is None:
        bodies = {}
    for media, body in more.items():
        mine = bodies.get(media)
        if mine is None:
            mine = bodies[media] = Body.__new__(Body)
        (<Body?>mine).take_in(<Body?>body)
    if len(bodies) > _MOST_MEDIA:
        join_rare_bodies(bodies)
    return bodies


# What is kept must not depend on what came first: of all that there is, the first in a fixed order. What is
# among the first of all is among the first of any part, so nothing of it was left out before.


def join_rare_bodies(dict bodies not None):
    """Keep the bodies of :data:`MAX_MEDIA_TYPES`, the others as one."""
    named = sorted([media for media in bodies if media != OTHER_MEDIA], key=_media_rank)
    for media in named[MAX_MEDIA_TYPES - 1 :]:
        rare = bodies.pop(media)
        bodies.setdefault(OTHER_MEDIA, Body()).absorb(rare)


def keep_auth_sets(dict auth not None):
    """Keep :data:`MAX_AUTH_SETS`."""
    for scheme in sorted(auth, key=_auth_rank)[MAX_AUTH_SETS:]:
        del auth[scheme]


@lru_cache(maxsize=1024)
def _media_rank(media):
    """Types that everybody uses come first, and unproven ones last."""
    if media in _COMMON_MEDIA:
        group = 0
    elif media in STANDARD_NAMES:
        group = 1
    else:
        group = 3 if media[:1] == MARK else 2
    return (group, zlib.crc32(media.encode()), media)


@lru_cache(maxsize=1024)
def _auth_rank(scheme):
    """Schemes whose names a client cannot choose come first."""
    return (sum([":" in part for part in scheme.split("+")]), zlib.crc32(scheme.encode()), scheme)
