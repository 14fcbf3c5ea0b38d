"""The HTTP messages that FastCGI carries: a request as parameters, a response with a head of CGI (RFC 3875).

``REQUEST_METHOD`` and ``REQUEST_URI`` are the request line, ``HTTP_X_Y`` is the field ``x-y``. What else the web
server says (paths of its own, addresses, what it has decoded) is not part of the message and is left out.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, memset

from levo.engine.core.exchange cimport is_status, section_allocate
from levo.engine.core.network_order cimport be32
from levo.engine.core.output cimport equals_lower
from levo.engine.core.types cimport Budget, Exchange, Field, Message, Section, Span

cdef enum:
    MOST_FIELDS = 512


ctypedef struct Pair:
    const uint8_t* name
    const uint8_t* value
    uint32_t name_length
    uint32_t value_length


cdef bint length_at(const uint8_t* data, uint32_t length, uint32_t* at, uint32_t* value) noexcept nogil:
    """A length of one octet, or of four with the highest bit set (FastCGI specification, 3.4)."""
    if at[0] >= length:
        return False
    if data[at[0]] < 0x80:
        value[0] = data[at[0]]
        at[0] += 1
        return True
    if length - at[0] < 4:
        return False
    value[0] = be32(data + at[0]) & 0x7FFFFFFF
    at[0] += 4
    return True


cdef bint next_pair(const uint8_t* data, uint32_t length, uint32_t* at, Pair* pair) noexcept nogil:
    """The name and value at *at*, which moves on; False at the end, or where they are not whole."""
    if not length_at(data, length, at, &pair.name_length) or not length_at(data, length, at, &pair.value_length):
        return False
    if pair.name_length > length - at[0] or pair.value_length > length - at[0] - pair.name_length:
        return False
    pair.name = data + at[0]
    pair.value = pair.name + pair.name_length
    at[0] += pair.name_length + pair.value_length
    return True


cdef inline bint named(const Pair* pair, const char* name, uint32_t length) noexcept nogil:
    return pair.name_length == length and memcmp(pair.name, name, length) == 0


cdef Span put(Section* section, uint32_t* used, const uint8_t* data, uint32_t length) noexcept nogil:
    """Copy to the end of the text, which has room."""
    cdef Span span
    span.at = used[0]
    span.length = length
    if length:
        memcpy(section.text + used[0], data, length)
    used[0] += length
    return span


cdef void put_field(Section* section, uint32_t* used, uint32_t* count, const Pair* pair, uint32_t skip) noexcept nogil:
    """The field of a parameter whose name, after *skip* octets, is in capitals with ``_`` for ``-``."""
    cdef Field* field = section.fields + count[0]
    cdef uint32_t i
    cdef uint8_t octet
    field.name = put(section, used, pair.name + skip, pair.name_length - skip)
    for i in range(field.name.length):
        octet = section.text[field.name.at + i]
        if octet == c"_":
            octet = c"-"
        elif c"A" <= octet <= c"Z":
            octet += 32
        section.text[field.name.at + i] = octet
    field.value = put(section, used, pair.value, pair.value_length)
    count[0] += 1


cdef void put_version(Message* message, const Pair* pair) noexcept nogil:
    # HTTP/1.1, HTTP/2.0
    if pair.value_length == 8 and memcmp(pair.value, b"HTTP/", 5) == 0 and pair.value[6] == c"." and (
        c"1" <= pair.value[5] <= c"3" and c"0" <= pair.value[7] <= c"9"
    ):
        message.version_major = pair.value[5] - c"0"
        message.version_minor = pair.value[7] - c"0"


cdef bint names_request(const uint8_t* data, uint32_t length) noexcept nogil:
    """Whether parameters, or those that are whole, name a method and a target."""
    cdef Pair pair
    cdef uint32_t at = 0
    cdef bint method = False, target = False
    while next_pair(data, length, &at, &pair):
        if pair.value_length:
            method |= named(&pair, b"REQUEST_METHOD", 14)
            target |= named(&pair, b"REQUEST_URI", 11) or named(&pair, b"DOCUMENT_URI", 12) or (
                named(&pair, b"SCRIPT_NAME", 11))
    return method and target


ctypedef struct Fallback:
    # What stands for a target or a host where the client's own is not told.
    Pair path
    Pair query
    Pair host


cdef int field_of(const Pair* pair) noexcept nogil:
    """Octets before the name of the field that a parameter is; -1: it is none."""
    if pair.name_length > 5 and memcmp(pair.name, b"HTTP_", 5) == 0:
        return 5
    if pair.value_length and (named(pair, b"CONTENT_TYPE", 12) or named(pair, b"CONTENT_LENGTH", 14)):
        return 0
    return -1


cdef void take_parameter(
    Exchange* exchange, const Pair* pair, Fallback* fallback, uint32_t* used
) noexcept nogil:
    """Part of the request line, or what may stand for one; all else is the web server's own."""
    cdef Message* request = &exchange.request
    if named(pair, b"REQUEST_METHOD", 14):
        request.method = put(&request.head, used, pair.value, pair.value_length)
    elif named(pair, b"REQUEST_URI", 11):
        request.target = put(&request.head, used, pair.value, pair.value_length)
    elif named(pair, b"SERVER_PROTOCOL", 15):
        put_version(request, pair)
    elif named(pair, b"HTTPS", 5):
        exchange.encrypted = pair.value_length == 2 and equals_lower(pair.value, <const uint8_t*>b"on", 2)
    elif named(pair, b"DOCUMENT_URI", 12) or fallback.path.name == NULL and named(pair, b"SCRIPT_NAME", 11):
        fallback.path = pair[0]
    elif named(pair, b"QUERY_STRING", 12):
        fallback.query = pair[0]
    elif named(pair, b"SERVER_NAME", 11):
        fallback.host = pair[0]


