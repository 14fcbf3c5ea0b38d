"""The connection table: who talks to whom, which side asks, and when a connection is over.

A connection is known by its two (address, port) ends and by the network they are in (VLAN tags, tunnel identifiers,
labels). Copies of a segment that are the same in that, as from two interfaces, are duplicates by their sequence
numbers; where tags or addresses change on the way, ``twins`` recognizes the connection.

Life: opened by a SYN (half open until its first payload) or by a payload (mid-stream) -> open -> closed by
both FINs, a believable RST or a SYN that reuses the ports -> kept for a while so that late duplicates are
recognized -> gone.

Silence ends nothing that may go on: after some minutes without a packet a connection is quiet. It keeps its
sequence numbers, sides, framing and tables, and goes on where it stopped, until the idle limit. What has no
such state is gone after those minutes: a connection without a payload, or one that a side has ended and where
nothing is waited for. A payload that comes all the same is read as the first of a connection joined late.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from levo.engine.proto.dispatch cimport (
    abandon,
    close_layers,
    deliver_end,
    footprint,
    layers_wait,
    rest_layers,
    tick_layers,
)
from levo.engine.proto.layers cimport begin_layers, learn_client, look_again, looked_at, speaks
from levo.engine.proto.protocol cimport ENDED_FIN, ENDED_GIVEN_UP, ENDED_RESET
from levo.engine.core.exchange cimport prefetch
from levo.engine.core.memory cimport clear, over_budget
from levo.engine.exchange.pairing cimport lose_order
from levo.engine.core.ports cimport ports_packet
from levo.engine.core.slab cimport slab_end, slab_give_back, slab_take
from levo.engine.core.state cimport (
    ALIAS_ANY,
    ALIAS_RENAMED,
    ALIAS_TRANSLATED,
    HALF_OPEN,
    MANY_PACKETS,
    OPEN,
    QUIET,
    Connection,
    EngineState,
    Order,
    Stream,
    by_clock,
    seq_diff,
)
from levo.engine.tcp.ended cimport ended_free, ended_has, ended_new, ended_put
from levo.engine.tcp.stream cimport (
    stream_ack,
    stream_fin,
    stream_flush,
    stream_free,
    stream_look,
    stream_padding,
    stream_segment,
)
from levo.engine.tcp.twins cimport (
    Alias,
    Ends,
    Recent,
    twin_of,
    twins_add,
    twins_find,
    twins_free,
    twins_new,
    twins_note,
    twins_pop,
)
from levo.engine.core.types cimport PROTOCOL_UNKNOWN, Exchange, Packet

cdef enum:
    FIN = 1
    SYN = 2
    RST = 4
    ACK = 16
    URG = 32

cdef enum:
    FIRST_BUCKETS = 1 << 12
    MOST_BUCKETS = 1 << 22
    EVICT_LOOKS = 32            # connections looked at for one that is worth least
    MOST_ROUNDS = 4096          # of giving up for one packet: it may have made a body some MiB larger
    SMALL = 2048                # below this, giving up a connection's messages frees too little
    ANOTHER = 1 << 26           # sequence numbers further away belong to another connection
    RESET_WINDOW = 1 << 20      # how far behind the last octet seen a RST is believed
    HALF_OPEN_SHARE = 8         # half-open connections that hold more than this part of the budget go first
    QUIET_SHARE = 4             # ... and quiet ones next
    MOST_PADDING = 6            # octets between an IP packet of 40 and the least of an Ethernet frame
    YOUNG_PACKETS = 8           # packets of a connection during which it may turn out to be another one's twin
    AHEAD_NS = 1_000_000_000    # activity that is further ahead of the clock is put right


cdef bint table_init(EngineState* state) noexcept nogil:
    state.buckets = <Connection**>calloc(FIRST_BUCKETS, sizeof(Connection*))
    state.bucket_mask = FIRST_BUCKETS - 1
    state.twins = twins_new()
    state.ended = ended_new(state.budget.limit)
    return state.buckets != NULL and state.twins != NULL and state.ended != NULL


cdef void table_free(EngineState* state) noexcept nogil:
    connections_finish(state)
    while state.closed_oldest != NULL:
        forget(state, state.closed_oldest, False)
    twins_free(state)
    ended_free(state)
    slab_end(&state.slab)
    free(state.buckets)
    state.buckets = NULL


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    x ^= x >> 32
    x *= <uint64_t>0xd6e8feb86659fd93
    x ^= x >> 32
    return x


cdef inline uint64_t word(const uint8_t* at) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value


cdef inline bint swapped(const Packet* packet) noexcept nogil:
    # Any order of ends will do, as long as it is the same both ways: addresses as two numbers each, then ports.
    if word(packet.source) != word(packet.destination):
        return word(packet.source) > word(packet.destination)
    if word(packet.source + 8) != word(packet.destination + 8):
        return word(packet.source + 8) > word(packet.destination + 8)
    return packet.source_port > packet.destination_port


cdef inline uint32_t half_of(uint64_t network) noexcept nogil:
    # The other half is in the hash of the ends: 64 bits tell two networks apart.
    return <uint32_t>(network >> 32)


cdef Connection* find(
    EngineState* state, const uint8_t* a, uint16_t a_port, const uint8_t* b, uint16_t b_port, uint64_t network,
    uint32_t* hash
) noexcept nogil:
    cdef uint64_t x = state.hash_seed
    cdef Connection* conn
    x = mix(x ^ word(a + 8) ^ (<uint64_t>a_port << 16 | b_port))
    x = mix(x ^ word(b + 8))
    if word(a) | word(b):               # not IPv4
        x = mix(x ^ word(a))
        x = mix(x ^ word(b) ^ <uint64_t>0x9e3779b97f4a7c15)
    if network:
        x = mix(x ^ network)
    hash[0] = <uint32_t>x
    conn = state.buckets[hash[0] & state.bucket_mask]
    prefetch(conn, sizeof(Connection))
    while conn != NULL:
        if (conn.hash == hash[0] and conn.a_port == a_port and conn.b_port == b_port
                and conn.network == half_of(network) and memcmp(conn.a, a, 16) == 0 and memcmp(conn.b, b, 16) == 0):
            return conn
        conn = conn.hash_next
    return NULL


cdef void grow(EngineState* state) noexcept nogil:
    cdef uint32_t size = (state.bucket_mask + 1) * 2
    cdef uint32_t i
    cdef Connection** buckets
    cdef Connection* conn
    cdef Connection* following
    if size > MOST_BUCKETS:
        return
    buckets = <Connection**>calloc(size, sizeof(Connection*))
    if buckets == NULL:
        return
    for i in range(state.bucket_mask + 1):
        conn = state.buckets[i]
        while conn != NULL:
            following = conn.hash_next
            conn.hash_next = buckets[conn.hash & (size - 1)]
            buckets[conn.hash & (size - 1)] = conn
            conn = following
    free(state.buckets)
    state.buckets = buckets
    state.bucket_mask = size - 1


cdef Connection* open_connection(
    EngineState* state, const Packet* packet, const Ends* ends
) noexcept nogil:
    cdef uint32_t hash = ends.hash
    cdef Connection* conn = <Connection*>slab_take(&state.slab, sizeof(Connection))
    if conn == NULL:
        state.budget.refused += 1
        return NULL
    state.budget.used += <int64_t>sizeof(Connection)
    clear(conn, sizeof(Connection))
    conn.hash = hash
    conn.family = packet.family
    conn.network = ends.network
    memcpy(conn.a, ends.a, 16)
    memcpy(conn.b, ends.b, 16)
    conn.a_port = ends.a_port
    conn.b_port = ends.b_port
    if state.connection_count > state.bucket_mask:
        grow(state)
    conn.hash_next = state.buckets[hash & state.bucket_mask]
    state.buckets[hash & state.bucket_mask] = conn
    state.connection_count += 1
    begin(state, conn, packet)
    return conn


cdef void begin(EngineState* state, Connection* conn, const Packet* packet) noexcept nogil:
    # A connection that is new, or whose ports are used again.
    cdef bint late = not packet.flags & SYN
    begin_layers(conn, late)
    if late:
        lose_order(conn)
    conn.last_ns = conn.placed_ns = by_clock(state, packet.time_ns)
    state.stats.connections_opened += 1
    state.stats.connections_mid_stream += late
    state.stats.connections_open += 1
    link_open(state, conn, HALF_OPEN)


cdef void link_open(EngineState* state, Connection* conn, int standing) noexcept nogil:
    # As the newest of an order.
    cdef Order* order = &state.orders[standing]
    conn.standing = <uint8_t>standing
    conn.older = order.newest
    conn.newer = NULL
    if order.newest != NULL:
        order.newest.newer = conn
    else:
        order.oldest = conn
    order.newest = conn
    state.half_open_count += standing == HALF_OPEN


cdef void unlink_open(EngineState* state, Connection* conn) noexcept nogil:
    cdef Order* order = &state.orders[conn.standing]
    if state.clock_hand == conn:
        state.clock_hand = conn.newer
    if conn.older != NULL:
        conn.older.newer = conn.newer
    else:
        order.oldest = conn.newer
    if conn.newer != NULL:
        conn.newer.older = conn.older
    else:
        order.newest = conn.older
    state.half_open_count -= conn.standing == HALF_OPEN
    if conn.standing == QUIET:
        state.quiet_bytes -= conn.quiet_bytes
        state.stats.connections_quiet -= 1


cdef inline void touch(EngineState* state, Connection* conn, const Packet* packet) noexcept nogil:
    # The order by activity is kept to some seconds: moving a connection touches its cold neighbors.
    cdef int standing = conn.standing
    cdef int64_t now_ns = by_clock(state, packet.time_ns)
    if standing == QUIET or (standing == HALF_OPEN and (packet.payload_length or packet.missing_length)):
        standing = OPEN
    elif now_ns - conn.placed_ns <= state.settings.order_ns or conn == state.orders[standing].newest:
        conn.last_ns = now_ns
        return
    unlink_open(state, conn)
    link_open(state, conn, standing)
    conn.placed_ns = conn.last_ns = now_ns


cdef bint goes_on(const Connection* conn) noexcept nogil:
    # Is there anything that a packet after a long silence would need?
    if conn.standing == HALF_OPEN:
        return False
    return not (conn.streams[0].fin or conn.streams[1].fin) or conn.pending_first != NULL


cdef void become_quiet(EngineState* state, Connection* conn) noexcept nogil:
    cdef int64_t size
    rest_layers(state, conn)
    unlink_open(state, conn)
    link_open(state, conn, QUIET)
    size = footprint(conn) + <int64_t>sizeof(Connection)
    conn.quiet_bytes = <uint32_t>size if size < <int64_t>0xFFFFFFFF else 0xFFFFFFFF
    state.quiet_bytes += conn.quiet_bytes
    state.stats.connections_quiet += 1


cdef inline void link_waiting(EngineState* state, Connection* conn) noexcept nogil:
    conn.waiting = 1
    conn.waiting_previous = NULL
    conn.waiting_next = state.waiting
    if state.waiting != NULL:
        state.waiting.waiting_previous = conn
    state.waiting = conn


cdef inline void unlink_waiting(EngineState* state, Connection* conn) noexcept nogil:
    if conn.waiting:
        if conn.waiting_previous != NULL:
            conn.waiting_previous.waiting_next = conn.waiting_next
        else:
            state.waiting = conn.waiting_next
        if conn.waiting_next != NULL:
            conn.waiting_next.waiting_previous = conn.waiting_previous
    conn.waiting = 0
    looked_at(conn)


cdef void close(EngineState* state, Connection* conn, int64_t now_ns, int how) noexcept nogil:
    """Report what is left of *conn* and keep only what recognizes its late duplicates."""
    cdef int side
    if conn.reset_ns:
        how = ENDED_RESET
    stream_flush(state, conn, now_ns)
    tick_layers(state, conn, now_ns, True)
    # The client's side first: a request that is cut must say so before its response's end closes it.
    side = 1 if conn.client == 1 else 0
    if not conn.streams[side].ended:
        deliver_end(state, conn, side, now_ns, how)
    if not conn.streams[1 - side].ended:
        deliver_end(state, conn, 1 - side, now_ns, how)
    close_layers(state, conn, now_ns, how)
    stream_free(state, conn, False)
    unlink_waiting(state, conn)
    unlink_open(state, conn)
    conn.closed = 1
    conn.last_ns = by_clock(state, now_ns)
    conn.newer = NULL
    conn.older = state.closed_newest
    if state.closed_newest != NULL:
        state.closed_newest.newer = conn
    else:
        state.closed_oldest = conn
    state.closed_newest = conn
    state.stats.connections_open -= 1


cdef void unlink_closed(EngineState* state, Connection* conn) noexcept nogil:
    if conn.older != NULL:
        conn.older.newer = conn.newer
    else:
        state.closed_oldest = conn.newer
    if conn.newer != NULL:
        conn.newer.older = conn.older
    else:
        state.closed_newest = conn.older


cdef void forget(EngineState* state, Connection* conn, bint over) noexcept nogil:
    # Only closed connections are forgotten. *over*: what comes of it still is retransmitted.
    cdef Connection** at = &state.buckets[conn.hash & state.bucket_mask]
    cdef Ends ends
    unlink_closed(state, conn)
    over = over and (conn.streams[0].has_data or conn.streams[1].has_data)
    if over and not conn.aliases & ALIAS_RENAMED:
        own_ends(conn, &ends)
        ended_put(state, &ends, conn.streams[0].rcv_nxt, conn.streams[1].rcv_nxt)
    if conn.aliases:
        forget_aliases(state, conn, over)
    while at[0] != conn:
        at = &at[0].hash_next
    at[0] = conn.hash_next
    state.connection_count -= 1
    state.budget.used -= <int64_t>sizeof(Connection)
    slab_give_back(&state.slab, conn, sizeof(Connection))


cdef void own_ends(Connection* conn, Ends* ends) noexcept nogil:
    ends.a = conn.a
    ends.b = conn.b
    ends.a_port = conn.a_port
    ends.b_port = conn.b_port
    ends.hash = conn.hash
    ends.network = conn.network


cdef void forget_aliases(EngineState* state, Connection* conn, bint over) noexcept nogil:
    cdef Alias alias
    cdef Ends ends
    while twins_pop(state, conn, &alias):
        if over:
            ends.a = alias.a
            ends.b = alias.b
            ends.a_port = alias.a_port
            ends.b_port = alias.b_port
            ends.hash = alias.hash
            ends.network = alias.network
            ended_put(state, &ends, conn.streams[alias.crossed].rcv_nxt, conn.streams[1 - alias.crossed].rcv_nxt)


cdef inline void note_aliases(Connection* conn, int what) noexcept nogil:
    conn.aliases |= <uint8_t>what


cdef bint become_alias(
    EngineState* state, Connection* conn, const Recent* sign, int side, const Packet* packet
) noexcept nogil:
    """*conn* is the connection of *sign* under other ends: it leaves the table, and its segments go there.

    False when that cannot be remembered: it stays on its own.
    """
    cdef Connection* whole = sign.conn
    cdef int sender = sign.side if sign.seq == packet.seq or (
        sign.seq == conn.streams[side].initial_seq and conn.streams[side].seen) else 1 - sign.side
    cdef bint crossed = side != sender
    cdef bint later = packet.time_ns >= sign.time_ns
    cdef bint at_server
    cdef int server
    cdef Ends ends, before
    own_ends(conn, &ends)
    if not twins_add(state, whole, &ends, crossed):
        return False
    note_aliases(whole, ALIAS_ANY)
    if whole.client < 0 and conn.client >= 0:
        learn_client(whole, conn.client ^ crossed)
    if translated(conn, whole, 0, crossed) or translated(conn, whole, 1, 1 - crossed):
        note_aliases(whole, ALIAS_TRANSLATED)
        # What goes to the server is seen near it later, what it sends earlier. The addresses there are final.
        if whole.client >= 0:
            at_server = later == (sender == whole.client)
            server = 1 - whole.client
            if translated(conn, whole, server ^ crossed, server) == at_server:
                if not whole.aliases & ALIAS_RENAMED:
                    own_ends(whole, &before)
                    if twins_add(state, whole, &before, False):
                        note_aliases(whole, ALIAS_RENAMED)
                if whole.aliases & ALIAS_RENAMED:
                    rename(whole, conn, crossed)
    if not conn.closed:
        close(state, conn, packet.time_ns, ENDED_GIVEN_UP)
    forget(state, conn, False)
    return True


cdef inline bint translated(Connection* conn, Connection* whole, int end, int same) noexcept nogil:
    # Has *end* of *conn* another address or port than end *same* of *whole*?
    return (
        (conn.b_port if end else conn.a_port) != (whole.b_port if same else whole.a_port)
        or memcmp(&conn.b[0] if end else &conn.a[0], &whole.b[0] if same else &whole.a[0], 16) != 0
    )


cdef void rename(Connection* whole, Connection* conn, bint crossed) noexcept nogil:
    # Report the addresses of *conn*. The table finds *whole* by its aliases from now on.
    memcpy(whole.a, &conn.b[0] if crossed else &conn.a[0], 16)
    memcpy(whole.b, &conn.a[0] if crossed else &conn.b[0], 16)
    whole.a_port = conn.b_port if crossed else conn.a_port
    whole.b_port = conn.a_port if crossed else conn.b_port
    whole.family = conn.family


cdef void reopen(EngineState* state, Connection* conn, const Packet* packet) noexcept nogil:
    # The ports are used again: the same table entry begins a new connection.
    if not conn.closed:
        close(state, conn, packet.time_ns, ENDED_RESET)
    unlink_closed(state, conn)
    conn.closed = 0
    if conn.aliases:
        forget_aliases(state, conn, False)
    clear(&conn.pending_first, sizeof(Connection) - (<uint8_t*>&conn.pending_first - <uint8_t*>conn))
    begin(state, conn, packet)


cdef Connection* renew(EngineState* state, Connection* conn, const Packet* packet, const Ends* ends) noexcept nogil:
    """The ends of *packet* are another connection's by now. NULL when there is no memory for it."""
    if not conn.aliases:
        reopen(state, conn, packet)
        return conn
    if not conn.closed:
        close(state, conn, packet.time_ns, ENDED_RESET)
    forget(state, conn, False)
    return open_connection(state, packet, ends)


