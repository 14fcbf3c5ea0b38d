"""Proxy hops: one request that was captured before a proxy and after it, on two connections.

Both exchanges carry the same ``x-request-id`` or ``traceparent``, method and target. Since anybody may send any such
field, more is asked for. The *inner* exchange is a hop of the *outer* one where

* the host that answered the outer one has opened the inner one's connection, to somewhere else;
* it lies within the outer's time: asked after it was asked, answered before it was answered, and over before it is.

They are linked: the one that finishes later names the other. To *merge* them, both responses must have been seen,
with the same status, and the outer exchange must be whole; then only the outer one is reported, and says how many
were merged into it. It takes one inner exchange: of a proxy that tries again, or asks several servers, the others are
reported.

A table remembers finished exchanges for some seconds, MOST_HOPS at most, and where they are merged it holds them as
long. A chain of exchanges with one key is followed over its NEAREST newest entries.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from levo.engine.core.exchange cimport exchange_footprint, exchange_free, section_text
from levo.engine.core.memory cimport take
from levo.engine.core.output cimport Text, equals_lower
from levo.engine.core.state cimport EngineState, is_host
from levo.engine.core.types cimport COMPLETE, DROP_MERGED_HOP, HOP_INNER, HOP_OUTER, Exchange, Hop, Message
from levo.engine.encode.span_identity cimport derive_ids, mix, read_traceparent
from levo.engine.exchange.ready cimport put_ready

cdef enum:
    MOST_HOPS = 4096            # entries; a power of two
    BUCKETS = 8192              # a power of two
    NEAREST = 16
    WAIT_NS = 3_000_000_000     # how long after its end an exchange is remembered
    PARTS = 16                  # of the memory budget that may be held


ctypedef struct Node:
    # A place in the chain of one key. Numbers of nodes, from 1; 0: none.
    uint64_t key
    uint32_t newer
    uint32_t older


ctypedef struct Entry:
    Node nodes[2]               # by request id, by trace parent
    Exchange* held              # where hops are merged, until it is reported
    int64_t until_ns
    int64_t asked_ns
    int64_t answered_ns         # 0: no response
    int64_t end_ns
    int64_t footprint
    uint8_t client[16]          # of the packets, whatever a PROXY header says
    uint8_t server[16]
    uint8_t trace_id[16]
    uint8_t span_id[8]
    uint16_t server_port
    uint16_t status
    uint8_t whole
    uint8_t has_inner


ctypedef struct Hops:
    Entry entries[MOST_HOPS]
    uint32_t buckets[BUCKETS]
    uint32_t first              # the oldest entry
    uint32_t count
    int64_t held_bytes
    uint8_t merge


cdef bint hops_init(EngineState* state, bint merge) noexcept nogil:
    """Link hops from now on, or *merge* them. False when memory is refused."""
    cdef Hops* hops = <Hops*>calloc(1, sizeof(Hops))
    if hops == NULL:
        return False
    hops.merge = merge
    state.hops = hops
    return True


cdef void hops_free(EngineState* state) noexcept nogil:
    """Give back everything. Legal twice."""
    cdef Hops* hops = <Hops*>state.hops
    cdef uint32_t i
    if hops == NULL:
        return
    for i in range(MOST_HOPS):
        exchange_free(&state.budget, hops.entries[i].held)
    free(hops)
    state.hops = NULL


# Keys.

cdef uint64_t hash_text(uint64_t hash, Text text) noexcept nogil:
    cdef uint32_t at = 0
    cdef uint64_t word
    while text.length - at >= 8:
        memcpy(&word, text.data + at, 8)
        hash = mix(hash, word)
        at += 8
    word = text.length
    while at < text.length:
        word = word << 8 | text.data[at]
        at += 1
    return mix(hash, word)


cdef bint find_ids(const Exchange* exchange, Text* ids) noexcept nogil:
    """The values of ``x-request-id`` and ``traceparent``, the first of each; False when it has neither."""
    cdef const Message* request = &exchange.request
    cdef Text name
    cdef uint32_t i, length
    cdef int k
    ids[0].length = ids[1].length = 0
    for i in range(request.head.field_count):
        length = request.head.fields[i].name.length
        if length != 12 and length != 11:
            continue
        k = 0 if length == 12 else 1
        name = section_text(&request.head, request.head.fields[i].name)
        if name.length == length and ids[k].length == 0 and equals_lower(
            name.data, <const uint8_t*>(b"x-request-id" if k == 0 else b"traceparent"), length
        ):
            ids[k] = section_text(&request.head, request.head.fields[i].value)
    return ids[0].length + ids[1].length != 0


cdef void put_keys(const EngineState* state, const Exchange* exchange, const Text* ids, Entry* entry) noexcept nogil:
    cdef uint64_t what = hash_text(state.hash_seed, section_text(&exchange.request.head, exchange.request.method))
    cdef int k
    what = hash_text(what, section_text(&exchange.request.head, exchange.request.target))
    for k in range(2):
        if ids[k].length:
            entry.nodes[k].key = hash_text(what + <uint64_t>k, ids[k]) | 1


cdef void describe(const EngineState* state, const Exchange* exchange, const Text* ids, Entry* entry) noexcept nogil:
    """Fill *entry* with what is known of *exchange*, which has finished."""
    cdef uint8_t parent[8]
    cdef uint8_t flags
    cdef uint8_t trace[16]
    memset(entry, 0, sizeof(Entry))
    put_keys(state, exchange, ids, entry)
    if exchange.proxied:
        memcpy(entry.client, exchange.peer, 16)
    else:
        memcpy(entry.client, exchange.client, 16)
    memcpy(entry.server, exchange.server, 16)
    entry.server_port = exchange.server_port
    entry.asked_ns = entry.end_ns = exchange.request.start_ns
    if exchange.request.end_ns > entry.end_ns:
        entry.end_ns = exchange.request.end_ns
    if exchange.response.present:
        entry.status = exchange.response.status
        entry.answered_ns = exchange.response.start_ns
        if exchange.response.end_ns > entry.end_ns:
            entry.end_ns = exchange.response.end_ns
    entry.whole = exchange.incomplete == COMPLETE
    derive_ids(exchange, entry.trace_id, entry.span_id)
    if ids[1].length and read_traceparent(ids[1], trace, parent, &flags):
        memcpy(entry.trace_id, trace, 16)


# What a hop is.

cdef bint is_loopback(const uint8_t* address) noexcept nogil:
    if memcmp(address, b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f", 13) == 0:
        return True
    return memcmp(address, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0


cdef inline bint is_own(const EngineState* state, const uint8_t* address) noexcept nogil:
    """Whether *address* is this host's, loopback included."""
    return is_loopback(address) or is_host(state, address)


