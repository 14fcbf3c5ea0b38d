# TLS on one connection: what its handshake says, and its records.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.state cimport Connection, EngineState
from levo.engine.tls_endpoints cimport Endpoint, EndpointTable
from levo.engine.tls_hello cimport TlsFacts
from levo.engine.types cimport Budget, Buffer

cdef enum TlsStage:
    STAGE_HELLO = 0             # reading the handshake
    STAGE_SHUT = 1              # nothing more can be read: octets are counted


ctypedef struct TlsSide:
    Buffer message              # handshake message that is being collected
    uint32_t message_left       # octets of it still to come
    uint32_t left               # octets left of the record
    uint8_t header[5]
    uint8_t have                # octets of ``header``
    uint8_t message_kind
    uint8_t message_have        # octets of the message's header
    uint8_t sealed              # records are encrypted from now on
    uint8_t ended


ctypedef struct Tls:
    Endpoint* endpoint          # NULL until the handshake is known
    TlsFacts* facts             # NULL once nobody needs them
    uint64_t early              # octets seen before the endpoint was known
    int64_t first_ns
    uint8_t stage               # TlsStage
    TlsSide sides[2]


ctypedef struct TlsTable:
    # What an engine knows of TLS.
    EndpointTable* endpoints


cdef TlsTable* tls_new() noexcept nogil
cdef void tls_delete(TlsTable* table, Budget* budget) noexcept nogil
cdef bint tls_looks(const Connection* conn, int direction, const uint8_t* data, uint32_t length) noexcept nogil
cdef bint tls_begin(EngineState* state, Connection* conn, int direction, int64_t time_ns) noexcept nogil
cdef void tls_data(
    EngineState* state, Connection* conn, int direction,
    const uint8_t* data, uint32_t length, int64_t time_ns, int64_t ack) noexcept nogil
cdef void tls_gap(EngineState* state, Connection* conn, int direction, uint64_t size, int64_t time_ns) noexcept nogil
cdef void tls_end(EngineState* state, Connection* conn, int direction) noexcept nogil
cdef void tls_abandon(EngineState* state, Connection* conn) noexcept nogil
cdef int64_t tls_footprint(const Connection* conn) noexcept nogil
