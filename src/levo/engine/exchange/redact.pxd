# Masking by field name: what is compiled once and read by every batch.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.core.exchange cimport HeaderNames
from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Exchange, Message


ctypedef struct FieldNames:
    Text* names               # ASCII letters lowered; owned by a Redactor
    size_t count
    size_t own                # so many, the first, hide whole members; of others names inside stay
    uint32_t longest
    uint8_t first[256]        # 1: some name begins with this octet, in either case
    uint32_t ends[1024]       # by the last two octets modulo 32, a bit for each third last one

ctypedef struct Selection:
    FieldNames names
    FieldNames in_targets     # names, and those that mean a credential in any URL
    FieldNames in_urls        # names, and those of redirects
    HeaderNames urls          # header fields that hold URLs
    bint everywhere           # names are looked for in every header field


cdef uint64_t mask_json(const FieldNames* names, uint8_t* data, size_t length) noexcept nogil
cdef uint64_t mask_pairs(const FieldNames* names, uint8_t* data, size_t length, bint form) noexcept nogil
cdef uint64_t mask_fields(const Selection* names, Exchange* exchange) noexcept nogil
