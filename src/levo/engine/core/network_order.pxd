# Readers of fixed-width integers in frames. Callers have checked that the octets are there.
from libc.stdint cimport uint8_t, uint32_t


cdef inline uint32_t be16(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[0] << 8) | at[1]


cdef inline uint32_t be32(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[0] << 24) | (<uint32_t>at[1] << 16) | (<uint32_t>at[2] << 8) | at[3]


cdef inline uint32_t le16(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[1] << 8) | at[0]


cdef inline uint32_t le32(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[3] << 24) | (<uint32_t>at[2] << 16) | (<uint32_t>at[1] << 8) | at[0]
