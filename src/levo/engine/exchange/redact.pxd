# Masking by field name: what is compiled once and read by every batch.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Exchange, Message


ctypedef struct FieldNames:
    Text* names               # ASCII letters lowered; owned by a Redactor
    size_t count
    uint32_t longest
    uint8_t first[256]        # 1: some name begins with this octet, in either case


cdef uint64_t mask_json(const FieldNames* names, uint8_t* data, size_t length) noexcept nogil
cdef uint64_t mask_pairs(const FieldNames* names, uint8_t* data, size_t length, bint form) noexcept nogil
cdef uint64_t mask_fields(const FieldNames* names, Exchange* exchange) noexcept nogil
