# One connection under several addresses or in several networks. See twins.pyx.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.core.state cimport Connection, EngineState
from levo.engine.core.types cimport Packet


cdef enum:
    RECENT_SLOTS = 8192         # a power of two


ctypedef struct Recent:
    # A segment that may be seen once more.
    uint64_t key                # both sequence numbers, the lower one first
    Connection* conn
    int64_t time_ns
    uint32_t hash               # of conn
    uint32_t seq                # of its sender; the other half of the key is the receiver's
    uint32_t prefix             # of its first octets
    uint32_t length
    uint8_t side                # of its sender, in conn
    uint32_t noted              # when, by the engine's own clock: elapsed_ns >> 10


ctypedef struct Alias:
    # Other ends of a connection.
    Alias* next                 # of those with this hash
    Alias* sibling              # of those in this bucket of connections
    Connection* conn
    uint8_t a[16]
    uint8_t b[16]
    uint32_t hash
    uint32_t network
    uint16_t a_port
    uint16_t b_port
    uint8_t crossed             # its ``a`` sends streams[1]


ctypedef struct Twins:
    Alias** by_hash             # NULL as long as there is none
    Alias** by_conn
    uint32_t mask
    uint32_t count
    Recent recent[2][8192]      # RECENT_SLOTS each: any, and what connections began with


ctypedef struct Ends:
    # Two ends in the order of the table, and the network they are in.
    const uint8_t* a
    const uint8_t* b
    uint16_t a_port
    uint16_t b_port
    uint32_t hash
    uint32_t network


cdef Twins* twins_new() noexcept nogil
cdef void twins_free(EngineState* state) noexcept nogil
cdef Connection* twins_find(EngineState* state, const Ends* ends, int* crossed) noexcept nogil
cdef bint twins_add(EngineState* state, Connection* conn, const Ends* ends, bint crossed) noexcept nogil
cdef bint twins_pop(EngineState* state, Connection* conn, Alias* taken) noexcept nogil
cdef const Recent* twin_of(
    EngineState* state, Connection* conn, int side, uint32_t seq, const Packet* packet) noexcept nogil
cdef void twins_note(
    EngineState* state, Connection* conn, int side, uint32_t seq, const Packet* packet) noexcept nogil
