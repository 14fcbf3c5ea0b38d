"""API traces straight from the octets of a trace request: no message object is built to be thrown away.

``read_spans`` reads what protobuf writes. With None it gives up on whatever protobuf reads and never writes (groups, a
message in two pieces); the caller has protobuf write it again. Every length is checked before it is followed.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from levo.wire.protobuf cimport Cursor, Field, take_field
from levo.wire.schema cimport (
    ANY_VALUE_ARRAY_VALUE,
    ANY_VALUE_BOOL_VALUE,
    ANY_VALUE_BYTES_VALUE,
    ANY_VALUE_DOUBLE_VALUE,
    ANY_VALUE_INT_VALUE,
    ANY_VALUE_KVLIST_VALUE,
    ANY_VALUE_STRING_VALUE,
    ARRAY_VALUE_VALUES,
    EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS,
    KEY_VALUE_KEY,
    KEY_VALUE_VALUE,
    RESOURCE_SPANS_RESOURCE,
    RESOURCE_SPANS_SCOPE_SPANS,
    SCOPE_SPANS_SPANS,
    SPAN_ATTRIBUTES,
    SPAN_END_TIME_UNIX_NANO,
    SPAN_KIND,
    SPAN_KIND_SERVER,
    SPAN_SPAN_ID,
    SPAN_START_TIME_UNIX_NANO,
    SPAN_TRACE_ID,
)

# What is learned from, by name of the attribute.
cdef enum:
    METHOD, SCHEME, PATH, ADDRESS, PORT, CODE, WEIGHT, QUERY, CLIENT
    REQUEST_BODY, REQUEST_CUT, REQUEST_MISSING, RESPONSE_BODY, RESPONSE_CUT, RESPONSE_MISSING, INCOMPLETE
    RPC_SYSTEM, GRPC_STATUS, TARGET, ANOMALIES, FINDINGS  # the last: what sensors before 0.1.0 called anomalies
    NOTHING

cdef enum:
    WANTED = 21
cdef const char** NAMES = [
    b"http.request.method", b"url.scheme", b"url.path", b"server.address", b"server.port",
    b"http.response.status_code", b"levo.sample.weight", b"url.query", b"client.address",
    b"levo.http.request.body", b"levo.http.request.body.truncated", b"levo.http.request.body.missing_bytes",
    b"levo.http.response.body", b"levo.http.response.body.truncated", b"levo.http.response.body.missing_bytes",
    b"levo.exchange.incomplete", b"rpc.system", b"rpc.grpc.status_code",
    b"levo.http.request.target",
    b"levo.anomalies", b"levo.findings",
]
cdef int* LENGTHS = [19, 10, 8, 14, 11, 25, 18, 9, 14, 22, 32, 36, 23, 33, 37, 24, 10, 20, 24, 14, 13]

cdef enum:
    ABSENT = 1

# The value of an attribute; ``kind`` is the tag of the member of the one-of, 0 if none is set.
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
    value.inside.at = value.inside.end = cursor.at
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            return step == 0
        if field.tag == ANY_VALUE_STRING_VALUE or field.tag == ANY_VALUE_BYTES_VALUE:
            value.kind = field.tag
            value.inside = field.inside
        elif field.tag == ANY_VALUE_ARRAY_VALUE or field.tag == ANY_VALUE_KVLIST_VALUE:
            if field.tag == value.kind:
                return False  # two messages of one field are one: leave it to protobuf
            value.kind = field.tag
            value.inside = field.inside
        elif (
            field.tag == ANY_VALUE_BOOL_VALUE
            or field.tag == ANY_VALUE_INT_VALUE
            or field.tag == ANY_VALUE_DOUBLE_VALUE
        ):
            value.kind = field.tag
            value.number = field.number


cdef inline str text(Value* value):
    if value.kind != ANY_VALUE_STRING_VALUE:
        return ""
    return PyUnicode_DecodeUTF8(<const char*>value.inside.at, value.inside.end - value.inside.at, NULL)


cdef inline bytes content(Value* value):
    if value.kind != ANY_VALUE_STRING_VALUE and value.kind != ANY_VALUE_BYTES_VALUE:
        return b""
    return PyBytes_FromStringAndSize(<const char*>value.inside.at, value.inside.end - value.inside.at)


cdef inline int64_t integer(Value* value) noexcept nogil:
    return <int64_t>value.number if value.kind == ANY_VALUE_INT_VALUE else 0


cdef bint add_fields(list fields, Cursor name, Value* value) except -1:
    """Append (name, text) for each value of a header field; False when protobuf should have a look."""
    cdef str shown
    cdef Cursor cursor
    cdef Field field
    cdef Value item
    cdef int step
    if value.kind != ANY_VALUE_STRING_VALUE and value.kind != ANY_VALUE_ARRAY_VALUE:
        return True
    shown = PyUnicode_DecodeUTF8(<const char*>name.at, name.end - name.at, NULL)
    if value.kind == ANY_VALUE_STRING_VALUE:
        fields.append((shown, text(value)))
        return True
    cursor = value.inside
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            return step == 0
        if field.tag == ARRAY_VALUE_VALUES:
            if not take_value(field.inside, &item):
                return False
            fields.append((shown, text(&item)))


cdef class SpanReader:
    """Makes traces of the spans of one resource."""

    cdef object _trace, _origin, _methods, _host, _scheme, _status, _half_read
    cdef uint64_t _received_ns, _earliest_ns, _latest_ns, _longest_ns

    def __init__(
        self, trace, origin, methods, host, scheme, status, half_read, received_ns, earliest_ns, latest_ns, longest_ns
    ):
        """*trace* is the type to make; *host* makes a host of (address, port, scheme).

        *scheme* makes a scheme of a text, *status* a status of whatever is in its place. *received_ns* stands in
        for the end of what did not end between *earliest_ns* and *latest_ns*. What took longer than *longest_ns*
        is of a clock that was set meanwhile: then nothing is known of how long it took.
        """
        self._trace = trace
        self._origin = origin
        self._methods = methods
        self._host = host
        self._scheme = scheme
        self._status = status
        self._half_read = half_read
        self._received_ns = received_ns
        self._earliest_ns = earliest_ns
        self._latest_ns = latest_ns
        self._longest_ns = longest_ns

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
            if field.tag == SPAN_KIND:
                kind = field.number
            elif field.tag == SPAN_START_TIME_UNIX_NANO:
                start_ns = field.number
            elif field.tag == SPAN_END_TIME_UNIX_NANO:
                end_ns = field.number
            elif field.tag == SPAN_TRACE_ID:
                ids[0] = field.inside
            elif field.tag == SPAN_SPAN_ID:
                ids[1] = field.inside
            elif field.tag == SPAN_ATTRIBUTES:
                pair = field.inside
                key.at = key.end = pair.at
                has_value = False
                value.kind = 0
                value.number = 0
                while True:
                    step = take_field(&pair, &part)
                    if step <= 0:
                        break
                    if part.tag == KEY_VALUE_KEY:
                        key = part.inside
                    elif part.tag == KEY_VALUE_VALUE:
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
        cdef uint64_t took_ns = 0
        cdef str method, path, incomplete, scheme
        cdef bint sent_whole, received_whole, sent_head, received_head
        method = text(&values[METHOD])
        if kind != SPAN_KIND_SERVER or not method:
            return None
        if method not in self._methods:
            method = "_OTHER"
        status = self._code(values)
        scheme = self._scheme(text(&values[SCHEME]))
        if not end_ns:
            end_ns = start_ns
        # However wrong the sender's clock is, how long the exchange took is right.
        if start_ns and start_ns < end_ns:
            took_ns = end_ns - start_ns
        if took_ns > self._longest_ns:
            took_ns = 0
        if not self._earliest_ns <= end_ns <= self._latest_ns:
            end_ns = self._received_ns
        path = text(&values[PATH])
        if not path and values[TARGET].kind != ABSENT:
            path = "/"  # http://host and http://host/ are the same (RFC 9110, section 4.2.3)
        incomplete = text(&values[INCOMPLETE])
        sent_whole = not (
            (values[REQUEST_CUT].kind == ANY_VALUE_BOOL_VALUE and values[REQUEST_CUT].number)
            or integer(&values[REQUEST_MISSING])
        )
        received_whole = not (
            (values[RESPONSE_CUT].kind == ANY_VALUE_BOOL_VALUE and values[RESPONSE_CUT].number)
            or integer(&values[RESPONSE_MISSING])
        )
        if incomplete:
            sent_whole = sent_whole and incomplete.removeprefix("request_") not in self._half_read
            received_whole = received_whole and incomplete.removeprefix("response_") not in self._half_read
        sent_head = not has_anomaly(&values[ANOMALIES], b"request.head_cut", 16)
        received_head = not has_anomaly(&values[ANOMALIES], b"response.head_cut", 17)
        return self._trace(
            self._origin,
            self._host(text(&values[ADDRESS]), integer(&values[PORT]), scheme),
            method,
            path,
            status,
            weight(&values[WEIGHT]),
            end_ns - took_ns,
            end_ns,
            text(&values[QUERY]),
            text(&values[CLIENT]),
            tuple(sent),
            tuple(received),
            content(&values[REQUEST_BODY]),
            content(&values[RESPONSE_BODY]),
            sent_whole and sent_head,
            received_whole and received_head,
            text(&values[RPC_SYSTEM]) == "grpc",
            -1 if values[GRPC_STATUS].kind == ABSENT else integer(&values[GRPC_STATUS]),
            PyBytes_FromStringAndSize(<const char*>ids[0].at, ids[0].end - ids[0].at)
            + PyBytes_FromStringAndSize(<const char*>ids[1].at, ids[1].end - ids[1].at),
            scheme,
            sent_head,
            received_head,
        )

    cdef int64_t _code(self, Value* values) except? -2:
        cdef Value* code = &values[CODE]
        cdef int64_t status = 0
        cdef double number
        if code.kind == ANY_VALUE_INT_VALUE:
            status = <int64_t>code.number
            if not 100 <= status <= 599:
                status = self._status(status)
        elif code.kind == ANY_VALUE_STRING_VALUE:
            status = self._status(text(code))
        elif code.kind == ANY_VALUE_DOUBLE_VALUE:
            memcpy(&number, &code.number, 8)
            status = self._status(number)
        elif code.kind != ABSENT and code.kind != 0:
            status = self._status(())
        if status == 0 and (
            has_anomaly(&values[ANOMALIES], b"response.bad_status", 19)
            or has_anomaly(&values[FINDINGS], b"response.bad_status", 19)
        ):
            status = self._status(())
        return status


cdef bint has_anomaly(const Value* anomalies, const char* name, Py_ssize_t size) noexcept nogil:
    """Whether *name* is among the sensor's anomalies."""
    cdef Cursor cursor
    cdef Field field
    cdef Value item
    if anomalies.kind != ANY_VALUE_ARRAY_VALUE:
        return False
    cursor = anomalies.inside
    while take_field(&cursor, &field) == 1:
        if field.tag == ARRAY_VALUE_VALUES and take_value(field.inside, &item) and item.kind == ANY_VALUE_STRING_VALUE:
            if item.inside.end - item.inside.at == size and memcmp(item.inside.at, name, size) == 0:
                return True
    return False


cdef double weight(Value* value) noexcept nogil:
    cdef double found = 0.0
    if value.kind == ANY_VALUE_INT_VALUE:
        found = <double><int64_t>value.number
    elif value.kind == ANY_VALUE_DOUBLE_VALUE:
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
            if field.tag != EXPORT_TRACE_SERVICE_REQUEST_RESOURCE_SPANS:
                continue
            resource = None
            scan = field.inside
            while True:
                step = take_field(&scan, &inner)
                if step <= 0:
                    break
                if inner.tag == RESOURCE_SPANS_RESOURCE:
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
                if inner.tag != RESOURCE_SPANS_SCOPE_SPANS:
                    continue
                spans = inner.inside
                while True:
                    step = take_field(&spans, &span)
                    if step <= 0:
                        break
                    if span.tag == SCOPE_SPANS_SPANS and not reader._read(span.inside, traces):
                        return None
                if step < 0:
                    return None
        return None if step < 0 else traces
    except UnicodeDecodeError:
        return None