cdef bint take_syn(EngineState* state, Connection* conn, int side, const Packet* packet) noexcept nogil:
    """A SYN; False when the packet is to be ignored."""
    cdef Stream* stream = &conn.streams[side]
    cdef Stream* other = &conn.streams[1 - side]
    cdef uint32_t first = packet.seq + 1
    if stream.seen and stream.initial_seq == first:
        stream.syn = 1                            # retransmitted, or captured late
        return not conn.closed
    if packet.flags & ACK:
        if other.syn and packet.ack != other.initial_seq:
            return False                          # answers another SYN than the one that was seen
        if stream.syn and stream.has_data:
            return False
        if conn.closed or (not stream.syn and stream.has_data) or (
            speaks(conn) != PROTOCOL_UNKNOWN and conn.client == side
        ):
            reopen(state, conn, packet)           # what was read so far took this side for the client
        learn_client(conn, 1 - side)
        # A RST or FIN before it was not the server's: that one has just agreed.
        conn.reset_ns = 0
        stream.fin = stream.ended = 0
    else:
        if conn.closed or stream.syn or stream.has_data or other.has_data:
            reopen(state, conn, packet)
        learn_client(conn, side)
    stream.syn = 1
    stream.seen = 1
    stream.rcv_nxt = first
    stream.initial_seq = first
    return True


