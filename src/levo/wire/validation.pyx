"""Whether octets are a trace request, without decoding them into objects.

The grammar is made from the published definitions (``schema.pxd``), so this refuses what protobuf refuses. It also
gives up on the unusual (groups, deep nesting), which the caller leaves to protobuf itself.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t

from levo.model.utf8 cimport utf8_run
from levo.wire.protobuf cimport LENGTH, Cursor, Field, take_field
from levo.wire.schema cimport (
    ANYTHING,
    FIELD_NUMBERS,
    GRAMMAR,
    KIND_EXPORT_METRICS_SERVICE_REQUEST,
    KIND_EXPORT_TRACE_SERVICE_REQUEST,
    KIND_SPAN,
    SPAN_SPAN_ID,
    SPAN_TRACE_ID,
    TEXT,
)

cdef enum:
    MOST_DEPTH = 40
    TRACE_ID_BYTES = 16
    SPAN_ID_BYTES = 8


cdef bint check(int kind, Cursor cursor, int depth, Py_ssize_t* spans) noexcept nogil:
    """Whether *cursor* is a sound message of *kind*; counts its spans, all of which have ids of the right size."""
    cdef Field field
    cdef int step, inner
    cdef uint32_t number
    cdef Py_ssize_t length, trace_id = 0, span_id = 0
    if depth > MOST_DEPTH:
        return False
    while True:
        step = take_field(&cursor, &field)
        if step <= 0:
            break
        number = field.tag >> 3
        if field.tag & 7 != LENGTH or number >= FIELD_NUMBERS:
            continue
        length = field.inside.end - field.inside.at
        inner = GRAMMAR[kind][number]
        if inner == TEXT:
            if utf8_run(field.inside.at, length) != <size_t>length:
                return False
        elif inner != ANYTHING:
            if not check(inner, field.inside, depth + 1, spans):
                return False
        elif kind == KIND_SPAN:
            if field.tag == SPAN_TRACE_ID:
                trace_id = length
            elif field.tag == SPAN_SPAN_ID:
                span_id = length
    if kind == KIND_SPAN:
        spans[0] += 1
        if trace_id != TRACE_ID_BYTES or span_id != SPAN_ID_BYTES:
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
        sound = check(KIND_EXPORT_TRACE_SERVICE_REQUEST, cursor, 0, &spans)
    return spans if sound else None


cdef Py_ssize_t tally(int kind, Cursor cursor, int depth, Py_ssize_t most) noexcept nogil:
    """How many messages are in one of *kind*, itself included, as far as it can be read; little more than *most*."""
    cdef Field field
    cdef int inner
    cdef Py_ssize_t found = 1
    if depth > MOST_DEPTH:
        return found
    while found <= most and take_field(&cursor, &field) > 0:
        if field.tag & 7 != LENGTH or field.tag >> 3 >= FIELD_NUMBERS:
            continue
        inner = GRAMMAR[kind][field.tag >> 3]
        if inner > 0:
            found += tally(inner, field.inside, depth + 1, most - found)
    return found


def holds_more_messages(bytes octets not None, Py_ssize_t most, bint metrics=False):
    """Whether more than *most* messages are in an export request: what protobuf would make objects of.

    An empty message takes two octets on the wire, and two hundred as an object.
    """
    cdef Cursor cursor
    cdef Py_ssize_t found
    cdef int kind = KIND_EXPORT_METRICS_SERVICE_REQUEST if metrics else KIND_EXPORT_TRACE_SERVICE_REQUEST
    cursor.at = <const uint8_t*>PyBytes_AS_STRING(octets)
    cursor.end = cursor.at + PyBytes_GET_SIZE(octets)
    with nogil:
        found = tally(kind, cursor, 0, most)
    return found > most
