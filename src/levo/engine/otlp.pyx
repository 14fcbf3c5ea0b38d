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
``levo.findings``                               string array: ``request.`` or ``response.`` and a finding
``levo.sample.weight``                          double: exchanges that this one stands for
``levo.exchange.incomplete``                    why it is not whole; absent when it is
``levo.timing.total_ns``                        first to last octet, nanoseconds
``levo.timing.time_to_first_byte_ns``           first octet of the request to first octet of the response
``levo.http.interim_responses``                 1xx responses before the final one, only above 0
``levo.http2.stream_id``                        HTTP/2 only
``levo.rpc.streaming``                          gRPC: ``client``, ``server`` or ``bidirectional``, the sides that
                                                sent more than one message; absent when neither did
``levo.rpc.compressed``                         true, only where a gRPC message was sent compressed
==============================================  ==========================================================
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove, memset, strlen

from levo.engine.exchange cimport (
    Facts,
    address_text,
    exchange_facts,
    fetch_ahead,
    finding_name,
    grpc_streaming_name,
    incomplete_name,
    section_find,
    section_text,
)
from levo.engine.output cimport (
    TEXT_UTF8,
    Output,
    Text,
    TextKind,
    body_text_length,
    forget_wide_registers,
    load64,
    lower,
    lower_run,
    lower_word,
    output_need,
    output_scratch,
    put,
    put_text,
    text_kind,
    utf8_length,
)
from levo.engine.protobuf cimport put_fixed64, put_octet, put_varint, varint_length, write_varint
from levo.engine.span_identity cimport derive_ids, mix, read_traceparent
from levo.engine.types cimport (
    GRPC_ANSWERED_COMPRESSED,
    GRPC_ASKED_COMPRESSED,
    GRPC_CLIENT_STREAMS,
    GRPC_SERVER_STREAMS,
    NO_RESPONSE,
    PROTOCOL_WEBSOCKET,
    REQUEST_CUT,
    RESET_STREAM,
    RESPONSE_CUT,
    Exchange,
    Field,
    Message,
    Section,
)

cdef extern from *:
    """
    #define LEVO_REPEAT 0xFFFFFFFFu
    #define LEVO_KEYS(side) { \\
        "http." side ".body.size", "levo.http." side ".body.size", "levo.http." side ".body", \\
        "levo.http." side ".body.truncated", "levo.http." side ".body.missing_bytes", \\
        "levo.http." side ".data_messages", "levo.http." side ".data_message_bytes", \\
        "levo.http." side ".text_messages", "levo.http." side ".control_frames" }
    static const char *const levo_request_keys[] = LEVO_KEYS("request");
    static const char *const levo_response_keys[] = LEVO_KEYS("response");
    """
    const uint32_t REPEAT "LEVO_REPEAT"
    const char* const* REQUEST_KEYS "levo_request_keys"
    const char* const* RESPONSE_KEYS "levo_response_keys"

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
    SPAN_KIND_SERVER = 2
    STATUS_CODE_ERROR = 2
    REMOTE_PARENT = 0x300     # SpanFlags: parent is known to be remote


cdef inline bint begin_attribute(
    Output* out, const char* key, size_t key_length, uint64_t value_length
) noexcept nogil:
    """``Span.attributes`` up to its AnyValue of *value_length* octets; room for that is made as well."""
    cdef uint64_t pair = 2 + varint_length(key_length) + key_length + varint_length(value_length) + value_length
    if not output_need(out, pair + 16):
        return False
    put_octet(out, 0x4A)
    put_varint(out, pair)
    put_octet(out, 0x0A)
    put_varint(out, key_length)
    put(out, key, key_length)
    put_octet(out, 0x12)
    put_varint(out, value_length)
    return True


cdef inline void put_string(Output* out, const char* key, Text text) noexcept nogil:
    put_known_string(out, key, text, text_kind(text.data, text.length))


