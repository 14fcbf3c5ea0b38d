"""Exchange records: what can be asked of one.

Every reader goes through ``section_text``, which checks a span against its text, so a record with wrong
spans reads as empty and never past its memory.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from levo.engine.core.memory cimport clear, take
from levo.engine.core.output cimport Text, equals_lower
from levo.engine.core.types cimport (
    ANOMALY_COUNT,
    GRPC_CLIENT_STREAMS,
    GRPC_SERVER_STREAMS,
    Budget,
    Exchange,
    Field,
    Message,
    Section,
)

cdef extern from "<string.h>" nogil:
    size_t strlen(const char* text)
    void* memchr(const void* data, int octet, size_t length)

cdef extern from "levo/engine/core/exchange.h":
    const char* HEX "levo_address_digits"
    const char* const* levo_incomplete_names
    const char* const* levo_anomaly_names


cdef bint section_allocate(
    Budget* budget, Section* section, uint32_t text_length, uint32_t field_count
) noexcept nogil:
    """Give an empty *section* room for that much text and that many fields. False when memory is refused."""
    cdef size_t text_room = (<size_t>text_length + 7) & ~<size_t>7
    cdef size_t size = text_room + <size_t>field_count * sizeof(Field)
    cdef uint8_t* block
    if size > 0x7FFFFFFF:
        return False
    block = <uint8_t*>take(budget, size if size else 8)
    if block == NULL:
        return False
    section.text = block
    section.fields = <Field*>(block + text_room)
    section.text_length = text_length
    section.field_count = field_count
    section.allocated = <uint32_t>(size if size else 8)
    return True


cdef Field* section_find(const Section* section, const char* lower_name, uint32_t length) noexcept nogil:
    """First field whose name, in any case, is *lower_name* of *length* octets; NULL when there is none."""
    cdef uint32_t i
    cdef Text name
    for i in range(section.field_count):
        if section.fields[i].name.length == length:
            name = section_text(section, section.fields[i].name)
            if name.length == length and equals_lower(name.data, <const uint8_t*>lower_name, length):
                return &section.fields[i]
    return NULL


cdef const char* incomplete_name(uint8_t incomplete) noexcept nogil:
    """Text of an ``Incomplete`` value, empty for COMPLETE."""
    return levo_incomplete_names[incomplete if incomplete <= 12 else 0]


cdef const char* anomaly_name(int bit) noexcept nogil:
    """Text of ``1 << bit`` of ``Anomaly``."""
    return levo_anomaly_names[bit if 0 <= bit < ANOMALY_COUNT else 0]


cdef const char* grpc_streaming_name(uint8_t grpc) noexcept nogil:
    """Which sides of a gRPC call sent more than one message; empty for none."""
    cdef uint8_t sides = grpc & (GRPC_CLIENT_STREAMS | GRPC_SERVER_STREAMS)
    if sides == 0:
        return b""
    if sides == GRPC_CLIENT_STREAMS:
        return b"client"
    return b"server" if sides == GRPC_SERVER_STREAMS else b"bidirectional"


cdef inline uint32_t dotted(const uint8_t* four, char* out) noexcept nogil:
    cdef uint32_t at = 0
    cdef int i
    cdef uint8_t octet
    for i in range(4):
        octet = four[i]
        if octet >= 100:
            out[at] = c"0" + octet // 100
            at += 1
        if octet >= 10:
            out[at] = c"0" + octet // 10 % 10
            at += 1
        out[at] = c"0" + octet % 10
        out[at + 1] = c"."
        at += 2
    return at - 1


cdef uint32_t address_text(const uint8_t* address, uint8_t family, char* out) noexcept nogil:
    """Write the text form (RFC 5952) into *out*, room for 46 octets; return its length."""
    cdef uint32_t at = 0, group
    cdef int i, run, zeros_at = -1, zeros = 1, shift
    if family != 6:
        return dotted(address + 12, out)
    for i in range(8):
        run = 0
        while i + run < 8 and address[2 * (i + run)] == 0 and address[2 * (i + run) + 1] == 0:
            run += 1
        if run > zeros:
            zeros = run
            zeros_at = i
    if zeros_at == 0 and zeros == 5 and address[10] == 0xFF and address[11] == 0xFF:
        memcpy(out, b"::ffff:", 7)
        return 7 + dotted(address + 12, out + 7)
    i = 0
    while i < 8:
        if i == zeros_at:
            out[at] = c":"
            out[at + 1] = c":"
            at += 2
            i += zeros
            continue
        if i and (zeros_at < 0 or i != zeros_at + zeros):
            out[at] = c":"
            at += 1
        group = <uint32_t>address[2 * i] << 8 | address[2 * i + 1]
        shift = 12 if group >> 12 else 8 if group >> 8 else 4 if group >> 4 else 0
        while shift >= 0:
            out[at] = HEX[group >> shift & 15]
            at += 1
            shift -= 4
        i += 1
    return at


cdef inline Text literal(const char* octets) noexcept nogil:
    cdef Text text
    text.data = <const uint8_t*>octets
    text.length = <uint32_t>strlen(octets)
    return text


cdef inline uint32_t find(Text text, uint8_t octet) noexcept nogil:
    """Position of the first *octet*, or the length of *text*."""
    cdef const uint8_t* at = NULL
    if text.length:
        at = <const uint8_t*>memchr(text.data, octet, text.length)
    return text.length if at == NULL else <uint32_t>(at - text.data)


cdef void split_host(Facts* facts) noexcept nogil:
    """Take name and port out of ``host`` (RFC 3986 section 3.2); a bad port leaves that of the connection."""
    cdef Text host = facts.host
    cdef uint32_t colon, i, port = 0
    if host.length and host.data[0] == c"[":
        colon = find(host, c"]")
        if colon == host.length:
            facts.server_name = host
            return
        facts.server_name = cut(host, 1)
        facts.server_name.length = colon - 1
        colon += 1
        if colon == host.length or host.data[colon] != c":":
            return
    else:
        colon = find(host, c":")
        facts.server_name = host
        facts.server_name.length = colon
        if colon == host.length:
            return
    if not 1 <= host.length - colon - 1 <= 5:
        return
    for i in range(colon + 1, host.length):
        if not c"0" <= host.data[i] <= c"9":
            return
        port = port * 10 + host.data[i] - c"0"
    if 0 < port <= 65535:
        facts.server_port = <uint16_t>port


cdef void target_facts(const Exchange* exchange, Facts* facts) noexcept nogil:
    """What the request asks for: method, target, scheme, host, path and query; empty without a request."""
    cdef const Message* request = &exchange.request
    cdef Text rest, authority
    cdef Field* host
    cdef uint32_t length
    rest.data = NULL
    rest.length = 0
    facts.method = facts.target = facts.scheme = facts.host = facts.path = facts.query = rest
    facts.has_query = False
    if not request.present:
        return
    facts.method = section_text(&request.head, request.method)
    facts.target = section_text(&request.head, request.target)
    facts.scheme = section_text(&request.head, request.scheme)
    authority = without_user(section_text(&request.head, request.authority))
    rest = facts.target
    # A target of CONNECT that is no authority (RFC 9112 section 3.2.3) is read like any other.
    if (
        facts.method.length == 7
        and equals_lower(facts.method.data, <const uint8_t*>b"connect", 7)
        and not (rest.length and rest.data[0] == c"/")
    ):
        if not authority.length:
            authority = without_user(rest)
        rest = cut(rest, rest.length)
    else:
        length = scheme_length(rest)
        if length:
            if not facts.scheme.length:
                facts.scheme = rest
                facts.scheme.length = length
            rest = cut(rest, length + 3)
            length = authority_length(rest)
            if not authority.length:
                authority = rest
                authority.length = length
                authority = without_user(authority)
            rest = cut(rest, length)
    if not facts.scheme.length:
        facts.scheme = literal(b"https") if exchange.encrypted else literal(b"http")
    length = find(rest, c"?")
    facts.path = rest
    facts.path.length = length
    if length < rest.length:
        facts.has_query = True
        facts.query = cut(rest, length + 1)
    if not authority.length:
        host = section_find(&request.head, b"host", 4)
        if host != NULL:
            authority = section_text(&request.head, host.value)
    facts.host = authority


cdef void exchange_facts(const Exchange* exchange, Facts* facts) noexcept nogil:
    """Derive what the outputs share. Texts point into *exchange* or are constants."""
    cdef const Message* request = &exchange.request
    cdef const Message* response = &exchange.response
    cdef const Message* first = request if request.present else response
    clear(facts, sizeof(Facts))
    facts.version_major = first.version_major
    facts.version_minor = first.version_minor
    facts.server_port = exchange.server_port
    facts.start_ns = first.start_ns
    facts.end_ns = first.end_ns
    if response.present:
        facts.first_byte_ns = response.start_ns
        if response.end_ns > facts.end_ns:
            facts.end_ns = response.end_ns
        if response.start_ns < facts.start_ns:
            facts.start_ns = response.start_ns
    if facts.end_ns < facts.start_ns:
        facts.end_ns = facts.start_ns
    if request.present:
        target_facts(exchange, facts)
        split_host(facts)
