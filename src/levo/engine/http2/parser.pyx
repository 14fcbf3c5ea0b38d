"""HTTP/2 framing, one direction of one connection at a time (RFC 9113 sections 3 to 6).

States of a direction, and what moves it on::

    PREFACE  the client's 24 octets                                 -> HEADER
    HEADER   the nine octets in front of a payload                  -> PAYLOAD, HEADER, LOST
    PAYLOAD  DATA is passed on as it comes; what must be whole
             (header blocks, settings) is collected; the rest is
             passed over                                            -> HEADER
    LOST     nobody knows where the next frame begins; looks for
             a believable run of frames                             -> HEADER

Recognized by the client's preface on any port, by an ``Upgrade: h2c`` that was accepted, by the server's first
SETTINGS frame, and, on a connection that was joined late or has lost octets, by the shape of the frames.

A hole (``http2_gap``) inside the payload of a frame leaves framing whole; one that reaches behind it does not. Both
tell the HPACK reader when a header block may have been in it: from then on old entries are unknown, never guessed.

A run of frame headers is believed when each one is possible by itself (type, flags, length, stream identifier) and
one of them belongs to a stream that is open, or is the next a client would open; or when the run fills a segment
exactly. A header block that turns out malformed behind a hole ends the belief.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp

from levo.engine.http2.hpack cimport HeaderList, hpack_decode, hpack_forget, list_free, list_init
from levo.engine.http2.streams cimport (
    Http2,
    Http2Side,
    Http2Stream,
    adopt_stream,
    data_lost,
    end_part,
    find_stream,
    finish_streams,
    give_up_streams,
    http2_footprint,
    http2_free,
    http2_new,
    section_lost,
    suspect_all,
    take_cut_section,
    take_data,
    take_goaway,
    take_reset,
    take_section,
)
from levo.engine.core.memory cimport buffer_append, buffer_free, collect
from levo.engine.exchange.pairing cimport finish_exchange, lose_order, unlink_pending
from levo.engine.http2.lasting cimport http2_tick
from levo.engine.proto.layers cimport doubt, learn_client, speak, speaks, state_of
from levo.engine.proto.protocol cimport ENDED_GIVEN_UP, LOOKS_EITHER, LOOKS_NO, LOOKS_REQUEST, Protocol
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport (
    EVICTED,
    NO_RESPONSE,
    REQUEST_CUT,
    REQUEST_GAP,
    RESPONSE_CUT,
    RESPONSE_GAP,
    STILL_OPEN,
    PROTOCOL_HTTP2,
    PROTOCOL_OPAQUE,
    PROTOCOL_UNKNOWN,
    Exchange,
)

cdef enum:
    PREFACE = 0
    HEADER = 1
    PAYLOAD = 2
    LOST = 3

cdef enum:                      # frame types (RFC 9113 section 6)
    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9

cdef enum:
    END_STREAM = 1
    END_HEADERS = 4
    PADDED = 8
    PRIORITIZED = 32

cdef enum:
    FRAME_HEADER = 9
    PREFACE_LENGTH = 24
    MOST_CONTROL = 65536        # octets of a settings or similar frame that are read
    NEAR = 4096                 # how far behind the last one a new stream's identifier is believed

cdef const uint8_t* PREFACE_OCTETS = <const uint8_t*>b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


cdef inline uint32_t length_of(const uint8_t* header) noexcept nogil:
    return <uint32_t>header[0] << 16 | <uint32_t>header[1] << 8 | header[2]


cdef inline uint32_t word_at(const uint8_t* data) noexcept nogil:
    return (<uint32_t>data[0] << 24 | <uint32_t>data[1] << 16 | <uint32_t>data[2] << 8 | data[3])


cdef inline uint32_t stream_of(const uint8_t* header) noexcept nogil:
    return word_at(header + 5) & 0x7FFFFFFF


# Recognizing frames.

cdef bint possible(const uint8_t* header) noexcept nogil:
    """A frame header that a sender could have written; types beyond RFC 9113 are not looked at."""
    cdef uint32_t length = length_of(header)
    cdef uint32_t id = stream_of(header)
    cdef uint8_t flags = header[4]
    cdef uint8_t type = header[3]
    if header[5] & 0x80:
        return False
    if type == DATA:
        return id != 0 and flags & ~(END_STREAM | PADDED) == 0 and (length > 0 or not flags & PADDED)
    if type == HEADERS:
        return id != 0 and length > 0 and flags & ~(END_STREAM | END_HEADERS | PADDED | PRIORITIZED) == 0
    if type == PRIORITY:
        return id != 0 and length == 5 and flags == 0
    if type == RST_STREAM:
        return id != 0 and length == 4 and flags == 0
    if type == SETTINGS:
        return id == 0 and (length == 0 if flags == 1 else flags == 0 and length % 6 == 0 and length <= 240)
    if type == PUSH_PROMISE:
        return id != 0 and length > 4 and flags & ~(END_HEADERS | PADDED) == 0
    if type == PING:
        return id == 0 and length == 8 and flags & ~1 == 0
    if type == GOAWAY:
        return id == 0 and 8 <= length <= 16384 and flags == 0
    if type == WINDOW_UPDATE:
        return length == 4 and flags == 0
    if type == CONTINUATION:
        return id != 0 and flags & ~END_HEADERS == 0
    return False


cdef bint is_known(const Connection* conn, int direction, const uint8_t* header, uint32_t limit) noexcept nogil:
    """The frame belongs to a stream that is open, or to one that would be opened next."""
    cdef const Http2* h2 = <const Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef uint32_t id = stream_of(header)
    cdef uint8_t type = header[3]
    cdef Http2Stream* stream
    if id == 0 or length_of(header) > limit or (type != DATA and type != HEADERS and type != RST_STREAM):
        return False
    stream = find_stream(h2, id)
    if stream != NULL:
        return not stream.parts[0 if direction == conn.client else 1].ended or type == RST_STREAM
    return (type == HEADERS and id & 1 and header[4] & END_HEADERS and h2.last_stream
            and h2.last_stream < id <= h2.last_stream + NEAR)


cdef bint believable(
    const Connection* conn, int direction, const uint8_t* data, uint32_t length, bint at_start
) noexcept nogil:
    """Whether a run of frames begins at *data*, which goes on to the segment's end."""
    cdef const Http2* h2 = <const Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef uint32_t at = 0
    cdef uint32_t frames = 0, blocks = 0
    cdef uint32_t size
    cdef uint32_t limit = h2.sides[direction].max_frame if h2 != NULL else 16384
    cdef bint known = False
    cdef uint8_t first
    while length - at >= FRAME_HEADER:
        if not possible(data + at):
            return False
        size = length_of(data + at)
        if size > limit and not (at_start and at == 0 and size <= 1 << 22):
            return False
        if data[at + 3] == HEADERS:
            blocks += 1
            if length - at > FRAME_HEADER + 6 and not data[at + 4] & PADDED:
                first = data[at + FRAME_HEADER + (5 if data[at + 4] & PRIORITIZED else 0)]
                if first == 0x80:
                    return False
        frames += 1
        if h2 != NULL and is_known(conn, direction, data + at, limit if at else 1 << 22):
            known = True
        at += FRAME_HEADER
        if size >= length - at:
            at = length if size == length - at else length + 1
            break
        at += size
    if frames == 0:
        return False
    if known and (at_start or frames > 1):
        return True
    if at == length and at_start:
        return blocks > 0 or h2 != NULL or frames >= 3
    return frames >= 4 and at_start


