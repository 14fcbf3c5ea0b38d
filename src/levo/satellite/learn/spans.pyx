"""Trace requests straight from their octets: no message object is built to be thrown away.

Two readers of the wire format of ``ExportTraceServiceRequest`` (protobuf encoding; OTLP ``trace/v1``):
``count_spans`` checks all of a request as protobuf would, ``read_spans`` takes out what is learned from. Both
give up with ``None`` on whatever is unusual (groups, deep nesting, broken framing, text that is not UTF-8), which
the caller then leaves to protobuf itself. Every length is checked before it is followed.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from levo.model.utf8 cimport utf8_run

cdef enum:
    MOST_DEPTH = 40

# Kinds of messages, and what their fields are: 0 anything, -1 text, else a kind of message.
cdef enum:
    ANYTHING = 0
    TEXT = -1
    REQUEST = 1
    RESOURCE_SPANS
    RESOURCE
    SCOPE_SPANS
    SCOPE
    SPAN
    EVENT
    LINK
    STATUS
    PAIR
    VALUE
    ARRAY
    PAIRS
    METRICS_REQUEST
    RESOURCE_METRICS
    SCOPE_METRICS
    METRIC
    METRIC_DATA
    POINT
    EXEMPLAR

cdef enum:
    KINDS = 22
cdef enum:
    FIELDS = 17
cdef int GRAMMAR[KINDS][FIELDS]


cdef void describe() noexcept:
    cdef int kind, number
    for kind in range(KINDS):
        for number in range(FIELDS):
            GRAMMAR[kind][number] = ANYTHING
    GRAMMAR[REQUEST][1] = RESOURCE_SPANS
    GRAMMAR[RESOURCE_SPANS][1] = RESOURCE
    GRAMMAR[RESOURCE_SPANS][2] = SCOPE_SPANS
    GRAMMAR[RESOURCE_SPANS][3] = TEXT
    GRAMMAR[RESOURCE][1] = PAIR
    GRAMMAR[SCOPE_SPANS][1] = SCOPE
    GRAMMAR[SCOPE_SPANS][2] = SPAN
    GRAMMAR[SCOPE_SPANS][3] = TEXT
    GRAMMAR[SCOPE][1] = TEXT
    GRAMMAR[SCOPE][2] = TEXT
    GRAMMAR[SCOPE][3] = PAIR
    GRAMMAR[SPAN][3] = TEXT
    GRAMMAR[SPAN][5] = TEXT
    GRAMMAR[SPAN][9] = PAIR
    GRAMMAR[SPAN][11] = EVENT
    GRAMMAR[SPAN][13] = LINK
    GRAMMAR[SPAN][15] = STATUS
    GRAMMAR[EVENT][2] = TEXT
    GRAMMAR[EVENT][3] = PAIR
    GRAMMAR[LINK][3] = TEXT
    GRAMMAR[LINK][4] = PAIR
    GRAMMAR[STATUS][2] = TEXT
    GRAMMAR[PAIR][1] = TEXT
    GRAMMAR[PAIR][2] = VALUE
    GRAMMAR[VALUE][1] = TEXT
    GRAMMAR[VALUE][5] = ARRAY
    GRAMMAR[VALUE][6] = PAIRS
    GRAMMAR[ARRAY][1] = VALUE
    GRAMMAR[PAIRS][1] = PAIR
    GRAMMAR[METRICS_REQUEST][1] = RESOURCE_METRICS
    GRAMMAR[RESOURCE_METRICS][1] = RESOURCE
    GRAMMAR[RESOURCE_METRICS][2] = SCOPE_METRICS
    GRAMMAR[SCOPE_METRICS][1] = SCOPE
    GRAMMAR[SCOPE_METRICS][2] = METRIC
    for number in (5, 7, 9, 10, 11):
        GRAMMAR[METRIC][number] = METRIC_DATA
    GRAMMAR[METRIC][12] = PAIR
    GRAMMAR[METRIC_DATA][1] = POINT
    # The kinds of points number their fields differently; what is read wrongly counts as one more message or two.
    for number in (1, 7, 9):
        GRAMMAR[POINT][number] = PAIR
    for number in (5, 6, 8, 11):
        GRAMMAR[POINT][number] = EXEMPLAR
    GRAMMAR[EXEMPLAR][7] = PAIR


describe()

cdef struct Cursor:
    const uint8_t* at
    const uint8_t* end

# One field of a message. Of wire type 2, ``inside`` is its content; of the others, ``number`` its value.
cdef struct Field:
    uint32_t name
    uint32_t wire
    uint64_t number
    Cursor inside


cdef inline bint take_varint(Cursor* cursor, uint64_t* value) noexcept nogil:
    cdef uint64_t found = 0
    cdef int shift = 0
    cdef uint8_t octet
    while cursor.at < cursor.end and shift < 70:
        octet = cursor.at[0]
        cursor.at += 1
        if shift < 64:
            found |= <uint64_t>(octet & 0x7F) << shift
        if octet < 0x80:
            value[0] = found
            return True
        shift += 7
    return False


cdef inline int take_field(Cursor* cursor, Field* field) noexcept nogil:
    """Read the next field: 1 if there is one, 0 at the end, -1 when it is nothing to go on with."""
    cdef uint64_t tag, size
    if cursor.at >= cursor.end:
        return 0
    if not take_varint(cursor, &tag) or tag >> 32 or tag < 8:
        return -1
    field.name = <uint32_t>(tag >> 3)
    field.wire = <uint32_t>(tag & 7)
    if field.wire == 2:
        if not take_varint(cursor, &size) or size > <uint64_t>(cursor.end - cursor.at):
            return -1
        field.inside.at = cursor.at
        field.inside.end = cursor.at + size
        cursor.at += size
        return 1
    if field.wire == 0:
        return 1 if take_varint(cursor, &field.number) else -1
    size = 8 if field.wire == 1 else 4 if field.wire == 5 else 0
    if size == 0 or size > <uint64_t>(cursor.end - cursor.at):
        return -1
    field.number = 0
    memcpy(&field.number, cursor.at, size)  # little-endian on the wire, and on every machine that we build for
    cursor.at += size
    return 1


cdef bint check(int kind, Cursor cursor, int depth, Py_ssize_t* spans) noexcept nogil:
    """Whether *cursor* is a sound message of *kind*; counts its spans, all of which have ids of the right size."""
    cdef Field field
    cdef int step, inner
    cdef Py_ssize_t trace_id = 0, span_id = 0
    if depth > MOST_DEPTH:
        return False
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            break
        if field.wire != 2 or field.name >= FIELDS:
            continue
        inner = GRAMMAR[kind][field.name]
        if inner == TEXT:
            length = field.inside.end - field.inside.at
            if utf8_run(field.inside.at, length) != length:
                return False
        elif inner != ANYTHING:
            if not check(inner, field.inside, depth + 1, spans):
                return False
        elif kind == SPAN:
            if field.name == 1:
                trace_id = field.inside.end - field.inside.at
            elif field.name == 2:
                span_id = field.inside.end - field.inside.at
    if kind == SPAN:
        spans[0] += 1
        if trace_id != 16 or span_id != 8:
            return False
    return step == 0


def count_spans(bytes octets not None):
    """Return the number of spans of a trace request, None if protobuf should have a look at it.

    A number means: protobuf decodes *octets*, and all spans have a trace id and a span id of the right length.
    """
    cdef Cursor cursor
    cdef Py_ssize_t spans = 0
    cdef bint sound
    cursor.at = <const uint8_t*>PyBytes_AS_STRING(octets)
    cursor.end = cursor.at + PyBytes_GET_SIZE(octets)
    with nogil:
        sound = check(REQUEST, cursor, 0, &spans)
    return spans if sound else None


cdef Py_ssize_t tally(int kind, Cursor cursor, int depth, Py_ssize_t most) noexcept nogil:
    """How many messages are in one of *kind*, itself too, as far as it can be read; counts little further than *most*."""
    cdef Field field
    cdef int inner
    cdef Py_ssize_t found = 1
    if depth > MOST_DEPTH:
        return found
    while found <= most and take_field(&cursor, &field) > 0:
        if field.wire != 2 or field.name >= FIELDS:
            continue
        inner = GRAMMAR[kind][field.name]
        if inner > 0:
            found += tally(inner, field.inside, depth + 1, most - found)
    return found


def holds_more_messages(bytes octets not None, Py_ssize_t most, bint metrics=False):
    """Whether more than *most* messages are in an export request: what protobuf would make objects of.

    An empty message takes two octets on the wire, and two hundred as an object.
    """
    cdef Cursor cursor
    cdef Py_ssize_t found
    cursor.at = <const uint8_t*>PyBytes_AS_STRING(octets)
    cursor.end = cursor.at + PyBytes_GET_SIZE(octets)
    with nogil:
        found = tally(METRICS_REQUEST if metrics else REQUEST, cursor, 0, most)
    return found > most


# What is learned from, by name of the attribute.
cdef enum:
    METHOD, SCHEME, PATH, ADDRESS, PORT, CODE, WEIGHT, QUERY, CLIENT
    REQUEST_BODY, REQUEST_CUT, REQUEST_MISSING, RESPONSE_BODY, RESPONSE_CUT, RESPONSE_MISSING, INCOMPLETE
    RPC_SYSTEM, GRPC_STATUS, FINDINGS
    NOTHING

cdef enum:
    WANTED = 19
cdef const char** NAMES = [
    b"http.request.method", b"url.scheme", b"url.path", b"server.address", b"server.port",
    b"http.response.status_code", b"levo.sample.weight", b"url.query", b"client.address",
    b"levo.http.request.body", b"levo.http.request.body.truncated", b"levo.http.request.body.missing_bytes",
    b"levo.http.response.body", b"levo.http.response.body.truncated", b"levo.http.response.body.missing_bytes",
    b"levo.exchange.incomplete", b"rpc.system", b"rpc.grpc.status_code",
    b"levo.findings",
]
cdef int* LENGTHS = [19, 10, 8, 14, 11, 25, 18, 9, 14, 22, 32, 36, 23, 33, 37, 24, 10, 20, 13]

cdef enum:
    ABSENT = 99
    IS_TEXT = 1
    IS_BOOL = 2
    IS_INT = 3
    IS_DOUBLE = 4
    IS_ARRAY = 5
    IS_BYTES = 7

# The value of an attribute; ``kind`` is the number of the field of the one-of, 0 if none is set.
cdef struct Value:
    uint32_t kind
    uint64_t number
    Cursor inside


cdef inline int wanted(const uint8_t* name, Py_ssize_t size) noexcept nogil:
    cdef int index
    for index in range(WANTED):
        if LENGTHS[index] == size and memcmp(NAMES[index], name, size) == 0:
            return index
    return NOTHING


cdef inline bint take_value(Cursor cursor, Value* value) noexcept nogil:
    """Read an ``AnyValue``; of several members the last holds."""
    cdef Field field
    cdef int step
    value.kind = 0
    value.number = 0
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            return step == 0
        if field.wire == 2 and (field.name == IS_TEXT or 5 <= field.name <= IS_BYTES):
            if field.name == value.kind and value.kind != IS_TEXT and value.kind != IS_BYTES:
                return False  # two messages of one field are one: leave it to protobuf
            value.kind = field.name
            value.inside = field.inside
        elif (field.wire == 0 and (field.name == IS_BOOL or field.name == IS_INT)) or (
            field.wire == 1 and field.name == IS_DOUBLE
        ):
            value.kind = field.name
            value.number = field.number


cdef inline str text(Value* value):
    if value.kind != IS_TEXT:
        return ""
    return PyUnicode_DecodeUTF8(<const char*>value.inside.at, value.inside.end - value.inside.at, NULL)


cdef inline bytes content(Value* value):
    if value.kind != IS_TEXT and value.kind != IS_BYTES:
        return b""
    return PyBytes_FromStringAndSize(<const char*>value.inside.at, value.inside.end - value.inside.at)


cdef inline int64_t integer(Value* value) noexcept nogil:
    return <int64_t>value.number if value.kind == IS_INT else 0


cdef bint add_fields(list fields, Cursor name, Value* value) except -1:
    """Append (name, text) for each value of a header field; False when protobuf should have a look."""
    cdef str shown
    cdef Cursor cursor
    cdef Field field
    cdef Value item
    cdef int step
    if value.kind != IS_TEXT and value.kind != IS_ARRAY:
        return True
    shown = PyUnicode_DecodeUTF8(<const char*>name.at, name.end - name.at, NULL)
    if value.kind == IS_TEXT:
        fields.append((shown, text(value)))
        return True
    cursor = value.inside
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            return step == 0
        if field.name == 1 and field.wire == 2:
            if not take_value(field.inside, &item):
                return False
            fields.append((shown, text(&item)))


cdef class SpanReader:
    """Makes traces of the spans of one resource."""

    cdef object _trace, _origin, _methods, _host, _scheme, _status, _half_read
    cdef uint64_t _received_ns, _latest_ns

    def __init__(self, trace, origin, methods, host, scheme, status, half_read, received_ns, tolerance_ns):
        """*trace* is the type to make; *host* makes a host of (address, port, scheme).

        *scheme* makes a scheme of a text, *status* a status of whatever is in its place.
        """
        self._trace = trace
        self._origin = origin
        self._methods = methods
        self._host = host
        self._scheme = scheme
        self._status = status
        self._half_read = half_read
        self._received_ns = received_ns
        self._latest_ns = received_ns + tolerance_ns

    cdef bint _read(self, Cursor cursor, list into) except -1:
        """Append what the span in *cursor* is: a trace, or None if it is no server's exchange."""
        cdef Value[WANTED] values
        cdef Field field, part
        cdef Cursor pair, key
        cdef Cursor[2] ids
        cdef Value value
        cdef int name
        cdef uint64_t kind = 0, start_ns = 0, end_ns = 0
        cdef Py_ssize_t size
        cdef int step, index
        cdef bint has_value
        cdef list sent = [], received = []
        for index in range(WANTED):
            values[index].kind = ABSENT
            values[index].number = 0
        for index in range(2):
            ids[index].at = ids[index].end = cursor.at
        while True:
            step = take_field(&cursor, &field)
            if step <= 0:
                break
            if field.name == 6 and field.wire == 0:
                kind = field.number
            elif field.name == 7 and field.wire == 1:
                start_ns = field.number
            elif field.name == 8 and field.wire == 1:
                end_ns = field.number
            elif field.wire == 2 and (field.name == 1 or field.name == 2):
                ids[field.name - 1] = field.inside
            elif field.wire == 2 and field.name == 9:
                pair = field.inside
                key.at = key.end = pair.at
                has_value = False
                value.kind = 0
                value.number = 0
                while True:
                    step = take_field(&pair, &part)
                    if step <= 0:
                        break
                    if part.wire == 2 and part.name == 1:
                        key = part.inside
                    elif part.wire == 2 and part.name == 2:
                        if has_value or not take_value(part.inside, &value):
                            return False
                        has_value = True
                if step < 0:
                    return False
                size = key.end - key.at
                if size >= 20 and memcmp(key.at, b"http.request.header.", 20) == 0:
                    key.at += 20
                    if not add_fields(sent, key, &value):
                        return False
                elif size >= 21 and memcmp(key.at, b"http.response.header.", 21) == 0:
                    key.at += 21
                    if not add_fields(received, key, &value):
                        return False
                else:
                    name = wanted(key.at, size)
                    if name != NOTHING:
                        values[name] = value
        if step < 0:
            return False
        into.append(self._make(values, ids, kind, start_ns, end_ns, sent, received))
        return True

    cdef object _make(
        self, Value* values, Cursor* ids, uint64_t kind, uint64_t start_ns, uint64_t end_ns, list sent, list received
    ):
        cdef int64_t status
        cdef str method, incomplete, scheme
        cdef bint sent_whole, received_whole
        method = text(&values[METHOD])
        if kind != 2 or not method:
            return None
        if method not in self._methods:
            method = "_OTHER"
        status = self._code(values)
        scheme = self._scheme(text(&values[SCHEME]))
        if not end_ns:
            end_ns = start_ns
        if not 0 < end_ns <= self._latest_ns:
            end_ns = self._received_ns
        if not start_ns or start_ns > end_ns:
            start_ns = end_ns
        incomplete = text(&values[INCOMPLETE])
        sent_whole = not (
            (values[REQUEST_CUT].kind == IS_BOOL and values[REQUEST_CUT].number) or integer(&values[REQUEST_MISSING])
        )
        received_whole = not (
            (values[RESPONSE_CUT].kind == IS_BOOL and values[RESPONSE_CUT].number) or integer(&values[RESPONSE_MISSING])
        )
        if incomplete:
            sent_whole = sent_whole and incomplete.removeprefix("request_") not in self._half_read
            received_whole = received_whole and incomplete.removeprefix("response_") not in self._half_read
        return self._trace(
            self._origin,
            self._host(text(&values[ADDRESS]), integer(&values[PORT]), scheme),
            method,
            text(&values[PATH]) or "/",
            status,
            weight(&values[WEIGHT]),
            start_ns,
            end_ns,
            text(&values[QUERY]),
            text(&values[CLIENT]),
            tuple(sent),
            tuple(received),
            content(&values[REQUEST_BODY]),
            content(&values[RESPONSE_BODY]),
            sent_whole,
            received_whole,
            text(&values[RPC_SYSTEM]) == "grpc",
            -1 if values[GRPC_STATUS].kind == ABSENT else integer(&values[GRPC_STATUS]),
            PyBytes_FromStringAndSize(<const char*>ids[0].at, ids[0].end - ids[0].at)
            + PyBytes_FromStringAndSize(<const char*>ids[1].at, ids[1].end - ids[1].at),
            scheme,
        )

    cdef int64_t _code(self, Value* values) except? -2:
        cdef Value* code = &values[CODE]
        cdef int64_t status = 0
        cdef double number
        if code.kind == IS_INT:
            status = <int64_t>code.number
            if not 100 <= status <= 599:
                status = self._status(status)
        elif code.kind == IS_TEXT:
            status = self._status(text(code))
        elif code.kind == IS_DOUBLE:
            memcpy(&number, &code.number, 8)
            status = self._status(number)
        elif code.kind != ABSENT and code.kind != 0:
            status = self._status(())
        if status == 0 and values[FINDINGS].kind == IS_ARRAY and has_bad_status(values[FINDINGS].inside):
            status = self._status(())
        return status


