# HPACK (RFC 7541) as a bystander reads it.
from libc.stdint cimport int64_t, uint8_t, uint32_t

from levo.engine.core.types cimport Budget, Field


ctypedef struct HpackEntry:
    uint32_t at               # name, then value, in Hpack.text
    uint32_t name_length
    uint32_t value_length
    uint8_t known             # 0: its name or value was never seen


ctypedef struct Hpack:
    # The dynamic table of one direction, or the newest part of it.
    uint8_t* text
    HpackEntry* entries       # ring
    uint32_t text_capacity
    uint32_t text_end
    uint32_t entry_capacity   # a power of two
    uint32_t head             # where the next entry goes
    uint32_t count
    uint32_t size             # as RFC 7541 section 4.1 counts it
    uint32_t max_size         # meaningful while ``exact``
    uint8_t exact             # every entry and the size of the sender's table are known


cdef enum:
    LIST_TEXT = 4096
    LIST_FIELDS = 64


ctypedef struct HeaderList:
    # A decoded header section: names and values end to end. Lives on the C stack; freed with list_free.
    uint8_t* text
    Field* fields
    uint32_t length
    uint32_t capacity
    uint32_t count
    uint32_t field_capacity
    uint32_t limit            # octets kept at most
    uint32_t unknown          # fields that refer to what was never seen
    uint8_t first_unknown     # the first field is one of them
    uint8_t cut               # Incomplete: why octets of the block are missing behind these fields; 0: none are
    uint8_t overflow          # fields were left out: past the limit, or no memory
    uint8_t text_room[LIST_TEXT]
    Field field_room[LIST_FIELDS]


cdef void hpack_init(Hpack* table, bint exact) noexcept nogil
cdef void hpack_forget(Budget* budget, Hpack* table) noexcept nogil
cdef void hpack_free(Budget* budget, Hpack* table) noexcept nogil
cdef int64_t hpack_footprint(const Hpack* table) noexcept nogil
cdef bint hpack_decode(
    Budget* budget, Hpack* table, const uint8_t* data, uint32_t length, HeaderList* fields) noexcept nogil
cdef void list_init(HeaderList* fields, uint32_t limit) noexcept nogil
cdef void list_free(Budget* budget, HeaderList* fields) noexcept nogil