cdef inline uint16_t server_port(const Connection* conn) noexcept nogil:
    if conn.client >= 0:
        return conn.b_port if conn.client == 0 else conn.a_port
    return conn.a_port if conn.a_port < conn.b_port else conn.b_port


cdef void take_packet(EngineState* state, const Packet* packet) noexcept nogil:
    """One TCP segment, in capture order."""
    cdef Ends ends
    cdef Connection* conn
    cdef int side = 1 if swapped(packet) else 0
    cdef int crossed = 0
    cdef uint64_t network = 0 if state.one_network else packet.network
    cdef int64_t translated_before = -1
    if side:
        ends.a = <const uint8_t*>packet.destination
        ends.b = <const uint8_t*>packet.source
        ends.a_port = packet.destination_port
        ends.b_port = packet.source_port
    else:
        ends.a = <const uint8_t*>packet.source
        ends.b = <const uint8_t*>packet.destination
        ends.a_port = packet.source_port
        ends.b_port = packet.destination_port
    conn = find(state, ends.a, ends.a_port, ends.b, ends.b_port, network, &ends.hash)
    if conn == NULL:
        ends.network = half_of(network)
        conn = twins_find(state, &ends, &crossed)
        side ^= crossed
        if conn == NULL:
            if packet.payload_length == 0 and not (packet.flags & (SYN | RST)) == SYN:
                return
            if not packet.flags & SYN and ended_has(state, &ends, side, packet.seq + packet.payload_length):
                state.stats.payload_bytes_duplicate += packet.payload_length
                return
            conn = open_connection(state, packet, &ends)
            if conn == NULL:
                state.stats.payload_bytes_evicted += packet.payload_length
                return
    if conn.aliases:
        ends.network = half_of(network)
        if packet.flags & (SYN | RST) == SYN and other_syn(conn, side, packet):
            conn = renew(state, conn, packet, &ends)
            if conn == NULL:
                state.stats.payload_bytes_evicted += packet.payload_length
                return
            side = 1 if swapped(packet) else 0
        elif conn.aliases & ALIAS_TRANSLATED:
            translated_before = <int64_t>state.stats.payload_bytes_duplicate
    take_segment(state, conn, side, &ends, packet)
    if translated_before >= 0:
        state.stats.payload_bytes_duplicate_nat += state.stats.payload_bytes_duplicate - <uint64_t>translated_before
        state.stats.payload_bytes_duplicate = <uint64_t>translated_before


