"""Exchange records to OTLP, protobuf form, written once and straight from the records.

Message and field numbers are those of opentelemetry-proto 1.x (``trace/v1/trace.proto``, ``common/v1``,
``resource/v1``). An attribute's length is computed before it is written; that of a span, of which two octets are
guessed, is patched in afterwards; the lengths around all spans are written in front of them at the end.

Attributes beyond the OpenTelemetry semantic conventions (one form per message, ``request`` shown):

==============================================  ==========================================================
``levo.http.request.body``                      string when text, else bytes; absent when empty
``levo.http.request.body.size``                 octets after content decoding; only where it differs from
                                                ``http.request.body.size``, which is the size as framed
``levo.http.request.body.truncated``            true, only where the body ends early
``levo.http.request.body.missing_bytes``        octets never captured, only above 0
``levo.http.request.trailer.<name>``            string array, as header fields
``levo.http.request.data_messages``             gRPC or WebSocket messages, only above 0
``levo.http.request.data_message_bytes``        octets in them
``levo.http.request.text_messages``             WebSocket: those that are text, only above 0
``levo.http.request.control_frames``            WebSocket: pings, pongs and closes, only above 0
``levo.http.request.target``                    only where it is not ``path`` or ``path?query``
``levo.http.response.reason``                   reason phrase, where one was sent
``levo.anomalies``                              string array: ``request.`` or ``response.`` and an anomaly
``levo.sample.weight``                          double: exchanges that this one stands for
``levo.exchange.incomplete``                    why it is not whole; absent when it is
``levo.timing.total_ns``                        first to last octet, nanoseconds
``levo.timing.time_to_first_byte_ns``           first octet of the request to first octet of the response
``levo.http.interim_responses``                 1xx responses before the final one, only above 0
``levo.http2.stream_id``                        HTTP/2 only
``levo.rpc.streaming``                          gRPC: ``client``, ``server`` or ``bidirectional``, the sides that
                                                sent more than one message; absent when neither did
``levo.rpc.compressed``                         true, only where a gRPC message was sent compressed
``levo.hop.side``                               ``outer`` or ``inner``: which side of a proxy this is, of the
                                                request that the span's link names on the other side
``levo.hop.merged``                             exchanges behind proxies that were merged into this one
==============================================  ==========================================================
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, strlen

from levo.engine.core.exchange cimport (
    Facts,
    address_text,
    client_family,
    exchange_facts,
    fetch_ahead,
    anomaly_name,
    grpc_streaming_name,
    incomplete_name,
    section_find,
    section_text,
)
from levo.engine.encode.otlp_attributes cimport (
    ATTRIBUTE_ROOM,
    AttributeName,
    begin_attribute,
    begin_named_string,
    write_ascii,
    write_bytes,
    write_double,
    write_int,
    write_known_string,
    write_named_int,
    write_true,
)
from levo.engine.encode.otlp_fields cimport FIELD_ROOM, write_fields
from levo.engine.core.output cimport (
    TEXT_ASCII,
    Output,
    Text,
    TextKind,
    body_text_length,
    copy,
    equals_lower,
    forget_wide_registers,
    output_need,
    text_kind,
    utf8_length,
    write_text,
)
from levo.engine.encode.span_identity cimport derive_ids, read_traceparent
from levo.engine.core.types cimport (
    ANOMALY_COUNT,
    GRPC_ANSWERED_COMPRESSED,
    GRPC_ASKED_COMPRESSED,
    GRPC_CLIENT_STREAMS,
    GRPC_SERVER_STREAMS,
    HEADING_INBOUND,
    HEADING_OUTBOUND,
    HOP_OUTER,
    NO_RESPONSE,
    PROTOCOL_WEBSOCKET,
    REQUEST_CUT,
    RESET_STREAM,
    RESPONSE_CUT,
    Exchange,
    Field,
    Hop,
    Message,
    Section,
)
from levo.wire.protobuf cimport varint_length, write_fixed32, write_fixed64, write_tag, write_varint
from levo.wire.schema cimport (
    ANY_VALUE_ARRAY_VALUE,
    ANY_VALUE_STRING_VALUE,
    ARRAY_VALUE_VALUES,
    EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS,
    INSTRUMENTATION_SCOPE_NAME,
    INSTRUMENTATION_SCOPE_VERSION,
    LINK_SPAN_ID,
    LINK_TRACE_ID,
    RESOURCE_SPANS_RESOURCE,
    RESOURCE_SPANS_SCOPE_SPANS,
    SCOPE_SPANS_SCOPE,
    SCOPE_SPANS_SPANS,
    SPAN_END_TIME_UNIX_NANO,
    SPAN_FLAGS,
    SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK,
    SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK,
    SPAN_KIND,
    SPAN_KIND_SERVER,
    SPAN_LINKS,
    SPAN_NAME,
    SPAN_PARENT_SPAN_ID,
    SPAN_SPAN_ID,
    SPAN_START_TIME_UNIX_NANO,
    SPAN_STATUS,
    SPAN_TRACE_ID,
    SPAN_TRACE_STATE,
    STATUS_CODE,
    STATUS_CODE_ERROR,
)

cdef extern from "levo/engine/encode/otlp.h":
    const char* REQUEST_HEADER "levo_request_header"
    const char* RESPONSE_HEADER "levo_response_header"
    const char* REQUEST_TRAILER "levo_request_trailer"
    const char* RESPONSE_TRAILER "levo_response_trailer"
    const AttributeName* REQUEST_KEYS "levo_request_keys"
    const AttributeName* RESPONSE_KEYS "levo_response_keys"

cdef enum:                    # of LEVO_KEYS
    KEY_SIZE = 0
    KEY_DECODED_SIZE = 1
    KEY_BODY = 2
    KEY_TRUNCATED = 3
    KEY_MISSING = 4
    KEY_MESSAGES = 5
    KEY_MESSAGE_BYTES = 6
    KEY_TEXT_MESSAGES = 7
    KEY_CONTROL_FRAMES = 8

cdef enum:
    FRONT = 96                # room in front of the spans for all that encloses them, texts aside
    MOST_ATTRIBUTES = 64      # of a span, those of field lines aside
    # How often a request's line and the fields that say the same (host, tracestate) may be written again, each
    # octet as two: method, path, query, target, service, method, span name, server, trace state.
    HEAD_COPIES = 2 * 10


cdef inline uint8_t* write_name(uint8_t* at, const char* key, const char* name) noexcept nogil:
    """An attribute whose value is one of our own words."""
    return write_ascii(at, key, <const uint8_t*>name, <uint32_t>strlen(name))


cdef uint8_t* write_any(uint8_t* at, const char* key, Text text) noexcept nogil:
    return write_known_string(at, key, text, text_kind(text.data, text.length))


cdef inline uint8_t* write_part(uint8_t* at, const char* key, Text text, bint ascii) noexcept nogil:
    """An attribute whose value is part of a text that is *ascii*, or of one that may not be."""
    if ascii:
        return write_ascii(at, key, text.data, text.length)
    return write_any(at, key, text)


# One span.

cdef bint is_known_method(Text method) noexcept nogil:
    """Methods of RFC 9110 section 9, PATCH (RFC 5789) and QUERY, as the semantic conventions list them."""
    if method.length == 3:
        return memcmp(method.data, b"GET", 3) == 0 or memcmp(method.data, b"PUT", 3) == 0
    if method.length == 4:
        return memcmp(method.data, b"POST", 4) == 0 or memcmp(method.data, b"HEAD", 4) == 0
    if method.length == 5:
        return (memcmp(method.data, b"PATCH", 5) == 0 or memcmp(method.data, b"TRACE", 5) == 0
                or memcmp(method.data, b"QUERY", 5) == 0)
    if method.length == 6:
        return memcmp(method.data, b"DELETE", 6) == 0
    if method.length == 7:
        return memcmp(method.data, b"OPTIONS", 7) == 0 or memcmp(method.data, b"CONNECT", 7) == 0
    return False


cdef int grpc_status(const Exchange* exchange) noexcept nogil:
    """``grpc-status`` of the trailers, or of the head of a trailers-only response; -1 when unknown."""
    cdef const Section* section = &exchange.response.trailers
    cdef Field* field = section_find(section, b"grpc-status", 11)
    cdef Text text
    cdef uint32_t i
    cdef int status = 0
    if field == NULL:
        section = &exchange.response.head
        field = section_find(section, b"grpc-status", 11)
    if field == NULL:
        return -1
    text = section_text(section, field.value)
    if not 1 <= text.length <= 4:
        return -1
    for i in range(text.length):
        if not c"0" <= text.data[i] <= c"9":
            return -1
        status = status * 10 + text.data[i] - c"0"
    return status


cdef inline bint is_grpc_error(int status) noexcept nogil:
    """Codes that a server's span reports as errors: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
    UNAVAILABLE, DATA_LOSS (semantic conventions for gRPC)."""
    return status == 2 or status == 4 or status == 12 or status == 13 or status == 14 or status == 15


cdef inline bint is_transport_failure(uint8_t incomplete) noexcept nogil:
    """The exchange failed on the wire, rather than in the capture."""
    return (incomplete == NO_RESPONSE or incomplete == REQUEST_CUT or incomplete == RESPONSE_CUT
            or incomplete == RESET_STREAM)


cdef uint32_t decimal(int number, char* out) noexcept nogil:
    cdef char digits[12]
    cdef int count = 0, i
    while True:
        digits[count] = <char>(c"0" + number % 10)
        count += 1
        number //= 10
        if number == 0:
            break
    for i in range(count):
        out[i] = digits[count - 1 - i]
    return count


cdef inline uint8_t* write_content(uint8_t* at, const Message* message, const AttributeName* keys) noexcept nogil:
    """What requests and responses share besides fields; *keys* are their names for it."""
    cdef long long text
    at = write_named_int(at, &keys[KEY_SIZE], <int64_t>message.wire_body_size)
    if message.content_decoded and message.body.length != message.wire_body_size:
        at = write_named_int(at, &keys[KEY_DECODED_SIZE], message.body.length)
    if message.body.length:
        text = body_text_length(message.body.data, message.body.length, message.truncated or message.missing_bytes)
        if text >= 0:
            at = begin_named_string(at, &keys[KEY_BODY], <uint64_t>text)
            copy(at, message.body.data, <size_t>text)
            at += text
        else:
            at = write_bytes(at, keys[KEY_BODY].text, message.body.data, message.body.length)
    if message.truncated:
        at = write_true(at, keys[KEY_TRUNCATED].text)
    if message.missing_bytes:
        at = write_int(at, keys[KEY_MISSING].text, <int64_t>message.missing_bytes)
    if message.data_messages:
        at = write_int(at, keys[KEY_MESSAGES].text, message.data_messages)
        at = write_int(at, keys[KEY_MESSAGE_BYTES].text, <int64_t>message.data_message_bytes)
    if message.text_messages:
        at = write_int(at, keys[KEY_TEXT_MESSAGES].text, message.text_messages)
    if message.control_frames:
        at = write_int(at, keys[KEY_CONTROL_FRAMES].text, message.control_frames)
    return at


cdef uint8_t* write_anomalies(uint8_t* at, uint16_t request, uint16_t response) noexcept nogil:
    """``levo.anomalies``; nothing when there are none."""
    cdef uint64_t array = 0, length
    cdef int side, bit
    cdef const char* side_name
    cdef size_t side_length
    if not (request | response):
        return at
    for bit in range(ANOMALY_COUNT):
        length = strlen(anomaly_name(bit))
        if request >> bit & 1:
            array += 4 + 8 + length
        if response >> bit & 1:
            array += 4 + 9 + length
    at = write_tag(begin_attribute(at, b"levo.anomalies", 1 + varint_length(array) + array), ANY_VALUE_ARRAY_VALUE, array)  # no-cython-lint
    for side in range(2):
        side_name = b"request." if side == 0 else b"response."
        side_length = 8 if side == 0 else 9
        for bit in range(ANOMALY_COUNT):
            if (request if side == 0 else response) >> bit & 1:
                length = strlen(anomaly_name(bit))
                at = write_tag(at, ARRAY_VALUE_VALUES, 2 + side_length + length)
                at = write_tag(at, ANY_VALUE_STRING_VALUE, side_length + length)
                memcpy(at, side_name, side_length)
                memcpy(at + side_length, anomaly_name(bit), length)
                at += side_length + length
    return at


cdef inline void find_context(const Section* head, const Field** parent, const Field** state) noexcept nogil:
    """The first field each of Trace Context (``traceparent``, ``tracestate``), in one walk; NULL stays."""
    cdef const Field* field = head.fields
    cdef const Field* end = field + head.field_count
    cdef const Field** place
    cdef Text name
    while field != end:
        if field.name.length - 10 <= 1:
            place = parent if field.name.length == 11 else state
            name = section_text(head, field.name)
            if place[0] == NULL and name.length == field.name.length and equals_lower(
                name.data, <const uint8_t*>(b"traceparent" if name.length == 11 else b"tracestate"), name.length
            ):
                place[0] = field
        field += 1


cdef uint8_t* write_ids(uint8_t* at, const Exchange* exchange, bint ascii) noexcept nogil:
    """trace_id, span_id, trace_state, parent_span_id, flags."""
    cdef uint8_t trace_id[16]
    cdef uint8_t span_id[8]
    cdef uint8_t remote_trace[16]
    cdef uint8_t parent_id[8]
    cdef uint8_t flags = 0
    cdef bint remote = False
    cdef const Field* parent = NULL
    cdef const Field* field = NULL
    cdef Text state
    cdef TextKind kind = TEXT_ASCII
    cdef uint64_t length
    cdef uint32_t bits
    derive_ids(exchange, trace_id, span_id)
    if exchange.request.present:
        find_context(&exchange.request.head, &parent, &field)
    if parent != NULL and read_traceparent(
        section_text(&exchange.request.head, parent.value), remote_trace, parent_id, &flags
    ):
        remote = True
        memcpy(trace_id, remote_trace, 16)
    at = write_tag(at, SPAN_TRACE_ID, 16)
    memcpy(at, trace_id, 16)
    at = write_tag(at + 16, SPAN_SPAN_ID, 8)
    memcpy(at, span_id, 8)
    at += 8
    if not remote:
        return at
    if field != NULL:
        state = section_text(&exchange.request.head, field.value)
        if not ascii:
            kind = text_kind(state.data, state.length)
        length = utf8_length(state.data, state.length, kind)
        if length:
            at = write_text(write_tag(at, SPAN_TRACE_STATE, length), state.data, state.length, kind)
    at = write_tag(at, SPAN_PARENT_SPAN_ID, 8)
    memcpy(at, parent_id, 8)
    at += 8
    bits = SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK | flags
    return write_fixed32(write_varint(at, SPAN_FLAGS), bits)


cdef inline Text constant(const char* octets) noexcept nogil:
    cdef Text text
    text.data = <const uint8_t*>octets
    text.length = <uint32_t>strlen(octets)
    return text


cdef inline bint plain_target(const Facts* facts) noexcept nogil:
    """The target is exactly path, or path, ``?`` and query."""
    return facts.target.data == facts.path.data and facts.target.length == facts.path.length + (
        facts.query.length + 1 if facts.has_query else 0
    )


cdef uint8_t* write_request(
    Output* out, uint8_t* at, const Exchange* exchange, const Facts* facts, bint known, bint ascii
) noexcept nogil:
    cdef const Message* request = &exchange.request
    if facts.method.length:
        if known:
            at = write_ascii(at, b"http.request.method", facts.method.data, facts.method.length)
        else:
            at = write_name(at, b"http.request.method", b"_OTHER")
            at = write_part(at, b"http.request.method_original", facts.method, ascii)
    at = write_part(at, b"url.scheme", facts.scheme, ascii)
    if facts.path.length:                         # not known where HTTP/2 was joined late, none in a CONNECT
        at = write_part(at, b"url.path", facts.path, ascii)
    if facts.has_query:
        at = write_part(at, b"url.query", facts.query, ascii)
    if not plain_target(facts):
        at = write_part(at, b"levo.http.request.target", facts.target, ascii)
    at = write_fields(out, at, REQUEST_HEADER, 20, &request.head, ascii)
    at = write_content(at, request, REQUEST_KEYS)
    return write_fields(out, at, REQUEST_TRAILER, 26, &request.trailers, False)


cdef uint8_t* write_response(Output* out, uint8_t* at, const Exchange* exchange) noexcept nogil:
    cdef const Message* response = &exchange.response
    cdef Text reason = section_text(&response.head, response.reason)
    cdef bint ascii = is_ascii(&response.head)
    if response.status:
        at = write_int(at, b"http.response.status_code", response.status)
    if reason.length:
        at = write_part(at, b"levo.http.response.reason", reason, ascii)
    at = write_fields(out, at, RESPONSE_HEADER, 21, &response.head, ascii)
    at = write_content(at, response, RESPONSE_KEYS)
    return write_fields(out, at, RESPONSE_TRAILER, 27, &response.trailers, False)


cdef uint8_t* write_connection(uint8_t* at, const Exchange* exchange, const Facts* facts, bint ascii) noexcept nogil:
    """Addresses, ports and protocol."""
    cdef char address[46]
    cdef char version[32]
    cdef Text text
    text.data = <const uint8_t*>address
    text.length = address_text(exchange.server, exchange.family, address)
    if facts.server_name.length:
        at = write_part(at, b"server.address", facts.server_name, ascii)
    else:
        at = write_ascii(at, b"server.address", text.data, text.length)
    at = write_int(at, b"server.port", facts.server_port)
    at = write_ascii(at, b"network.local.address", text.data, text.length)
    at = write_int(at, b"network.local.port", exchange.server_port)
    text.length = address_text(exchange.client, client_family(exchange), address)
    at = write_ascii(at, b"client.address", text.data, text.length)
    at = write_int(at, b"client.port", exchange.client_port)
    if exchange.proxied:
        text.length = address_text(exchange.peer, exchange.family, address)
        at = write_ascii(at, b"network.peer.address", text.data, text.length)
        at = write_int(at, b"network.peer.port", exchange.peer_port)
    if exchange.heading == HEADING_INBOUND:
        at = write_name(at, b"levo.direction", b"inbound")
    elif exchange.heading == HEADING_OUTBOUND:
        at = write_name(at, b"levo.direction", b"outbound")
    if exchange.protocol == PROTOCOL_WEBSOCKET:
        at = write_name(at, b"network.protocol.name", b"websocket")
    else:
        at = write_name(at, b"network.protocol.name", b"http")
    text.data = <const uint8_t*>version
    text.length = decimal(facts.version_major, version)
    if facts.version_major < 2:
        version[text.length] = c"."
        text.length += 1 + decimal(facts.version_minor, version + text.length + 1)
    return write_ascii(at, b"network.protocol.version", text.data, text.length)


cdef uint8_t* write_rpc(uint8_t* at, const Facts* facts, uint8_t grpc, int status, bint ascii) noexcept nogil:
    """gRPC: the path is ``/package.Service/Method``."""
    cdef Text name = facts.path, method
    cdef uint32_t slash
    at = write_name(at, b"rpc.system", b"grpc")
    if name.length > 1 and name.data[0] == c"/":
        name.data += 1
        name.length -= 1
        slash = name.length
        while slash and name.data[slash - 1] != c"/":
            slash -= 1
        if slash > 1:
            method.data = name.data + slash
            method.length = name.length - slash
            name.length = slash - 1
            at = write_part(at, b"rpc.service", name, ascii)
            at = write_part(at, b"rpc.method", method, ascii)
    if status >= 0:
        at = write_int(at, b"rpc.grpc.status_code", status)
    if grpc & (GRPC_CLIENT_STREAMS | GRPC_SERVER_STREAMS):
        at = write_name(at, b"levo.rpc.streaming", grpc_streaming_name(grpc))
    if grpc & (GRPC_ASKED_COMPRESSED | GRPC_ANSWERED_COMPRESSED):
        at = write_true(at, b"levo.rpc.compressed")
    return at


cdef uint8_t* write_status(uint8_t* at, const Exchange* exchange, int rpc_status) noexcept nogil:
    """``error.type`` and the span's status: for 5xx, gRPC server errors and failures on the wire only."""
    cdef char digits[12]
    cdef Text text
    text.data = <const uint8_t*>digits
    text.length = 0
    if exchange.response.present and exchange.response.status >= 500:
        text.length = decimal(exchange.response.status, digits)
    elif is_grpc_error(rpc_status):
        text.length = decimal(rpc_status, digits)
    elif is_transport_failure(exchange.incomplete):
        text = constant(incomplete_name(exchange.incomplete))
    if text.length == 0:
        return at
    at = write_ascii(at, b"error.type", text.data, text.length)
    at = write_tag(at, SPAN_STATUS, 2)
    return write_tag(at, STATUS_CODE, STATUS_CODE_ERROR)


