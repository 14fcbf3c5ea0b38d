from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from levo.engine.http1.head_map cimport HeadMap
from levo.engine.core.types cimport Budget, Message, Section


ctypedef struct Framing:
    # What a header section says about where its message ends (RFC 9112 section 6).
    int64_t content_length       # -1: none
    uint8_t transfer_coding      # any Transfer-Encoding
    uint8_t chunked              # chunked is among the transfer codings; the first chunk line decides
    uint8_t close
    uint8_t upgrade
    uint8_t expects              # Expect: 100-continue
    uint16_t anomalies            # ANOMALY_* bits


cdef uint32_t find_head_end(const uint8_t* data, uint32_t length, uint32_t start, uint32_t* lines) noexcept nogil
cdef bint needs_normalizing(const uint8_t* data, uint32_t length, uint32_t lines) noexcept nogil
cdef uint32_t normalize_head(const uint8_t* data, uint32_t length, uint8_t* out, uint16_t* anomalies) noexcept nogil
cdef bint read_section(
    Budget* budget, Section* section, const uint8_t* data, uint32_t length, uint32_t lines,
    uint32_t first_line, const HeadMap* map, Framing* framing) noexcept nogil
cdef uint32_t first_line_length(const uint8_t* data, uint32_t length) noexcept nogil
cdef int read_request_line(const uint8_t* data, uint32_t length, Message* message) noexcept nogil
cdef bint read_status_line(const uint8_t* data, uint32_t length, Message* message) noexcept nogil
cdef bint is_token(uint8_t octet) noexcept nogil
cdef bint begins_known_method(const uint8_t* data, uint32_t length) noexcept nogil
cdef bint is_known_method(const uint8_t* data, uint32_t length) noexcept nogil


cdef inline uint32_t next_line(const uint8_t* data, uint32_t line, uint32_t length) noexcept nogil:
    # The offset behind the line end at or behind *line*.
    while line < length and data[line] != 10:
        line += 1
    return line + 1 if line < length else length