cdef bint begins_in_frames(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether a segment that nobody vouches for holds HTTP/2 frames from its first octet on."""
    if length < FRAME_HEADER or data[0] != 0:
        return False
    if conn.mid_stream or conn.tainted:
        return believable(conn, direction, data, length, True)
    # The server speaks first: its preface is a SETTINGS frame (RFC 9113 section 3.4).
    return (conn.client == 1 - direction and conn.streams[direction].offset == 0 and data[3] == SETTINGS
            and data[4] == 0 and possible(data) and length_of(data) <= length - FRAME_HEADER)


cdef bint http2_begin(EngineState* state, Connection* conn, int direction, int preface) noexcept nogil:
    """*conn* speaks HTTP/2, as the next octets of *direction* show. False when memory is refused.

    *preface*: octets of the client's preface that have been consumed, or -1 when frames follow at once.
    """
    cdef Http2* h2 = http2_new(state, conn)
    cdef int side
    cdef bint fresh
    if h2 == NULL:
        return False
    if preface >= 0:
        learn_client(conn, direction)
    for side in range(2):
        # Did anything of this direction go by unread? Behind TLS, offsets are not those of these octets.
        fresh = conn.encrypted or conn.streams[side].offset == 0 and (
            conn.streams[side].syn or not conn.streams[side].has_data)
        if side == direction and preface >= 0:
            h2.sides[side].state = PREFACE
            h2.sides[side].have = <uint8_t>preface
        elif side == direction == conn.client:
            # Frames at once where a preface must be: what came before them went by unread.
            hpack_forget(&state.budget, &h2.sides[side].hpack)
            h2.sides[side].state = HEADER
            h2.lost = 1
        elif fresh and (conn.streams[side].syn or preface >= 0):
            h2.sides[side].state = PREFACE if side == conn.client else HEADER
        else:
            hpack_forget(&state.budget, &h2.sides[side].hpack)
            h2.sides[side].state = HEADER if side == direction else LOST
            h2.lost = 1
    state.stats.connections_http2 += 1
    return True


cdef bint http2_upgrade(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil:
    """The server has agreed to ``Upgrade: h2c`` (RFC 7540 section 3.2): *exchange* is stream 1 from now on."""
    cdef Http2* h2 = http2_new(state, conn)
    cdef Http2Stream* stream
    if h2 == NULL:
        return False
    h2.sides[conn.client].state = PREFACE
    h2.sides[1 - conn.client].state = HEADER
    unlink_pending(conn, exchange)
    stream = adopt_stream(state, conn, exchange, 1)
    if stream == NULL:
        finish_exchange(state, conn, exchange, NO_RESPONSE)
    else:
        stream.parts[0].ended = 1
        exchange.request.complete = 1
        if exchange.interim < 255:
            exchange.interim += 1
    h2.last_stream = 1
    h2.lost = conn.tainted
    state.stats.connections_http2 += 1
    return True


# Octets.

cdef uint32_t http2_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """Read *length* octets in order; *ack* is the other direction's offset they acknowledge, or -1.

    Returns the octets consumed: all of them unless the connection turned out to speak something else.
    """
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Side* side
    cdef int64_t base = conn.streams[direction].offset
    cdef uint32_t at = 0
    if h2 == NULL:
        speak(conn, PROTOCOL_OPAQUE, NULL)
        return 0
    side = &h2.sides[direction]
    while at < length:
        if side.state == PAYLOAD:
            at += take_payload(state, conn, direction, data + at, length - at, time_ns, base + at)
        elif side.state == HEADER:
            if side.have == 0:
                side.start_ns = time_ns
                side.start_offset = base + at
                side.start_ack = ack
            at += collect(side.header, &side.have, FRAME_HEADER, data + at, length - at)
            if side.have == FRAME_HEADER:
                side.have = 0
                begin_frame(state, conn, direction, time_ns, base + at)
        elif side.state == LOST:
            at += search(state, conn, direction, data + at, length - at)
        else:
            if data[at] != PREFACE_OCTETS[side.have]:
                leave(state, conn)
                return at
            side.have += 1
            at += 1
            if side.have == PREFACE_LENGTH:
                side.have = 0
                side.state = HEADER
    return at


cdef void leave(EngineState* state, Connection* conn) noexcept nogil:
    # No preface where one must be: it was not HTTP/2.
    finish_streams(state, conn, 1 - conn.client, 2, state.now_ns)
    http2_free(state, conn)
    doubt(conn, 4096)


cdef uint32_t search(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length
) noexcept nogil:
    """Pass over octets until a believable run of frames begins; returns how many were passed over."""
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cdef uint32_t at = 0
    cdef const uint8_t* found
    if direction == conn.client and length >= PREFACE_LENGTH and memcmp(data, PREFACE_OCTETS, PREFACE_LENGTH) == 0:
        side.state = PREFACE
        side.have = 0
        return 0
    while length - at >= FRAME_HEADER:
        found = <const uint8_t*>memchr(data + at, 0, length - at - FRAME_HEADER + 1)
        if found == NULL:
            break
        at = <uint32_t>(found - data)
        if possible(found) and believable(conn, direction, found, length - at, at == 0):
            side.state = HEADER
            side.have = 0
            state.stats.payload_bytes_skipped += at
            state.stats.payload_bytes_parsed -= at
            return at
        at += 1
    state.stats.payload_bytes_skipped += length
    state.stats.payload_bytes_parsed -= length
    return length


cdef void lose(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil:
    """Where the next frame of *direction* begins is not known, nor which frames went by."""
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cut_block(state, conn, direction, NULL, 0, gap_of(conn, direction), time_ns)
    buffer_free(&state.budget, &side.partial)
    hpack_forget(&state.budget, &side.hpack)
    side.state = LOST
    side.have = 0
    side.remaining = 0
    lose_order(conn)
    suspect_all(state, conn, direction, time_ns)


cdef inline int gap_of(const Connection* conn, int direction) noexcept nogil:
    return REQUEST_GAP if direction == conn.client else RESPONSE_GAP


cdef void cut_block(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int reason,
    int64_t time_ns,
) noexcept nogil:
    """The open header block, if any, goes on with *data* and will not become whole (*reason*): take what is there.

    Fields up to the cut are read. What comes after may insert entries, so the table is forgotten.
    """
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cdef HeaderList fields
    cdef uint32_t id = side.block_stream
    cdef bint taken
    if id == 0:
        buffer_free(&state.budget, &side.block)
        return
    side.block_stream = 0
    state.stats.heads_incomplete += 1
    if side.block.length:
        buffer_append(&state.budget, &side.block, data, length)
        data = side.block.data
        length = side.block.length
    list_init(&fields, state.settings.max_head_bytes)
    hpack_decode(&state.budget, &side.hpack, data, length, &fields)
    hpack_forget(&state.budget, &side.hpack)
    fields.cut = <uint8_t>reason
    taken = take_cut_section(
        state, conn, direction, side.promised if side.promised else id, &fields, side.block_ends,
        side.promised != 0, time_ns, conn.streams[direction].offset)
    list_free(&state.budget, &fields)
    buffer_free(&state.budget, &side.block)
    if not taken and side.promised == 0:
        section_lost(state, conn, direction, id, side.block_ends, reason, time_ns)


cdef bint fits(const Http2Side* side) noexcept nogil:
    """Strict where it costs nothing: a wrong length here is a wrong place."""
    if side.type == PING:
        return side.length == 8 and side.stream == 0
    if side.type == WINDOW_UPDATE or side.type == RST_STREAM:
        return side.length == 4
    if side.type == PRIORITY:
        return side.length == 5
    if side.type == SETTINGS:
        return side.stream == 0 and side.length % 6 == 0
    if side.type == GOAWAY:
        return side.stream == 0 and side.length >= 8
    if side.type == DATA or side.type == HEADERS or side.type == CONTINUATION or side.type == PUSH_PROMISE:
        return side.stream != 0
    return side.length <= side.max_frame          # of another type: what is larger is no frame (section 4.2)


cdef void begin_frame(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int64_t offset
) noexcept nogil:
    """Nine octets have been read."""
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    side.length = length_of(side.header)
    side.type = side.header[3]
    side.flags = side.header[4]
    side.stream = stream_of(side.header)
    side.remaining = side.length
    side.padding = 0
    side.padding_due = 0
    side.hit = 0
    if not fits(side):
        lose(state, conn, direction, time_ns)
        return
    if side.block_stream and (side.type != CONTINUATION or side.stream != side.block_stream):
        cut_block(state, conn, direction, NULL, 0, gap_of(conn, direction), time_ns)
    if side.type == DATA and side.flags & PADDED:
        side.padding_due = 1
    side.state = PAYLOAD
    if side.length == 0:
        end_frame(state, conn, direction, NULL, 0, time_ns, offset)


cdef inline bint wanted_whole(const Http2Side* side) noexcept nogil:
    return (side.type == HEADERS or side.type == CONTINUATION or side.type == PUSH_PROMISE
            or side.type == SETTINGS or side.type == RST_STREAM or side.type == GOAWAY)


cdef uint32_t take_payload(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cdef uint32_t mine = side.remaining if side.remaining < length else length
    cdef uint32_t most
    if side.type == DATA:
        take_content(state, conn, direction, data, mine, time_ns)
        side.remaining -= mine
        if side.remaining == 0:
            end_frame(state, conn, direction, NULL, 0, time_ns, offset + mine)
        return mine
    side.remaining -= mine
    if wanted_whole(side) and not side.hit:
        if side.remaining == 0 and side.partial.length == 0:
            end_frame(state, conn, direction, data, mine, time_ns, offset + mine)
            return mine
        most = state.settings.max_head_bytes if state.settings.max_head_bytes > MOST_CONTROL else MOST_CONTROL
        if side.length > most or not buffer_append(&state.budget, &side.partial, data, mine):
            side.hit = 1
            state.stats.heads_rejected += 1
    if side.remaining == 0:
        end_frame(state, conn, direction, side.partial.data, side.partial.length, time_ns, offset + mine)
        buffer_free(&state.budget, &side.partial)
    return mine


cdef void take_content(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    # Octets of a DATA frame's payload; ``remaining`` still counts them.
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cdef uint32_t content
    if side.padding_due:
        side.padding_due = 0
        side.padding = data[0]
        if side.padding >= side.length:
            side.padding = side.length - 1
        data += 1
        length -= 1
        content = side.remaining - 1 - side.padding
    elif side.hit:
        return                                    # where its padding begins is not known
    else:
        content = side.remaining - side.padding if side.remaining > side.padding else 0
    if length > content:
        length = content
    if length:
        take_data(state, conn, direction, side.stream, data, length, time_ns)


cdef void end_frame(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* payload, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    """The frame is over; *payload* is there when it was wanted whole and is."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Side* side = &h2.sides[direction]
    side.state = HEADER
    if side.type == DATA:
        if side.flags & END_STREAM:
            end_part(state, conn, direction, side.stream, time_ns, offset)
    elif side.type == HEADERS or side.type == CONTINUATION or side.type == PUSH_PROMISE:
        take_fragment(state, conn, direction, payload, length, gap_of(conn, direction), time_ns, offset)
    elif side.hit:
        return
    elif side.type == SETTINGS:
        take_settings(h2, direction, payload, length)
    elif side.type == RST_STREAM and length == 4:
        take_reset(state, conn, direction, side.stream, word_at(payload), time_ns)
    elif side.type == GOAWAY and length >= 8:
        take_goaway(state, conn, direction, word_at(payload) & 0x7FFFFFFF)


cdef void take_settings(Http2* h2, int direction, const uint8_t* payload, uint32_t length) noexcept nogil:
    # Only MAX_FRAME_SIZE matters to a bystander, and it speaks about the other direction's frames. A new
    # HEADER_TABLE_SIZE takes effect by a size update inside a header block, which the HPACK reader sees.
    cdef uint32_t at = 0
    cdef uint32_t value
    while length - at >= 6:
        value = word_at(payload + at + 2)
        if payload[at] == 0 and payload[at + 1] == 5 and 16384 <= value <= 16777215:
            h2.sides[1 - direction].max_frame = value
        at += 6


cdef void take_fragment(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* payload, uint32_t length, int reason, int64_t time_ns, int64_t offset,
) noexcept nogil:
    """HEADERS, PUSH_PROMISE or CONTINUATION: collect the header block, read it once it is whole.

    *reason* (Incomplete): why octets of the frame are missing, where they are.
    """
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    cdef uint32_t front = 0, padding = 0
    cdef bint good = True
    if side.type == CONTINUATION:
        if side.block_stream != side.stream:
            # Its beginning is not known, so what it inserts is not either.
            hpack_forget(&state.budget, &side.hpack)
            return
    else:
        side.block_stream = side.stream
        side.block_ends = side.type == HEADERS and side.flags & END_STREAM
        side.promised = 0
        if good and side.flags & PADDED:
            good = length > 0
            if good:
                padding = payload[0]
                front = 1
        if side.type == PUSH_PROMISE:
            if good and length >= front + 4:
                side.promised = word_at(payload + front) & 0x7FFFFFFF
            front += 4
        elif side.flags & PRIORITIZED:
            front += 5
        good = good and front + padding <= (side.length if side.hit else length)
    if side.hit or not good:
        # Padding stands at the end of the frame, of which *payload* is the beginning.
        if length > side.length - padding:
            length = side.length - padding
        good = good and front <= length
        cut_block(
            state, conn, direction, payload + front if good else NULL, length - front if good else 0,
            reason, time_ns)
        return
    payload += front
    length -= front + padding
    if side.flags & END_HEADERS and side.block.length == 0:
        take_block(state, conn, direction, payload, length, time_ns, offset)
        return
    if side.block.length + length > state.settings.max_head_bytes or not buffer_append(
        &state.budget, &side.block, payload, length
    ):
        state.stats.heads_rejected += 1
        cut_block(
            state, conn, direction, NULL, 0, REQUEST_CUT if direction == conn.client else RESPONSE_CUT, time_ns)
        return
    if side.flags & END_HEADERS:
        take_block(state, conn, direction, side.block.data, side.block.length, time_ns, offset)
        buffer_free(&state.budget, &side.block)


cdef void take_block(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t offset,
) noexcept nogil:
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Side* side = &h2.sides[direction]
    cdef HeaderList fields
    cdef uint32_t id = side.block_stream
    cdef bint good
    side.block_stream = 0
    list_init(&fields, state.settings.max_head_bytes)
    good = hpack_decode(&state.budget, &side.hpack, data, length, &fields)
    if good:
        if side.promised:
            good = take_section(state, conn, direction, side.promised, &fields, False, True, time_ns, offset)
        else:
            good = take_section(state, conn, direction, id, &fields, side.block_ends, False, time_ns, offset)
    list_free(&state.budget, &fields)
    if good:
        return
    state.stats.heads_rejected += 1
    hpack_forget(&state.budget, &side.hpack)
    if h2.lost:
        lose(state, conn, direction, time_ns)     # the place was wrong
    else:
        state.stats.heads_incomplete += 1
        section_lost(state, conn, direction, id, side.block_ends, 0, time_ns)


# Losses and the end.

cdef void http2_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets of this direction were never captured; the stream's offset is still before them."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    cdef Http2Side* side
    cdef uint32_t mine, content
    cdef int64_t offset = conn.streams[direction].offset
    if h2 == NULL:
        return
    side = &h2.sides[direction]
    if side.state == PAYLOAD:
        mine = side.remaining if side.remaining < size else <uint32_t>size
        if side.type == DATA:
            if side.padding_due:
                # The octet that tells the padding is gone: content and padding cannot be told apart.
                data_lost(state, conn, direction, side.stream, side.length - 1, time_ns)
                side.padding_due = 0
                side.hit = 1
            elif not side.hit:
                content = side.remaining - side.padding if side.remaining > side.padding else 0
                data_lost(state, conn, direction, side.stream, mine if mine < content else content, time_ns)
        else:
            side.hit = 1
        side.remaining -= mine
        if side.remaining == 0:
            end_frame(state, conn, direction, side.partial.data, side.partial.length, time_ns, offset + mine)
            buffer_free(&state.budget, &side.partial)
        if mine == size:
            return
    lose(state, conn, direction, time_ns)


cdef void end_block(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int reason
) noexcept nogil:
    """A direction may end inside a header block, for *reason* (Incomplete): take what is there."""
    cdef Http2Side* side = &(<Http2*>state_of(conn, PROTOCOL_HTTP2)).sides[direction]
    if side.state == PAYLOAD and side.remaining and (side.type == HEADERS or side.type == CONTINUATION):
        side.hit = 1
        side.remaining = 0
        take_fragment(state, conn, direction, side.partial.data, side.partial.length, reason, time_ns, 0)
        buffer_free(&state.budget, &side.partial)
    cut_block(state, conn, direction, NULL, 0, reason, time_ns)


cdef void http2_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    """No octet of this direction will follow. The state is freed once that is true of both."""
    cdef Http2* h2 = <Http2*>state_of(conn, PROTOCOL_HTTP2)
    if h2 == NULL:
        return
    end_block(
        state, conn, direction, time_ns,
        STILL_OPEN if how == ENDED_GIVEN_UP else REQUEST_CUT if direction == conn.client else RESPONSE_CUT)
    finish_streams(state, conn, direction, how, time_ns)
    h2.ended |= <uint8_t>(1 << direction)
    if h2.ended == 3:
        if h2.oldest != NULL:
            finish_streams(state, conn, 1 - conn.client, how, time_ns)
        http2_free(state, conn)


cdef int looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil:
    if data[0] == 0:
        return LOOKS_EITHER if begins_in_frames(conn, direction, data, length) else LOOKS_NO
    if length >= 3 and speaks(conn) == PROTOCOL_UNKNOWN and (
        memcmp(data, PREFACE_OCTETS, length if length < 14 else 14) == 0
    ):
        return LOOKS_REQUEST
    return LOOKS_NO


cdef bint begin(
    EngineState* state, Connection* conn, int direction, int seen, uint32_t consumed, int64_t time_ns
) noexcept nogil:
    return http2_begin(state, conn, direction, <int>consumed if seen == LOOKS_REQUEST else -1)


cdef void close(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil:
    # What octets that were held behind both ends have begun.
    http2_end(state, conn, 0, time_ns, how)
    http2_end(state, conn, 1, time_ns, how)


cdef void abandon(EngineState* state, Connection* conn) noexcept nogil:
    cdef int side
    if state_of(conn, PROTOCOL_HTTP2) == NULL:
        return
    for side in range(2):
        end_block(state, conn, side, state.now_ns, EVICTED)
    give_up_streams(state, conn)


cdef Protocol row
row.number = PROTOCOL_HTTP2
row.parses = 1
row.joins = 1
row.looks = looks
row.begin = begin
row.agree = http2_upgrade
row.data = http2_data
row.gap = http2_gap
row.end = http2_end
row.close = close
row.tick = http2_tick
row.footprint = http2_footprint
row.abandon = abandon


cdef const Protocol* http2_protocol() noexcept nogil:
    """The row of HTTP/2 in the table of protocols."""
    return &row