cdef bint other_syn(const Connection* conn, int side, const Packet* packet) noexcept nogil:
    # Does a SYN begin another connection than *conn*? Each of its ends sends it again.
    return not conn.streams[side].seen or conn.streams[side].initial_seq != packet.seq + 1


cdef inline bint unsettled(const Connection* conn) noexcept nogil:
    # May *conn* still turn out to be another one's twin? It has carried no payload, or was joined late.
    return not (conn.streams[0].has_data | conn.streams[1].has_data) or not (conn.streams[0].syn | conn.streams[1].syn)


cdef inline void take_segment(
    EngineState* state, Connection* conn, int side, Ends* ends, const Packet* packet
) noexcept nogil:
    """One segment of *conn*, which its sender of that *side* sent."""
    cdef uint32_t seq = packet.seq
    cdef int32_t ahead
    cdef const Recent* sign
    cdef bint has_ack = (packet.flags & ACK) != 0
    if packet.flags & SYN:
        if packet.flags & RST or not take_syn(state, conn, side, packet):
            state.stats.payload_bytes_closed += packet.payload_length
            return
        seq += 1
    if (conn.closed or conn.reset_ns) and another_began(conn, side, seq, packet):
        conn = renew(state, conn, packet, ends)
        if conn == NULL:
            state.stats.payload_bytes_evicted += packet.payload_length
            return
        side = 1 if swapped(packet) else 0
    if packet.payload_length and not padded(packet):
        # Later ones are noted now and then: a twin that is joined late is looked for over as many packets.
        if conn.packets <= YOUNG_PACKETS:
            if unsettled(conn) and not conn.aliases and not conn.closed:
                sign = twin_of(state, conn, side, seq, packet)
                if sign != NULL and become_alias(state, conn, sign, side, packet):
                    take_packet(state, packet)
                    return
            twins_note(state, conn, side, seq, packet)
        elif conn.packets & 7 < 2:
            twins_note(state, conn, side, seq, packet)
    if conn.closed:
        if state.ports != NULL:
            ports_packet(state.ports, server_port(conn), speaks(conn), packet.payload_length, False)
        late_packet(state, conn, side, packet)
        return
    if conn.pending_first != NULL:
        prefetch(conn.pending_first, sizeof(Exchange))
    touch(state, conn, packet)
    conn.packets = conn.packets + 1 if conn.packets < MANY_PACKETS else MANY_PACKETS // 2 + 1
    conn.streams[side].visible = 1
    if has_ack:
        stream_ack(state, conn, side, packet.ack, packet.time_ns)
    if packet.flags & URG and 0 < packet.urgent_pointer <= packet.payload_length:
        take_urgent(state, conn, side, seq, packet)
    elif padded(packet):
        stream_padding(state, conn, side, seq, packet.payload, packet.payload_length, True, packet.ack, packet.time_ns)
    elif packet.payload_length or packet.missing_length:
        if not stream_segment(state, conn, side, seq, packet.payload, packet.payload_length,
                              packet.missing_length, has_ack, packet.ack, packet.time_ns):
            ends.network = conn.network
            if renew(state, conn, packet, ends) == NULL:
                state.stats.payload_bytes_evicted += packet.payload_length
            else:
                take_packet(state, packet)
            return
    if packet.flags & (FIN | RST):
        if packet.flags & RST:
            ahead = seq_diff(seq, conn.streams[side].rcv_nxt)
            if not conn.streams[side].seen or 0 <= ahead < RESET_WINDOW:
                if conn.reset_ns == 0:
                    conn.reset_ns = by_clock(state, packet.time_ns)
                look_again(conn)
        elif conn.streams[side].syn or conn.streams[side].has_data or not conn.streams[1 - side].syn:
            stream_fin(state, conn, side, seq + packet.payload_length + packet.missing_length, packet.time_ns)
    if state.ports != NULL:
        ports_packet(state.ports, server_port(conn), speaks(conn), packet.payload_length, conn.packets == 1)
    if conn.streams[0].ended and conn.streams[1].ended and not layers_wait(conn):
        close(state, conn, packet.time_ns, ENDED_FIN)
    elif conn.due and not conn.waiting:
        link_waiting(state, conn)
    if over_budget(&state.budget):
        evict(state)


