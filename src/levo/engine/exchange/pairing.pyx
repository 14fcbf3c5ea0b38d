"""Which response answers which request: an ordered queue per connection, never TCP numbers as a key.

On a connection without loss, order decides (RFC 9112 section 9.3). After a loss the order alone is
not enough, because a lost request or response shifts it. What helps then is causality, read from the
acknowledgments that were captured with each message:

* a request at offset *s* that was sent with acknowledgment *a* says that its client had received the
  response stream up to *a*; its response therefore starts at *a* or later;
* a response sent with acknowledgment *A* says that its server had received requests up to *A*; a
  request that starts at or behind *A* cannot be the one it answers.

A client that waits for each response before it sends the next request starts every request at the
exact end of the response before, so the last request with ``a <= R`` is the one a response at offset
*R* answers. A client that pipelines in whole batches, and was seen to do so, gives that certainty once a
batch. A client that refills a pipeline while answers come in never does: after a loss its messages are
reported unpaired (``AMBIGUOUS``) rather than paired wrongly. Pipelining is proven by two requests with
the same acknowledgment, of which one may be lost: then octets are missing in front of a request that
acknowledges nothing behind the last answer.
"""

from libc.stdint cimport int64_t, uint16_t
from libc.string cimport memcpy

from levo.engine.core.exchange cimport exchange_free, exchange_new
from levo.engine.core.memory cimport buffer_free
from levo.engine.core.ports cimport ports_exchange
from levo.engine.core.state cimport ALIAS_RENAMED, CONTINUED, Connection, EngineState, Parser, is_host
from levo.engine.exchange.evicted cimport keep_evicted
from levo.engine.exchange.hops cimport hops_take
from levo.engine.exchange.ready cimport put_ready
from levo.engine.core.types cimport (
    COMPLETE,
    DROP_NONE,
    DROP_RATE_LIMITED,
    DROP_EVICTED,
    EVICTED,
    NO_RESPONSE,
    HEADING_INBOUND,
    HEADING_LOCAL,
    HEADING_OUTBOUND,
    HEADING_UNKNOWN,
    PROTOCOL_HTTP1,
    PROTOCOL_PROXY,
    REQUEST_CUT,
    REQUEST_GAP,
    RESPONSE_GAP,
    STILL_OPEN,
    Exchange,
    Message,
)


cdef void put_addresses(Exchange* exchange, const Connection* conn) noexcept nogil:
    exchange.family = conn.family
    if conn.client == 1:
        memcpy(exchange.client, conn.b, 16)
        memcpy(exchange.server, conn.a, 16)
        exchange.client_port = conn.b_port
        exchange.server_port = conn.a_port
    else:
        memcpy(exchange.client, conn.a, 16)
        memcpy(exchange.server, conn.b, 16)
        exchange.client_port = conn.a_port
        exchange.server_port = conn.b_port
    if conn.layers[0].protocol == PROTOCOL_PROXY:
        put_client(exchange, <const Proxied*>conn.layers[0].state)


cdef void put_client(Exchange* exchange, const Proxied* proxied) noexcept nogil:
    """Its client is who the balancer speaks for; the balancer is its peer."""
    if proxied == NULL or proxied.family == 0:
        return
    memcpy(exchange.peer, exchange.client, 16)
    exchange.peer_port = exchange.client_port
    memcpy(exchange.client, proxied.client, 16)
    exchange.client_port = proxied.port
    exchange.proxied = proxied.family


cdef void find_heading(const EngineState* state, Connection* conn) noexcept nogil:
    """Who opened *conn*, seen from this host; kept, for it is the same for all its exchanges."""
    cdef bint ours = is_host(state, &conn.b[0] if conn.client == 1 else &conn.a[0])
    cdef bint served = is_host(state, &conn.a[0] if conn.client == 1 else &conn.b[0])
    conn.heading = HEADING_LOCAL if ours and served else (
        HEADING_OUTBOUND if ours else HEADING_INBOUND if served else HEADING_UNKNOWN)
    conn.heading += 1