cdef void put_known_string(Output* out, const char* key, Text text, TextKind kind) noexcept nogil:
    cdef uint64_t length = utf8_length(text.data, text.length, kind)
    if begin_attribute(out, key, strlen(key), 1 + varint_length(length) + length):
        put_octet(out, 0x0A)
        put_varint(out, length)
        put_text(out, text.data, text.length, kind)


cdef inline void put_name(Output* out, const char* key, const char* name) noexcept nogil:
    cdef Text text
    text.data = <const uint8_t*>name
    text.length = <uint32_t>strlen(name)
    put_string(out, key, text)


cdef void put_bytes(Output* out, const char* key, const uint8_t* data, uint32_t length) noexcept nogil:
    if begin_attribute(out, key, strlen(key), 1 + varint_length(length) + length):
        put_octet(out, 0x3A)
        put_varint(out, length)
        put(out, data, length)


cdef void put_int(Output* out, const char* key, int64_t number) noexcept nogil:
    if begin_attribute(out, key, strlen(key), 1 + varint_length(<uint64_t>number)):
        put_octet(out, 0x18)
        put_varint(out, <uint64_t>number)


cdef void put_true(Output* out, const char* key) noexcept nogil:
    if begin_attribute(out, key, strlen(key), 2):
        put_octet(out, 0x10)
        put_octet(out, 1)


cdef void put_double(Output* out, const char* key, double number) noexcept nogil:
    cdef uint64_t word
    cdef int i
    if begin_attribute(out, key, strlen(key), 9):
        put_octet(out, 0x21)
        memcpy(&word, &number, 8)
        for i in range(8):
            put_octet(out, <uint8_t>(word >> (8 * i)))


# Field lines: one attribute per name, the values of all its lines in wire order.

cdef inline uint32_t name_hash(Text name) noexcept nogil:
    """Equal for names that differ in the case of ASCII letters only."""
    cdef uint64_t hash = name.length, tail = 0
    cdef uint32_t i = 0
    while name.length - i >= 8:
        hash = mix(hash, load64(name.data + i) | <uint64_t>0x2020202020202020)
        i += 8
    while i < name.length:
        tail = tail << 8 | name.data[i] | 0x20
        i += 1
    hash = mix(hash, tail)
    return <uint32_t>(hash ^ hash >> 32)


cdef inline bint same_name(Text a, Text b) noexcept nogil:
    cdef uint32_t i = 0
    if a.length != b.length:
        return False
    while a.length - i >= 8:
        if lower_word(load64(a.data + i)) != lower_word(load64(b.data + i)):
            return False
        i += 8
    while i < a.length:
        if lower(a.data[i]) != lower(b.data[i]):
            return False
        i += 1
    return True


cdef bint chain_repeats(const Section* section, Output* out) noexcept nogil:
    """Fill the scratch space: ``[i]`` is 0, or the number (from 1) of the next field of the same name, and
    ``[count + i]`` is the number of the last one; ``REPEAT`` there marks a field that an earlier one leads to.

    An open-addressed table, so thousands of fields cost no more than their number.
    """
    cdef uint32_t count = section.field_count, i, first, slots = 16, slot, probes
    cdef uint32_t* following
    cdef uint32_t* last
    cdef uint32_t* table
    cdef Text name
    if count > 0x1000000:
        return False
    while slots < 2 * count:
        slots *= 2
    if not output_scratch(out, <size_t>2 * count + slots):
        return False
    following = out.scratch
    last = following + count
    table = last + count
    memset(following, 0, <size_t>count * 2 * sizeof(uint32_t))
    memset(table, 0, <size_t>slots * sizeof(uint32_t))
    for i in range(count):
        name = section_text(section, section.fields[i].name)
        slot = name_hash(name) & (slots - 1)
        probes = 0
        while table[slot] and probes < 64:
            first = table[slot] - 1
            if same_name(name, section_text(section, section.fields[first].name)):
                break
            slot = (slot + 1) & (slots - 1)
            probes += 1
        if probes == 64:
            continue                      # crowded on purpose: an attribute of its own
        if table[slot]:
            first = table[slot] - 1
            following[last[first] if last[first] else first] = i + 1
            last[first] = i
            last[i] = REPEAT
        else:
            table[slot] = i + 1
    return True


