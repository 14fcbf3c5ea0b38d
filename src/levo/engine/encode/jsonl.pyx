"""Exchange records to JSON Lines: one object per line, the form of the specification's section 4.

Octets become text by the rules of ``levo.model.exchange``; ``Exchange.to_json`` there is the same form in Python.
"""

from libc.math cimport floor, isfinite
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen

from levo.engine.core.exchange cimport (
    Facts,
    address_text,
    client_family,
    exchange_facts,
    fetch_ahead,
    anomaly_name,
    grpc_streaming_name,
    incomplete_name,
    section_text,
)
from levo.engine.core.output cimport (
    TEXT_LATIN1,
    TEXT_UTF8,
    Output,
    Text,
    TextKind,
    body_text_length,
    first_octet,
    load64,
    output_need,
    put,
    text_kind,
)
from levo.engine.core.types cimport (
    ANOMALY_COUNT,
    GRPC_ANSWERED_COMPRESSED,
    GRPC_ASKED_COMPRESSED,
    GRPC_CLIENT_STREAMS,
    GRPC_SERVER_STREAMS,
    HEADING_INBOUND,
    HEADING_OUTBOUND,
    HOP_OUTER,
    PROTOCOL_WEBSOCKET,
    Exchange,
    Message,
    Section,
)

cdef extern from "<stdio.h>" nogil:
    int snprintf(char* out, size_t size, const char* format, ...)

cdef extern from "levo/engine/encode/jsonl.h":
    const char (*ESCAPES "levo_escapes")[8]  # an escape, and in the last place its length
    const char* BASE64 "levo_base64_digits"


cdef inline void put_raw(Output* out, const char* text) noexcept nogil:
    """A piece of JSON as it stands."""
    cdef size_t length = strlen(text)
    if output_need(out, length):
        put(out, text, length)


cdef void put_number(Output* out, int64_t number) noexcept nogil:
    cdef char digits[24]
    cdef int at = 24
    cdef uint64_t rest = <uint64_t>number
    if number < 0:
        rest = 0 - rest
    while True:
        at -= 1
        digits[at] = <char>(c"0" + rest % 10)
        rest //= 10
        if rest == 0:
            break
    if number < 0:
        at -= 1
        digits[at] = c"-"
    if output_need(out, 24):
        put(out, digits + at, 24 - at)


cdef void put_double(Output* out, double number) noexcept nogil:
    """The shortest of 15 to 17 digits is not looked for: 17 always read back to the same number."""
    cdef char digits[40]
    cdef int length, i
    if not isfinite(number):
        put_raw(out, b"null")
    elif floor(number) == number and -1e15 < number < 1e15:
        put_number(out, <int64_t>number)
    else:
        length = snprintf(digits, 40, b"%.17g", number)
        for i in range(length):
            if digits[i] == c",":
                digits[i] = c"."
        if output_need(out, length):
            put(out, digits, length)


cdef inline uint64_t needs_escape(uint64_t word) noexcept nogil:
    """Highest bits set for octets that are a control, ``"`` or ``\\``; the first one set is exact."""
    cdef uint64_t ones = <uint64_t>0x0101010101010101
    cdef uint64_t quote = word ^ (ones * 0x22)
    cdef uint64_t slash = word ^ (ones * 0x5C)
    return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & (ones * 0x80)


cdef inline uint8_t* put_escaped(uint8_t* at, uint8_t octet) noexcept nogil:
    """One octet, escaped where it has to be (RFC 8259 section 7). Up to eight octets behind *at* are touched."""
    if octet >= 0x20 and octet != c'"' and octet != c"\\":
        at[0] = octet
        return at + 1
    memcpy(at, ESCAPES[octet], 8)
    return at + ESCAPES[octet][7]


cdef void put_string(Output* out, const uint8_t* data, size_t length, TextKind kind) noexcept nogil:
    """A JSON string, quotes included. Room is made piece by piece: the worst case is six octets for one."""
    cdef size_t i = 0, stop
    cdef uint8_t* at
    cdef uint64_t special
    if not output_need(out, length + 16):
        return
    out.data[out.length] = c'"'
    out.length += 1
    while i < length:
        stop = i + 256 if length - i > 256 else length
        if not output_need(out, 6 * (stop - i) + 16):
            return
        at = out.data + out.length
        if kind == TEXT_LATIN1:
            while i < stop:
                if data[i] < 0x80:
                    at = put_escaped(at, data[i])
                else:
                    at[0] = 0xC0 | (data[i] >> 6)
                    at[1] = 0x80 | (data[i] & 0x3F)
                    at += 2
                i += 1
        while stop - i >= 8:
            special = needs_escape(load64(data + i))
            memcpy(at, data + i, 8)
            if special == 0:
                at += 8
                i += 8
            else:
                at += first_octet(special)
                i += first_octet(special)
                memcpy(at, ESCAPES[data[i]], 8)
                at += ESCAPES[data[i]][7]
                i += 1
        while i < stop:
            at = put_escaped(at, data[i])
            i += 1
        out.length = at - out.data
    if output_need(out, 1):
        out.data[out.length] = c'"'
        out.length += 1


