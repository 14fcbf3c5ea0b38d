"""Which exchanges become traces: the user's rules, then a fair share of a budget of traces per minute.

The decision falls at the request head, before a body is kept. The budget is a hard bound over any
sliding minute: a ring remembers when the latest traces were kept. Below it, endpoints (method, host and
path with its variable segments collapsed) share max-min fairly: every second the largest share *s* is
found for which ``sum(min(rate, s))`` fits the budget, so a rare endpoint is kept whole and a hot one is
thinned to *s* traces a minute, evenly in time. An endpoint without a trace in the last minute has
precedence and may use the part of the budget that the others leave.

A kept trace weighs as many requests as its endpoint had since its last one, so weights add up to true
counts whatever was thinned. A status class that an endpoint has not shown yet is worth a trace of its
own: its exchange is taken back in at the response head, then without what was already let go.
"""

from libc.math cimport exp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from levo.engine.core.exchange cimport Facts, section_find, section_text, target_facts
from levo.engine.core.output cimport Text, load64
from levo.engine.core.state cimport EngineState
from levo.engine.core.times cimport MINUTE_NS, SECOND_NS
from levo.engine.core.types cimport COMPLETE, DROP_NONE, DROP_OWN_EXPORT, UNSAMPLED_BODY, Exchange

cdef enum:
    FIRST_TABLE = 128           # entries of the table of endpoints; it doubles whenever it is three quarters full
    LAST_TABLE = 8192           # ... up to this; further endpoints share a single entry
    MOST_SLOTS = 262144
    OVERFLOW_KEY = 1
    VARIABLE = -1               # no segment is so long

cdef double EVEN = 0.93         # of the budget, spread over the endpoints' shares
cdef double ORDINARY = 0.97     # of the budget, at most, before only precedence counts
cdef double CAREFREE = 0.1      # of the budget: as long as no more is used up, a few requests in a second are no rate
cdef double MEMORY_NS = 10e9    # time constant of the smoothed rates


cdef bint sampler_init(Sampler* sampler, double per_minute, double cap) noexcept nogil:
    """*per_minute* traces at most (0: no limit); *cap* of one endpoint per minute (< 0: none)."""
    memset(sampler, 0, sizeof(Sampler))
    sampler.endpoints = <Endpoint*>calloc(FIRST_TABLE, sizeof(Endpoint))
    if sampler.endpoints == NULL:
        return False
    sampler.table = FIRST_TABLE
    sampler_set_rate(sampler, per_minute, cap)
    return per_minute <= 0 or sampler.kept_times != NULL


cdef void sampler_set_rate(Sampler* sampler, double per_minute, double cap) noexcept nogil:
    """Change the budget; the minute that is under way starts afresh."""
    cdef uint32_t capacity
    free(sampler.kept_times)
    sampler.kept_times = NULL
    sampler.ring_head = sampler.ring_used = 0
    sampler.per_minute = per_minute
    sampler.cap = cap
    sampler.share = -1.0
    sampler.first_ns = 0
    sampler.window_ns = MINUTE_NS
    if per_minute <= 0:
        return
    if per_minute < 1:
        sampler.window_ns = <int64_t>(MINUTE_NS / per_minute)
        per_minute = 1
    capacity = MOST_SLOTS if per_minute > MOST_SLOTS else <uint32_t>per_minute
    if per_minute > MOST_SLOTS:
        # The same rate over a shorter window: stricter, never laxer.
        sampler.window_ns = <int64_t>(MINUTE_NS * (MOST_SLOTS / per_minute)) + 1
    sampler.kept_times = <int64_t*>calloc(capacity, sizeof(int64_t))
    sampler.capacity = capacity if sampler.kept_times != NULL else 0


cdef void sampler_free(Sampler* sampler) noexcept nogil:
    free(sampler.endpoints)
    free(sampler.kept_times)
    sampler.endpoints = NULL
    sampler.kept_times = NULL


cdef extern from "levo/engine/exchange/sampling.h":
    const unsigned char[256] levo_segment_octet
    uint64_t few_octets "levo_few_octets"(const uint8_t* data, uint32_t length) nogil


cdef inline uint64_t mix(uint64_t hash, uint64_t word) noexcept nogil:
    # The multiplication carries upwards only; the shift brings what it made of the high octets down.
    hash = (hash ^ word) * <uint64_t>0x9E3779B97F4A7C15
    return hash ^ hash >> 29