cdef uint64_t value_length(Text text) noexcept nogil:
    """Octets of one string in an ArrayValue, its tag included."""
    cdef uint64_t length = utf8_length(text.data, text.length, text_kind(text.data, text.length))
    cdef uint64_t value = 1 + varint_length(length) + length
    return 1 + varint_length(value) + value


cdef inline void put_value(Output* out, Text text, TextKind kind, uint64_t length) noexcept nogil:
    """One string in an ArrayValue; *length* is its octets as UTF-8."""
    put_octet(out, 0x0A)
    put_varint(out, 1 + varint_length(length) + length)
    put_octet(out, 0x0A)
    put_varint(out, length)
    put_text(out, text.data, text.length, kind)


cdef void put_fields(Output* out, const char* prefix, const Section* section) noexcept nogil:
    """``<prefix><name>``: string array. Names lower-cased, values as they are."""
    cdef uint32_t count = section.field_count, i, k
    cdef uint32_t* following
    cdef uint32_t* last
    cdef size_t prefix_length = strlen(prefix), name_length
    cdef uint64_t key_length, array, value, length, pair
    cdef Text name, text
    cdef TextKind name_kind, kind
    if count == 0 or section.fields == NULL or not chain_repeats(section, out):
        return
    following = out.scratch
    last = following + count
    for i in range(count):
        if last[i] == REPEAT:
            continue
        name = section_text(section, section.fields[i].name)
        name_kind = text_kind(name.data, name.length)
        key_length = prefix_length + utf8_length(name.data, name.length, name_kind)
        text = section_text(section, section.fields[i].value)
        kind = text_kind(text.data, text.length)
        length = utf8_length(text.data, text.length, kind)
        value = 1 + varint_length(length) + length
        array = 1 + varint_length(value) + value
        k = following[i]
        while k:
            array += value_length(section_text(section, section.fields[k - 1].value))
            k = following[k - 1]
        value = 1 + varint_length(array) + array
        pair = 2 + varint_length(key_length) + key_length + varint_length(value) + value
        if not output_need(out, pair + 16):
            return
        put_octet(out, 0x4A)
        put_varint(out, pair)
        put_octet(out, 0x0A)
        put_varint(out, key_length)
        put(out, prefix, prefix_length)
        put_text(out, name.data, name.length, name_kind)
        name_length = key_length - prefix_length
        lower_run(out.data + out.length - name_length, name_length)
        put_octet(out, 0x12)
        put_varint(out, value)
        put_octet(out, 0x2A)
        put_varint(out, array)
        put_value(out, text, kind, length)
        k = following[i]
        while k:
            text = section_text(section, section.fields[k - 1].value)
            kind = text_kind(text.data, text.length)
            put_value(out, text, kind, utf8_length(text.data, text.length, kind))
            k = following[k - 1]


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


cdef void put_body(Output* out, const char* const* keys, const Message* message) noexcept nogil:
    """What requests and responses share; *keys* are their names for it."""
    cdef long long text = 0
    cdef Text body
    body.data = message.body.data
    put_int(out, keys[KEY_SIZE], <int64_t>message.wire_body_size)
    if message.content_decoded and message.body.length != message.wire_body_size:
        put_int(out, keys[KEY_DECODED_SIZE], message.body.length)
    if message.body.length:
        text = body_text_length(message.body.data, message.body.length, message.truncated or message.missing_bytes)
        if text >= 0:
            body.length = <uint32_t>text
            put_known_string(out, keys[KEY_BODY], body, TEXT_UTF8)
        else:
            put_bytes(out, keys[KEY_BODY], message.body.data, message.body.length)
    if message.truncated:
        put_true(out, keys[KEY_TRUNCATED])
    if message.missing_bytes:
        put_int(out, keys[KEY_MISSING], <int64_t>message.missing_bytes)
    if message.data_messages:
        put_int(out, keys[KEY_MESSAGES], message.data_messages)
        put_int(out, keys[KEY_MESSAGE_BYTES], <int64_t>message.data_message_bytes)
    if message.text_messages:
        put_int(out, keys[KEY_TEXT_MESSAGES], message.text_messages)
    if message.control_frames:
        put_int(out, keys[KEY_CONTROL_FRAMES], message.control_frames)


