"""TLS as a bystander sees it (RFC 8446, RFC 5246): the handshake is read; with keys, what follows is too.

Stages of a connection::

    HELLO   records are taken apart, handshake messages put together (they may be spread over records and
            segments) until the server encrypts                                  -> SHUT, SEALED
    SEALED  there are keys, or there may be: records are opened, or held until the keys come up (looked for
            with every segment and as time passes, also behind the connection's end); what was in them is
            read on as if it had come in the clear                               -> SHUT
    SHUT    everything is known that can be: a segment costs one addition

The connection joins the table of encrypted endpoints when HELLO ends, whatever ended it: the last message in
the clear, a hole, the end of the connection.

Offsets: the first octet of a record's content stands where the record begins, its last one where the record
ends. So acknowledgments, which fall between records, mean the same behind TLS as in front of it.

Holes: inside one record they cost that record. Otherwise the next record is looked for by its header. With AES-GCM
its number follows from the record itself; otherwise the next ones are tried. Only the right number authenticates.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memset

from levo.engine.core.memory cimport buffer_append, buffer_free, collect, give_back, take
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.tls.endpoints cimport (
    TLS_JOINED_LATE,
    TLS_MALFORMED,
    TLS_MEMORY,
    TLS_NO_SECRETS,
    TLS_OPEN,
    TLS_OTHER,
    TLS_OUT_OF_STEP,
    TLS_READ,
    TLS_SECRET_LOST,
    TLS_SUITE,
    TLS_UNFINISHED,
    endpoint_names,
    endpoints_find,
    endpoints_free,
    endpoints_new,
)
from levo.engine.tls.hello cimport (
    SEEN_SERVER_HELLO,
    TLS_1_2,
    TLS_1_3,
    TlsFacts,
    read_certificate,
    read_client_hello,
    read_encrypted_extensions,
    read_server_hello,
)
from levo.engine.tls.keys cimport (
    CLIENT_HANDSHAKE,
    CLIENT_TRAFFIC,
    MASTER_SECRET,
    SERVER_HANDSHAKE,
    SERVER_TRAFFIC,
    Secrets,
    keys_find,
    keys_free,
    keys_new,
    keys_process,
    keys_used,
    opener_classic,
    opener_free,
    opener_modern,
    opener_next,
    opener_number,
    opener_open,
    opener_overhead,
    suite_known,
)
from levo.engine.core.types cimport PROTOCOL_HTTP2, PROTOCOL_OPAQUE, PROTOCOL_TLS, Budget, Buffer
from levo.engine.exchange.pairing cimport lose_order
from levo.engine.proto.dispatch cimport begin_protocol, layer_data, layer_end, layer_gap
from levo.engine.proto.layers cimport (
    add_layer,
    forget_state,
    learn_client,
    level_of,
    look_again,
    speak,
    speaks,
    state_of,
    whole,
)
from levo.engine.proto.protocol cimport ENDED_FIN, LOOKS_EITHER, LOOKS_NO, Protocol

cdef enum:
    RECORD_CCS = 20
    RECORD_HANDSHAKE = 22
    RECORD_DATA = 23
    RECORD_LAST = 24
    RECORD_HEADER = 5
    MOST_RECORD = 16384 + 2048  # RFC 5246 section 6.2.3

cdef enum:
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    FINISHED = 20
    KEY_UPDATE = 24

cdef enum:
    MESSAGE_KEPT = 16384        # octets of a handshake message that are read
    MOST_HELD = 262144          # octets of a direction that wait for keys
    HELD_SHARE = 8              # of the budget, for what waits on all connections
    ASK_NS = 1_000_000          # live, secrets are asked for this often at most
    MOST_TRIES = 256            # record numbers tried behind a hole, where the record does not show its own
    MOST_FAILURES = 8


cdef inline int inner_level(const Connection* conn) noexcept nogil:
    """Of the layer that reads what TLS unwraps."""
    return level_of(conn, PROTOCOL_TLS) + 1


cdef TlsTable* tls_new(uint32_t most_secrets) noexcept nogil:
    """What an engine knows of TLS, empty, for at most *most_secrets* connections' secrets; NULL without memory."""
    cdef TlsTable* table = <TlsTable*>calloc(1, sizeof(TlsTable))
    if table == NULL:
        return NULL
    table.endpoints = endpoints_new()
    table.keys = keys_new(most_secrets)
    if table.endpoints == NULL or table.keys == NULL:
        free(table.endpoints)
        free(table.keys)
        free(table)
        return NULL
    return table


