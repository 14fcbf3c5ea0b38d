# Masking of header fields, and of the users in URLs.
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.core.output cimport Text
from levo.engine.core.types cimport Exchange, Field, Section


cdef extern from "levo/engine/exchange/names.h" nogil:
    enum:
        KEY_WORDS "LEVO_KEY_WORDS"
    # A number for a name, the same in any case; its bit in KEY_WORDS words says whether the name may be one of some.
    unsigned int header_key "levo_header_key" (const uint8_t* name, uint32_t length)


cdef enum:
    HEADER_ROWS = 256         # a power of two


cdef enum HeaderKind:
    # What of a header field's value stays when it is hidden.
    HEADER_OTHER = 0          # not to be hidden
    HEADER_WHOLE = 1          # nothing
    HEADER_SCHEME = 2         # the authentication scheme
    HEADER_COOKIE = 3         # names
    HEADER_SET_COOKIE = 4     # name and attributes
    HEADER_SUBPROTOCOLS = 5   # what is not a token
    HEADER_URL = 6            # all but users and parameters: ``mask_header`` leaves it


ctypedef struct HeaderName:
    const uint8_t* data       # lower-case
    uint32_t length
    unsigned int key          # ``header_key``
    uint32_t next             # the next one of its row, counted from 1; 0: none
    HeaderKind kind


ctypedef struct HeaderNames:
    # Names of header fields to look for, compiled once.
    HeaderName* names
    size_t count
    uint64_t keys[KEY_WORDS]  # a bit for each ``header_key``
    uint32_t rows[256]        # HEADER_ROWS: by the low bits of the key, the first name counted from 1; 0: none


cdef inline bint header_may_be(const HeaderNames* names, const uint8_t* name, uint32_t length) noexcept nogil:
    """Whether *name*, which is not empty, may be one of *names*, or ends with a blank: hardly any other passes."""
    cdef unsigned int key = header_key(name, length)
    return names.keys[key >> 6] >> (key & 63) & 1 or name[length - 1] <= c" "


cdef void header_names_add(
    HeaderNames* names, const uint8_t* data, uint32_t length, bint holds_urls
) noexcept nogil
cdef HeaderKind header_kind(const HeaderNames* names, const Section* section, const Field* field) noexcept nogil
cdef bint mask_header(HeaderKind kind, Text value) noexcept nogil
cdef uint64_t mask_target_users(Exchange* exchange) noexcept nogil
cdef uint64_t mask_users(uint8_t* data, size_t length) noexcept nogil