cdef void put_findings(Output* out, uint8_t request, uint8_t response) noexcept nogil:
    """``levo.findings``; nothing when there are none."""
    cdef uint64_t array = 0, length, value
    cdef int side, bit
    cdef const char* side_name
    cdef size_t side_length
    for bit in range(8):
        length = strlen(finding_name(bit))
        if request >> bit & 1:
            array += 4 + 8 + length
        if response >> bit & 1:
            array += 4 + 9 + length
    if array == 0:
        return
    value = 1 + varint_length(array) + array
    if not begin_attribute(out, b"levo.findings", 13, value):
        return
    put_octet(out, 0x2A)
    put_varint(out, array)
    for side in range(2):
        side_name = b"request." if side == 0 else b"response."
        side_length = 8 if side == 0 else 9
        for bit in range(8):
            if (request if side == 0 else response) >> bit & 1:
                length = strlen(finding_name(bit))
                put_octet(out, 0x0A)
                put_octet(out, <uint8_t>(2 + side_length + length))
                put_octet(out, 0x0A)
                put_octet(out, <uint8_t>(side_length + length))
                put(out, side_name, side_length)
                put(out, finding_name(bit), length)


cdef void put_ids(Output* out, const Exchange* exchange) noexcept nogil:
    """trace_id, span_id, trace_state, parent_span_id, flags."""
    cdef uint8_t trace_id[16]
    cdef uint8_t span_id[8]
    cdef uint8_t remote_trace[16]
    cdef uint8_t parent_id[8]
    cdef uint8_t flags = 0
    cdef bint remote = False
    cdef Field* field = NULL
    cdef Text state
    cdef TextKind kind
    cdef uint64_t length
    cdef uint32_t bits
    derive_ids(exchange, trace_id, span_id)
    if exchange.request.present:
        field = section_find(&exchange.request.head, b"traceparent", 11)
    if field != NULL and read_traceparent(
        section_text(&exchange.request.head, field.value), remote_trace, parent_id, &flags
    ):
        remote = True
        memcpy(trace_id, remote_trace, 16)
    if not output_need(out, 64):
        return
    put_octet(out, 0x0A)
    put_octet(out, 16)
    put(out, trace_id, 16)
    put_octet(out, 0x12)
    put_octet(out, 8)
    put(out, span_id, 8)
    if not remote:
        return
    field = section_find(&exchange.request.head, b"tracestate", 10)
    if field != NULL:
        state = section_text(&exchange.request.head, field.value)
        kind = text_kind(state.data, state.length)
        length = utf8_length(state.data, state.length, kind)
        if length and output_need(out, length + 64):
            put_octet(out, 0x1A)
            put_varint(out, length)
            put_text(out, state.data, state.length, kind)
    if not output_need(out, 32):
        return
    put_octet(out, 0x22)
    put_octet(out, 8)
    put(out, parent_id, 8)
    bits = REMOTE_PARENT | flags
    put_octet(out, 0x85)
    put_octet(out, 0x01)
    put_octet(out, <uint8_t>bits)
    put_octet(out, <uint8_t>(bits >> 8))
    put_octet(out, 0)
    put_octet(out, 0)


cdef void put_span_name(Output* out, Text name) noexcept nogil:
    cdef TextKind kind = text_kind(name.data, name.length)
    cdef uint64_t length = utf8_length(name.data, name.length, kind)
    if output_need(out, length + 16):
        put_octet(out, 0x2A)
        put_varint(out, length)
        put_text(out, name.data, name.length, kind)


cdef inline Text constant(const char* octets) noexcept nogil:
    cdef Text text
    text.data = <const uint8_t*>octets
    text.length = <uint32_t>strlen(octets)
    return text