cdef void tls_delete(TlsTable* table, Budget* budget) noexcept nogil:
    if table == NULL:
        return
    endpoints_free(table.endpoints, budget)
    keys_free(table.keys, budget)
    free(table)


cdef inline uint32_t record_length(const uint8_t* header) noexcept nogil:
    return <uint32_t>header[3] << 8 | header[4]


cdef inline bint possible_record(const uint8_t* header) noexcept nogil:
    return RECORD_CCS <= header[0] <= RECORD_LAST and header[1] == 3 and header[2] <= 4 and (
        0 < record_length(header) <= MOST_RECORD)


cdef bint tls_looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether a direction's first octets begin a TLS handshake; joined late, also whether records follow each other."""
    cdef uint32_t at = 0
    if length < 6:
        return data[0] == RECORD_HANDSHAKE and (length < 2 or data[1] == 3) and (
            conn.streams[direction].syn and conn.streams[direction].offset == 0)
    if not possible_record(data):
        return False
    if data[0] == RECORD_HANDSHAKE and data[5] <= 2:
        return True
    if not (conn.mid_stream or conn.tainted) or data[0] != RECORD_DATA or data[2] != 3:
        return False
    while length - at >= RECORD_HEADER:
        if not possible_record(data + at):
            return False
        at += RECORD_HEADER + record_length(data + at)
        if at >= length:
            break
    return True


