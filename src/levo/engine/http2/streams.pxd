# What one HTTP/2 connection knows: its streams, their exchanges, and the reading position of each direction.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.http2.hpack cimport HeaderList, Hpack
from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Buffer, Exchange


cdef enum:
    STREAM_BUCKETS = 128
    RESET_RING = 32
    OF_REQUEST = 0            # index of a side's part in Http2Stream
    OF_RESPONSE = 1


ctypedef struct Grpc:
    # Reading position in the length-prefixed messages of one side (gRPC over HTTP/2, "Length-Prefixed-Message").
    uint64_t octets           # of messages, their prefixes not counted
    uint32_t messages
    uint32_t left             # octets of the current message still to come
    uint8_t prefix[5]
    uint8_t have              # octets of the prefix read so far
    uint8_t compressed        # a message had its compressed flag set
    uint8_t broken            # these are no such messages, or octets of a prefix were lost


ctypedef struct Http2Part:
    # One side (request or response) of a stream.
    int64_t content_length    # -1: none
    int64_t suspect_ns        # when octets of this direction were lost that may have been this stream's; 0: none
    uint32_t kept             # octets of the body that were kept before the loss
    uint8_t ended
    Grpc grpc


ctypedef struct Http2Stream:
    Http2Stream* hash_next
    Http2Stream* older        # by opening
    Http2Stream* newer
    Exchange* exchange
    uint32_t id
    int64_t lasting_ns        # since when it may last: an event stream, a gRPC call; 0: it is neither
    uint8_t pushed
    uint8_t doubtful          # the response's head has an unknown status: it may be an interim one
    Http2Part parts[2]


ctypedef struct Http2Side:
    # Reading position of one direction (states in http2.pyx).
    Hpack hpack
    Buffer partial            # octets of a payload that is wanted whole and is not yet
    Buffer block              # header block so far, while CONTINUATION frames are due
    int64_t start_ns          # of the frame, or of the header block
    int64_t start_offset
    int64_t start_ack
    uint32_t remaining        # octets left of the payload
    uint32_t length           # of the payload
    uint32_t stream           # identifier
    uint32_t padding          # octets at the end of the payload
    uint32_t block_stream     # whose block is open; 0: none
    uint32_t promised         # the block is of a PUSH_PROMISE for this stream
    uint32_t max_frame        # what the other side said it accepts
    uint8_t header[9]
    uint8_t have              # octets of ``header``, or of the preface
    uint8_t state
    uint8_t type
    uint8_t flags
    uint8_t padding_due       # the Pad Length octet of a DATA frame is still to come
    uint8_t hit               # octets of this frame were lost
    uint8_t block_ends        # the block carries END_STREAM


ctypedef struct Http2:
    Http2Side sides[2]        # by direction
    Http2Stream* buckets[STREAM_BUCKETS]
    Http2Stream* oldest
    Http2Stream* newest
    uint32_t stream_count
    uint32_t last_stream      # highest identifier of a stream the client has opened
    uint32_t reset[RESET_RING]
    uint32_t reset_at
    uint8_t lost              # octets were lost, or the connection was joined late
    uint8_t proven            # a header section was read
    uint8_t ended             # directions that are over, a bit each


cdef Http2* http2_new(EngineState* state, Connection* conn) noexcept nogil
cdef void http2_free(EngineState* state, Connection* conn) noexcept nogil
cdef Http2Stream* find_stream(const Http2* h2, uint32_t id) noexcept nogil
cdef void finish_stream(EngineState* state, Connection* conn, Http2Stream* stream, int reason) noexcept nogil
cdef Http2Stream* adopt_stream(EngineState* state, Connection* conn, Exchange* exchange, uint32_t id) noexcept nogil
cdef bint take_section(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, bint ends,
    bint pushed, int64_t time_ns, int64_t end_offset) noexcept nogil
cdef bint take_cut_section(
    EngineState* state, Connection* conn, int direction, uint32_t id, HeaderList* fields, bint ends,
    bint pushed, int64_t time_ns, int64_t end_offset) noexcept nogil
cdef void section_lost(
    EngineState* state, Connection* conn, int direction, uint32_t id, bint ends, int reason, int64_t time_ns
) noexcept nogil
cdef void take_data(
    EngineState* state, Connection* conn, int direction, uint32_t id, const uint8_t* data, uint32_t length,
    int64_t time_ns) noexcept nogil
cdef void data_lost(
    EngineState* state, Connection* conn, int direction, uint32_t id, uint64_t length, int64_t time_ns) noexcept nogil
cdef void end_part(
    EngineState* state, Connection* conn, int direction, uint32_t id, int64_t time_ns, int64_t end_offset
) noexcept nogil
cdef void take_reset(
    EngineState* state, Connection* conn, int direction, uint32_t id, uint32_t code, int64_t time_ns) noexcept nogil
cdef void take_goaway(EngineState* state, Connection* conn, int direction, uint32_t last) noexcept nogil
cdef void suspect_all(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil
cdef void finish_streams(EngineState* state, Connection* conn, int direction, int how, int64_t time_ns) noexcept nogil
cdef void give_up_streams(EngineState* state, Connection* conn) noexcept nogil
cdef int64_t http2_footprint(const Connection* conn) noexcept nogil