cdef bint plain_target(const Facts* facts) noexcept nogil:
    """The target is exactly path, or path, ``?`` and query."""
    return facts.target.data == facts.path.data and facts.target.length == facts.path.length + (
        facts.query.length + 1 if facts.has_query else 0
    )


cdef void put_request(Output* out, const Exchange* exchange, const Facts* facts, bint known) noexcept nogil:
    if facts.method.length:
        if known:
            put_string(out, b"http.request.method", facts.method)
        else:
            put_name(out, b"http.request.method", b"_OTHER")
            put_string(out, b"http.request.method_original", facts.method)
    put_string(out, b"url.scheme", facts.scheme)
    put_string(out, b"url.path", facts.path)
    if facts.has_query:
        put_string(out, b"url.query", facts.query)
    if not plain_target(facts):
        put_string(out, b"levo.http.request.target", facts.target)
    put_fields(out, b"http.request.header.", &exchange.request.head)
    put_body(out, REQUEST_KEYS, &exchange.request)
    put_fields(out, b"levo.http.request.trailer.", &exchange.request.trailers)


cdef void put_response(Output* out, const Exchange* exchange) noexcept nogil:
    cdef Text reason = section_text(&exchange.response.head, exchange.response.reason)
    if exchange.response.status:
        put_int(out, b"http.response.status_code", exchange.response.status)
    if reason.length:
        put_string(out, b"levo.http.response.reason", reason)
    put_fields(out, b"http.response.header.", &exchange.response.head)
    put_body(out, RESPONSE_KEYS, &exchange.response)
    put_fields(out, b"levo.http.response.trailer.", &exchange.response.trailers)


cdef Text put_connection(Output* out, const Exchange* exchange, const Facts* facts, char* version) noexcept nogil:
    """Addresses, ports and protocol."""
    cdef char address[46]
    cdef Text text
    text.data = <const uint8_t*>address
    text.length = address_text(exchange.server, exchange.family, address)
    put_string(out, b"server.address", facts.server_name if facts.server_name.length else text)
    put_int(out, b"server.port", facts.server_port)
    put_string(out, b"network.local.address", text)
    put_int(out, b"network.local.port", exchange.server_port)
    text.length = address_text(exchange.client, exchange.family, address)
    put_string(out, b"client.address", text)
    put_int(out, b"client.port", exchange.client_port)
    put_name(out, b"network.protocol.name", b"websocket" if exchange.protocol == PROTOCOL_WEBSOCKET else b"http")
    text.data = <const uint8_t*>version
    text.length = decimal(facts.version_major, version)
    if facts.version_major < 2:
        version[text.length] = c"."
        text.length += 1 + decimal(facts.version_minor, version + text.length + 1)
    put_string(out, b"network.protocol.version", text)
    return text


cdef void put_rpc(Output* out, const Facts* facts, uint8_t grpc, int status) noexcept nogil:
    """gRPC: the path is ``/package.Service/Method``."""
    cdef Text name = facts.path, method
    cdef uint32_t slash
    put_name(out, b"rpc.system", b"grpc")
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
            put_string(out, b"rpc.service", name)
            put_string(out, b"rpc.method", method)
    if status >= 0:
        put_int(out, b"rpc.grpc.status_code", status)
    if grpc & (GRPC_CLIENT_STREAMS | GRPC_SERVER_STREAMS):
        put_name(out, b"levo.rpc.streaming", grpc_streaming_name(grpc))
    if grpc & (GRPC_ASKED_COMPRESSED | GRPC_ANSWERED_COMPRESSED):
        put_true(out, b"levo.rpc.compressed")


cdef void put_status(Output* out, const Exchange* exchange, int rpc_status) noexcept nogil:
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
        return
    put_string(out, b"error.type", text)
    if output_need(out, 8):
        put_octet(out, 0x7A)
        put_octet(out, 2)
        put_octet(out, 0x18)
        put_octet(out, STATUS_CODE_ERROR)