cdef inline bint padded(const Packet* packet) noexcept nogil:
    # May the payload of a bare acknowledgment be the padding of a frame of the least size?
    cdef uint32_t at
    if (packet.flags != ACK or not 0 < packet.payload_length <= MOST_PADDING or packet.missing_length
            or packet.family != 4 or packet.options_length):
        return False
    for at in range(packet.payload_length):
        if packet.payload[at]:
            return False
    return True


cdef void take_urgent(
    EngineState* state, Connection* conn, int side, uint32_t seq, const Packet* packet
) noexcept nogil:
    # The urgent octet stands before the pointer and is no part of what the application reads from the
    # stream, as systems implement it unless SO_OOBINLINE is set (RFC 6093 section 3.1).
    cdef Stream* stream = &conn.streams[side]
    cdef uint32_t before = packet.urgent_pointer - 1
    cdef bint has_ack = (packet.flags & ACK) != 0
    stream_segment(state, conn, side, seq, packet.payload, before, 0, has_ack, packet.ack, packet.time_ns)
    if stream.rcv_nxt != seq + before or stream.held != NULL:
        before -= 1
    else:
        stream.rcv_nxt += 1
        stream.offset += 1
        state.stats.payload_bytes_skipped += 1
    stream_segment(
        state, conn, side, seq + before + 1, packet.payload + before + 1,
        packet.payload_length - before - 1, packet.missing_length, has_ack, packet.ack, packet.time_ns)


