# The protobuf wire format (protobuf.dev/programming-guides/encoding) for compiled code: varints, tags, lengths and
# fixed-width numbers. ``protobuf.py`` is the same for Python.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "levo/wire/protobuf.h":
    # Octets of a varint: one for each seven bits.
    uint32_t varint_length "levo_varint_length"(uint64_t number) nogil

    # Writers take the place to write at and return the one after; they do not check for room.
    uint8_t* write_varint "levo_write_varint"(uint8_t* at, uint64_t number) nogil
    # A tag of one octet, then a varint: the length of what follows, or a number.
    uint8_t* write_tag "levo_write_tag"(uint8_t* at, uint8_t tag, uint64_t number) nogil
    # Its tag takes two octets wherever OTLP has one of these, so the caller writes it.
    uint8_t* write_fixed32 "levo_write_fixed32"(uint8_t* at, uint32_t number) nogil
    uint8_t* write_fixed64 "levo_write_fixed64"(uint8_t* at, uint8_t tag, uint64_t number) nogil

    enum:
        LENGTH "LEVO_LENGTH"

    # What is left to read of a message.
    ctypedef struct Cursor "levo_cursor":
        const uint8_t* at
        const uint8_t* end

    # A field that was read. ``inside`` is the content of one with a length, ``number`` the value of any other.
    ctypedef struct Field "levo_field":
        uint32_t tag
        uint64_t number
        Cursor inside

    # Read the next field: 1 if there is one, 0 at the end, -1 if protobuf would not go on either, or at a group.
    int take_field "levo_take_field"(Cursor* cursor, Field* field) nogil
