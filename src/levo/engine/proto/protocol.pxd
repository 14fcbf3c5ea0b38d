# A protocol is one row of functions in the table of ``dispatch``, and a layer on a connection's stack. Whoever adds
# one writes these functions and one row in ``levo.engine.engine``; nothing else names it.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange


cdef enum Looks:
    # What the first octets of a direction look like.
    LOOKS_NO = 0
    LOOKS_REQUEST = 1           # the client's
    LOOKS_RESPONSE = 2          # the server's
    LOOKS_EITHER = 3            # whose they are shows later
    LOOKS_MAYBE = 4             # too few to tell; never an answer of a row


cdef enum Ending:
    # How a direction ended.
    ENDED_FIN = 0
    ENDED_RESET = 1
    ENDED_GIVEN_UP = 2          # idle, evicted, or the capture ended


# Whether octets that nobody vouches for begin this protocol.
ctypedef int (*LooksLike)(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil
# The top layer speaks this protocol from the next octets of *direction* on, of which *consumed* were read before it
# was known. False when memory is refused; the layer is as before then.
ctypedef bint (*Begin)(
    EngineState* state, Connection* conn, int direction, int looks, uint32_t consumed, int64_t time_ns) noexcept nogil
# The same, agreed upon by *exchange* (Upgrade, RFC 9110 section 7.8), whose final response has just been read.
ctypedef bint (*Agree)(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
# The next octets of a direction, in order; *ack* is the offset in the other direction's byte stream that they
# acknowledge, or -1. Returns those consumed: fewer only when the layer's protocol changed on the way.
ctypedef uint32_t (*TakeData)(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
# *size* octets of a direction were never captured; the stream's offset is still before them.
ctypedef void (*TakeGap)(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
# No octet of a direction will follow; *how* is an Ending.
ctypedef void (*TakeEnd)(EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil
# The connection is over, both directions have ended: report and free what is left. Legal twice.
ctypedef void (*Close)(EngineState* state, Connection* conn, int64_t time_ns, int how) noexcept nogil
# Time has passed. True while there is something to look at again. *last*: the connection is about to be closed, so
# what waits is decided now.
ctypedef bint (*Tick)(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil
# Whether octets that were delivered wait inside the layer, so that the connection cannot be closed yet.
ctypedef bint (*Waits)(const Connection* conn) noexcept nogil
# Nothing has come for a while: return buffers that are empty. What was read so far stays.
ctypedef void (*Rest)(EngineState* state, Connection* conn) noexcept nogil
# Octets of the budget that the layer holds (an estimate: bodies and heads).
ctypedef int64_t (*Footprint)(const Connection* conn) noexcept nogil
# Give up everything that the layer holds, for memory, and count it.
ctypedef void (*Abandon)(EngineState* state, Connection* conn) noexcept nogil


ctypedef struct Protocol:
    LooksLike looks             # NULL: never recognized from octets, or never again in the clear
    Begin begin
    Agree agree                 # NULL: nothing is upgraded to it
    TakeData data
    TakeGap gap
    TakeEnd end
    Close close
    Tick tick
    Waits waits
    Rest rest
    Footprint footprint
    Abandon abandon
    uint8_t number              # PROTOCOL_*
    uint8_t parses              # octets handed to ``data`` count as parsed; else it counts them itself
    uint8_t carries             # has a layer of its own above it (TLS): there once at most
    uint8_t joins               # is recognized again on an opaque connection that was joined late