cdef inline bint is_ascii(const Section* section) noexcept nogil:
    return text_kind(section.text, section.text_length) == TEXT_ASCII


cdef inline size_t room_for_fields(const Section* section) noexcept nogil:
    return 2 * <size_t>section.text_length + FIELD_ROOM * <size_t>section.field_count


cdef size_t room_for_span(const Exchange* exchange) noexcept nogil:
    """Octets that no span of *exchange* takes more than."""
    return (MOST_ATTRIBUTES * ATTRIBUTE_ROOM + HEAD_COPIES * <size_t>exchange.request.head.text_length
            + 2 * <size_t>exchange.response.head.text_length
            + room_for_fields(&exchange.request.head) + room_for_fields(&exchange.request.trailers)
            + room_for_fields(&exchange.response.head) + room_for_fields(&exchange.response.trailers)
            + exchange.request.body.length + exchange.response.body.length)


cdef uint8_t* write_hop(uint8_t* at, const Hop* hop) noexcept nogil:
    """How this request went through a proxy: what was merged, and a link to the exchange on the other side."""
    if hop.merged:
        at = write_int(at, b"levo.hop.merged", hop.merged)
    if not hop.side:
        return at
    at = write_name(at, b"levo.hop.side", b"outer" if hop.side == HOP_OUTER else b"inner")
    at = write_tag(at, SPAN_LINKS, 2 + 16 + 2 + 8)
    at = write_tag(at, LINK_TRACE_ID, 16)
    memcpy(at, hop.trace_id, 16)
    at = write_tag(at + 16, LINK_SPAN_ID, 8)
    memcpy(at, hop.span_id, 8)
    return at + 8