cdef bint same_host(const EngineState* state, const uint8_t* opened_by, const uint8_t* answered_by) noexcept nogil:
    """Whether the host that opened a connection is the one that answered another.

    What is captured on loopback is of the capturing host: in a file, which does not say that host's addresses, it may
    be any.
    """
    if memcmp(opened_by, answered_by, 16) == 0:
        return True
    if state.hosts == NULL:
        return is_loopback(opened_by)
    return is_own(state, opened_by) and is_own(state, answered_by)


cdef bint is_hop(const EngineState* state, const Entry* inner, const Entry* outer) noexcept nogil:
    """Whether *inner* is a hop of *outer*: opened by the host that answers it, and within its time."""
    if inner.asked_ns < outer.asked_ns:
        return False
    # Without a response nobody knows when the outer one was over.
    if outer.answered_ns and (inner.end_ns > outer.end_ns or inner.answered_ns > outer.answered_ns):
        return False
    if inner.server_port == outer.server_port and memcmp(inner.server, outer.server, 16) == 0:
        return False
    return same_host(state, inner.client, outer.server)


cdef inline bint may_merge(const Entry* inner, const Entry* outer) noexcept nogil:
    return inner.answered_ns and outer.answered_ns and inner.status == outer.status and outer.whole and (
        not outer.has_inner
    )


# The table.

cdef inline Entry* entry_of(Hops* hops, uint32_t node) noexcept nogil:
    return &hops.entries[(node - 1) >> 1]


cdef inline Node* node_at(Hops* hops, uint32_t node) noexcept nogil:
    return &hops.entries[(node - 1) >> 1].nodes[(node - 1) & 1]


cdef void enter(Hops* hops, uint32_t index) noexcept nogil:
    """Put an entry in front of the chains of its keys."""
    cdef uint32_t number
    cdef uint32_t* head
    cdef Node* node
    for number in range(2 * index + 1, 2 * index + 3):
        node = node_at(hops, number)
        if node.key == 0:
            continue
        head = &hops.buckets[node.key >> 8 & (BUCKETS - 1)]
        node.newer = 0
        node.older = head[0]
        if head[0]:
            node_at(hops, head[0]).newer = number
        head[0] = number


cdef void leave(Hops* hops, uint32_t index) noexcept nogil:
    cdef uint32_t number
    cdef Node* node
    for number in range(2 * index + 1, 2 * index + 3):
        node = node_at(hops, number)
        if node.key == 0:
            continue
        if node.newer:
            node_at(hops, node.newer).older = node.older
        else:
            hops.buckets[node.key >> 8 & (BUCKETS - 1)] = node.older
        if node.older:
            node_at(hops, node.older).newer = node.newer
        node.key = 0


cdef void release(EngineState* state, Hops* hops, Entry* entry) noexcept nogil:
    """Report what *entry* holds."""
    cdef Exchange* exchange = entry.held
    if exchange == NULL:
        return
    entry.held = NULL
    hops.held_bytes -= entry.footprint
    state.stats.exchanges_open -= 1
    put_ready(state, exchange)


cdef void drop_oldest(EngineState* state, Hops* hops) noexcept nogil:
    release(state, hops, &hops.entries[hops.first])
    leave(hops, hops.first)
    hops.first = (hops.first + 1) & (MOST_HOPS - 1)
    hops.count -= 1


cdef void hops_tick(EngineState* state) noexcept nogil:
    """Forget, and report, what has waited long enough."""
    cdef Hops* hops = <Hops*>state.hops
    while hops.count and hops.entries[hops.first].until_ns <= state.elapsed_ns:
        drop_oldest(state, hops)