cdef void read_parameters(Budget* budget, Exchange* exchange, const uint8_t* data, uint32_t length) noexcept nogil:
    """Make the request of *exchange* from its parameters, which name one (``names_request``)."""
    cdef Message* request = &exchange.request
    cdef Section* section = &request.head
    cdef Fallback fallback
    cdef Pair pair
    cdef uint32_t at = 0, count = 0, used = 0
    cdef int skip
    while next_pair(data, length, &at, &pair) and count < MOST_FIELDS:
        count += 1
    if not section_allocate(budget, section, length + 1, count):
        return
    memset(&fallback, 0, sizeof(Fallback))
    request.version_major = request.version_minor = 1
    at = count = 0
    while count < section.field_count and next_pair(data, length, &at, &pair):
        skip = field_of(&pair)
        if skip >= 0:
            put_field(section, &used, &count, &pair, <uint32_t>skip)
        else:
            take_parameter(exchange, &pair, &fallback, &used)
    if request.target.length == 0 and fallback.path.name != NULL:
        request.target = put(section, &used, fallback.path.value, fallback.path.value_length)
        if fallback.query.value_length:
            put(section, &used, <const uint8_t*>b"?", 1)
            put(section, &used, fallback.query.value, fallback.query.value_length)
            request.target.length += 1 + fallback.query.value_length
    request.authority = put(section, &used, fallback.host.value, fallback.host.value_length)
    section.text_length = used
    section.field_count = count
    forget_name_of_host(request)
    request.present = 1


cdef void forget_name_of_host(Message* request) noexcept nogil:
    # SERVER_NAME is the web server's name for itself: it counts where the client named no host.
    cdef uint32_t i
    cdef const Field* field
    for i in range(request.head.field_count):
        field = request.head.fields + i
        if field.name.length == 4 and memcmp(request.head.text + field.name.at, b"host", 4) == 0:
            request.authority.length = 0


cdef uint32_t head_length(const uint8_t* data, uint32_t length) noexcept nogil:
    """Octets of a head with the empty line that ends it; 0 while that is missing."""
    cdef uint32_t at = 0, line = 0
    while at < length:
        if data[at] == c"\n":
            if line == 0:
                return at + 1
            line = 0
        elif data[at] != c"\r":
            line += 1
        at += 1
    return 0


cdef bint read_cgi_head(Budget* budget, Exchange* exchange, const uint8_t* data, uint32_t length) noexcept nogil:
    """Make the response of *exchange* from a head of CGI, which may lack its end. False when memory is refused.

    ``Status`` is the status line; without it, 302 where there is a ``Location``, else 200 (RFC 3875 section 6.3.3).
    """
    cdef Message* response = &exchange.response
    cdef Section* section = &response.head
    cdef const uint8_t* found
    cdef uint32_t at = 0, end, stop, colon, lines = 1, count = 0, i
    cdef bint located = False
    cdef Field* field
    for i in range(length):
        lines += data[i] == c"\n"
    if not section_allocate(budget, section, length, lines if lines < MOST_FIELDS else MOST_FIELDS):
        return False
    memcpy(section.text, data, length)
    response.status = 0
    while at < length and count < section.field_count:
        found = <const uint8_t*>memchr(data + at, c"\n", length - at)
        stop = end = length if found == NULL else <uint32_t>(found - data)
        while end > at and data[end - 1] <= 32:
            end -= 1
        colon = at
        while colon < end and data[colon] != c":":
            colon += 1
        if at < colon < end:
            field = section.fields + count
            field.name.at = at
            field.name.length = colon - at
            colon += 1
            while colon < end and (data[colon] == c" " or data[colon] == c"\t"):
                colon += 1
            field.value.at = colon
            field.value.length = end - colon
            if field.name.length == 6 and equals_lower(data + at, <const uint8_t*>b"status", 6):
                read_status(response, data, colon, end)
            else:
                located |= field.name.length == 8 and equals_lower(data + at, <const uint8_t*>b"location", 8)
                count += 1
        at = stop + 1
    section.field_count = count
    if response.status == 0 and response.reason.length == 0:
        response.status = 302 if located else 200
    response.version_major = exchange.request.version_major
    response.version_minor = exchange.request.version_minor
    response.present = 1
    return True


cdef void read_status(Message* response, const uint8_t* data, uint32_t at, uint32_t end) noexcept nogil:
    """``404 Not Found``. What is no status code is kept as the reason, with status 0."""
    cdef uint32_t i, number = 0
    response.reason.at = at
    response.reason.length = end - at
    if end - at < 3 or end - at > 3 and data[at + 3] != c" ":
        return
    for i in range(at, at + 3):
        if not c"0" <= data[i] <= c"9":
            return
        number = number * 10 + data[i] - c"0"
    if is_status(number):
        response.status = <unsigned short>number
        response.reason.at = at + 4 if end - at > 4 else end
        response.reason.length = end - response.reason.at