cdef inline uint64_t add_text(uint64_t hash, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef uint32_t left = length
    hash = mix(hash, length)
    while left >= 8:
        hash = mix(hash, load64(data + length - left))
        left -= 8
    if left == 0:
        return hash
    return mix(hash, load64(data + length - 8) if length >= 8 else few_octets(data, length))


cdef inline bint is_variable(uint32_t length, uint32_t digits) noexcept nogil:
    """Whether a path segment is more likely a value than a name: numbers, UUIDs, hashes, addresses."""
    return length > 32 or digits >= 3 or (digits == length and length > 0)


cdef uint64_t endpoint_key(const Facts* facts) noexcept nogil:
    """A number for method, host and path, the same for all values of a variable segment."""
    cdef uint64_t hash = <uint64_t>0xcbf29ce484222325
    cdef const uint8_t* path = facts.path.data
    cdef uint32_t length = facts.path.length
    cdef uint32_t at = 0
    cdef uint32_t start, digits
    cdef int depth = 0
    hash = add_text(hash, facts.method.data, facts.method.length)
    hash = add_text(hash, facts.host.data, facts.host.length)
    while at < length and depth < 16:
        start = at
        digits = 0
        while at < length and path[at] != 47:
            digits += levo_segment_octet[path[at]]
            at += 1
        if is_variable(at - start, digits):
            hash = mix(hash, VARIABLE)
        else:
            hash = add_text(hash, path + start, at - start)
        at += 1
        depth += 1
    return hash if hash > OVERFLOW_KEY else OVERFLOW_KEY + 1


cdef inline bint is_full(const Sampler* sampler) noexcept nogil:
    return sampler.endpoint_count >= sampler.table // 4 * 3


cdef Endpoint* find(Sampler* sampler, uint64_t key) noexcept nogil:
    """The entry of *key*, made when it is new; the common one where there is no room. Moves the others."""
    cdef uint32_t at = <uint32_t>(key ^ (key >> 32)) & (sampler.table - 1)
    while sampler.endpoints[at].key != 0 and sampler.endpoints[at].key != key:
        at = (at + 1) & (sampler.table - 1)
    if sampler.endpoints[at].key == 0:
        if is_full(sampler) and key != OVERFLOW_KEY:
            if sampler.table < LAST_TABLE and rebuild(sampler, 2 * sampler.table, 0):
                return find(sampler, key)
            return find(sampler, OVERFLOW_KEY)
        sampler.endpoints[at].key = key
        sampler.endpoint_count += 1
    return &sampler.endpoints[at]


cdef bint rebuild(Sampler* sampler, uint32_t size, int64_t idle_before_ns) noexcept nogil:
    """A table of *size* entries, without those last kept before a time. False, and unchanged, without memory."""
    cdef uint32_t i, at
    cdef Endpoint* old = sampler.endpoints
    cdef Endpoint* fresh = <Endpoint*>calloc(size, sizeof(Endpoint))
    if fresh == NULL:
        return False
    sampler.endpoint_count = 0
    for i in range(sampler.table):
        if old[i].key == 0 or (
            old[i].waiting == 0 and old[i].recent == 0 and old[i].kept_ns < idle_before_ns
        ):
            continue
        at = <uint32_t>(old[i].key ^ (old[i].key >> 32)) & (size - 1)
        while fresh[at].key != 0:
            at = (at + 1) & (size - 1)
        fresh[at] = old[i]
        sampler.endpoint_count += 1
    sampler.endpoints = fresh
    sampler.table = size
    free(old)
    return True


cdef void review(Sampler* sampler, int64_t now_ns) noexcept nogil:
    """Bring the rates up to date and find the fair share they leave."""
    cdef int64_t passed = now_ns - sampler.reviewed_ns
    cdef double minutes, fresh, keep, total, low, high, middle, room
    cdef uint32_t i
    cdef int _step
    cdef uint64_t recent = 0
    cdef Endpoint* endpoint
    if passed <= 0:
        return
    if sampler.table == LAST_TABLE and is_full(sampler):
        # Too many endpoints: those that have not been asked for in a while go.
        rebuild(sampler, LAST_TABLE, now_ns - 2 * MINUTE_NS)
    minutes = <double>passed / MINUTE_NS
    keep = exp(-<double>passed / MEMORY_NS)
    for i in range(sampler.table):
        if sampler.endpoints[i].key:
            recent += sampler.endpoints[i].recent
    fresh = recent / minutes
    if fresh > 2 * sampler.estimated:
        keep = 0.0                                # a surge, or the beginning: believe what is seen
    total = 0.0
    high = 0.0
    for i in range(sampler.table):
        endpoint = &sampler.endpoints[i]
        if endpoint.key == 0:
            continue
        endpoint.rate = endpoint.rate * keep + (endpoint.recent / minutes) * (1.0 - keep)
        endpoint.recent = 0
        total += endpoint.rate
        if endpoint.rate > high:
            high = endpoint.rate
    sampler.estimated = total
    sampler.reviewed_ns = now_ns
    sampler.kept_since_review = 0
    room = EVEN * sampler.per_minute * catch_up(sampler, now_ns)
    if total <= room or used(sampler, now_ns) < CAREFREE * sampler.capacity:
        sampler.share = -1.0
        return
    low = 0.0
    for _step in range(24):
        middle = (low + high) / 2
        total = 0.0
        for i in range(sampler.table):
            endpoint = &sampler.endpoints[i]
            if endpoint.key:
                total += endpoint.rate if endpoint.rate < middle else middle
        if total <= room:
            low = middle
        else:
            high = middle
    sampler.share = low


cdef uint32_t used(Sampler* sampler, int64_t now_ns) noexcept nogil:
    cdef uint32_t oldest
    while sampler.ring_used:
        oldest = sampler.ring_head + sampler.capacity - sampler.ring_used
        if oldest >= sampler.capacity:
            oldest -= sampler.capacity
        if now_ns - sampler.kept_times[oldest] < sampler.window_ns:
            break
        sampler.ring_used -= 1
    return sampler.ring_used


cdef double catch_up(Sampler* sampler, int64_t now_ns) noexcept nogil:
    """How much slower than even the shares must be, after the burst of new endpoints at a beginning.

    Else that minute's budget would be used up before its end, and the rest of it would go blind.
    """
    cdef double so_far = <double>(now_ns - sampler.first_ns) / sampler.window_ns
    cdef double ahead
    if so_far >= 1 or sampler.capacity == 0:
        return 1.0
    ahead = used(sampler, now_ns) / <double>sampler.capacity - EVEN * so_far
    if ahead <= 0:
        return 1.0
    return 1 - 2 * ahead if ahead < 0.35 else 0.3


cdef void keep(Sampler* sampler, Endpoint* endpoint, Exchange* exchange, int64_t now_ns) noexcept nogil:
    exchange.sampled = 1
    exchange.weight = <double>endpoint.waiting if endpoint.waiting else 1.0
    endpoint.waiting = 0
    endpoint.kept_ns = now_ns
    sampler.kept_since_review += 1
    if sampler.capacity:
        sampler.kept_times[sampler.ring_head] = now_ns
        sampler.ring_head = sampler.ring_head + 1 if sampler.ring_head + 1 < sampler.capacity else 0
        if sampler.ring_used < sampler.capacity:
            sampler.ring_used += 1


cdef bint wanted(Sampler* sampler, Endpoint* endpoint, int64_t now_ns) noexcept nogil:
    cdef uint32_t taken = used(sampler, now_ns)
    cdef double share = sampler.share
    cdef double most
    if taken >= sampler.capacity:
        return False
    if endpoint.kept_ns == 0 or now_ns - endpoint.kept_ns >= MINUTE_NS - SECOND_NS:
        # Each endpoint goes on at another point of its period: what began together must not come in bursts.
        endpoint.credit = <double>(endpoint.key >> 20 & 1023) / 1024
        endpoint.credit_ns = now_ns
        return True
    if sampler.cap >= 0 and (share < 0 or share > sampler.cap):
        share = sampler.cap
    if share < 0:
        return taken < ORDINARY * sampler.capacity
    endpoint.credit += share * <double>(now_ns - endpoint.credit_ns) / MINUTE_NS
    endpoint.credit_ns = now_ns
    most = share / 6 if share > 12 else 2.0
    if endpoint.credit > most:
        endpoint.credit = most
    if endpoint.credit < 1.0 or taken >= ORDINARY * sampler.capacity:
        return False
    endpoint.credit -= 1.0
    return True


cdef inline bint ends_with(Text text, const char* tail, uint32_t length) noexcept nogil:
    return text.length >= length and memcmp(text.data + text.length - length, tail, length) == 0


cdef bint asks_otlp(const Exchange* exchange) noexcept nogil:
    # Over HTTP after any prefix, over gRPC by the names of the two services (OTLP specification).
    cdef Facts facts
    target_facts(exchange, &facts)
    return (
        ends_with(facts.path, b"/v1/traces", 10)
        or ends_with(facts.path, b"/v1/metrics", 11)
        or ends_with(facts.path, b"/opentelemetry.proto.collector.trace.v1.TraceService/Export", 59)
        or ends_with(facts.path, b"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", 63)
    )


cdef inline bint is_own_export(const Exchange* exchange) noexcept nogil:
    """Whether *exchange* is what a sensor sends to its Satellite: a POST to OTLP that carries the mark.

    With address translation, its addresses are not the configured ones. Whoever forges the mark hides no
    other request than one to OTLP.
    """
    cdef Text method = section_text(&exchange.request.head, exchange.request.method)
    return (
        method.length == 4
        and memcmp(method.data, b"POST", 4) == 0
        and section_find(&exchange.request.head, b"levo-sensor-export", 18) != NULL
        and asks_otlp(exchange)
    )


cdef void sample_request(EngineState* state, Exchange* exchange) noexcept nogil:
    """Decide on *exchange*, whose request head is complete: keep it, thin it out, or filter it."""
    cdef Sampler* sampler = <Sampler*>state.sampler
    cdef Endpoint* endpoint
    cdef Facts facts
    cdef int64_t now_ns = state.elapsed_ns
    cdef int reason
    if is_own_export(exchange):
        exchange.drop_state = DROP_OWN_EXPORT
        exchange.sampled = 0
        return
    if sampler == NULL:
        return
    if sampler.request_filter != NULL:
        reason = sampler.request_filter(sampler.filter_context, exchange)
        if reason != DROP_NONE:
            exchange.drop_state = <uint8_t>reason
            exchange.sampled = 0
            return
    if sampler.per_minute <= 0 and sampler.cap < 0:
        return
    target_facts(exchange, &facts)
    exchange.endpoint_key = endpoint_key(&facts)
    endpoint = find(sampler, exchange.endpoint_key)
    endpoint.waiting += 1
    endpoint.recent += 1
    if sampler.reviewed_ns == 0:
        sampler.reviewed_ns = now_ns - SECOND_NS // 100
    if sampler.first_ns == 0:
        sampler.first_ns = now_ns
    if now_ns - sampler.reviewed_ns >= SECOND_NS or (
        sampler.kept_since_review > 4 + sampler.capacity // 32 and now_ns > sampler.reviewed_ns
    ):
        review(sampler, now_ns)
        endpoint = find(sampler, exchange.endpoint_key)
    exchange.sampled = 0
    if sampler.per_minute <= 0:
        if endpoint.kept_ns == 0 or capped(sampler, endpoint, now_ns):
            keep(sampler, endpoint, exchange, now_ns)
    elif wanted(sampler, endpoint, now_ns):
        keep(sampler, endpoint, exchange, now_ns)


cdef bint capped(Sampler* sampler, Endpoint* endpoint, int64_t now_ns) noexcept nogil:
    # Only the bound of one endpoint is configured.
    cdef double most = sampler.cap / 60 if sampler.cap > 60 else 1.0
    endpoint.credit += sampler.cap * <double>(now_ns - endpoint.credit_ns) / MINUTE_NS
    endpoint.credit_ns = now_ns
    if endpoint.credit > most:
        endpoint.credit = most
    if endpoint.credit < 1.0:
        return False
    endpoint.credit -= 1.0
    return True


cdef void sample_response(EngineState* state, Exchange* exchange) noexcept nogil:
    """The status of *exchange* is known: a class its endpoint has not shown is worth a trace."""
    cdef Sampler* sampler = <Sampler*>state.sampler
    cdef Endpoint* endpoint
    cdef uint8_t bit
    cdef uint32_t status_class = exchange.response.status // 100
    cdef int64_t now_ns = state.elapsed_ns
    if sampler == NULL or exchange.drop_state != DROP_NONE:
        return
    if sampler.per_minute <= 0 and sampler.cap < 0:
        return
    if not exchange.request.present:
        # Its request was lost: it counts as an endpoint of its own.
        sample_request(state, exchange)
    if exchange.endpoint_key == 0 or status_class > 7:
        return
    endpoint = find(sampler, exchange.endpoint_key)
    bit = <uint8_t>(1 << status_class)
    if exchange.sampled:
        endpoint.statuses |= bit
    elif not endpoint.statuses & bit and (
        sampler.capacity == 0 or used(sampler, now_ns) < sampler.capacity
    ):
        endpoint.statuses |= bit
        keep(sampler, endpoint, exchange, now_ns)
        if exchange.request.wire_body_size or exchange.request.missing_bytes:
            exchange.request.truncated = 1
            if exchange.incomplete == COMPLETE:
                exchange.incomplete = UNSAMPLED_BODY