cdef uint8_t* write_span(Output* out, uint8_t* at, const Exchange* exchange) noexcept nogil:
    """What ``ScopeSpans.spans`` holds."""
    cdef Facts facts
    cdef bint known, ascii = is_ascii(&exchange.request.head)
    cdef int rpc_status = -1
    cdef Text name
    cdef TextKind kind = TEXT_ASCII
    exchange_facts(exchange, &facts)
    known = is_known_method(facts.method)
    at = write_ids(at, exchange, ascii)
    name = facts.method if known else constant(b"HTTP")
    if exchange.grpc and facts.path.length > 1 and facts.path.data[0] == c"/":
        name = facts.path
        name.data += 1
        name.length -= 1
        if not ascii:
            kind = text_kind(name.data, name.length)
    at = write_tag(at, SPAN_NAME, utf8_length(name.data, name.length, kind))
    at = write_text(at, name.data, name.length, kind)
    at = write_tag(at, SPAN_KIND, SPAN_KIND_SERVER)
    at = write_fixed64(at, SPAN_START_TIME_UNIX_NANO, <uint64_t>facts.start_ns)
    at = write_fixed64(at, SPAN_END_TIME_UNIX_NANO, <uint64_t>facts.end_ns)
    if exchange.request.present:
        at = write_request(out, at, exchange, &facts, known, ascii)
    if exchange.response.present:
        at = write_response(out, at, exchange)
    at = write_connection(at, exchange, &facts, ascii)
    if exchange.grpc:
        rpc_status = grpc_status(exchange)
        at = write_rpc(at, &facts, exchange.grpc, rpc_status, ascii)
    at = write_anomalies(at, exchange.request.anomalies, exchange.response.anomalies)
    at = write_double(at, b"levo.sample.weight", exchange.weight)
    if exchange.incomplete:
        at = write_name(at, b"levo.exchange.incomplete", incomplete_name(exchange.incomplete))
    at = write_int(at, b"levo.timing.total_ns", facts.end_ns - facts.start_ns)
    if exchange.request.present and exchange.response.present:
        at = write_int(at, b"levo.timing.time_to_first_byte_ns", facts.first_byte_ns - facts.start_ns)
    if exchange.interim:
        at = write_int(at, b"levo.http.interim_responses", exchange.interim)
    if exchange.stream_id:
        at = write_int(at, b"levo.http2.stream_id", exchange.stream_id)
    if exchange.hop != NULL:
        at = write_hop(at, exchange.hop)
    return write_status(at, exchange, rpc_status)