cdef bint another_began(const Connection* conn, int side, uint32_t seq, const Packet* packet) noexcept nogil:
    # Does a payload after the end or the reset of *conn* belong to another connection, whose SYN was not captured?
    cdef const Stream* stream = &conn.streams[side]
    cdef int32_t ahead = seq_diff(seq, stream.rcv_nxt)
    if packet.payload_length == 0 or not stream.seen:
        return False
    return ahead > (RESET_WINDOW if stream.ended and stream.fin else ANOTHER) or ahead < -ANOTHER


cdef void late_packet(EngineState* state, Connection* conn, int side, const Packet* packet) noexcept nogil:
    # Behind the end of a connection: duplicates of what was seen, or octets nobody accounts for.
    cdef Stream* stream = &conn.streams[side]
    cdef int32_t ahead
    if packet.payload_length == 0:
        return
    ahead = seq_diff(packet.seq + packet.payload_length, stream.rcv_nxt)
    if stream.seen and -RESET_WINDOW < ahead <= 0:
        state.stats.payload_bytes_duplicate += packet.payload_length
    else:
        state.stats.payload_bytes_closed += packet.payload_length


cdef void evict(EngineState* state) noexcept nogil:
    """Give up what is worth least until the budget holds: the largest of a few, going round."""
    cdef int64_t half_open_bytes
    cdef Connection* conn
    cdef int rounds = 0
    while over_budget(&state.budget) and rounds < MOST_ROUNDS:
        rounds += 1
        if state.closed_oldest != NULL:
            forget(state, state.closed_oldest, True)
            continue
        half_open_bytes = <int64_t>state.half_open_count * <int64_t>sizeof(Connection)
        if half_open_bytes > state.budget.limit // HALF_OPEN_SHARE:
            conn = state.orders[HALF_OPEN].oldest
        elif state.quiet_bytes > state.budget.limit // QUIET_SHARE:
            conn = largest_quiet(state)
        else:
            conn = largest_open(state)
            if conn != NULL:
                # It goes on without what it held.
                state.stats.connections_evicted += 1
                abandon(state, conn)
                stream_free(state, conn, True)
                continue
            conn = state.orders[HALF_OPEN].oldest
            if conn == NULL:
                conn = largest_quiet(state)
            if conn == NULL:
                conn = state.orders[OPEN].oldest
        if conn == NULL:
            return
        state.stats.connections_evicted += 1
        abandon(state, conn)
        stream_free(state, conn, True)
        give_up(state, conn)


