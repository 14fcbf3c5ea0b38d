# Encrypted endpoints: who is talked to over TLS, by server address, port, name, ALPN and version.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.tls.hello cimport TlsFacts
from levo.engine.core.types cimport Budget

cdef enum:
    ENDPOINT_SLOTS = 1024       # a power of two
    MOST_ENDPOINTS = 512        # past it, new ones are put together

cdef enum TlsOutcome:
    # What became of a connection's content (names: ``OUTCOMES``).
    TLS_OPEN = 0                # not decided yet
    TLS_READ = 1
    TLS_OTHER = 2
    TLS_NO_SECRETS = 3
    TLS_SECRET_LOST = 4
    TLS_JOINED_LATE = 5
    TLS_SUITE = 6
    TLS_OUT_OF_STEP = 7
    TLS_UNFINISHED = 8
    TLS_MEMORY = 9
    TLS_MALFORMED = 10
    TLS_OUTCOMES = 11


ctypedef struct Endpoint:
    uint64_t connections
    uint64_t decrypted          # connections among them that were read with keys
    uint64_t outcomes[11]       # connections by TlsOutcome, once it is known
    uint64_t octets             # TCP payload of both directions
    int64_t first_ns
    int64_t last_ns
    uint16_t port
    uint16_t version            # as on the wire: 0x0303 is TLS 1.2; 0 unknown
    uint16_t names_length
    uint8_t name_length
    uint8_t alpn_length
    uint8_t family
    uint8_t address[16]
    uint8_t name[255]
    uint8_t alpn[63]
    uint8_t names[511]


ctypedef struct EndpointTable:
    Endpoint* slots[1024]
    Endpoint others             # connections to endpoints that found no room
    uint32_t count


cdef EndpointTable* endpoints_new() noexcept nogil
cdef void endpoints_free(EndpointTable* table, Budget* budget) noexcept nogil
cdef Endpoint* endpoints_find(
    EndpointTable* table, Budget* budget, const uint8_t* address, uint8_t family, uint16_t port,
    const TlsFacts* facts) noexcept nogil
cdef void endpoint_names(Endpoint* endpoint, const TlsFacts* facts) noexcept nogil
cdef list endpoints_list(const EndpointTable* table)
cdef dict outcomes_of(const uint64_t* outcomes)
