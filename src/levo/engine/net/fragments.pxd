# IP fragments on their way to a whole packet.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from levo.engine.core.types cimport Budget, Stats


cdef enum FragmentLimits:
    FRAGMENT_BUCKETS = 256
    FRAGMENT_PACKETS = 1024           # incomplete packets held at once
    FRAGMENT_BUDGET_SHIFT = 4         # fragments may hold a sixteenth of the budget


cdef enum FragmentResult:
    FRAGMENT_HELD = 0
    FRAGMENT_WHOLE = 1
    FRAGMENT_LOST = 2
    FRAGMENT_BAD = 3


ctypedef struct Fragment:
    # One fragment as its IP header describes it.
    const uint8_t* source             # 16 octets each, IPv4 mapped
    const uint8_t* destination
    const uint8_t* data
    int64_t time_ns
    uint64_t network                  # Cursor.network
    uint32_t identification
    uint32_t offset                   # octets
    uint32_t length                   # octets promised by the header
    uint32_t present                  # of them in the capture
    uint16_t interface
    uint8_t family
    uint8_t protocol                  # of IPv4; next header of the fragment header in IPv6
    uint8_t more                      # further fragments follow


ctypedef struct Datagram:
    uint8_t source[16]
    uint8_t destination[16]
    uint64_t network
    uint32_t identification
    uint16_t interface
    uint8_t family
    uint8_t protocol
    Datagram* chain                   # next in the bucket
    Datagram* older
    Datagram* newer
    int64_t created_ns
    uint8_t* data
    uint32_t capacity
    uint32_t total                    # length of the whole packet; 0 while unknown
    uint32_t reach                    # behind the last octet seen
    uint32_t blocks                   # blocks of eight octets covered
    uint32_t present                  # octets from the start that the capture holds
    uint32_t frames
    uint8_t covered[1024]     # one bit for each of 8192 blocks


ctypedef struct FragmentTable:
    Datagram* buckets[256]
    Datagram* oldest
    Datagram* newest
    Budget* budget
    Stats* stats
    int64_t used
    uint32_t packets
    uint8_t* whole                    # the packet made whole last; valid until the next one
    uint32_t whole_capacity


ctypedef struct Whole:
    const uint8_t* data
    uint32_t length                   # octets present
    uint32_t cut                      # octets promised behind them
    uint8_t protocol


cdef void fragments_init(FragmentTable* table, Budget* budget, Stats* stats) noexcept nogil
cdef void fragments_free(FragmentTable* table) noexcept nogil
cdef void fragments_release(FragmentTable* table) noexcept nogil
cdef int fragment_add(FragmentTable* table, const Fragment* fragment, Whole* whole) noexcept nogil
cdef void fragments_expire(FragmentTable* table, int64_t now_ns) noexcept nogil
cdef void fragments_abandon(FragmentTable* table) noexcept nogil
