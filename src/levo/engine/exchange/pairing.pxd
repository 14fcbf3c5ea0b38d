from libc.stdint cimport int64_t, uint8_t, uint16_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange


ctypedef struct Proxied:
    # For whom a load balancer speaks: the first part of the state of the PROXY layer, the lowest one.
    uint8_t client[16]
    uint16_t port
    uint8_t family              # 0: for nobody, or not known


cdef enum:
    LEAST_REQUEST = 7           # octets of the shortest request: "GET /" and a line end
    BARE_CONTINUE = 25          # of "HTTP/1.1 100 Continue" and its empty line; hardly a final response has so few


cdef Exchange* begin_exchange(EngineState* state, Connection* conn) noexcept nogil
cdef void enqueue_request(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
cdef Exchange* pair_response(
    EngineState* state, Connection* conn, int64_t start, int64_t ack) noexcept nogil
cdef void response_ended(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
cdef void request_ended(EngineState* state, Connection* conn, Exchange* exchange) noexcept nogil
cdef void finish_exchange(
    EngineState* state, Connection* conn, Exchange* exchange, int incomplete) noexcept nogil
cdef void drop_exchange(EngineState* state, Connection* conn, Exchange* exchange, int reason) noexcept nogil
cdef int64_t next_request_after(Connection* conn, int64_t offset) noexcept nogil
cdef void finish_pending(EngineState* state, Connection* conn, int incomplete) noexcept nogil
cdef void unlink_pending(Connection* conn, Exchange* exchange) noexcept nogil
cdef void note_interim(Connection* conn, int64_t start, int64_t ack, int64_t end, int status) noexcept nogil
cdef bint may_begin_request(const Connection* conn, int64_t resumes, int64_t ack) noexcept nogil
cdef bint may_begin_response(Connection* conn, int64_t ack) noexcept nogil
cdef void finish_unread(EngineState* state, Connection* conn) noexcept nogil
cdef void give_up_exchanges(EngineState* state, Connection* conn) noexcept nogil
cdef int64_t pending_footprint(const Connection* conn) noexcept nogil
cdef bint may_answer(Connection* conn, int64_t ack) noexcept nogil


cdef inline void lose_order(Connection* conn) noexcept nogil:
    """Octets were lost: the order of messages alone does not pair them any more."""
    conn.tainted = 1


cdef inline void trust_order(Connection* conn) noexcept nogil:
    """What comes next pairs by its order again."""
    conn.tainted = 0