cdef void put_span_content(Output* out, const Exchange* exchange) noexcept nogil:
    cdef Facts facts
    cdef char version[16]
    cdef bint known
    cdef int rpc_status = -1
    cdef Text name
    exchange_facts(exchange, &facts)
    known = is_known_method(facts.method)
    put_ids(out, exchange)
    name = facts.method if known else constant(b"HTTP")
    if exchange.grpc and facts.path.length > 1 and facts.path.data[0] == c"/":
        name = facts.path
        name.data += 1
        name.length -= 1
    put_span_name(out, name)
    if not output_need(out, 32):
        return
    put_octet(out, 0x30)
    put_octet(out, SPAN_KIND_SERVER)
    put_fixed64(out, 0x39, <uint64_t>facts.start_ns)
    put_fixed64(out, 0x41, <uint64_t>facts.end_ns)
    if exchange.request.present:
        put_request(out, exchange, &facts, known)
    if exchange.response.present:
        put_response(out, exchange)
    put_connection(out, exchange, &facts, version)
    if exchange.grpc:
        rpc_status = grpc_status(exchange)
        put_rpc(out, &facts, exchange.grpc, rpc_status)
    put_findings(out, exchange.request.findings, exchange.response.findings)
    put_double(out, b"levo.sample.weight", exchange.weight)
    if exchange.incomplete:
        put_name(out, b"levo.exchange.incomplete", incomplete_name(exchange.incomplete))
    put_int(out, b"levo.timing.total_ns", facts.end_ns - facts.start_ns)
    if exchange.request.present and exchange.response.present:
        put_int(out, b"levo.timing.time_to_first_byte_ns", facts.first_byte_ns - facts.start_ns)
    if exchange.interim:
        put_int(out, b"levo.http.interim_responses", exchange.interim)
    if exchange.stream_id:
        put_int(out, b"levo.http2.stream_id", exchange.stream_id)
    put_status(out, exchange, rpc_status)


cdef void put_span(Output* out, const Exchange* exchange) noexcept nogil:
    """``ScopeSpans.spans``: tag, length, content. Two octets are left for the length, moved if it needs others."""
    cdef size_t start, length
    cdef uint32_t width
    if not output_need(out, 8):
        return
    put_octet(out, 0x12)
    start = out.length
    out.length += 2
    put_span_content(out, exchange)
    length = out.length - start - 2
    width = varint_length(length)
    if width != 2:
        if not output_need(out, 8):
            return
        memmove(out.data + start + width, out.data + start + 2, length)
        out.length = start + width + length
    write_varint(out.data + start, length)


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
    at[0] = 0x0A
    at = write_varint(at + 1, resource_spans)
    if resource.length:
        at[0] = 0x0A
        at = write_varint(at + 1, resource.length)
        memcpy(at, resource.data, resource.length)
        at += resource.length
    at[0] = 0x12
    at = write_varint(at + 1, scope_spans)
    at[0] = 0x0A
    at = write_varint(at + 1, scope)
    at[0] = 0x0A
    at[1] = 11
    memcpy(at + 2, b"levo-sensor", 11)
    at += 13
    if scope_version.length:
        at[0] = 0x12
        at = write_varint(at + 1, scope_version.length)
        memcpy(at, scope_version.data, scope_version.length)
    return start


# Python side.

cdef bytes _varint(unsigned long long number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(int number, bytes content) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _any_value(value) -> bytes:
    import struct

    if isinstance(value, str):
        return _field(1, value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10" + (b"\x01" if value else b"\x00")
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, (list, tuple)):
        return _field(5, b"".join(_field(1, _any_value(one)) for one in value))
    if isinstance(value, bytes):
        return _field(7, value)
    raise TypeError(f"resource attribute of type {type(value).__name__}: use str, bool, int, float, bytes or a list")


def encode_resource(attributes) -> bytes:
    """The ``Resource`` message of an attribute mapping, in its order; made once and given to every batch.

    Values: str, bool, int (64 bit), float, bytes, or a list of those; None leaves the attribute out.

    Raises:
        TypeError: a value of another type.
    """
    return b"".join(
        _field(1, _field(1, key.encode("utf-8", "replace")) + _field(2, _any_value(value)))
        for key, value in attributes.items()
        if value is not None
    )
