# Reader of the numbers in stored octets. Callers have checked that the octets are there.
from libc.stdint cimport uint8_t, uint64_t


cdef inline uint64_t big_endian(const uint8_t* at, int size) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value = value << 8 | at[i]
    return value