cdef void hops_finish(EngineState* state) noexcept nogil:
    """The capture has ended: report everything. Legal twice."""
    cdef Hops* hops = <Hops*>state.hops
    while hops != NULL and hops.count:
        drop_oldest(state, hops)


# Links and mergers.

cdef Hop* hop_of(EngineState* state, Exchange* exchange) noexcept nogil:
    """What *exchange* says of other hops; NULL when memory is refused."""
    if exchange.hop == NULL:
        exchange.hop = <Hop*>take(&state.budget, sizeof(Hop))
        if exchange.hop != NULL:
            memset(exchange.hop, 0, sizeof(Hop))
    return exchange.hop


cdef void link(EngineState* state, Exchange* exchange, const Entry* other, uint8_t side) noexcept nogil:
    cdef Hop* hop = hop_of(state, exchange)
    if hop == NULL or hop.side:
        return
    memcpy(hop.trace_id, other.trace_id, 16)
    memcpy(hop.span_id, other.span_id, 8)
    hop.side = side
    state.stats.hops_linked += 1


cdef bint merge(EngineState* state, Exchange* inner, Exchange* outer, Entry* into) noexcept nogil:
    """Count *inner*, which is open, as merged into *outer*. False when memory is refused."""
    cdef Hop* hop = hop_of(state, outer)
    if hop == NULL:
        return False
    hop.merged += 1
    if inner.hop != NULL and hop.merged <= 255 - inner.hop.merged:
        hop.merged += inner.hop.merged
    into.has_inner = 1
    state.stats.exchanges_open -= 1
    state.stats.exchanges_dropped[<int>DROP_MERGED_HOP] += 1
    exchange_free(&state.budget, inner)
    return True


cdef Entry* look(EngineState* state, Hops* hops, const Entry* fresh, bint inward, bint merging) noexcept nogil:
    """The newest entry that *fresh* is the outer exchange of (*inward*), or else the inner one; NULL: there is none.

    *merging*: one that is held, and may be merged.
    """
    cdef uint32_t number
    cdef int steps
    cdef Entry* other
    cdef bint found
    cdef int k
    for k in range(2):
        if fresh.nodes[k].key == 0:
            continue
        number = hops.buckets[fresh.nodes[k].key >> 8 & (BUCKETS - 1)]
        steps = 0
        while number and steps < NEAREST:
            other = entry_of(hops, number)
            if node_at(hops, number).key == fresh.nodes[k].key:
                if inward:
                    found = is_hop(state, other, fresh) and (not merging or may_merge(other, fresh))
                else:
                    found = is_hop(state, fresh, other) and (not merging or may_merge(fresh, other))
                if found and (other.held != NULL or not merging):
                    return other
            number = node_at(hops, number).older
            steps += 1
    return NULL


cdef bint merge_fresh(EngineState* state, Hops* hops, Exchange* exchange, Entry* fresh) noexcept nogil:
    """Merge *exchange* with what is held; True where it was the inner one, and is gone."""
    cdef Entry* other = look(state, hops, fresh, True, True)
    cdef Exchange* inner
    if other != NULL:
        inner = other.held
        if merge(state, inner, exchange, fresh):
            hops.held_bytes -= other.footprint
            other.held = NULL
            leave(hops, <uint32_t>(other - &hops.entries[0]))
    other = look(state, hops, fresh, False, True)
    return other != NULL and merge(state, exchange, other.held, other)


cdef void link_fresh(EngineState* state, Hops* hops, Exchange* exchange, const Entry* fresh) noexcept nogil:
    cdef Entry* other = look(state, hops, fresh, True, False)
    cdef uint8_t side = HOP_OUTER
    if other == NULL:
        other = look(state, hops, fresh, False, False)
        side = HOP_INNER
    if other != NULL:
        link(state, exchange, other, side)


cdef bint hops_take(EngineState* state, Exchange* exchange) noexcept nogil:
    """*exchange* has finished and is open still. True: it is held, or was merged; the caller lets go of it."""
    cdef Hops* hops = <Hops*>state.hops
    cdef Text ids[2]
    cdef Entry fresh
    cdef uint32_t index
    if not exchange.request.present or not find_ids(exchange, ids):
        return False
    describe(state, exchange, ids, &fresh)
    if hops.merge and merge_fresh(state, hops, exchange, &fresh):
        return True
    link_fresh(state, hops, exchange, &fresh)
    fresh.until_ns = state.elapsed_ns + WAIT_NS
    if hops.merge:
        fresh.held = exchange
        fresh.footprint = exchange_footprint(exchange)
        hops.held_bytes += fresh.footprint
    while hops.count and (hops.count == MOST_HOPS or hops.held_bytes > state.budget.limit // PARTS):
        state.stats.hops_hurried += hops.entries[hops.first].until_ns > state.elapsed_ns
        drop_oldest(state, hops)
    index = (hops.first + hops.count) & (MOST_HOPS - 1)
    hops.entries[index] = fresh
    hops.count += 1
    enter(hops, index)
    return hops.merge
