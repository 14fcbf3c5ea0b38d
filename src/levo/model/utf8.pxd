# UTF-8 without the GIL, for what is compiled in either half.
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy


cdef inline size_t utf8_run(const uint8_t* data, size_t length) noexcept nogil:
    """Octets at the start that are whole, valid UTF-8 characters (RFC 3629: no surrogates, shortest form)."""
    cdef size_t i = 0
    cdef uint64_t eight
    cdef uint8_t c, d
    while i < length:
        if length - i >= 8:
            memcpy(&eight, data + i, 8)
            if eight & <uint64_t>0x8080808080808080 == 0:
                i += 8
                continue
        c = data[i]
        if c < 0x80:
            i += 1
        elif c < 0xC2:
            return i
        elif c < 0xE0:
            if length - i < 2 or data[i + 1] & 0xC0 != 0x80:
                return i
            i += 2
        elif c < 0xF0:
            if length - i < 3:
                return i
            d = data[i + 1]
            if d & 0xC0 != 0x80 or data[i + 2] & 0xC0 != 0x80:
                return i
            if (c == 0xE0 and d < 0xA0) or (c == 0xED and d > 0x9F):
                return i
            i += 3
        elif c < 0xF5:
            if length - i < 4:
                return i
            d = data[i + 1]
            if d & 0xC0 != 0x80 or data[i + 2] & 0xC0 != 0x80 or data[i + 3] & 0xC0 != 0x80:
                return i
            if (c == 0xF0 and d < 0x90) or (c == 0xF4 and d > 0x8F):
                return i
            i += 4
        else:
            return i
    return length
