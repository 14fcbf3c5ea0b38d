"""WebSocket behind an upgrade (RFC 6455): frames are counted by direction and kind, never kept.

The upgrade itself is an exchange of its own, reported when the 101 arrives. What follows is reported
beside it, once a minute while frames come and at the end, as an exchange of protocol WebSocket with the
upgrade's heads, the message counts and sizes of each direction, and weight 0: it stands for no further
request. A compressed message (permessage-deflate, RFC 7692) counts with its size on the wire.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from levo.engine.core.memory cimport give_back, take
from levo.engine.exchange.pairing cimport begin_exchange, drop_exchange, finish_exchange
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.times cimport MINUTE_NS
from levo.engine.proto.layers cimport forget_state, speak, state_of
from levo.engine.proto.protocol cimport Protocol
from levo.engine.core.types cimport (
    COMPLETE,
    DROP_EVICTED,
    EVICTED,
    PROTOCOL_WEBSOCKET,
    REQUEST_GAP,
    RESPONSE_CUT,
    RESPONSE_GAP,
    STILL_OPEN,
    Budget,
    Exchange,
    Field,
    Message,
    Section,
)

cdef enum:
    MOST_HEADER = 14

cdef enum:
    OPCODE_TEXT = 1
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8


ctypedef struct Side:
    uint8_t header[14]
    uint8_t have                  # octets of header
    uint8_t kind                  # opcode of the message under way, 0: none
    uint8_t lost                  # frame boundaries are not known
    uint64_t remaining            # payload octets of the frame under way
    uint64_t size                 # of the message under way
    uint8_t final                 # the frame under way is a message's last


ctypedef struct WebSocket:
    Side sides[2]
    Exchange* report
    int64_t reported_ns


cdef bint copy_section(Budget* budget, const Section* source, Section* target) noexcept nogil:
    target[0] = source[0]
    target.text = NULL
    if source.allocated == 0:
        return True
    target.text = <uint8_t*>take(budget, source.allocated)
    if target.text == NULL:
        memset(target, 0, sizeof(Section))
        return False
    memcpy(target.text, source.text, source.allocated)
    target.fields = <Field*>(target.text + (<uint8_t*>source.fields - source.text))
    return True


cdef bint copy_head(Budget* budget, const Message* source, Message* target) noexcept nogil:
    # The head and when it was; no content, no trailers.
    target.method = source.method
    target.target = source.target
    target.scheme = source.scheme
    target.authority = source.authority
    target.reason = source.reason
    target.status = source.status
    target.version_major = source.version_major
    target.version_minor = source.version_minor
    target.start_ns = source.start_ns
    target.head_ns = source.head_ns
    target.end_ns = source.end_ns
    target.present = 1
    target.complete = 1
    return copy_section(budget, &source.head, &target.head)


cdef Exchange* new_report(EngineState* state, Connection* conn, const Exchange* upgrade) noexcept nogil:
    cdef Exchange* report = begin_exchange(state, conn)
    if report == NULL:
        return NULL
    report.protocol = PROTOCOL_WEBSOCKET
    report.weight = 0.0
    if not copy_head(&state.budget, &upgrade.request, &report.request) or not copy_head(
        &state.budget, &upgrade.response, &report.response
    ):
        drop_exchange(state, conn, report, DROP_EVICTED)
        return NULL
    return report


cdef bint websocket_begin(EngineState* state, Connection* conn, Exchange* upgrade) noexcept nogil:
    """Frames follow on *conn*; *upgrade* is the exchange that agreed on it. False without memory."""
    cdef WebSocket* socket
    if not upgrade.sampled or upgrade.drop_state:
        return False                              # nobody will read the counts
    socket = <WebSocket*>take(&state.budget, sizeof(WebSocket))
    if socket == NULL:
        return False
    memset(socket, 0, sizeof(WebSocket))
    socket.report = new_report(state, conn, upgrade)
    if socket.report == NULL:
        give_back(&state.budget, socket, sizeof(WebSocket))
        return False
    socket.reported_ns = state.elapsed_ns
    speak(conn, PROTOCOL_WEBSOCKET, socket)
    state.stats.connections_websocket += 1
    return True


cdef uint32_t header_length(const uint8_t* header, uint32_t have) noexcept nogil:
    # RFC 6455 section 5.2; 2 until the second octet is there.
    cdef uint32_t need = 2
    if have < 2:
        return need
    if header[1] & 127 == 126:
        need += 2
    elif header[1] & 127 == 127:
        need += 8
    if header[1] & 128:
        need += 4
    return need


cdef bint plausible(const uint8_t* header, bint from_client) noexcept nogil:
    cdef uint8_t opcode = header[0] & 15
    if header[0] & 0x30 or (2 < opcode < 8) or opcode > 10:
        return False                              # RSV2 and RSV3 belong to no extension in use
    if opcode >= 8 and (not header[0] & 128 or header[1] & 127 > 125):
        return False
    return (header[1] & 128 != 0) == from_client  # clients mask, servers do not


cdef uint32_t websocket_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack,
) noexcept nogil:
    """Count the frames in *length* octets; all of them are consumed. Nobody reads them behind the end."""
    if state_of(conn, PROTOCOL_WEBSOCKET) == NULL:
        state.stats.payload_bytes_opaque += length
    else:
        state.stats.payload_bytes_parsed += length
        count_frames(state, conn, direction, data, length, time_ns)
    return length


cdef void count_frames(
    EngineState* state, Connection* conn, int direction, const uint8_t* data, uint32_t length, int64_t time_ns
) noexcept nogil:
    cdef WebSocket* socket = <WebSocket*>state_of(conn, PROTOCOL_WEBSOCKET)
    cdef Side* side = &socket.sides[direction]
    cdef bint from_client = direction == conn.client
    cdef uint32_t at = 0
    cdef uint32_t mine
    cdef Message* message = &socket.report.request if from_client else &socket.report.response
    message.end_ns = time_ns
    if side.lost:
        # Frames usually begin where segments do.
        if length < 2 or not plausible(data, from_client):
            state.stats.payload_bytes_skipped += length
            state.stats.payload_bytes_parsed -= length
            return
        side.lost = side.have = side.kind = 0
        side.remaining = side.size = 0
    while at < length:
        if side.remaining:
            mine = length - at if side.remaining > length - at else <uint32_t>side.remaining
            side.remaining -= mine
            at += mine
        else:
            while at < length and side.have < header_length(side.header, side.have):
                side.header[side.have] = data[at]
                side.have += 1
                at += 1
            if side.have < header_length(side.header, side.have):
                break
            if not plausible(side.header, from_client):
                side.lost = 1
                if socket.report.incomplete == COMPLETE:
                    socket.report.incomplete = REQUEST_GAP if from_client else RESPONSE_GAP
                break
            begin_frame(side)
            side.have = 0
        if side.remaining == 0 and side.have == 0:
            end_frame(side, message)
    if state.elapsed_ns - socket.reported_ns >= MINUTE_NS:
        report_now(state, conn, socket, time_ns)


cdef void begin_frame(Side* side) noexcept nogil:
    cdef uint8_t opcode = side.header[0] & 15
    cdef uint64_t size = side.header[1] & 127
    cdef int i
    if size == 126:
        size = <uint64_t>side.header[2] << 8 | side.header[3]
    elif size == 127:
        size = 0
        for i in range(2, 10):
            size = size << 8 | side.header[i]
    side.remaining = size
    side.final = side.header[0] >> 7
    if opcode < 8:
        if opcode:
            side.kind = opcode
            side.size = 0
        side.size += size


cdef void end_frame(Side* side, Message* message) noexcept nogil:
    if side.header[0] & 15 >= OPCODE_CLOSE:
        message.control_frames += 1
    elif side.final:
        message.data_messages += 1
        message.data_message_bytes += side.size
        if side.kind == OPCODE_TEXT:
            message.text_messages += 1
        side.kind = 0
        side.size = 0


cdef void report_now(EngineState* state, Connection* conn, WebSocket* socket, int64_t time_ns) noexcept nogil:
    cdef Exchange* following = new_report(state, conn, socket.report)
    if following == NULL:
        return
    following.request.start_ns = following.request.head_ns = time_ns
    following.response.start_ns = following.response.head_ns = time_ns
    finish_exchange(state, conn, socket.report, STILL_OPEN)
    socket.report = following
    socket.reported_ns = state.elapsed_ns


cdef void websocket_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns
) noexcept nogil:
    """*size* octets were never captured: inside a frame's payload they count, elsewhere frames are lost."""
    cdef WebSocket* socket = <WebSocket*>state_of(conn, PROTOCOL_WEBSOCKET)
    cdef bint from_client = direction == conn.client
    cdef Side* side
    cdef Message* message
    if socket == NULL:
        return
    side = &socket.sides[direction]
    message = &socket.report.request if from_client else &socket.report.response
    if socket.report.incomplete == COMPLETE:
        socket.report.incomplete = REQUEST_GAP if from_client else RESPONSE_GAP
    if side.lost or size > side.remaining:
        side.lost = 1
        return
    side.remaining -= size
    if side.remaining == 0:
        end_frame(side, message)


