# Field lines as attributes of a span.
from libc.stdint cimport uint8_t

from levo.engine.core.output cimport Output
from levo.engine.core.types cimport Section

cdef enum:
    PREFIX_ROOM = 32          # octets that can be read at a prefix, however long it is
    FIELD_ROOM = 64           # octets of a field's attribute besides name and value


cdef uint8_t* write_fields(
    Output* out, uint8_t* at, const char* prefix, size_t prefix_length, const Section* section, bint ascii
) noexcept nogil
