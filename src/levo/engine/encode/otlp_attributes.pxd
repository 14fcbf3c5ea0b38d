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

cdef extern from *:
    """
    #ifndef LEVO_BEGIN_ATTRIBUTE
    #define LEVO_BEGIN_ATTRIBUTE
    /* Inline always: then the compiler knows how long a literal *key* is, and stores it without a call. */
    #define LEVO_ALWAYS static inline __attribute__((always_inline))

    LEVO_ALWAYS uint8_t *levo_begin_attribute(uint8_t *at, const char *key, uint64_t value_length) {
        size_t size = strlen(key);
        uint64_t pair = 3 + size + levo_varint_length(value_length) + value_length;
        at = levo_write_tag(at, LEVO_SPAN_ATTRIBUTES, pair);
        at[0] = LEVO_KEY_VALUE_KEY;
        at[1] = (uint8_t)size;
        memcpy(at + 2, key, size);
        return levo_write_tag(at + 2 + size, LEVO_KEY_VALUE_VALUE, value_length);
    }
    LEVO_ALWAYS uint8_t *levo_begin_string(uint8_t *at, const char *key, uint64_t length) {
        at = levo_begin_attribute(at, key, 1 + levo_varint_length(length) + length);
        return levo_write_tag(at, LEVO_ANY_VALUE_STRING_VALUE, length);
    }
    LEVO_ALWAYS uint8_t *levo_write_int(uint8_t *at, const char *key, int64_t number) {
        at = levo_begin_attribute(at, key, 1 + levo_varint_length((uint64_t)number));
        return levo_write_tag(at, LEVO_ANY_VALUE_INT_VALUE, (uint64_t)number);
    }
    LEVO_ALWAYS uint8_t *levo_write_ascii(uint8_t *at, const char *key, const uint8_t *text, uint32_t length) {
        at = levo_begin_string(at, key, length);
        levo_copy(at, text, length);
        return at + length;
    }
    #endif
    """
    # An attribute, whose key has less than 100 octets, up to its AnyValue of *value_length* octets.
    uint8_t* begin_attribute "levo_begin_attribute"(uint8_t* at, const char* key, uint64_t value_length) nogil
    # The same, and its AnyValue up to the text of *length* octets.
    uint8_t* begin_string "levo_begin_string"(uint8_t* at, const char* key, uint64_t length) nogil
    uint8_t* write_int "levo_write_int"(uint8_t* at, const char* key, int64_t number) nogil
    uint8_t* write_ascii "levo_write_ascii"(uint8_t* at, const char* key, const uint8_t* text, uint32_t length) nogil

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