cdef void websocket_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how
) noexcept nogil:
    if conn.streams[1 - direction].ended or how:
        websocket_close(state, conn, time_ns, how)


cdef void websocket_close(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil:
    """The connection is over: report the counts. Legal twice. *how* is an Ending."""
    cdef WebSocket* socket = <WebSocket*>state_of(conn, PROTOCOL_WEBSOCKET)
    if socket == NULL:
        return
    forget_state(conn, PROTOCOL_WEBSOCKET)
    finish_exchange(
        state, conn, socket.report, COMPLETE if how == 0 else RESPONSE_CUT if how == 1 else STILL_OPEN)
    give_back(&state.budget, socket, sizeof(WebSocket))


cdef void websocket_abandon(EngineState* state, Connection* conn) noexcept nogil:
    """Give the counts up, for memory."""
    cdef WebSocket* socket = <WebSocket*>state_of(conn, PROTOCOL_WEBSOCKET)
    if socket == NULL:
        return
    forget_state(conn, PROTOCOL_WEBSOCKET)
    finish_exchange(state, conn, socket.report, EVICTED)
    give_back(&state.budget, socket, sizeof(WebSocket))


cdef Protocol row
row.number = PROTOCOL_WEBSOCKET
row.agree = websocket_begin
row.data = websocket_data
row.gap = websocket_gap
row.end = websocket_end
row.close = websocket_close
row.abandon = websocket_abandon


cdef const Protocol* websocket_protocol() noexcept nogil:
    """The row of WebSocket in the table of protocols."""
    return &row