cdef Connection* largest_open(EngineState* state) noexcept nogil:
    # Of a few, going round; NULL when none is worth it.
    cdef Connection* conn
    cdef Connection* worst = NULL
    cdef int64_t most = SMALL - 1
    cdef int64_t size
    cdef int _look
    for _look in range(EVICT_LOOKS):
        conn = state.clock_hand if state.clock_hand != NULL else state.orders[OPEN].oldest
        if conn == NULL:
            return NULL
        state.clock_hand = conn.newer
        size = footprint(conn)
        if size > most:
            most = size
            worst = conn
    return worst


cdef Connection* largest_quiet(EngineState* state) noexcept nogil:
    # Of those that have been quiet for longest; the oldest where all are alike. NULL when there is none.
    cdef Connection* conn = state.orders[QUIET].oldest
    cdef Connection* worst = conn
    cdef int _look
    for _look in range(EVICT_LOOKS):
        if conn == NULL:
            break
        if conn.quiet_bytes > worst.quiet_bytes:
            worst = conn
        conn = conn.newer
    return worst


cdef void give_up(EngineState* state, Connection* conn) noexcept nogil:
    # Nothing of it stays, not even what recognizes duplicates: after a silence, what comes is no duplicate.
    close(state, conn, state.now_ns, ENDED_GIVEN_UP)
    forget(state, conn, False)


