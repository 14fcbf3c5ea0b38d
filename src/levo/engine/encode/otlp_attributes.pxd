# Attributes of a span (``Span.attributes``, opentelemetry-proto ``common/v1``). Writers take the place to write at and
# return the one after; they do not check for room: ATTRIBUTE_ROOM octets besides the value's are enough for each.
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from levo.engine.core.output cimport Text, TextKind, copy, utf8_length, write_text
from levo.wire.protobuf cimport varint_length, write_fixed64, write_tag
from levo.wire.schema cimport (
    ANY_VALUE_BOOL_VALUE,
    ANY_VALUE_BYTES_VALUE,
    ANY_VALUE_DOUBLE_VALUE,
    ANY_VALUE_INT_VALUE,
    ANY_VALUE_STRING_VALUE,
    KEY_VALUE_KEY,
    KEY_VALUE_VALUE,
    SPAN_ATTRIBUTES,
)

cdef extern from "levo/engine/encode/otlp_attributes.h":
    # An attribute, whose key has less than 100 octets, up to its AnyValue of *value_length* octets.
    uint8_t* begin_attribute "levo_begin_attribute"(uint8_t* at, const char* key, uint64_t value_length) nogil
    # The same, and its AnyValue up to the text of *length* octets.
    uint8_t* begin_string "levo_begin_string"(uint8_t* at, const char* key, uint64_t length) nogil
    uint8_t* write_int "levo_write_int"(uint8_t* at, const char* key, int64_t number) nogil
    uint8_t* write_ascii "levo_write_ascii"(uint8_t* at, const char* key, const uint8_t* text, uint32_t length) nogil

    # The same for a name that is chosen at run time; it is copied whole, so there must be room for that.
    ctypedef struct AttributeName "levo_attribute_name":
        const char* text
        uint8_t length

    uint8_t* begin_named_string "levo_begin_named_string"(uint8_t* at, const AttributeName* name, uint64_t length) nogil
    uint8_t* write_named_int "levo_write_named_int"(uint8_t* at, const AttributeName* name, int64_t number) nogil

cdef enum:
    ATTRIBUTE_ROOM = 128


cdef inline uint8_t* write_known_string(uint8_t* at, const char* key, Text text, TextKind kind) noexcept nogil:
    cdef uint64_t length = utf8_length(text.data, text.length, kind)
    return write_text(begin_string(at, key, length), text.data, text.length, kind)


cdef inline uint8_t* write_bytes(uint8_t* at, const char* key, const uint8_t* data, uint32_t length) noexcept nogil:
    at = write_tag(begin_attribute(at, key, 1 + varint_length(length) + length), ANY_VALUE_BYTES_VALUE, length)
    copy(at, data, length)
    return at + length


cdef inline uint8_t* write_true(uint8_t* at, const char* key) noexcept nogil:
    return write_tag(begin_attribute(at, key, 2), ANY_VALUE_BOOL_VALUE, 1)


cdef inline uint8_t* write_double(uint8_t* at, const char* key, double number) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, &number, 8)
    return write_fixed64(begin_attribute(at, key, 9), ANY_VALUE_DOUBLE_VALUE, word)