cdef Exchange* begin_exchange(EngineState* state, Connection* conn) noexcept nogil:
    """A new exchange with the addresses of *conn* filled in; NULL when memory is refused."""
    cdef Exchange* exchange = exchange_new(&state.budget)
    if exchange == NULL:
        return NULL
    state.stats.exchanges_begun += 1
    state.stats.exchanges_open += 1
    exchange.protocol = PROTOCOL_HTTP1
    exchange.encrypted = conn.encrypted
    exchange.sampled = 1
    exchange.weight = 1.0
    exchange.owner = conn
    exchange.request.peer_ack = -1
    exchange.response.peer_ack = -1
    put_addresses(exchange, conn)
    if state.hosts != NULL:
        if conn.heading == 0:
            find_heading(state, conn)
        exchange.heading = conn.heading - 1
    return exchange


cdef void enqueue_request(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil:
    """Append *exchange*, whose request head has just been read, to the requests that wait."""
    cdef Exchange* last = conn.pending_last
    exchange.previous = last
    exchange.next = NULL
    if last == NULL:
        conn.pending_first = exchange
    else:
        last.next = exchange
        note_pipelining(conn, exchange)
    note_epoch(conn, exchange)
    conn.pending_last = exchange
    conn.pending_count += 1
    if conn.pending_count > state.settings.max_pending:
        # A bound with a reason: the oldest request is reported without its response.
        lose_order(conn)
        finish_exchange(state, conn, conn.pending_first, NO_RESPONSE)


cdef void note_epoch(Connection* conn, Exchange* exchange) noexcept nogil:
    # Requests with the same acknowledgment are one epoch; the client received nothing between them.
    cdef int64_t ack = exchange.request.peer_ack
    if ack < 0:
        return
    if exchange.after_gap and ack <= conn.paired_end:
        conn.pipelines = 1
    if ack == conn.epoch_ack and conn.epoch_size:
        conn.pipelines = 1
        conn.epoch_size += 1
        return
    if conn.epoch_size > 1 and not conn.tainted and conn.paired_end == ack and (
        first_unanswered(conn) == NULL or first_unanswered(conn) == exchange
    ):
        conn.batches = 1
    conn.epoch_ack = ack
    conn.epoch_size = 1


cdef void note_pipelining(Connection* conn, Exchange* exchange) noexcept nogil:
    # An earlier request that had no whole response when this one was sent makes the client a
    # pipelining one; if the acknowledgment has moved in between, it does not wait for whole batches.
    cdef Exchange* earlier = exchange.previous
    cdef int64_t ack = exchange.request.peer_ack
    if ack < 0:
        return
    while earlier != NULL:
        if earlier.response.complete == 0 or earlier.response.stream_end > ack:
            if server_offset(conn) >= ack and conn.tainted == 0:
                # Everything up to the acknowledgment has been read: this is not capture order.
                conn.pipelines = 1
                if earlier.request.peer_ack != ack:
                    conn.slides = 1
            return
        earlier = earlier.previous


cdef inline int64_t server_offset(Connection* conn) noexcept nogil:
    return conn.streams[1 if conn.client == 0 else 0].offset


cdef void unlink_pending(Connection* conn, Exchange* exchange) noexcept nogil:
    if exchange.previous != NULL:
        exchange.previous.next = exchange.next
    elif conn.pending_first == exchange:
        conn.pending_first = exchange.next
    else:
        return                                    # was never queued
    if exchange.next != NULL:
        exchange.next.previous = exchange.previous
    else:
        conn.pending_last = exchange.previous
    conn.pending_count -= 1
    exchange.next = NULL
    exchange.previous = NULL


cdef inline Exchange* first_unanswered(Connection* conn) noexcept nogil:
    cdef Exchange* exchange = conn.pending_first
    while exchange != NULL and exchange.response.present:
        exchange = exchange.next
    return exchange


cdef void note_interim(Connection* conn, int64_t start, int64_t ack, int64_t end, int status) noexcept nogil:
    # Until the final response comes, its stream_end is where the interim one before it ended, with that one's status.
    cdef Exchange* exchange = find_answered(conn, first_unanswered(conn), start, ack)
    cdef Parser* client = &conn.streams[conn.client].parser
    if status == 100 and client.expects and client.current == exchange:
        client.expects = CONTINUED
    if exchange != NULL and exchange.interim < 255:
        exchange.interim += 1
    if exchange != NULL:
        exchange.response.stream_end = end
        exchange.response.status = <uint16_t>status
    elif end > conn.paired_end:
        # To a request that was lost. It is not answered yet: nothing that the server had before is.
        conn.paired_end = end
        conn.streams[1 - conn.client].parser.start_ack = -1


cdef bint may_answer(Connection* conn, int64_t ack) noexcept nogil:
    # Does a request wait that the server had when it sent this?
    cdef Exchange* exchange = conn.pending_first
    while exchange != NULL:
        if not exchange.response.present:
            return ack < 0 or exchange.request.stream_start < ack
        exchange = exchange.next
    return False


cdef inline bint is_in_order(const Connection* conn, const Exchange* first) noexcept nogil:
    return conn.tainted == 0 and first.after_gap == 0


cdef inline Exchange* find_answered(Connection* conn, Exchange* first, int64_t start, int64_t ack) noexcept nogil:
    """The pending exchange that a response at offset *start*, sent with *ack* (-1 unknown), answers.

    *first*: the first unanswered one, or NULL. NULL when none is answered, or when a loss has left
    more than one possibility.
    """
    if first == NULL:
        return NULL
    if not is_in_order(conn, first):
        return find_by_causality(conn, first, start, ack)
    if ack >= 0 and first.request.stream_start >= ack and first.request.peer_ack >= 0:
        return NULL                               # sent before the server had any of the request
    return first


cdef Exchange* pair_response(
    EngineState* state, Connection* conn, int64_t start, int64_t ack
) noexcept nogil:
    """The pending exchange that a response answers, as `find_answered` says.

    Requests that are passed over because their response was lost are finished here.
    """
    cdef Exchange* first = first_unanswered(conn)
    cdef Exchange* found = find_answered(conn, first, start, ack)
    if found == NULL or is_in_order(conn, first):
        return found
    while conn.pending_first != NULL and conn.pending_first != found:
        finish_exchange(
            state, conn, conn.pending_first,
            NO_RESPONSE if conn.pending_first.response.present else RESPONSE_GAP)
    trust_order(conn)
    found.after_gap = 0
    return found


cdef inline bint sent_together(const Exchange* earlier, const Exchange* later) noexcept nogil:
    # Had the client received no final response to the earlier request: nothing, or so little as a 100 (Continue)?
    return later.request.peer_ack == earlier.request.peer_ack or not earlier.response.present and (
        0 <= earlier.request.peer_ack <= later.request.peer_ack <= earlier.request.peer_ack + BARE_CONTINUE
    )


cdef Exchange* find_by_causality(
    Connection* conn, Exchange* first, int64_t start, int64_t ack
) noexcept nogil:
    cdef Exchange* candidate
    cdef Exchange* exchange
    if conn.slides or (conn.pipelines and not conn.batches):
        return NULL
    if first == conn.pending_last and not conn.pipelines:
        if first.request.peer_ack < 0 or ack < 0:
            return first                          # nothing else is known, nothing contradicts
    candidate = NULL
    exchange = first
    while exchange != NULL:
        if exchange.request.peer_ack >= 0 and exchange.request.peer_ack <= start:
            candidate = exchange
        exchange = exchange.next
    if candidate == NULL:
        return NULL
    # The first request of its batch.
    while candidate.previous != NULL and sent_together(candidate.previous, candidate):
        if candidate.after_gap:
            return NULL                           # a request between the two was lost
        candidate = candidate.previous
    if candidate.response.present:
        return NULL
    if ack < 0:
        return candidate if candidate.request.peer_ack == start else NULL
    if ack <= candidate.request.stream_start:
        return NULL
    if candidate.after_gap and candidate.request.peer_ack <= conn.paired_end:
        return NULL                               # what was lost before it may be what is answered here
    if conn.pipelines or (candidate.next != NULL and candidate.next.request.peer_ack == candidate.request.peer_ack):
        # Only the first response of a batch starts where the batch's acknowledgment points.
        if candidate.after_gap or candidate.request.peer_ack != start:
            return NULL
        return candidate
    if candidate.request.stream_end > 0 and ack >= candidate.request.stream_end + LEAST_REQUEST:
        return NULL                               # answers a later request, which was lost
    if start != candidate.request.peer_ack and start != candidate.response.stream_end:
        return NULL                               # its true beginning was lost: this is content like a head
    return candidate


cdef int64_t next_request_after(Connection* conn, int64_t offset) noexcept nogil:
    """Where, at or behind *offset*, the next response must start; -1 when that is not known.

    Known for a client that waits for each response: the acknowledgment sent with its next request. -2
    when that request is still to come: the one that waits has lost the beginning of its response.
    """
    cdef Exchange* exchange = conn.pending_first
    cdef int64_t known = -1
    if conn.pipelines:
        return -1
    while exchange != NULL:
        if not exchange.response.present and exchange.request.peer_ack >= 0:
            if exchange.request.peer_ack >= offset or exchange.response.stream_end == offset:
                return exchange.request.peer_ack if exchange.request.peer_ack >= offset else offset
            known = -2
        exchange = exchange.next
    return known


cdef bint may_begin_request(const Connection* conn, int64_t resumes, int64_t ack) noexcept nogil:
    """Whether octets that the client sent with *ack*, after it lost its framing, may begin a request.

    *resumes*: where its octets could be read again. A client that waits for each response has received some of the
    last one before it begins the next request: what it sent before is content of the last request, whatever it
    looks like. Where the server cannot have had all of what is missing when it began its last response, the next
    request began in there, and another one begins only once the client has received more.
    """
    cdef const Exchange* last = conn.pending_last
    cdef const Parser* server = &conn.streams[1 - conn.client].parser
    cdef int64_t began = server.start_offset, had = server.start_ack, end = conn.paired_end
    if ack < 0 or conn.pipelines:
        return True
    if last != NULL:
        if last.request.peer_ack < 0:
            return True
        if not last.response.present:
            return ack > last.request.peer_ack and ack > last.response.stream_end
        began, had, end = last.response.stream_start, last.response.peer_ack, last.response.stream_end
    if had >= resumes:
        return ack > began
    return ack > began and ack > end


cdef bint may_begin_response(Connection* conn, int64_t ack) noexcept nogil:
    """Whether octets that the server sent with *ack*, after it lost its framing, may begin a response.

    Only where a request waits for one, or may do so unseen: octets of the client were lost, or the server had
    more of them than were read.
    """
    cdef const Parser* client = &conn.streams[conn.client].parser
    cdef const Parser* server = &conn.streams[1 - conn.client].parser
    if ack < 0 or first_unanswered(conn) != NULL or ack > conn.streams[conn.client].offset:
        return True
    if not conn.streams[conn.client].seen:
        return True
    if not client.gap_before:
        return False
    return conn.pipelines or ack > server.start_ack


cdef void request_ended(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil:
    """The request's last octet was read (or its framing was lost)."""
    if exchange.response.complete:
        finish_exchange(state, conn, exchange, COMPLETE)


cdef void response_ended(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil:
    """The final response's last octet was read (or its framing was lost)."""
    cdef Exchange* following = exchange.next
    if exchange.request.stream_end:
        # With a request whose end was lost: what was missing after it was its own.
        conn.paired_end = exchange.response.stream_end
    if following != NULL and following.request.peer_ack >= 0 and conn.tainted == 0:
        if following.request.peer_ack < exchange.response.stream_end:
            conn.pipelines = 1
            if following.request.peer_ack != exchange.request.peer_ack:
                conn.slides = 1
    if exchange.request.complete or not exchange.request.present:
        finish_exchange(state, conn, exchange, COMPLETE)


cdef void finish_exchange(
    EngineState* state, Connection* conn, Exchange* exchange, int incomplete
) noexcept nogil:
    """Move *exchange* from its connection to the ready list; *incomplete* says why it is not whole.

    A reason that an earlier event wrote into the exchange wins over *incomplete*. What is given up for memory
    (EVICTED) is reported without its content, or only counted (``keep_evicted``).
    """
    unlink_pending(conn, exchange)
    if conn.streams[0].parser.current == exchange:
        conn.streams[0].parser.current = NULL
    if conn.streams[1].parser.current == exchange:
        conn.streams[1].parser.current = NULL
    exchange.owner = NULL
    if conn.aliases & ALIAS_RENAMED and not exchange.proxied:
        put_addresses(exchange, conn)             # they were translated on the way
    state.stats.exchanges_open -= 1
    if exchange.incomplete == COMPLETE:
        exchange.incomplete = <unsigned char>incomplete
    if exchange.incomplete == COMPLETE:
        if exchange.request.missing_bytes:
            exchange.incomplete = REQUEST_GAP
        elif exchange.response.missing_bytes:
            exchange.incomplete = RESPONSE_GAP
    elif exchange.incomplete == NO_RESPONSE and exchange.interim and exchange.protocol == PROTOCOL_HTTP1 and (
        conn.client >= 0 and not conn.streams[1 - conn.client].parser.gap_before and not exchange.response.present
    ):
        show_interim(exchange)
    if state.ports != NULL:
        ports_exchange(state.ports, exchange.server_port)
    if exchange.drop_state == DROP_NONE and not exchange.sampled:
        exchange.drop_state = DROP_RATE_LIMITED
    if exchange.incomplete != COMPLETE and (incomplete == EVICTED or exchange.incomplete == EVICTED) and (
        exchange.drop_state == DROP_NONE and not keep_evicted(state, exchange)
    ):
        exchange.drop_state = DROP_EVICTED
    if exchange.drop_state != DROP_NONE:
        state.stats.exchanges_dropped[exchange.drop_state] += 1
        exchange_free(&state.budget, exchange)
        return
    if state.hops != NULL and not exchange.reserved:
        state.stats.exchanges_open += 1
        if hops_take(state, exchange):
            return
        state.stats.exchanges_open -= 1
    put_ready(state, exchange)


cdef void show_interim(Exchange* exchange) noexcept nogil:
    # Only interim responses came, and nothing was lost: the last one stands for the final one, without its fields.
    cdef Message* response = &exchange.response
    response.present = 1
    response.version_major = 1
    response.version_minor = 1
    response.start_ns = response.head_ns = response.end_ns = exchange.request.end_ns
    exchange.interim -= 1


cdef void drop_exchange(EngineState* state, Connection* conn, Exchange* exchange, int reason) noexcept nogil:
    """Give *exchange* up for *reason* (Drop); its memory is returned at once."""
    exchange.drop_state = <unsigned char>reason
    finish_exchange(state, conn, exchange, COMPLETE)


cdef void finish_pending(EngineState* state, Connection* conn, int incomplete) noexcept nogil:
    """Report everything that still waits on *conn*, in order."""
    cdef int reason
    while conn.pending_first != NULL:
        reason = incomplete
        if not conn.pending_first.request.complete and reason == NO_RESPONSE:
            reason = REQUEST_CUT
        finish_exchange(state, conn, conn.pending_first, reason)


cdef void finish_unread(EngineState* state, Connection* conn) noexcept nogil:
    """Report messages that nobody reads any more, and free heads that never became whole."""
    cdef int side
    for side in range(2):
        if conn.streams[side].parser.current != NULL:
            finish_exchange(state, conn, conn.streams[side].parser.current, STILL_OPEN)
        buffer_free(&state.budget, &conn.streams[side].parser.head)


cdef void give_up_exchanges(EngineState* state, Connection* conn) noexcept nogil:
    """Give up requests that wait and messages being read, for memory: as if no direction had been read."""
    cdef int side
    while conn.pending_first != NULL:
        finish_exchange(state, conn, conn.pending_first, EVICTED)
    for side in range(2):
        if conn.streams[side].parser.current != NULL:
            finish_exchange(state, conn, conn.streams[side].parser.current, EVICTED)
        buffer_free(&state.budget, &conn.streams[side].parser.head)
        conn.streams[side].parser.state = 0
        conn.streams[side].parser.current = NULL


cdef int64_t pending_footprint(const Connection* conn) noexcept nogil:
    """Octets of the budget that the requests that wait and the messages being read hold."""
    cdef int side
    cdef int64_t total = 0
    cdef const Exchange* exchange = conn.pending_first
    while exchange != NULL:
        total += exchange.request.head.allocated + exchange.request.body.capacity
        total += exchange.response.head.allocated + exchange.response.body.capacity
        total += <int64_t>sizeof(Exchange)
        exchange = exchange.next
    for side in range(2):
        exchange = conn.streams[side].parser.current
        if exchange != NULL and not exchange.request.present:
            total += exchange.response.head.allocated + exchange.response.body.capacity
        total += conn.streams[side].parser.head.capacity
    return total