cdef inline bint silent_for(const EngineState* state, Connection* conn, int64_t limit_ns) noexcept nogil:
    # Did the oldest of an order show nothing for so long?
    if conn == NULL:
        return False
    if conn.last_ns > state.elapsed_ns + AHEAD_NS:
        conn.last_ns = state.elapsed_ns           # by a frame whose clock was ahead
    return state.elapsed_ns - conn.last_ns >= limit_ns


cdef void connections_tick(EngineState* state, int64_t now_ns) noexcept nogil:
    """Time has passed: give up overdue holes, finish reset and idle connections, forget closed ones.

    *now_ns* is what is written on what ends by it. How long anything has waited, ``elapsed_ns`` says.
    """
    cdef Connection* conn = state.waiting
    cdef Connection* following
    cdef bint still
    state.last_tick_ns = now_ns
    while conn != NULL:
        following = conn.waiting_next
        still = stream_look(state, conn, now_ns)
        if tick_layers(state, conn, now_ns, False):
            still = True
        looked_at(conn)
        if not layers_wait(conn):
            if conn.reset_ns > state.elapsed_ns:
                conn.reset_ns = state.elapsed_ns
            if conn.reset_ns and state.elapsed_ns - conn.reset_ns >= state.settings.acked_gap_ns:
                close(state, conn, now_ns, ENDED_RESET)
            elif conn.streams[0].ended and conn.streams[1].ended:
                close(state, conn, now_ns, ENDED_FIN)
            elif not still and conn.reset_ns == 0:
                unlink_waiting(state, conn)
        conn = following
    while silent_for(state, state.closed_oldest, state.settings.linger_ns):
        forget(state, state.closed_oldest, True)
    conn = state.orders[HALF_OPEN].oldest
    while silent_for(state, conn, state.settings.quiet_ns):
        give_up(state, conn)
        conn = state.orders[HALF_OPEN].oldest
    conn = state.orders[OPEN].oldest
    while silent_for(state, conn, state.settings.quiet_ns):
        if goes_on(conn):
            become_quiet(state, conn)
        else:
            give_up(state, conn)
        conn = state.orders[OPEN].oldest
    conn = state.orders[QUIET].oldest
    while silent_for(state, conn, state.settings.idle_ns):
        give_up(state, conn)
        conn = state.orders[QUIET].oldest


cdef void connections_finish(EngineState* state) noexcept nogil:
    """The capture has ended: report everything that is open, in order of last activity."""
    cdef int standing
    for standing in range(QUIET, HALF_OPEN - 1, -1):
        while state.orders[standing].oldest != NULL:
            close(state, state.orders[standing].oldest, state.now_ns, ENDED_GIVEN_UP)
