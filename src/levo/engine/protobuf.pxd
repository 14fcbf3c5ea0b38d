# The protobuf wire format (protobuf.dev/programming-guides/encoding): varints, tags, fixed-width numbers.
# Writers do not check for room: the caller has called ``output_need``.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from levo.engine.output cimport Output


cdef inline uint32_t varint_length(uint64_t number) noexcept nogil:
    cdef uint32_t length = 1
    while number >= 0x80:
        number >>= 7
        length += 1
    return length


cdef inline uint8_t* write_varint(uint8_t* at, uint64_t number) noexcept nogil:
    while number >= 0x80:
        at[0] = <uint8_t>(number | 0x80)
        number >>= 7
        at += 1
    at[0] = <uint8_t>number
    return at + 1


cdef inline void put_octet(Output* out, uint8_t octet) noexcept nogil:
    out.data[out.length] = octet
    out.length += 1


cdef inline void put_varint(Output* out, uint64_t number) noexcept nogil:
    out.length = write_varint(out.data + out.length, number) - out.data


cdef inline void put_fixed64(Output* out, uint8_t tag, uint64_t number) noexcept nogil:
    cdef int i
    put_octet(out, tag)
    for i in range(8):
        put_octet(out, <uint8_t>(number >> (8 * i)))
