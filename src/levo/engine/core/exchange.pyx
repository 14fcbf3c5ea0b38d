"""Exchange records: what can be asked of one, and what is hidden in one.

Every reader goes through ``section_text``, which checks a span against its text, so a record with wrong
spans reads as empty and never past its memory.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from levo.engine.core.memory cimport clear, take
from levo.engine.core.output cimport Text, equals_lower, load64, lower
from levo.engine.core.types cimport (
    FINDING_COUNT,
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
    void* memrchr(const void* data, int octet, size_t length)
    void* memmem(const void* data, size_t length, const void* wanted, size_t size)

cdef extern from *:
    """
    static const char *const levo_incomplete_names[] = {
        "", "no_request", "no_response", "request_gap", "response_gap", "request_cut", "response_cut",
        "ambiguous", "evicted", "unsampled_body", "mid_stream", "reset_stream", "still_open"};
    static const char *const levo_finding_names[] = {
        "length_and_chunked", "lengths_differ", "bad_length", "bad_chunk", "bare_lf", "folded", "bad_field",
        "bad_transfer_coding", "bad_status", "head_cut"};
    static const char levo_address_digits[] = "0123456789abcdef";
    """
    const char* HEX "levo_address_digits"
    const char* const* levo_incomplete_names
    const char* const* levo_finding_names


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


cdef const char* finding_name(int bit) noexcept nogil:
    """Text of ``1 << bit`` of ``Finding``."""
    return levo_finding_names[bit if 0 <= bit < FINDING_COUNT else 0]


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


cdef inline Text cut(Text text, uint32_t at) noexcept nogil:
    """The rest of *text* from *at* on."""
    cdef Text rest
    rest.data = text.data + at
    rest.length = text.length - at
    return rest


cdef inline uint32_t find(Text text, uint8_t octet) noexcept nogil:
    """Position of the first *octet*, or the length of *text*."""
    cdef const uint8_t* at = NULL
    if text.length:
        at = <const uint8_t*>memchr(text.data, octet, text.length)
    return text.length if at == NULL else <uint32_t>(at - text.data)


cdef inline uint32_t scheme_length(Text target) noexcept nogil:
    """Length of the scheme of an absolute-form target (``scheme://``), else 0 (RFC 3986 section 3.1)."""
    cdef uint32_t i
    cdef uint8_t c
    for i in range(target.length):
        c = lower(target.data[i])
        if c"a" <= c <= c"z" or (i and (c"0" <= c <= c"9" or c == c"+" or c == c"-" or c == c".")):
            continue
        if i and c == c":" and target.length - i > 2 and target.data[i + 1] == c"/" and target.data[i + 2] == c"/":
            return i
        return 0
    return 0


cdef inline uint32_t authority_length(Text rest) noexcept nogil:
    cdef uint32_t i
    for i in range(rest.length):
        if rest.data[i] == c"/" or rest.data[i] == c"?" or rest.data[i] == c"#":
            return i
    return rest.length


cdef inline Text without_user(Text authority) noexcept nogil:
    cdef uint32_t i = authority.length
    while i:
        i -= 1
        if authority.data[i] == c"@":
            return cut(authority, i + 1)
    return authority


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


# Masking. The secret octets are overwritten by '*' in place; lengths stay.


cdef inline bint is_blank(uint8_t octet) noexcept nogil:
    return octet == c" " or octet == c"\t" or octet == c"\r" or octet == c"\n"


cdef inline void hide(uint8_t* data, uint32_t start, uint32_t stop) noexcept nogil:
    if stop > start:
        memset(data + start, c"*", stop - start)


cdef void mask_scheme_value(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep the auth scheme (RFC 9110 section 11.1), hide what follows; without a scheme hide all."""
    cdef uint32_t start = 0, at
    while start < length and is_blank(data[start]):
        start += 1
    at = start
    while at < length and at - start <= 32 and (
        c"a" <= lower(data[at]) <= c"z" or c"0" <= data[at] <= c"9" or data[at] == c"-" or data[at] == c"_"
    ):
        at += 1
    if at == start or at == length or at - start > 32 or not is_blank(data[at]):
        hide(data, start, length)
        return
    while at < length and is_blank(data[at]):
        at += 1
    hide(data, start if at == length else at, length)


cdef void mask_cookie(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep cookie names and separators of a Cookie field (RFC 6265 section 4.2.1), hide the values."""
    cdef uint32_t start = 0, stop, equals
    while start < length:
        while start < length and is_blank(data[start]):
            start += 1
        stop = start
        equals = length
        while stop < length and data[stop] != c";":
            if data[stop] == c"=" and equals == length:
                equals = stop
            stop += 1
        hide(data, start if equals == length else equals + 1, stop)
        start = stop + 1


cdef bint public_attribute(const uint8_t* data, uint32_t length) noexcept nogil:
    """True for cookie attributes whose values are no secrets, ``expires`` aside."""
    if length == 4:
        return equals_lower(data, <const uint8_t*>b"path", 4)
    if length == 6:
        return equals_lower(data, <const uint8_t*>b"domain", 6) or equals_lower(data, <const uint8_t*>b"secure", 6)
    if length == 7:
        return equals_lower(data, <const uint8_t*>b"max-age", 7) or equals_lower(data, <const uint8_t*>b"version", 7)
    if length == 8:
        return (equals_lower(data, <const uint8_t*>b"samesite", 8) or equals_lower(data, <const uint8_t*>b"httponly", 8)
                or equals_lower(data, <const uint8_t*>b"priority", 8))
    return length == 11 and equals_lower(data, <const uint8_t*>b"partitioned", 11)


cdef void mask_attribute(uint8_t* data, uint32_t length) noexcept nogil:
    """One cookie attribute: known ones stay; behind a comma another, wrongly joined cookie may stand."""
    cdef uint32_t equals = 0, i, commas = 0
    cdef bint is_date
    while equals < length and data[equals] != c"=":
        equals += 1
    is_date = equals == 7 and equals_lower(data, <const uint8_t*>b"expires", 7)
    if not is_date and not public_attribute(data, equals):
        hide(data, 0 if equals == length else equals + 1, length)
        return
    for i in range(equals + 1, length):
        if data[i] == c"," or data[i] == c"=":
            commas += 1
            if data[i] == c"=" or not is_date or commas > 1:
                hide(data, i, length)
                return


cdef void mask_set_cookie(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep name and attributes of a Set-Cookie field (RFC 6265 section 4.1.1), hide the value."""
    cdef uint32_t start = 0, stop, equals
    cdef bint first = True
    while start < length:
        while start < length and is_blank(data[start]):
            start += 1
        stop = start
        equals = length
        while stop < length and data[stop] != c";":
            if data[stop] == c"=" and equals == length:
                equals = stop
            stop += 1
        if first:
            hide(data, start if equals == length else equals + 1, stop)
        else:
            mask_attribute(data + start, stop - start)
        first = False
        start = stop + 1


cdef void mask_subprotocols(uint8_t* data, uint32_t length) noexcept nogil:
    """Keep the subprotocols of a WebSocket (RFC 6455 section 11.3.4), hide what is none: a token among them.

    A name is short, or a word that is not the one after ``bearer``, ``token`` or the like.
    """
    cdef uint32_t start = 0, stop, end
    cdef bint after_scheme = False
    while start < length:
        while start < length and (is_blank(data[start]) or data[start] == c","):
            start += 1
        stop = start
        while stop < length and data[stop] != c",":
            stop += 1
        end = stop
        while end > start and is_blank(data[end - 1]):
            end -= 1
        if after_scheme or end - start > 32:
            hide(data, start, end)
        after_scheme = announces_token(data + start, end - start)
        start = stop


cdef bint announces_token(const uint8_t* data, uint32_t length) noexcept nogil:
    if length < 3:
        return False
    return (
        (length == 6 and equals_lower(data, <const uint8_t*>b"bearer", 6))
        or (length >= 4 and equals_lower(data + length - 4, <const uint8_t*>b"auth", 4))
        or (length >= 5 and equals_lower(data + length - 5, <const uint8_t*>b"token", 5))
        or equals_lower(data + length - 3, <const uint8_t*>b"jwt", 3)
        or (length >= 12 and equals_lower(data + length - 12, <const uint8_t*>b"access_token", 12))
        or (length >= 13 and equals_lower(data + length - 13, <const uint8_t*>b"authorization", 13))
    )


cdef inline bint named(const uint8_t* name, uint32_t size, const char* lower_name, uint32_t length) noexcept nogil:
    return size == length and equals_lower(name, <const uint8_t*>lower_name, length)


cdef void header_names_add(HeaderNames* names, size_t at, const uint8_t* data, uint32_t length) noexcept nogil:
    """Put a name (lower-case) into place *at* of ``names.names``, places in order."""
    cdef uint32_t row = length if length < LONG_NAME else LONG_NAME
    cdef HeaderName* name = &names.names[at]
    name.data = data
    name.length = length
    name.kind = HEADER_WHOLE
    if named(data, length, b"authorization", 13) or named(data, length, b"proxy-authorization", 19):
        name.kind = HEADER_SCHEME
    elif named(data, length, b"cookie", 6):
        name.kind = HEADER_COOKIE
    elif named(data, length, b"set-cookie", 10):
        name.kind = HEADER_SET_COOKIE
    elif named(data, length, b"sec-websocket-protocol", 22):
        name.kind = HEADER_SUBPROTOCOLS
    names.ends[row] |= <uint32_t>1 << (data[length - 1] & 31)
    names.starts[row] |= <uint32_t>1 << (data[0] & 31)
    if not names.stop[row]:
        names.begin[row] = <uint32_t>at
    names.stop[row] = <uint32_t>at + 1


cdef inline bint is_folded(const uint8_t* data, const uint8_t* lower_name, uint32_t length) noexcept nogil:
    """Whether *data* is *lower_name*, bit 32 of each octet left out: letters in any case, a control for a sign."""
    cdef uint32_t at = 0
    if length < 8:
        return equals_lower(data, lower_name, length)
    while at + 8 <= length:
        if (load64(data + at) ^ load64(lower_name + at)) & <uint64_t>0xDFDFDFDFDFDFDFDF:
            return False
        at += 8
    return not (load64(data + length - 8) ^ load64(lower_name + length - 8)) & <uint64_t>0xDFDFDFDFDFDFDFDF


cdef HeaderKind header_kind(const HeaderNames* names, const Section* section, const Field* field) noexcept nogil:
    """What the one of *names* that *field* has says; HEADER_OTHER for none of them."""
    cdef Text name = section_text(section, field.name)
    cdef uint32_t k, row
    while name.length and is_blank(name.data[name.length - 1]):
        name.length -= 1                          # a blank before the colon
    row = name.length if name.length < LONG_NAME else LONG_NAME
    if not name.length or not (
        names.ends[row] >> (name.data[name.length - 1] & 31) & names.starts[row] >> (name.data[0] & 31) & 1
    ):
        return HEADER_OTHER
    for k in range(names.begin[row], names.stop[row]):
        if names.names[k].length == name.length and is_folded(name.data, names.names[k].data, name.length):
            return names.names[k].kind
    return HEADER_OTHER


cdef bint mask_header(HeaderKind kind, Text value) noexcept nogil:
    """Hide a header field's *value*; whether there was one to hide."""
    cdef uint8_t* data = <uint8_t*>value.data
    if kind == HEADER_OTHER or not value.length:
        return False
    if kind == HEADER_SCHEME:
        mask_scheme_value(data, value.length)
    elif kind == HEADER_COOKIE:
        mask_cookie(data, value.length)
    elif kind == HEADER_SET_COOKIE:
        mask_set_cookie(data, value.length)
    elif kind == HEADER_SUBPROTOCOLS:
        mask_subprotocols(data, value.length)
    else:
        hide(data, 0, value.length)
    return True


cdef uint64_t mask_section(Section* section, const HeaderNames* names) noexcept nogil:
    cdef uint32_t i
    cdef Field* field
    cdef uint64_t hidden = 0
    for i in range(section.field_count):
        field = &section.fields[i]
        if header_may_be(names, section, field):
            hidden += mask_header(header_kind(names, section, field), section_text(section, field.value))
    return hidden


cdef bint mask_user(const Section* head, Span span, bint is_target) noexcept nogil:
    """Hide user and password of an authority (``user:password@``, RFC 3986 section 3.2.1)."""
    cdef Text text = section_text(head, span)
    cdef uint32_t length
    if is_target:
        length = scheme_length(text)
        if length:
            text = cut(text, length + 3)
            text.length = authority_length(text)
        elif text.length and (text.data[0] == c"/" or text.data[0] == c"*"):
            return False
    length = text.length - without_user(text).length
    if length:
        hide(<uint8_t*>text.data, 0, length - 1)
    return length != 0


cdef uint64_t mask_target_users(Exchange* exchange) noexcept nogil:
    """Hide user information in the request target and in HTTP/2's authority."""
    cdef Section* head = &exchange.request.head
    return <uint64_t>mask_user(head, exchange.request.target, True) + mask_user(head, exchange.request.authority, False)


cdef uint64_t mask_users(uint8_t* data, size_t length) noexcept nogil:
    """Hide the user information of URLs (RFC 3986 section 3.2.1) and of a bare authority."""
    cdef const uint8_t* found
    cdef size_t at = 0, end
    cdef uint64_t count = 0
    if length == 0 or memchr(data, c"@", length) == NULL:
        return 0
    found = <const uint8_t*>memmem(data, length, b"//", 2)
    if found != NULL:
        at = found - data + 2
    while True:
        end = at
        while end < length and not (
            data[end] == c"/" or data[end] == c"?" or data[end] == c"#" or data[end] == c">" or is_blank(data[end])
        ):
            end += 1
        found = <const uint8_t*>memrchr(data + at, c"@", end - at)
        if found != NULL and found > data + at:
            memset(data + at, c"*", found - data - at)
            count += 1
        found = <const uint8_t*>memmem(data + end, length - end, b"//", 2)
        if found == NULL:
            return count
        at = found - data + 2


cdef uint64_t mask_credentials(Exchange* exchange, const HeaderNames* names) noexcept nogil:
    """Overwrite credentials in the exchange's own text by ``*``, octet by octet; return how many values.

    Of *names*, ``authorization`` and ``proxy-authorization`` keep their scheme, ``cookie`` and ``set-cookie`` names
    and attributes, ``sec-websocket-protocol`` its subprotocols; each other value is hidden whole. So is user
    information in a request target. Doing it twice changes nothing.
    """
    cdef uint64_t hidden = mask_section(&exchange.request.head, names)
    hidden += mask_section(&exchange.request.trailers, names)
    hidden += mask_section(&exchange.response.head, names)
    hidden += mask_section(&exchange.response.trailers, names)
    return hidden + mask_target_users(exchange)