cdef void put_span(Output* out, const Exchange* exchange) noexcept nogil:
    """``ScopeSpans.spans``: tag, length, content. Two octets are left for the length, moved if it needs others."""
    cdef uint8_t* start
    cdef size_t length
    cdef uint32_t width
    if not output_need(out, room_for_span(exchange)):
        return
    start = out.data + out.length
    start[0] = SCOPE_SPANS_SPANS
    length = write_span(out, start + 3, exchange) - (start + 3)
    width = varint_length(length)
    if width != 2:
        memmove(start + 1 + width, start + 3, length)
    write_varint(start + 1, length)
    out.length += 1 + width + length


cdef size_t otlp_encode(
    const Exchange* first, size_t count, Text resource, Text scope_version, Output* out
) noexcept nogil:
    """Write one ExportTraceServiceRequest for *count* exchanges chained from *first*; nothing when there is none.

    *resource* is an encoded ``Resource``. Returns where in *out* the request starts: what encloses the spans
    is written in front of them once their length is known.
    """
    cdef size_t front = FRONT + <size_t>resource.length + scope_version.length
    cdef uint64_t spans, scope, scope_spans, resource_spans
    cdef size_t header, start
    cdef uint8_t* at
    if first == NULL or count == 0 or not output_need(out, front + (count if count < 1024 else 1024) * 1024):
        return 0
    out.length = front
    forget_wide_registers()
    while first != NULL and count and not out.failed:
        fetch_ahead(first)
        put_span(out, first)
        first = first.next
        count -= 1
    if out.failed:
        return 0
    spans = out.length - front
    scope = 2 + 11
    if scope_version.length:
        scope += 1 + varint_length(scope_version.length) + scope_version.length
    scope_spans = 1 + varint_length(scope) + scope + spans
    resource_spans = 1 + varint_length(scope_spans) + scope_spans
    if resource.length:
        resource_spans += 1 + varint_length(resource.length) + resource.length
    header = 1 + varint_length(resource_spans) + (resource_spans - spans)
    start = front - header
    at = out.data + start
    at = write_tag(at, EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS, resource_spans)
    if resource.length:
        at = write_tag(at, RESOURCE_SPANS_RESOURCE, resource.length)
        memcpy(at, resource.data, resource.length)
        at += resource.length
    at = write_tag(at, RESOURCE_SPANS_SCOPE_SPANS, scope_spans)
    at = write_tag(at, SCOPE_SPANS_SCOPE, scope)
    at = write_tag(at, INSTRUMENTATION_SCOPE_NAME, 11)
    memcpy(at, b"levo-sensor", 11)
    at += 11
    if scope_version.length:
        at = write_tag(at, INSTRUMENTATION_SCOPE_VERSION, scope_version.length)
        memcpy(at, scope_version.data, scope_version.length)
    return start
