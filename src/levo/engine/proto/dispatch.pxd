from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Exchange
from levo.engine.proto.protocol cimport Protocol


cdef void add_protocol(const Protocol* row) noexcept nogil

# Of the lowest layer, for the connection table.
cdef void deliver(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void deliver_gap(
    EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void deliver_end(
    EngineState* state, Connection* conn, int direction, int64_t time_ns, int how) noexcept nogil
cdef bint tick_layers(EngineState* state, Connection* conn, int64_t now_ns, bint last) noexcept nogil
cdef void close_layers(EngineState* state, Connection* conn, int64_t now_ns, int how) noexcept nogil
cdef void rest_layers(EngineState* state, Connection* conn) noexcept nogil
cdef bint layers_wait(const Connection* conn) noexcept nogil
cdef void abandon(EngineState* state, Connection* conn) noexcept nogil
cdef int64_t footprint(const Connection* conn) noexcept nogil

# Of any layer, for the one below it.
cdef void layer_data(
    EngineState* state, Connection* conn, int level, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void layer_gap(
    EngineState* state, Connection* conn, int level, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void layer_end(
    EngineState* state, Connection* conn, int level, int direction, int64_t time_ns, int how) noexcept nogil

# Of the top layer, for a protocol that leads to another one.
cdef bint begin_protocol(
    EngineState* state, Connection* conn, int protocol, int direction, uint32_t consumed,
    int64_t time_ns) noexcept nogil
cdef bint agree_on(EngineState* state, Connection* conn, int protocol, Exchange* exchange) noexcept nogil