cdef inline void put_text(Output* out, Text text) noexcept nogil:
    put_string(out, text.data, text.length, text_kind(text.data, text.length))


cdef void put_base64(Output* out, const uint8_t* data, size_t length) noexcept nogil:
    """RFC 4648 section 4, padded, in quotes."""
    cdef size_t i = 0
    cdef uint8_t* at
    cdef uint32_t group
    if not output_need(out, (length + 2) // 3 * 4 + 2):
        return
    at = out.data + out.length
    at[0] = c'"'
    at += 1
    while length - i >= 3:
        group = <uint32_t>data[i] << 16 | <uint32_t>data[i + 1] << 8 | data[i + 2]
        at[0] = BASE64[group >> 18]
        at[1] = BASE64[group >> 12 & 63]
        at[2] = BASE64[group >> 6 & 63]
        at[3] = BASE64[group & 63]
        at += 4
        i += 3
    if length - i:
        group = <uint32_t>data[i] << 16
        if length - i == 2:
            group |= <uint32_t>data[i + 1] << 8
        at[0] = BASE64[group >> 18]
        at[1] = BASE64[group >> 12 & 63]
        at[2] = BASE64[group >> 6 & 63] if length - i == 2 else c"="
        at[3] = c"="
        at += 4
    at[0] = c'"'
    out.length = at + 1 - out.data


cdef void put_fields(Output* out, const Section* section) noexcept nogil:
    """``[[name, value], ...]`` in wire order."""
    cdef uint32_t i
    put_raw(out, b"[")
    if section.fields != NULL:
        for i in range(section.field_count):
            put_raw(out, b",[" if i else b"[")
            put_text(out, section_text(section, section.fields[i].name))
            put_raw(out, b",")
            put_text(out, section_text(section, section.fields[i].value))
            put_raw(out, b"]")
    put_raw(out, b"]")


cdef void put_anomalies(Output* out, uint16_t anomalies) noexcept nogil:
    cdef int bit
    cdef bint first = True
    put_raw(out, b',"anomalies":[')
    for bit in range(ANOMALY_COUNT):
        if anomalies >> bit & 1:
            put_raw(out, b'"' if first else b',"')
            put_raw(out, anomaly_name(bit))
            put_raw(out, b'"')
            first = False
    put_raw(out, b"]")


cdef void put_message(Output* out, const Message* message) noexcept nogil:
    """What requests and responses share, from ``headers`` on."""
    cdef long long text
    put_raw(out, b'"headers":')
    put_fields(out, &message.head)
    text = body_text_length(message.body.data, message.body.length, message.truncated or message.missing_bytes)
    if text >= 0:
        put_raw(out, b',"body":')
        put_string(out, message.body.data, <size_t>text, TEXT_UTF8)
    else:
        put_raw(out, b',"body":')
        put_base64(out, message.body.data, message.body.length)
        put_raw(out, b',"body_encoding":"base64"')
    put_raw(out, b',"body_size":')
    put_number(out, message.body.length if message.content_decoded else <int64_t>message.wire_body_size)
    put_raw(out, b',"wire_body_size":')
    put_number(out, <int64_t>message.wire_body_size)
    put_raw(out, b',"truncated":true' if message.truncated else b',"truncated":false')
    put_raw(out, b',"missing_bytes":')
    put_number(out, <int64_t>message.missing_bytes)
    if message.trailers.field_count:
        put_raw(out, b',"trailers":')
        put_fields(out, &message.trailers)
    if message.data_messages:
        put_raw(out, b',"data_messages":')
        put_number(out, message.data_messages)
        put_raw(out, b',"data_message_bytes":')
        put_number(out, <int64_t>message.data_message_bytes)
    if message.text_messages or message.control_frames:
        put_raw(out, b',"text_messages":')
        put_number(out, message.text_messages)
        put_raw(out, b',"control_frames":')
        put_number(out, message.control_frames)
    if message.anomalies:
        put_anomalies(out, message.anomalies)
    put_raw(out, b"}")


cdef void put_version(Output* out, uint8_t major, uint8_t minor) noexcept nogil:
    """``1.1``, ``2``: HTTP/2 and later have no minor number."""
    put_number(out, major)
    if major < 2:
        put_raw(out, b".")
        put_number(out, minor)


cdef void put_request(Output* out, const Exchange* exchange, const Facts* facts) noexcept nogil:
    put_raw(out, b'{"method":')
    put_text(out, facts.method)
    put_raw(out, b',"target":')
    put_text(out, facts.target)
    put_raw(out, b',"scheme":')
    put_text(out, facts.scheme)
    put_raw(out, b',"host":')
    put_text(out, facts.host)
    put_raw(out, b',"path":')
    put_text(out, facts.path)
    put_raw(out, b',"query":')
    put_text(out, facts.query)
    put_raw(out, b',"version":"')
    put_version(out, exchange.request.version_major, exchange.request.version_minor)
    put_raw(out, b'",')
    put_message(out, &exchange.request)


cdef void put_response(Output* out, const Exchange* exchange) noexcept nogil:
    put_raw(out, b'{"status":')
    put_number(out, exchange.response.status)
    put_raw(out, b',"reason":')
    put_text(out, section_text(&exchange.response.head, exchange.response.reason))
    put_raw(out, b',"version":"')
    put_version(out, exchange.response.version_major, exchange.response.version_minor)
    put_raw(out, b'",')
    put_message(out, &exchange.response)


cdef void put_address(Output* out, const uint8_t* address, uint8_t family, int port) noexcept nogil:
    cdef char text[46]
    cdef uint32_t length = address_text(address, family, text)
    put_raw(out, b'{"address":"')
    if output_need(out, length):
        put(out, text, length)
    put_raw(out, b'","port":')
    put_number(out, port)
    put_raw(out, b"}")


cdef void put_exchange(Output* out, const Exchange* exchange) noexcept nogil:
    cdef Facts facts
    exchange_facts(exchange, &facts)
    put_raw(out, b'{"start_ns":')
    put_number(out, facts.start_ns)
    put_raw(out, b',"end_ns":')
    put_number(out, facts.end_ns)
    if exchange.protocol == PROTOCOL_WEBSOCKET:
        put_raw(out, b',"protocol":"websocket"')
    else:
        put_raw(out, b',"protocol":"http/')
        put_version(out, facts.version_major, facts.version_minor)
        put_raw(out, b'"')
    put_raw(out, b',"client":')
    put_address(out, exchange.client, client_family(exchange), exchange.client_port)
    put_raw(out, b',"server":')
    put_address(out, exchange.server, exchange.family, exchange.server_port)
    put_raw(out, b',"request":')
    if exchange.request.present:
        put_request(out, exchange, &facts)
    else:
        put_raw(out, b"null")
    put_raw(out, b',"response":')
    if exchange.response.present:
        put_response(out, exchange)
    else:
        put_raw(out, b"null")
    put_raw(out, b',"weight":')
    put_double(out, exchange.weight)
    put_raw(out, b',"incomplete":')
    if exchange.incomplete:
        put_raw(out, b'"')
        put_raw(out, incomplete_name(exchange.incomplete))
        put_raw(out, b'"')
    else:
        put_raw(out, b"null")
    if exchange.proxied:
        put_raw(out, b',"peer":')
        put_address(out, exchange.peer, exchange.family, exchange.peer_port)
    if exchange.heading == HEADING_INBOUND:
        put_raw(out, b',"direction":"inbound"')
    elif exchange.heading == HEADING_OUTBOUND:
        put_raw(out, b',"direction":"outbound"')
    if exchange.hop != NULL and exchange.hop.side:
        put_raw(out, b',"hop":"outer"' if exchange.hop.side == HOP_OUTER else b',"hop":"inner"')
    if exchange.hop != NULL and exchange.hop.merged:
        put_raw(out, b',"hops_merged":')
        put_number(out, exchange.hop.merged)
    if exchange.stream_id:
        put_raw(out, b',"stream_id":')
        put_number(out, exchange.stream_id)
    if exchange.interim:
        put_raw(out, b',"interim":')
        put_number(out, exchange.interim)
    if exchange.grpc:
        put_raw(out, b',"grpc":true')
        if exchange.grpc & (GRPC_CLIENT_STREAMS | GRPC_SERVER_STREAMS):
            put_raw(out, b',"grpc_streaming":"')
            put_raw(out, grpc_streaming_name(exchange.grpc))
            put_raw(out, b'"')
        if exchange.grpc & (GRPC_ASKED_COMPRESSED | GRPC_ANSWERED_COMPRESSED):
            put_raw(out, b',"grpc_compressed":true')
    put_raw(out, b"}\n")


cdef void jsonl_encode(const Exchange* first, size_t count, Output* out) noexcept nogil:
    """Append one line for each of *count* exchanges of the chain that starts at *first*."""
    while first != NULL and count and not out.failed:
        fetch_ahead(first)
        put_exchange(out, first)
        first = first.next
        count -= 1