cdef bint tls_begin(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """*conn* speaks TLS from the next octets of *direction* on. False when memory is refused."""
    cdef Tls* tls
    if state.tls == NULL:
        return False
    tls = <Tls*>take(&state.budget, sizeof(Tls))
    if tls == NULL:
        return False
    memset(tls, 0, sizeof(Tls))
    tls.facts = <TlsFacts*>take(&state.budget, sizeof(TlsFacts))
    if tls.facts == NULL:
        give_back(&state.budget, tls, sizeof(Tls))
        return False
    memset(tls.facts, 0, sizeof(TlsFacts))
    tls.first_ns = time_ns
    tls.sides[0].ended = conn.streams[0].ended     # a side may have ended before anybody knew what was spoken
    tls.sides[1].ended = conn.streams[1].ended
    speak(conn, PROTOCOL_TLS, tls)
    whole(conn)
    state.stats.connections_tls += 1
    (<TlsTable*>state.tls).outcomes[<int>TLS_OPEN] += 1
    return True


ctypedef struct Arrival:
    # Where octets came from; what they hold goes on to the inner protocol.
    EngineState* state
    Connection* conn
    int direction
    int64_t time_ns
    int64_t ack
    int64_t base                # offset of the first of them


cdef uint32_t tls_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """The next *length* octets of a direction, in order. Consumes and counts them all."""
    take_octets(state, conn, direction, data, length, time_ns, ack)
    return length


cdef void take_octets(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsSide* side
    cdef Arrival arrival
    cdef uint8_t stage
    if tls == NULL:
        state.stats.payload_bytes_opaque += length
        return
    if tls.endpoint != NULL:
        tls.endpoint.octets += length
        if time_ns > tls.endpoint.last_ns:
            tls.endpoint.last_ns = time_ns
    else:
        tls.early += length
    if tls.stage == STAGE_SHUT:
        state.stats.payload_bytes_opaque += length
        return
    arrival.state = state
    arrival.conn = conn
    arrival.direction = direction
    arrival.time_ns = time_ns
    arrival.ack = ack
    arrival.base = conn.streams[direction].offset
    side = &tls.sides[direction]
    stage = tls.stage
    if stage == STAGE_SEALED:
        state.stats.payload_bytes_parsed += length
    else:
        state.stats.payload_bytes_opaque += length
    if tls.sides[0].held.length or tls.sides[1].held.length:
        # The client's first: requests before responses.
        release_held(&arrival, conn.client)
        if tls.sides[conn.client].held.length == 0:
            release_held(&arrival, 1 - conn.client)
        if tls.stage == STAGE_SHUT:
            return
        if side.held.length or tls.sides[conn.client].held.length:
            hold(&arrival, data, length, arrival.base)
            return
    read_records(&arrival, data, length)
    if stage == STAGE_HELLO and (tls.stage == STAGE_SEALED or conn.encrypted):
        state.stats.payload_bytes_opaque -= length
        state.stats.payload_bytes_parsed += length


cdef void read_records(Arrival* from_, const uint8_t* data, uint32_t length) noexcept nogil:
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[from_.direction]
    cdef uint32_t at = 0
    cdef uint32_t mine
    while at < length and tls.stage != STAGE_SHUT:
        if side.have < RECORD_HEADER:
            if side.lost:
                at += search_record(side, data + at, length - at)
                if at >= length:
                    return
            at += collect(side.header, &side.have, RECORD_HEADER, data + at, length - at)
            if side.have < RECORD_HEADER:
                return
            if not possible_record(side.header):
                shut(from_.state, from_.conn, from_.time_ns, TLS_MALFORMED)
                return
            side.left = record_length(side.header)
            if side.header[0] == RECORD_DATA and not side.sealed:
                seal(from_.state, from_.conn, from_.direction, from_.time_ns)
            if tls.stage == STAGE_SEALED and side.sealed and side.opener.context == NULL and not (
                find_keys(from_.state, from_.conn, from_.direction, from_.time_ns)
            ):
                side.have = 0
                if length - at > MOST_HELD - RECORD_HEADER:
                    shut(from_.state, from_.conn, from_.time_ns, TLS_MEMORY)
                hold(from_, side.header, RECORD_HEADER, from_.base + at - RECORD_HEADER)
                hold(from_, data + at, length - at, from_.base + at)
                return
            continue
        mine = side.left if side.left < length - at else length - at
        side.left -= mine
        if side.sealed:
            if side.opener.context == NULL or side.damaged:
                pass                              # early data, or octets of it were lost
            elif side.left == 0 and side.record.length == 0:
                take_record(from_, data + at, mine, from_.base + at + mine)
            elif not buffer_append(&from_.state.budget, &side.record, data + at, mine):
                shut(from_.state, from_.conn, from_.time_ns, TLS_MEMORY)
                return
            elif side.left == 0:
                take_record(from_, side.record.data, side.record.length, from_.base + at + mine)
                side.record.length = 0
        elif side.header[0] == RECORD_HANDSHAKE:
            take_handshake(from_.state, from_.conn, from_.direction, data + at, mine, from_.time_ns)
        at += mine
        if side.left == 0 and tls.stage != STAGE_SHUT:
            side.have = 0
            if side.damaged:
                skip_record(from_)
            if side.header[0] == RECORD_CCS and tls.facts.version < TLS_1_3 and not side.sealed:
                seal(from_.state, from_.conn, from_.direction, from_.time_ns)


cdef void seal(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    # Records of this direction are encrypted from here on.
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsTable* table = <TlsTable*>state.tls
    tls.sides[direction].sealed = 1
    if not tls.facts.seen & SEEN_SERVER_HELLO:
        if direction != conn.client:
            shut(state, conn, time_ns, TLS_JOINED_LATE)     # else it is early data
        return
    join_endpoint(state, conn, time_ns)
    if tls.facts.version < TLS_1_2 or not suite_known(tls.facts.suite, tls.facts.version >= TLS_1_3):
        shut(state, conn, time_ns, TLS_SUITE)
    elif table.keys.count == 0 and table.ask == NULL:
        shut(state, conn, time_ns, TLS_NO_SECRETS)
    else:
        tls.stage = STAGE_SEALED


# Keys.

cdef bint find_keys(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """Set up the opener of a direction; False while there are no keys, and then the connection may be shut."""
    cdef TlsTable* table = <TlsTable*>state.tls
    cdef bint again = table.wait_ns and state.elapsed_ns - table.asked_ns < ASK_NS
    if prepare(state, conn, direction):
        return True
    if table.ask != NULL:
        if not again:
            table.asked_ns = state.elapsed_ns
        table.ask(table.ask_context, again)
        if prepare(state, conn, direction):
            return True
    if not table.wait_ns:
        shut(state, conn, time_ns, why_no_keys(state, conn))
    return False


cdef uint8_t why_no_keys(EngineState* state, const Connection* conn) noexcept nogil:
    # For a connection whose octets wait for secrets, or would.
    cdef const Tls* tls = <const Tls*>state_of(conn, PROTOCOL_TLS)
    if tls.facts != NULL and keys_find((<TlsTable*>state.tls).keys, tls.facts.client_random) != NULL:
        return TLS_SECRET_LOST
    return TLS_NO_SECRETS


cdef bint prepare(EngineState* state, Connection* conn, int direction) noexcept nogil:
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[direction]
    cdef const Secrets* secrets = keys_find((<TlsTable*>state.tls).keys, tls.facts.client_random)
    cdef bint client = direction == conn.client
    cdef bint well
    cdef int kind
    if secrets == NULL:
        return False
    if tls.facts.version < TLS_1_3:
        kind = MASTER_SECRET
        if secrets.lengths[kind] == 0:
            return False
        well = opener_classic(
            &side.opener, &state.budget, tls.facts.suite, secrets.octets[kind], secrets.lengths[kind],
            tls.facts.client_random, tls.facts.server_random, client)
    else:
        kind = CLIENT_HANDSHAKE if client else SERVER_HANDSHAKE
        if side.traffic or secrets.lengths[kind] == 0:
            kind = CLIENT_TRAFFIC if client else SERVER_TRAFFIC
            side.traffic = 1
        if secrets.lengths[kind] == 0:
            return False
        well = opener_modern(&side.opener, &state.budget, tls.facts.suite, secrets.octets[kind])
    if not well:
        return False
    keys_used((<TlsTable*>state.tls).keys, tls.facts.client_random, kind)
    side.opened = 0
    if not conn.encrypted:
        if not add_layer(conn):
            return False
        conn.encrypted = 1
    return True


cdef void hold(Arrival* from_, const uint8_t* data, uint32_t length, int64_t offset) noexcept nogil:
    # Until the keys come up.
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    cdef TlsTable* table = <TlsTable*>from_.state.tls
    cdef TlsSide* side = &tls.sides[from_.direction]
    cdef int64_t limit = from_.state.budget.limit
    cdef int64_t most = limit // HELD_SHARE if limit else INT64_MAX
    if tls.stage == STAGE_SHUT:
        return
    if side.held.length == 0:
        side.held_offset = offset
        side.held_ns = from_.state.elapsed_ns
        look_again(from_.conn)
    if side.held.length + length > MOST_HELD or table.held + length > most or not buffer_append(
        &from_.state.budget, &side.held, data, length
    ):
        shut(from_.state, from_.conn, from_.time_ns, TLS_MEMORY)
        return
    table.held += length


cdef void release_held(Arrival* from_, int direction) noexcept nogil:
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[direction]
    cdef Arrival earlier
    cdef Buffer held
    if tls.stage == STAGE_SHUT or side.held.length == 0:
        return
    # A server's octets also wait behind its client's: they may have their keys already.
    if side.opener.context == NULL and not find_keys(from_.state, from_.conn, direction, from_.time_ns):
        return
    held = side.held
    memset(&side.held, 0, sizeof(Buffer))
    (<TlsTable*>from_.state.tls).held -= held.length
    earlier = from_[0]
    earlier.direction = direction
    earlier.ack = -1
    earlier.base = side.held_offset
    read_records(&earlier, held.data, held.length)
    buffer_free(&from_.state.budget, &held)


cdef bint tls_waits(const Connection* conn) noexcept nogil:
    """Whether octets of *conn* wait for their keys."""
    cdef const Tls* tls = <const Tls*>state_of(conn, PROTOCOL_TLS)
    return tls != NULL and (tls.sides[0].held.length != 0 or tls.sides[1].held.length != 0)


cdef bint tls_look(
    EngineState* state, Connection* conn, int64_t now_ns, bint last,
) noexcept nogil:
    """Time has passed: read on what waits for keys that have come up since. True while something waits.

    What has waited for as long as secrets may take is given up, with *last* anything.
    """
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef Arrival arrival
    cdef int client = conn.client
    cdef int i
    if not tls_waits(conn):
        return False
    arrival.state = state
    arrival.conn = conn
    arrival.direction = client
    arrival.time_ns = now_ns
    arrival.ack = -1
    arrival.base = 0
    if last:
        (<TlsTable*>state.tls).asked_ns = 0
    release_held(&arrival, client)
    if tls.sides[client].held.length == 0:
        release_held(&arrival, 1 - client)
    if tls_waits(conn):
        for i in range(2):
            if tls.sides[i].held.length and state.elapsed_ns - tls.sides[i].held_ns >= (<TlsTable*>state.tls).wait_ns:
                last = True
        if last:
            shut(state, conn, now_ns, why_no_keys(state, conn))
    return tls_waits(conn)


# Encrypted records.

cdef void take_record(Arrival* from_, const uint8_t* body, uint32_t length, int64_t end) noexcept nogil:
    """One whole record; *end*: the offset behind it."""
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[from_.direction]
    cdef uint8_t* plain = (<TlsTable*>from_.state.tls).plain
    cdef uint8_t kind = side.header[0]
    cdef int64_t size
    if side.opener.modern and kind == RECORD_CCS:
        return                                    # means nothing (RFC 8446 section 5)
    size = opener_open(&side.opener, side.header, body, length, side.opener.sequence, plain)
    if size < 0 and (side.lost or side.opened):
        size = find_number(from_, body, length, plain)
    if size < 0:
        return
    side.opener.sequence += 1
    side.opened = 1
    side.lost = 0
    if not tls.opened:
        tls.opened = 1
        tls.endpoint.decrypted += 1
        learn_processes(tls, keys_find((<TlsTable*>from_.state.tls).keys, tls.facts.client_random))
        count_processes(from_.state, tls, TLS_OPEN, 1)
    if side.opener.modern:
        # Content, its type, and padding of zeros (RFC 8446 section 5.2).
        while size and plain[size - 1] == 0:
            size -= 1
        if size == 0:
            return
        size -= 1
        kind = plain[size]
    if kind == RECORD_HANDSHAKE:
        take_handshake(from_.state, from_.conn, from_.direction, plain, <uint32_t>size, from_.time_ns)
    elif kind == RECORD_DATA and size:
        pass_on(from_, plain, <uint32_t>size, end - length - RECORD_HEADER, end)


cdef int64_t find_number(Arrival* from_, const uint8_t* body, uint32_t length, uint8_t* plain) noexcept nogil:
    """Open a record behind a hole: its number is one of the next. Passes the hole on; -1 when none fits."""
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[from_.direction]
    cdef uint64_t most, least, skipped
    cdef uint64_t number = 0
    cdef int64_t size
    if not side.lost:
        side.lost = 1                             # a record that is not what it should be
        side.lost_octets = 0
    # As many records are gone as the hole has room for.
    most = side.lost_octets // (RECORD_HEADER + opener_overhead(&side.opener)) + 1
    least = side.lost_octets // (RECORD_HEADER + MOST_RECORD)
    if least == 0:
        least = 1
    if opener_number(&side.opener, side.header, body, length, &number, plain):
        skipped = number - side.opener.sequence
        if 0 < skipped <= most:
            size = open_as(from_, side, body, length, plain, skipped)
            if size >= 0:
                return size
    if most > least + MOST_TRIES:
        most = least + MOST_TRIES
    for skipped in range(least, most + 1):
        size = open_as(from_, side, body, length, plain, skipped)
        if size >= 0:
            return size
    side.lost_octets += RECORD_HEADER + length
    side.failures += 1
    if side.failures > MOST_FAILURES:
        tell_gap(from_, side.lost_octets)
        shut(from_.state, from_.conn, from_.time_ns, TLS_OUT_OF_STEP)
    return -1


cdef int64_t open_as(
    Arrival* from_, TlsSide* side, const uint8_t* body, uint32_t length, uint8_t* plain, uint64_t skipped
) noexcept nogil:
    """Open a record behind *skipped* ones, and pass on what they had; -1 when it is another one."""
    cdef int64_t size = opener_open(&side.opener, side.header, body, length, side.opener.sequence + skipped, plain)
    cdef uint64_t overhead = skipped * (RECORD_HEADER + opener_overhead(&side.opener))
    if size < 0:
        return -1
    side.opener.sequence += skipped
    side.lost = 0
    side.failures = 0
    tell_gap(from_, side.lost_octets - overhead if side.lost_octets > overhead else 1)
    # The gap may have opened other records into the same room.
    return opener_open(&side.opener, side.header, body, length, side.opener.sequence, plain)


cdef uint32_t search_record(TlsSide* side, const uint8_t* data, uint32_t length) noexcept nogil:
    """Behind a hole: how many octets to pass over until a record seems to begin."""
    cdef uint32_t at = 0
    cdef uint32_t end
    if side.have:
        return 0
    while length - at >= RECORD_HEADER:
        if possible_record(data + at) and data[at + 2] == 3:
            end = at + RECORD_HEADER + record_length(data + at)
            if length < RECORD_HEADER + end or possible_record(data + end):
                side.lost_octets += at
                return at
        at += 1
    side.lost_octets += length
    return length


cdef void skip_record(Arrival* from_) noexcept nogil:
    # The present record had a hole, and nothing else has.
    cdef TlsSide* side = &(<Tls*>state_of(from_.conn, PROTOCOL_TLS)).sides[from_.direction]
    cdef uint32_t overhead = opener_overhead(&side.opener)
    cdef uint32_t length = record_length(side.header)
    side.damaged = 0
    side.opener.sequence += 1
    if length > overhead and side.header[0] == RECORD_DATA:
        tell_gap(from_, length - overhead)


cdef void tell_gap(Arrival* from_, uint64_t size) noexcept nogil:
    cdef int64_t outer
    lose_order(from_.conn)
    if from_.conn.encrypted:
        outer = from_.conn.streams[from_.direction].offset
        layer_gap(from_.state, from_.conn, inner_level(from_.conn), from_.direction, size, from_.time_ns)
        from_.conn.streams[from_.direction].offset = outer


cdef void pass_on(Arrival* from_, const uint8_t* plain, uint32_t size, int64_t start, int64_t end) noexcept nogil:
    """Content goes to whatever protocol it is in."""
    cdef Tls* tls = <Tls*>state_of(from_.conn, PROTOCOL_TLS)
    if not tls.speaks:
        tls.speaks = 1
        if tls.facts.alpn_length == 2 and memcmp(tls.facts.alpn, b"h2", 2) == 0:
            begin_protocol(from_.state, from_.conn, PROTOCOL_HTTP2, from_.conn.client, 0, from_.time_ns)
    pretend(from_, plain, size, start, end)
    if speaks(from_.conn) == PROTOCOL_OPAQUE:
        shut(from_.state, from_.conn, from_.time_ns, TLS_OTHER)


cdef void pretend(Arrival* from_, const uint8_t* plain, uint32_t size, int64_t start, int64_t end) noexcept nogil:
    # The stream stands where the record did meanwhile; the record counts as parsed already.
    cdef EngineState* state = from_.state
    cdef int64_t outer = from_.conn.streams[from_.direction].offset
    cdef int level = inner_level(from_.conn)
    state.stats.payload_bytes_parsed -= size
    if size > 1:
        from_.conn.streams[from_.direction].offset = start
        layer_data(state, from_.conn, level, from_.direction, plain, size - 1, from_.time_ns, from_.ack)
    from_.conn.streams[from_.direction].offset = end - 1
    layer_data(state, from_.conn, level, from_.direction, plain + size - 1, 1, from_.time_ns, from_.ack)
    from_.conn.streams[from_.direction].offset = outer


# Handshake messages.

cdef void take_handshake(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    """Octets of handshake messages, wherever records cut them."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[direction]
    cdef uint32_t at = 0
    cdef uint32_t mine, room
    while at < length and tls.stage != STAGE_SHUT:
        if side.message_have < 4:
            if side.message_have == 0:
                side.message_kind = data[at]
                side.message_left = 0
            else:
                side.message_left = side.message_left << 8 | data[at]
            side.message_have += 1
            at += 1
            if side.message_have < 4 or side.message_left:
                continue
        else:
            mine = side.message_left if side.message_left < length - at else length - at
            if side.message_kind in (CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, CERTIFICATE):
                room = MESSAGE_KEPT - side.message.length
                if not buffer_append(&state.budget, &side.message, data + at, mine if mine < room else room):
                    shut(state, conn, time_ns, TLS_MEMORY)
                    return
            side.message_left -= mine
            at += mine
            if side.message_left:
                return
        side.message_have = 0
        take_message(state, conn, direction, time_ns)
        side.message.length = 0


cdef void take_message(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """One whole handshake message."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsSide* side = &tls.sides[direction]
    cdef uint8_t kind = side.message_kind
    if kind == CERTIFICATE:
        if direction != conn.client and not tls.speaks:
            read_certificate(tls.facts, side.message.data, side.message.length)
            if tls.endpoint != NULL:
                endpoint_names(tls.endpoint, tls.facts)
    elif side.sealed:
        if kind == ENCRYPTED_EXTENSIONS:
            read_encrypted_extensions(tls.facts, side.message.data, side.message.length)
        elif kind == FINISHED and side.opener.modern:
            side.traffic = 1
            opener_free(&side.opener, &state.budget)
        elif kind == KEY_UPDATE:
            if not opener_next(&side.opener, &state.budget):
                shut(state, conn, time_ns, TLS_MEMORY)
        elif kind == CLIENT_HELLO:
            shut(state, conn, time_ns, TLS_SUITE)           # renegotiation: other keys follow
    elif kind == CLIENT_HELLO:
        if read_client_hello(tls.facts, side.message.data, side.message.length):
            learn_client(conn, direction)
    elif kind == SERVER_HELLO:
        if read_server_hello(tls.facts, side.message.data, side.message.length):
            learn_client(conn, 1 - direction)


cdef void join_endpoint(EngineState* state, Connection* conn, int64_t time_ns) noexcept nogil:
    # Once a connection. The server is who was not the client, else the one with the smaller port.
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef bint first_serves = conn.client == 1 or conn.client < 0 and conn.a_port < conn.b_port
    if tls.endpoint != NULL:
        return
    tls.endpoint = endpoints_find(
        (<TlsTable*>state.tls).endpoints, &state.budget,
        <const uint8_t*>conn.a if first_serves else <const uint8_t*>conn.b, conn.family,
        conn.a_port if first_serves else conn.b_port, tls.facts)
    tls.endpoint.connections += 1
    tls.endpoint.octets += tls.early
    if tls.endpoint.first_ns == 0 or tls.first_ns < tls.endpoint.first_ns:
        tls.endpoint.first_ns = tls.first_ns
    if time_ns > tls.endpoint.last_ns:
        tls.endpoint.last_ns = time_ns
    endpoint_names(tls.endpoint, tls.facts)


cdef void shut(EngineState* state, Connection* conn, int64_t time_ns, uint8_t why) noexcept nogil:
    # Nothing more can be read: what is known joins the table, the rest is given back. The first reason counts.
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef int i
    if tls.outcome == TLS_OPEN:
        if why == TLS_READ:
            why = how_it_ended(state, conn)
        tls.outcome = why
        (<TlsTable*>state.tls).outcomes[<int>TLS_OPEN] -= 1
        (<TlsTable*>state.tls).outcomes[why] += 1
        if tls.facts != NULL and not tls.opened:
            learn_processes(tls, keys_find((<TlsTable*>state.tls).keys, tls.facts.client_random))
        count_processes(state, tls, why, 1)
        if tls.opened:
            count_processes(state, tls, TLS_OPEN, -1)
    if tls.facts != NULL:
        join_endpoint(state, conn, time_ns)
        tls.endpoint.outcomes[tls.outcome] += 1
        give_back(&state.budget, tls.facts, sizeof(TlsFacts))
        tls.facts = NULL
    for i in range(2):
        state.stats.payload_bytes_parsed -= tls.sides[i].held.length
        state.stats.payload_bytes_opaque += tls.sides[i].held.length
        (<TlsTable*>state.tls).held -= tls.sides[i].held.length
        buffer_free(&state.budget, &tls.sides[i].message)
        buffer_free(&state.budget, &tls.sides[i].record)
        buffer_free(&state.budget, &tls.sides[i].held)
        opener_free(&tls.sides[i].opener, &state.budget)
    tls.stage = STAGE_SHUT


cdef inline void learn_processes(Tls* tls, const Secrets* secrets) noexcept nogil:
    if secrets != NULL:
        tls.processes[0] = secrets.processes[0]
        tls.processes[1] = secrets.processes[1]


cdef void count_processes(EngineState* state, const Tls* tls, uint8_t outcome, int by) noexcept nogil:
    cdef int i
    for i in range(2):
        if tls.processes[i]:
            keys_process((<TlsTable*>state.tls).keys, tls.processes[i]).outcomes[outcome] += by


cdef uint8_t how_it_ended(EngineState* state, Connection* conn) noexcept nogil:
    # Of a connection whose both ends have ended, or that is given up, and that nothing had shut.
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    if tls_waits(conn):
        return why_no_keys(state, conn)
    if tls.opened:
        return TLS_READ
    if conn.encrypted:
        return TLS_SECRET_LOST                    # its secrets open nothing
    if tls.stage == STAGE_HELLO and (tls.sides[0].sealed or tls.sides[1].sealed):
        return TLS_JOINED_LATE
    return TLS_UNFINISHED


cdef void tls_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets of a direction were never captured."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef TlsSide* side
    if tls == NULL or tls.stage == STAGE_SHUT:
        if conn.encrypted:
            layer_gap(state, conn, inner_level(conn), direction, size, time_ns)
        return
    side = &tls.sides[direction]
    if tls.stage != STAGE_SEALED or not side.sealed or side.held.length or (
        side.opener.context == NULL and not find_keys(state, conn, direction, time_ns)
    ):
        if conn.encrypted:
            layer_gap(state, conn, inner_level(conn), direction, size, time_ns)
        shut(state, conn, time_ns, TLS_OUT_OF_STEP if tls.stage == STAGE_SEALED and side.sealed else TLS_JOINED_LATE)
        return
    lose_order(conn)
    side.record.length = 0
    if not side.lost and side.have == RECORD_HEADER and size < side.left:
        side.left -= <uint32_t>size
        side.damaged = 1
        return
    if not side.lost:
        side.lost = 1
        side.lost_octets = 0
    side.lost_octets += side.have + size
    if side.have == RECORD_HEADER:
        side.lost_octets += record_length(side.header) - side.left
    side.have = 0
    side.damaged = 0


cdef void tls_end(EngineState* state, Connection* conn, int direction) noexcept nogil:
    """No more octets of a direction will come; behind the second one everything is given back."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    if tls == NULL:
        return
    tls.sides[direction].ended = 1
    if tls.sides[0].ended and tls.sides[1].ended:
        shut(state, conn, state.now_ns, TLS_READ)
        give_back(&state.budget, tls, sizeof(Tls))
        forget_state(conn, PROTOCOL_TLS)


cdef void tls_rest(EngineState* state, Connection* conn) noexcept nogil:
    """Return the buffers of *conn* that are empty. Keys and positions stay."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef int i
    if tls == NULL:
        return
    for i in range(2):
        if tls.sides[i].message.length == 0:
            buffer_free(&state.budget, &tls.sides[i].message)
        if tls.sides[i].record.length == 0:
            buffer_free(&state.budget, &tls.sides[i].record)
        if tls.sides[i].held.length == 0:
            buffer_free(&state.budget, &tls.sides[i].held)


cdef void tls_abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give up what *conn* holds for its handshake and its records; its octets go on being counted."""
    if state_of(conn, PROTOCOL_TLS) != NULL:
        shut(state, conn, state.now_ns, TLS_MEMORY)
    conn.encrypted = 0


cdef int64_t tls_footprint(const Connection* conn) noexcept nogil:
    """Octets of the budget that *conn* holds for TLS."""
    cdef const Tls* tls = <const Tls*>state_of(conn, PROTOCOL_TLS)
    cdef int64_t total = sizeof(Tls)
    cdef int i
    if tls == NULL:
        return 0
    for i in range(2):
        total += tls.sides[i].message.capacity + tls.sides[i].record.capacity + tls.sides[i].held.capacity
    return total + (sizeof(TlsFacts) if tls.facts != NULL else 0)


# The row.

cdef int looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    return LOOKS_EITHER if tls_looks(conn, direction, data, length) else LOOKS_NO


cdef bint begin(
    EngineState* state, Connection* conn, int direction, int seen, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    return tls_begin(state, conn, direction, time_ns)


cdef void end(EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil:
    if how == ENDED_FIN and tls_waits(conn):
        # What came before is not read yet.
        (<Tls*>state_of(conn, PROTOCOL_TLS)).late_ends |= <uint8_t>(1 << direction)
        look_again(conn)
        return
    if inner_level(conn) <= conn.top:
        layer_end(state, conn, inner_level(conn), direction, time_ns, how)
    tls_end(state, conn, direction)


cdef bint tick(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil:
    """Read on what waited for keys and may be read now. True while something waits; not after the *last* time."""
    cdef Tls* tls = <Tls*>state_of(conn, PROTOCOL_TLS)
    cdef uint8_t ends
    cdef int side = 1 if conn.client == 1 else 0
    cdef int _each
    if tls == NULL:
        return False
    if tls_look(state, conn, now_ns, last):
        return True
    ends = tls.late_ends
    tls.late_ends = 0
    for _each in range(2):
        if ends >> side & 1:
            end(state, conn, side, now_ns, ENDED_FIN)
        side = 1 - side
    return False


cdef void close(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil:
    tls_end(state, conn, 0)
    tls_end(state, conn, 1)


cdef Protocol row
row.number = PROTOCOL_TLS
row.carries = 1
row.looks = looks
row.begin = begin
row.data = tls_data
row.gap = tls_gap
row.end = end
row.close = close
row.tick = tick
row.waits = tls_waits
row.rest = tls_rest
row.footprint = tls_footprint
row.abandon = tls_abandon


cdef const Protocol* tls_protocol() noexcept nogil:
    """The row of TLS in the table of protocols."""
    return &row