cdef bint has_bad_status(Cursor findings) noexcept nogil:
    """Whether the sensor's findings name a response without a status code."""
    cdef Field field
    cdef Value item
    while take_field(&findings, &field) == 1:
        if field.name == 1 and field.wire == 2 and take_value(field.inside, &item) and item.kind == IS_TEXT:
            if item.inside.end - item.inside.at == 19 and memcmp(item.inside.at, b"response.bad_status", 19) == 0:
                return True
    return False


cdef double weight(Value* value) noexcept nogil:
    cdef double found = 0.0
    if value.kind == IS_INT:
        found = <double><int64_t>value.number
    elif value.kind == IS_DOUBLE:
        memcpy(&found, &value.number, 8)
    if not isfinite(found) or found < 1.0:
        return 1.0
    return found if found < 1e9 else 1e9


def read_spans(bytes octets not None, reader_of):
    """Return an item per span of a trace request, in order: a trace, or None for what is no server's exchange.

    *reader_of* makes the :class:`SpanReader` of a resource from its octets (empty if it is absent), in order.
    None instead of a list: protobuf should have a look.
    """
    cdef Cursor request, scan, spans
    cdef Field field, inner, span
    cdef int step
    cdef SpanReader reader
    cdef bytes resource
    cdef list traces = []
    request.at = <const uint8_t*>PyBytes_AS_STRING(octets)
    request.end = request.at + PyBytes_GET_SIZE(octets)
    try:
        while True:
            step = take_field(&request, &field)
            if step <= 0:
                break
            if field.name != 1 or field.wire != 2:
                continue
            resource = None
            scan = field.inside
            while True:
                step = take_field(&scan, &inner)
                if step <= 0:
                    break
                if inner.name == 1 and inner.wire == 2:
                    if resource is not None:
                        return None  # two messages of one field are one: leave it to protobuf
                    resource = PyBytes_FromStringAndSize(
                        <const char*>inner.inside.at, inner.inside.end - inner.inside.at
                    )
            if step < 0:
                return None
            reader = reader_of(resource or b"")
            scan = field.inside
            while take_field(&scan, &inner) == 1:
                if inner.name != 2 or inner.wire != 2:
                    continue
                spans = inner.inside
                while True:
                    step = take_field(&spans, &span)
                    if step <= 0:
                        break
                    if span.name == 2 and span.wire == 2 and not reader._read(span.inside, traces):
                        return None
                if step < 0:
                    return None
        return None if step < 0 else traces
    except UnicodeDecodeError:
        return None
