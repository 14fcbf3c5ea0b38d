# The protobuf wire format (protobuf.dev/programming-guides/encoding): varints, tags, fixed-width numbers.
# Writers take the place to write at and return the one behind; they do not check for room.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.core.output cimport store64

cdef extern from *:
    """
    #ifndef LEVO_VARINT
    #define LEVO_VARINT
    static inline uint32_t levo_varint_length(uint64_t number) {
        return (uint32_t)((64 - __builtin_clzll(number | 1)) * 9 + 64) >> 6;
    }
    #endif
    """
    # Octets of a varint: one for each seven bits.
    uint32_t varint_length "levo_varint_length"(uint64_t number) nogil


cdef inline uint8_t* write_varint(uint8_t* at, uint64_t number) noexcept nogil:
    while number >= 0x80:
        at[0] = <uint8_t>(number | 0x80)
        number >>= 7
        at += 1
    at[0] = <uint8_t>number
    return at + 1


cdef inline uint8_t* write_tag(uint8_t* at, uint8_t tag, uint64_t number) noexcept nogil:
    """A tag of one octet, then a varint: the length of what follows, or a number."""
    at[0] = tag
    return write_varint(at + 1, number)


cdef inline uint8_t* write_fixed64(uint8_t* at, uint8_t tag, uint64_t number) noexcept nogil:
    at[0] = tag
    store64(at + 1, number)
    return at + 9
