"""One connection that is seen under several addresses or in several networks.

Address translation changes addresses and ports and keeps TCP's sequence numbers; so does a tag or a tunnel. Two
connections with the same pair of initial sequence numbers are one (64 bits that both ends have drawn at random): a
*twin*. Joined without its handshake, a connection is recognized by a segment with the same sequence and
acknowledgment numbers and the same first octets, for seconds.

The first of them to carry a payload is read. Its twins become *aliases*: their segments go into the same two byte
streams, where they are duplicates by their sequence numbers, or fill holes. A path on which one network carries
the requests and another one the responses is put together in the same way.

Generators of traffic begin all connections at 0 or 1000. Such numbers identify nothing: there, a twin under other
addresses must repeat the first octets, and must have been opened before they were sent.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from levo.engine.core.memory cimport give_back, over_budget, take
from levo.engine.core.pages cimport pages_give_back, pages_take
from levo.engine.core.state cimport Connection, EngineState, by_clock, seq_diff
from levo.engine.core.times cimport SECOND_NS
from levo.engine.core.types cimport Packet

cdef enum:
    FIRST_BUCKETS = 256
    MOST_BUCKETS = 1 << 20
    MOST_ALIASES = 16           # of one connection
    PREFIX = 16                 # octets that are compared
    OPENING_PREFIX = 48         # ... of what a connection began with, whose numbers may not be random
    CHOSEN = 1 << 16            # sequence numbers below are not drawn at random, but chosen
    YOUNG = 8                   # packets during which a connection that was joined late is looked for elsewhere
    TWIN_SECONDS = 5            # between two copies of a segment
    ACK = 16

cdef Twins* twins_new() noexcept nogil:
    """NULL when memory is refused."""
    return <Twins*>pages_take(sizeof(Twins))


cdef void twins_free(EngineState* state) noexcept nogil:
    """Every connection has given its aliases back before."""
    cdef Twins* twins = <Twins*>state.twins
    if twins != NULL:
        free(twins.by_hash)
        free(twins.by_conn)
        pages_give_back(twins, sizeof(Twins))
    state.twins = NULL


# Aliases.

cdef inline uint32_t bucket_of(const Twins* twins, const Connection* conn) noexcept nogil:
    return <uint32_t>((<uint64_t>conn >> 6) * <uint64_t>0x9e3779b97f4a7c15 >> 32) & twins.mask


cdef Connection* twins_find(EngineState* state, const Ends* ends, int* crossed) noexcept nogil:
    """The connection that is also known by *ends*, or NULL."""
    cdef Twins* twins = <Twins*>state.twins
    cdef Alias* alias
    if twins.count == 0:
        return NULL
    alias = twins.by_hash[ends.hash & twins.mask]
    while alias != NULL:
        if (alias.hash == ends.hash and alias.network == ends.network and alias.a_port == ends.a_port
                and alias.b_port == ends.b_port and memcmp(alias.a, ends.a, 16) == 0
                and memcmp(alias.b, ends.b, 16) == 0):
            crossed[0] = alias.crossed
            return alias.conn
        alias = alias.next
    return NULL


cdef bint grow(Twins* twins) noexcept nogil:
    cdef uint32_t size = (twins.mask + 1) * 2 if twins.by_hash != NULL else <uint32_t>FIRST_BUCKETS
    cdef Alias** by_hash
    cdef Alias** by_conn
    cdef Alias* alias
    cdef Alias* following
    cdef uint32_t i, at
    cdef uint32_t before = twins.mask + 1 if twins.by_hash != NULL else 0
    if size > MOST_BUCKETS:
        return True
    by_hash = <Alias**>calloc(size, sizeof(Alias*))
    by_conn = <Alias**>calloc(size, sizeof(Alias*))
    if by_hash == NULL or by_conn == NULL:
        free(by_hash)
        free(by_conn)
        return twins.by_hash != NULL
    twins.mask = size - 1
    for i in range(before):
        alias = twins.by_hash[i]
        while alias != NULL:
            following = alias.next
            at = alias.hash & twins.mask
            alias.next = by_hash[at]
            by_hash[at] = alias
            at = bucket_of(twins, alias.conn)
            alias.sibling = by_conn[at]
            by_conn[at] = alias
            alias = following
    free(twins.by_hash)
    free(twins.by_conn)
    twins.by_hash = by_hash
    twins.by_conn = by_conn
    return True


cdef bint twins_add(EngineState* state, Connection* conn, const Ends* ends, bint crossed) noexcept nogil:
    """*conn* is also known by *ends*; False when it cannot be remembered."""
    cdef Twins* twins = <Twins*>state.twins
    cdef Alias* alias
    cdef uint32_t at
    cdef int many = 0
    if (twins.by_hash == NULL or twins.count > twins.mask) and not grow(twins):
        return False
    alias = twins.by_conn[bucket_of(twins, conn)]
    while alias != NULL:
        many += alias.conn == conn
        alias = alias.sibling
    if many >= MOST_ALIASES or over_budget(&state.budget):
        return False
    alias = <Alias*>take(&state.budget, sizeof(Alias))
    if alias == NULL:
        return False
    alias.conn = conn
    memcpy(alias.a, ends.a, 16)
    memcpy(alias.b, ends.b, 16)
    alias.a_port = ends.a_port
    alias.b_port = ends.b_port
    alias.hash = ends.hash
    alias.network = ends.network
    alias.crossed = crossed
    at = alias.hash & twins.mask
    alias.next = twins.by_hash[at]
    twins.by_hash[at] = alias
    at = bucket_of(twins, conn)
    alias.sibling = twins.by_conn[at]
    twins.by_conn[at] = alias
    twins.count += 1
    return True


cdef bint twins_pop(EngineState* state, Connection* conn, Alias* taken) noexcept nogil:
    """Take one alias of *conn* away, into *taken*; False when it has none."""
    cdef Twins* twins = <Twins*>state.twins
    cdef Alias** at
    cdef Alias** link
    cdef Alias* alias
    if twins.count == 0:
        return False
    at = &twins.by_conn[bucket_of(twins, conn)]
    while at[0] != NULL and at[0].conn != conn:
        at = &at[0].sibling
    alias = at[0]
    if alias == NULL:
        return False
    at[0] = alias.sibling
    link = &twins.by_hash[alias.hash & twins.mask]
    while link[0] != alias:
        link = &link[0].next
    link[0] = alias.next
    twins.count -= 1
    taken[0] = alias[0]
    give_back(&state.budget, alias, sizeof(Alias))
    return True


# Recent segments.

cdef inline uint64_t key_of(uint32_t one, uint32_t other) noexcept nogil:
    return <uint64_t>one << 32 | other if one < other else <uint64_t>other << 32 | one


cdef inline Recent* slot_of(EngineState* state, uint64_t key, bint opening) noexcept nogil:
    # *opening*: what a connection with a handshake began with has a place of its own, which busy ones do not take.
    cdef uint64_t mixed = (key ^ state.hash_seed) * <uint64_t>0x9e3779b97f4a7c15
    return &(<Twins*>state.twins).recent[opening][(mixed ^ mixed >> 32) & (RECENT_SLOTS - 1)]


cdef inline uint32_t prefix_of(const Packet* packet, uint32_t most) noexcept nogil:
    cdef uint64_t mixed = packet.payload_length if packet.payload_length < most else most
    cdef uint64_t part = 0
    cdef uint32_t length = <uint32_t>mixed
    cdef uint32_t at = 0
    while at + 8 <= length:
        memcpy(&part, packet.payload + at, 8)
        mixed = (mixed ^ part) * <uint64_t>0xd6e8feb86659fd93
        mixed ^= mixed >> 32
        at += 8
    part = 0
    memcpy(&part, packet.payload + at, length - at)
    mixed = (mixed ^ part) * <uint64_t>0xd6e8feb86659fd93
    return <uint32_t>(mixed >> 32)


cdef inline uint32_t start_of(const Packet* packet) noexcept nogil:
    # The same of PREFIX octets, for most segments.
    cdef uint64_t part[2]
    if packet.payload_length < PREFIX:
        return prefix_of(packet, PREFIX)
    memcpy(part, packet.payload, 16)
    return <uint32_t>((part[0] * <uint64_t>0xd6e8feb86659fd93 ^ part[1]) * <uint64_t>0x9e3779b97f4a7c15 >> 32)


cdef inline bint handshake_seen(const Connection* conn) noexcept nogil:
    return conn.client >= 0 and (conn.streams[0].syn or conn.streams[1].syn)


cdef inline uint32_t beginning(const Connection* conn, int side, uint32_t otherwise) noexcept nogil:
    return conn.streams[side].initial_seq if conn.streams[side].seen else otherwise


cdef void put(EngineState* state, Connection* conn, int side, uint32_t seq, uint32_t ack,
              uint32_t prefix, uint32_t length, int64_t time_ns, bint opening) noexcept nogil:
    cdef uint64_t key = key_of(seq, ack)
    cdef Recent* slot = slot_of(state, key, opening)
    slot.key = key
    slot.conn = conn
    slot.hash = conn.hash
    slot.time_ns = time_ns
    slot.seq = seq
    slot.prefix = prefix
    slot.length = length
    slot.side = <uint8_t>side
    slot.noted = <uint32_t>(by_clock(state, time_ns) >> 10)


cdef void twins_note(EngineState* state, Connection* conn, int side, uint32_t seq, const Packet* packet) noexcept nogil:
    """Remember a segment with a payload. Called for the first ones of a connection, and for some of those after."""
    cdef bint whole = handshake_seen(conn)
    cdef uint32_t prefix
    cdef uint32_t first, second
    if not packet.flags & ACK or packet.payload_length == 0:
        return
    if whole and not (conn.streams[0].has_data or conn.streams[1].has_data):
        first = beginning(conn, side, seq)
        second = beginning(conn, 1 - side, packet.ack)
        if first == seq and second == packet.ack:
            prefix = prefix_of(packet, OPENING_PREFIX)
            put(state, conn, side, seq, packet.ack, prefix, packet.payload_length, packet.time_ns, True)
            return
        # Not the first octets: known by its handshake all the same.
        put(state, conn, side, first, second, 0, 0, packet.time_ns, True)
    prefix = start_of(packet)
    put(state, conn, side, seq, packet.ack, prefix, packet.payload_length, packet.time_ns, False)
    if whole:
        return
    if not conn.streams[1 - side].visible:
        # The answer may come in another network.
        put(state, conn, side, seq + packet.payload_length + packet.missing_length, packet.ack, 0, 0, packet.time_ns,
            False)


cdef bint alive(EngineState* state, const Recent* slot) noexcept nogil:
    # The connection may be gone: a pointer is believed where the table leads to it.
    cdef Connection* conn = state.buckets[slot.hash & state.bucket_mask]
    while conn != NULL:
        if conn == slot.conn:
            return conn.hash == slot.hash
        conn = conn.hash_next
    return False


cdef bint same_ends(Connection* conn, int side, Connection* other, int other_side) noexcept nogil:
    # Have both the same addresses and ports?
    cdef const uint8_t* source = &conn.b[0] if side else &conn.a[0]
    cdef const uint8_t* target = &conn.a[0] if side else &conn.b[0]
    cdef const uint8_t* other_source = &other.b[0] if other_side else &other.a[0]
    cdef const uint8_t* other_target = &other.a[0] if other_side else &other.b[0]
    return (
        (conn.b_port if side else conn.a_port) == (other.b_port if other_side else other.a_port)
        and (conn.a_port if side else conn.b_port) == (other.a_port if other_side else other.b_port)
        and memcmp(source, other_source, 16) == 0
        and memcmp(target, other_target, 16) == 0
    )


cdef const Recent* twin_of(
    EngineState* state, Connection* conn, int side, uint32_t seq, const Packet* packet
) noexcept nogil:
    """What shows that *conn*, which has just begun to carry a payload, is another connection's twin; else NULL."""
    cdef bint whole = handshake_seen(conn)
    cdef bint known, same, drawn
    cdef const Recent* slot
    cdef Connection* other
    cdef uint64_t key
    cdef uint32_t first, second, most
    cdef int sender
    if not packet.flags & ACK:
        return NULL
    if whole:
        if conn.streams[0].has_data or conn.streams[1].has_data:
            return NULL
        first = beginning(conn, side, seq)
        second = beginning(conn, 1 - side, packet.ack)
    else:
        if conn.packets > YOUNG:
            return NULL
        first = seq
        second = packet.ack
    key = key_of(first, second)
    slot = slot_of(state, key, whole)
    most = OPENING_PREFIX if whole else PREFIX
    if slot.key != key or slot.conn == conn:
        slot = slot_of(state, key, not whole)     # the other one was joined late, or this one
        most = PREFIX if whole else OPENING_PREFIX
    if slot.key != key or slot.conn == conn or slot.conn == NULL or first == second:
        return NULL
    if packet.time_ns - slot.time_ns > TWIN_SECONDS * SECOND_NS:
        return NULL
    if slot.time_ns - packet.time_ns > TWIN_SECONDS * SECOND_NS or not alive(state, slot):
        return NULL
    other = slot.conn
    sender = slot.side if slot.seq == first else 1 - slot.side
    # Are both segments there to be compared, and are they the same?
    known = (
        slot.seq == first and slot.length and first == seq and second == packet.ack
        and (slot.length == packet.payload_length or (slot.length >= most and packet.payload_length >= most))
    )
    same = known and slot.prefix == (start_of(packet) if most == PREFIX else prefix_of(packet, most))
    if known and not same:
        return NULL
    drawn = first >= CHOSEN and second >= CHOSEN and (
        seq_diff(first, second) >= CHOSEN or seq_diff(second, first) >= CHOSEN
    )
    if same_ends(conn, side, other, sender):
        return slot if same or (drawn and whole) or not other.streams[sender].visible else NULL
    if whole:
        return slot if drawn or (same and seq_diff(slot.noted, <uint32_t>(conn.placed_ns >> 10)) > 0) else NULL
    return slot if same and drawn else NULL
