"""Recognizing HTTP/1 messages among octets that nobody vouches for: at a connection's start, or after a loss."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from levo.engine.proto.protocol cimport LOOKS_MAYBE, LOOKS_NO, LOOKS_REQUEST, LOOKS_RESPONSE
from levo.engine.http1.head cimport (
    first_line_length,
    is_known_method,
    is_token,
    next_line,
    read_request_line,
    read_status_line,
)
from levo.engine.core.types cimport Message


cdef int http1_looks(const uint8_t* data, uint32_t length) noexcept nogil:
    """What a message that begins at *data* would be (LOOKS_*); strict, for octets nobody vouches for."""
    cdef uint32_t method = 0
    cdef uint32_t line
    cdef Message message
    while length and (data[0] == 13 or data[0] == 10):
        data += 1                                 # clients send empty lines before a request (RFC 9112 section 2.2)
        length -= 1
    if length == 0:
        return LOOKS_NO
    if memcmp(data, b"HTTP/1.", length if length < 7 else 7) == 0:
        return LOOKS_RESPONSE if length >= 7 else LOOKS_MAYBE
    while method < length and method < 25 and is_token(data[method]):
        method += 1
    if method == 0 or method == 25:
        return LOOKS_NO
    if method == length:
        return LOOKS_MAYBE if 65 <= data[0] <= 90 else LOOKS_NO
    if data[method] != 32:
        return LOOKS_NO
    if memchr(data, 10, length) != NULL:
        line = first_line_length(data, length)
        if read_request_line(data, line, &message) == 1:
            return LOOKS_REQUEST if believable(data, &message) else LOOKS_NO
        # Without a version: believed when a field line follows (servers answer these with 400).
        if message_without_version(data, line, length, &message) or is_simple_request(data, length):
            return LOOKS_REQUEST
        return LOOKS_NO
    if not is_known_method(data, method):
        return LOOKS_NO
    return LOOKS_REQUEST if method + 1 == length or data[method + 1] > 32 else LOOKS_NO


cdef bint believable(const uint8_t* data, const Message* message) noexcept nogil:
    """Whether a request line is one that clients write: lenience is for places where a request must stand."""
    cdef uint8_t first = data[message.target.at]
    cdef uint8_t letter = data[0] | 0x20
    return message.version_major != 0 and c"a" <= letter <= c"z" and (
        first == c"/" or first == c"*" or first == c"[" or c"0" <= first <= c"9" or c"a" <= (first | 0x20) <= c"z"
    )


cdef bint message_without_version(
    const uint8_t* data, uint32_t line, uint32_t length, Message* message
) noexcept nogil:
    cdef uint32_t at = next_line(data, line, length)
    cdef uint32_t start = at
    if read_request_line(data, line, message) != 2:
        return False
    while at < length and is_token(data[at]):
        at += 1
    if at == length:                              # a field's name that was cut
        return at > start and is_known_method(data, message.method.length)
    return at > start and data[at] == 58


cdef bint is_simple_request(const uint8_t* data, uint32_t length) noexcept nogil:
    # HTTP/0.9: "GET /path" and a line end, or several, nothing else.
    cdef uint32_t line = first_line_length(data, length)
    cdef uint32_t at = next_line(data, line, length)
    cdef Message message
    while at < length and (data[at] == 13 or data[at] == 10):
        at += 1
    if length < 6 or memcmp(data, b"GET /", 5) != 0 or at != length:
        return False
    return data[length - 1] == 10 and read_request_line(data, line, &message) == 2


cdef bint plausible_start(bint from_client, const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether a head may begin at *data*, on a connection that is known to speak HTTP/1."""
    cdef uint32_t at = 0
    if not from_client:
        return memcmp(data, b"HTTP/", length if length < 5 else 5) == 0
    while at < length and at < 65 and is_token(data[at]):
        at += 1
    return at > 0 and at < 65 and (at == length or data[at] == 32 or data[at] == 9)


cdef bint is_number(const uint8_t* text, uint32_t length) noexcept nogil:
    """Whether *text* begins with three digits and a space: a status code, if none of HTTP's (999)."""
    cdef uint32_t at = 0
    while at < length and 48 <= text[at] <= 57:
        at += 1
    return at == 3 and text[0] != 48 and (length == 3 or text[3] == 32)


cdef int64_t find_response(const uint8_t* data, uint32_t length) noexcept nogil:
    """Where a status line begins in *data*, anywhere; -1 when none does."""
    cdef uint32_t at = 0
    cdef const uint8_t* found
    cdef Message message
    cdef uint32_t line
    while at < length:
        found = <const uint8_t*>memchr(data + at, 72, length - at)       # H
        if found == NULL:
            return -1
        at = <uint32_t>(found - data)
        if length - at < 12:
            return at if memcmp(found, b"HTTP/1.", length - at if length - at < 7 else 7) == 0 else -1
        if memcmp(found, b"HTTP/1.", 7) == 0:
            line = first_line_length(found, length - at)
            if read_status_line(found, line, &message) and (
                message.status or is_number(found + message.reason.at, message.reason.length)
            ):
                return at
        at += 1
    return -1


cdef int64_t find_request(const uint8_t* data, uint32_t length) noexcept nogil:
    """Where a request begins, with a known method: at the start, or where a whole request line stands; -1."""
    cdef uint32_t at = 0
    cdef uint32_t method, line
    cdef Message message
    while at < length and is_token(data[at]):
        at += 1
    if is_known_method(data, at) and http1_looks(data, length) == LOOKS_REQUEST:
        return 0
    at = 0
    while at < length:
        if 65 <= data[at] <= 90 and (at == 0 or not 65 <= data[at - 1] <= 90):
            method = at
            while method < length and method < at + 20 and (65 <= data[method] <= 90 or data[method] == 45):
                method += 1
            if method < length and data[method] == 32 and is_known_method(data + at, method - at):
                line = first_line_length(data + at, length - at)
                if read_request_line(data + at, line, &message) == 1 and believable(data + at, &message):
                    return at
            at = method
        at += 1
    return -1
